"""Learning from few labels and many samples without: FixMatch.

Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence"
(2020), section 2. A learner for it has a third part of data:

    data = {"train": labelled, "unlabelled": the_rest, "valid": valid}
    learn = sp.Learner(task, data, model=model, phases=[
        sp.FixMatchPhase([Affine(5)], [Affine(30), Noise(0.2)]), sp.ValidPhase()])
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sprat.augment import Transform, View, augment
from sprat.data import Batch
from sprat.phases import TrainPhase
from sprat.phases.parts import Stream

if TYPE_CHECKING:
    from sprat.learner import Learner, State


class FixMatchPhase(TrainPhase):
    """Learn from labels, and from the model's own sure answers to samples without labels.

    What the model says to a weakly changed picture, if it is sure, becomes the label of the same
    picture strongly changed. An epoch is one pass over the unlabelled part; labelled batches come
    round as often as they are needed.

    Args:
        weak: transforms that leave a picture much as it is.
        strong: transforms that change it a lot.
        threshold: how sure is sure: the probability from which an answer counts, 0…1.
        weight: of the unlabelled loss against the labelled one.
        labelled: the part of the data with labels.
        unlabelled: the part without; targets in it are not looked at.
        generator: where the transforms' randomness comes from, on the learner's device.
    """

    def __init__(
        self,
        weak: Sequence[Transform],
        strong: Sequence[Transform],
        *,
        threshold: float = 0.95,
        weight: float = 1.0,
        labelled: str = "train",
        unlabelled: str = "unlabelled",
        generator: torch.Generator | None = None,
    ) -> None:
        self.weak, self.strong = tuple(weak), tuple(strong)
        self.threshold, self.weight, self.generator = threshold, weight, generator
        self.split, self.labelled = unlabelled, Stream(labelled)

    def step(self, learn: "Learner", batch: Batch) -> "State":
        """One step on a labelled and an unlabelled batch together."""
        known = self.labelled.next(learn)
        with torch.no_grad():
            guess = learn.model(self._changed(batch.x, self.weak)).softmax(1)  # (B, classes)
            sureness, label = guess.max(1)
            sure = (sureness >= self.threshold).float()
        # One forward for both, so that batch normalisation sees them as one population.
        x = torch.cat([self._changed(known.x, self.weak), self._changed(batch.x, self.strong)])
        logits, others = learn.model(x).split([len(known), len(batch)])
        supervised = learn.loss(logits, known.y)
        # Multiplied, not selected: picking the sure ones would make a GPU's host wait.
        consistency = (F.cross_entropy(others, label, reduction="none") * sure).mean()
        return learn.update(
            loss=supervised + self.weight * consistency,
            supervised=supervised,
            consistency=consistency,
            sure=sure.mean(),
            y_hat=others,
        )

    def state_dict(self) -> dict[str, Any]:
        """Where the labelled batches stand."""
        return {"labelled": self.labelled.state_dict()}

    def load_state_dict(self, state: dict[str, Any], learn: "Learner") -> None:
        """Go on from there."""
        self.labelled.load_state_dict(state["labelled"], learn)

    def _changed(self, x: Tensor, transforms: Sequence[Transform]) -> Tensor:
        with torch.no_grad():
            return augment(View(x), transforms, generator=self.generator).image
