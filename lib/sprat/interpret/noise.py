"""Confident learning: which labels are probably wrong, counted from the model's own probabilities.

A class's threshold is the mean probability that the model gives to it over the samples that are
labelled so. A sample counts as confidently being of a class where its probability reaches that
class's threshold; of several, the likeliest. The counts of given label by confident class are the
confident joint, and what is off its diagonal is suspicious; Northcutt, Jiang and Chuang,
"Confident learning: estimating uncertainty in dataset labels" (2021), section 3.1.

The probabilities should come from models that have not seen the sample: `out_of_fold` makes them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.blocks import Label
from sprat.data import Data, Splits
from sprat.errors import DataError
from sprat.interpret.passes import data_of, goal_of, outputs_of
from sprat.shapes import Float, Int

if TYPE_CHECKING:
    from sprat.learner import Learner


def confident_joint(
    probabilities: Float[Tensor, "samples classes"], labels: Int[Tensor, " labels"]
) -> tuple[Int[Tensor, "given confident"], Int[Tensor, " samples"]]:
    """Count given labels by what the model is confident of.

    Args:
        probabilities: of each class for each sample, 0…1.
        labels: the class that each sample is given as.

    Returns:
        The confident joint (classes, classes), given label in rows; and for each sample the class
        that the model is confident of, −1 where it is confident of none, (N,).

    Raises:
        DataError: the two have different lengths, or a label is no class.
    """
    count, classes = probabilities.shape
    if len(labels) != count:
        raise DataError(
            f"There are {count} rows of probabilities and {len(labels)} labels.",
            fix="give one label a row",
        )
    if count and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise DataError(
            f"Labels run from {int(labels.min())} to {int(labels.max())}; there are {classes} "
            "classes.",
            fix="give indices that count from 0",
        )
    given = torch.nn.functional.one_hot(labels, classes).to(probabilities.dtype)
    own = probabilities.gather(1, labels[:, None])[:, 0]
    # A class that no sample is labelled with has no threshold: nobody can be confident of it.
    sizes = given.sum(0)
    thresholds = torch.where(
        sizes > 0, (given * own[:, None]).sum(0) / sizes.clamp(min=1), torch.inf
    )
    reached = probabilities >= thresholds
    likeliest = probabilities.masked_fill(~reached, -1.0).argmax(1)
    confident = torch.where(reached.any(1), likeliest, -1)
    kept = confident >= 0
    joint = torch.zeros(classes, classes, dtype=torch.int64)
    joint.view(-1).index_add_(
        0, labels[kept] * classes + confident[kept], torch.ones(int(kept.sum()), dtype=torch.int64)
    )
    return joint, confident


def probabilities(learn: "Learner", data: Any = None) -> Float[Tensor, "samples classes"]:
    """The probability of each class for each sample, (N, classes), on the CPU.

    Raises:
        TaskError: the target is no `Label`.
    """
    goal_of(learn, "A probability of each class", Label, instead="use learn.predictions(data)")
    y_hat, _ = outputs_of(learn, data_of(learn, data))
    return y_hat.softmax(1)


def out_of_fold(
    make: Callable[[Splits], "Learner"],
    data: Data,
    *,
    folds: int = 4,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "samples classes"]:
    """Probabilities of every sample from a model that has not seen it.

    The data is cut into folds; for each, a model is trained on the others.

    Args:
        make: gets (the other folds, the fold) and returns a learner, trained on the first:
            ``lambda parts: train(parts)``.
        data: what to judge.
        folds: into how many parts.
        generator: where the cut comes from; torch's own by default.

    Returns:
        (N, classes), in the data's order.

    Raises:
        DataError: there are fewer than two folds, or fewer samples than folds.
    """
    if not 2 <= folds <= len(data):
        raise DataError(
            f"{folds} folds of {len(data)} samples.", fix="give 2 or more, and at most one a sample"
        )
    order = torch.randperm(len(data), generator=generator)
    parts = order.tensor_split(folds)
    found: list[Tensor] = []
    for i, fold in enumerate(parts):
        others = torch.cat([part for j, part in enumerate(parts) if j != i])
        learn = make(Splits(data[others], data[fold]))
        found.append(probabilities(learn, data[fold]))
    return torch.cat(found)[order.argsort()]
