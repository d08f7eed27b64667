"""Confusion: which classes a model takes for which.

Entry (i, j) counts the samples (for masks, the pixels) whose truth is class i and for which the
model said class j: truth in rows, prediction in columns, as scikit-learn has it
(https://scikit-learn.org/stable/modules/model_evaluation.html#confusion-matrix). `Labels` have no
such matrix, as a sample may have several classes; each class then has its own two by two.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.blocks import Categories, Label, Labels, Mask
from sprat.errors import DataError
from sprat.interpret.passes import data_of, goal_of, need_targets, passes
from sprat.interpret.plots import axes, panels
from sprat.shapes import Float, Int
from sprat.tables import Table

if TYPE_CHECKING:
    from sprat.learner import Learner


@dataclass(frozen=True)
class Mixup:
    """One class taken for another.

    Args:
        truth: what it was.
        predicted: what the model said.
        count: how often.
    """

    truth: str
    predicted: str
    count: int

    def __str__(self) -> str:
        return f"truth {self.truth}, predicted {self.predicted}: {self.count}"


@dataclass(frozen=True, repr=False)
class Confusion:
    """How often each class was taken for each.

    Args:
        counts: int64 (classes, classes), truth in rows and prediction in columns.
        classes: their names, in the order of rows and columns.
        what: what is counted, ``"samples"`` or ``"pixels"``.
    """

    counts: Int[Tensor, "truth predicted"]
    classes: tuple[str, ...]
    what: str = "samples"

    @property
    def accuracy(self) -> float:
        """The share on the diagonal, 0…1."""
        return float(self.counts.diagonal().sum() / self.counts.sum())

    def rates(self) -> Float[Tensor, "truth predicted"]:
        """Counts as shares of each truth, rows that sum to 1; zeros for a class that never was."""
        return self.counts / self.counts.sum(1, keepdim=True).clamp(min=1)

    def most_confused(self, count: int = 10, *, at_least: int = 1) -> list[Mixup]:
        """The mistakes that were made most often, the worst first.

        Args:
            count: mistakes at most.
            at_least: leave out what happened less often.
        """
        wrong = self.counts.clone().fill_diagonal_(0)
        order = wrong.flatten().argsort(descending=True, stable=True)[:count]
        found = []
        for place in order.tolist():
            i, j = divmod(place, len(self.classes))
            if (times := int(wrong[i, j])) >= max(1, at_least):
                found.append(Mixup(self.classes[i], self.classes[j], times))
        return found

    def report(self) -> Table:
        """Precision, recall, F1 (0…1) and the number of true samples, class by class."""
        hits, said, were = self.counts.diagonal(), self.counts.sum(0), self.counts.sum(1)
        rows = _report_rows(self.classes, hits, said, were)
        caption = f"accuracy {self.accuracy:.3f}; support is the number of {self.what} of a class"
        return Table(("class", "precision", "recall", "F1", "support"), rows, caption)

    def table(self) -> Table:
        """The counts, truth in rows."""
        rows = [
            (name, *(f"{n}" for n in row))
            for name, row in zip(self.classes, self.counts.tolist(), strict=True)
        ]
        return Table(("truth ↓ predicted →", *self.classes), rows, f"{self.what}, by truth")

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def plot(self, ax: Any = None, *, rates: bool = False) -> Any:
        """Draw the matrix with its counts; the shade of a cell is the share of its row.

        Args:
            ax: matplotlib axes; new ones by default.
            rates: write shares of each truth in per cent, and no counts.

        Returns:
            The figure.
        """
        side = 1.6 + 0.42 * len(self.classes)
        ax = axes(ax, side, side)
        _shade(ax, self.counts, self.rates(), rates=rates)
        places = range(len(self.classes))
        ax.set_xticks(places, self.classes, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(places, self.classes)
        ax.set(xlabel="predicted", ylabel="truth", title=f"Confusion ({self.what})")
        return ax.figure


@dataclass(frozen=True, repr=False)
class LabelsConfusion:
    """For each class of a multi-label task, how often it was there and how often it was said.

    Args:
        counts: int64 (classes, 2, 2); of each class, truth (no, yes) in rows and prediction
            (no, yes) in columns.
        classes: their names.
    """

    counts: Int[Tensor, "classes 2 2"]
    classes: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """The share of yes-or-no answers that are right, 0…1."""
        return float(self.counts.diagonal(dim1=1, dim2=2).sum() / self.counts.sum())

    def most_confused(self, count: int = 10, *, at_least: int = 1) -> list[Mixup]:
        """The classes that were missed, or seen where they are not, most often."""
        found = []
        for name, ((_, alarms), (misses, _)) in zip(
            self.classes, self.counts.tolist(), strict=True
        ):
            found += [Mixup(name, f"no {name}", misses), Mixup(f"no {name}", name, alarms)]
        kept = [one for one in found if one.count >= max(1, at_least)]
        return sorted(kept, key=lambda one: -one.count)[:count]

    def report(self) -> Table:
        """Precision, recall, F1 (0…1) and the number of true samples, class by class."""
        hits = self.counts[:, 1, 1]
        rows = _report_rows(
            self.classes, hits, self.counts[:, :, 1].sum(1), self.counts[:, 1].sum(1)
        )
        return Table(("class", "precision", "recall", "F1", "support"), rows)

    def table(self) -> Table:
        """Hits, misses, false alarms and the rest, class by class."""
        rows = [
            (name, f"{yes[1]}", f"{yes[0]}", f"{no[1]}", f"{no[0]}")
            for name, (no, yes) in zip(self.classes, self.counts.tolist(), strict=True)
        ]
        heads = ("class", "truth and predicted", "truth only", "predicted only", "neither")
        return Table(heads, rows)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def plot(self, *, rates: bool = False) -> Any:
        """Draw a two by two for each class; returns the figure."""
        every = panels(len(self.classes), 2.1, 2.1, columns=4)
        for ax, name, counts in zip(every, self.classes, self.counts, strict=True):
            _shade(ax, counts, counts / counts.sum(1, keepdim=True).clamp(min=1), rates=rates)
            ax.set_xticks((0, 1), ("no", "yes"))
            ax.set_yticks((0, 1), ("no", "yes"))
            ax.set(xlabel="predicted", ylabel="truth", title=name)
        return every[0].figure


def confusion(learn: "Learner", data: Any = None) -> Confusion | LabelsConfusion:
    """Count which classes the model takes for which.

    Args:
        learn: a learner whose target is `Label`, `Mask` or `Labels`.
        data: a `Data` or a loader; by default the validation part.

    Returns:
        A `Confusion`; for `Labels`, a `LabelsConfusion`.

    Raises:
        TaskError: the target has no classes.
        DataError: the data has no targets.
    """
    instead = "use sprat.interpret.residuals(learn) for numbers"
    goal = goal_of(learn, "A confusion matrix", Label, Mask, Labels, instead=instead)
    assert isinstance(goal, Categories)
    samples, size = data_of(learn, data), len(goal.classes)
    need_targets(samples, "A confusion matrix")
    if isinstance(goal, Labels):
        both = torch.zeros(size, 2, 2, dtype=torch.int64)
        for batch, y_hat in passes(learn, samples):
            there, said = (batch.y > 0.5).long(), (y_hat > 0).long()  # (batch, classes)
            for i in range(size):
                both[i] += count_pairs(there[:, i], said[:, i], 2).cpu()
        return LabelsConfusion(both, goal.classes)
    counts = torch.zeros(size, size, dtype=torch.int64)
    for batch, y_hat in passes(learn, samples):
        counts += count_pairs(batch.y, y_hat.argmax(1), size).cpu()
    return Confusion(counts, goal.classes, "pixels" if isinstance(goal, Mask) else "samples")


def count_pairs(
    truth: Int[Tensor, " *shape"], predicted: Int[Tensor, " *shape"], num_classes: int
) -> Int[Tensor, "truth predicted"]:
    """How often each pair of classes occurs, (num_classes, num_classes), truth in rows.

    Raises:
        DataError: an index is no class.
    """
    both = torch.stack([truth.flatten(), predicted.flatten()])
    if both.numel() and not 0 <= int(both.min()) <= int(both.max()) < num_classes:
        raise DataError(
            f"Class indices run from {int(both.min())} to {int(both.max())}; there are "
            f"{num_classes} classes.",
            fix=f"give indices 0…{num_classes - 1}, or name all classes",
        )
    flat = both[0] * num_classes + both[1]
    return flat.bincount(minlength=num_classes**2).reshape(num_classes, num_classes)


def _report_rows(
    classes: tuple[str, ...], hits: Tensor, said: Tensor, were: Tensor
) -> list[tuple[str, ...]]:
    """Name, precision, recall, F1 and support; 0 where nothing was said or was there."""
    rows = []
    for name, hit, s, w in zip(classes, hits.tolist(), said.tolist(), were.tolist(), strict=True):
        shares = (hit / max(s, 1), hit / max(w, 1), 2 * hit / max(s + w, 1))
        rows.append((name, *(f"{share:.3f}" for share in shares), f"{w}"))
    return rows


def _shade(ax: Any, counts: Tensor, shares: Tensor, *, rates: bool) -> None:
    """Cells from white to blue with their numbers, written so that they stand out."""
    ax.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(shares.tolist()):
        for j, share in enumerate(row):
            number = int(counts[i, j])
            words = f"{share:.0%}" if rates else f"{number}"
            ax.text(
                j,
                i,
                words if number else "·",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if share > 0.55 else "#111111",
            )
