"""Residuals: how far a regression is off, in the target's own units, and where.

The residual is prediction minus truth, so a positive one means that the model said too much.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.blocks import Block, Continuous
from sprat.errors import DataError
from sprat.interpret.passes import data_of, goal_of, need_targets, passes
from sprat.interpret.plots import BLUE, RUST, panels
from sprat.shapes import Float
from sprat.tables import Table

if TYPE_CHECKING:
    from sprat.learner import Learner


@dataclass(frozen=True, repr=False)
class Residuals:
    """Truth and prediction of every number of every sample.

    Args:
        truth: (N, size), in the target's units.
        predicted: (N, size), likewise.
        names: of the numbers.
    """

    truth: Float[Tensor, "samples size"]
    predicted: Float[Tensor, "samples size"]
    names: tuple[str, ...]

    @property
    def values(self) -> Float[Tensor, "samples size"]:
        """Prediction minus truth."""
        return self.predicted - self.truth

    @property
    def bias(self) -> Float[Tensor, " size"]:
        """The mean residual of each number, in the target's units."""
        return self.values.mean(0)

    @property
    def rmse(self) -> Float[Tensor, " size"]:
        """The root of the mean squared residual of each number, in the target's units."""
        return self.values.square().mean(0).sqrt()

    @property
    def mae(self) -> Float[Tensor, " size"]:
        """The mean size of the residual of each number, in the target's units."""
        return self.values.abs().mean(0)

    @property
    def r2(self) -> Float[Tensor, " size"]:
        """The share of the truth's variance that is explained: 1 is all, 0 no more than its mean.

        Not a number where the truth does not vary.
        """
        spread = (self.truth - self.truth.mean(0)).square().sum(0)
        left = self.values.square().sum(0)
        return torch.where(spread > 0, 1 - left / spread, torch.nan)

    def worst(self, count: int = 8) -> list[int]:
        """Where the samples with the largest residuals stand in the data, the worst first."""
        size = self.values.abs().max(1).values
        return size.argsort(descending=True, stable=True)[:count].tolist()

    def report(self) -> Table:
        """Bias, mean size, root mean square and R² of each number."""
        columns = zip(
            self.names,
            *(c.tolist() for c in (self.bias, self.mae, self.rmse, self.r2)),
            strict=True,
        )
        rows = [(name, *(f"{v:.4g}" for v in values)) for name, *values in columns]
        return Table(("", "mean residual", "mean size", "root mean square", "R²"), rows)

    def __repr__(self) -> str:
        return str(self.report())

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()

    def plot(self, number: int = 0) -> Any:
        """Draw predictions over the truth, and residuals over predictions.

        Args:
            number: which of the target's numbers.

        Returns:
            The figure.

        Raises:
            DataError: there is no such number.
        """
        if not 0 <= number < len(self.names):
            raise DataError(
                f"The target has {len(self.names)} numbers; number {number} is none of them.",
                fix=f"give 0 to {len(self.names) - 1}",
            )
        truth, said = self.truth[:, number].numpy(), self.predicted[:, number].numpy()
        name = self.names[number]
        left, right = panels(2, 3.6, 3.2)
        ends = [min(truth.min(), said.min()), max(truth.max(), said.max())]
        left.plot(ends, ends, color=RUST, linewidth=1, label="prediction = truth")
        left.plot(truth, said, "o", color=BLUE, markersize=3, alpha=0.5)
        left.set(
            xlabel=f"truth: {name}", ylabel=f"predicted: {name}", title="Prediction over truth"
        )
        left.legend(frameon=False, fontsize=8)
        right.axhline(0, color=RUST, linewidth=1)
        right.plot(said, said - truth, "o", color=BLUE, markersize=3, alpha=0.5)
        right.set(xlabel=f"predicted: {name}", ylabel="predicted minus truth", title="Residuals")
        return left.figure


def residuals(learn: "Learner", data: Any = None) -> Residuals:
    """Truth and prediction of a regression, decoded to the target's units.

    Args:
        learn: a learner whose target is `Continuous`, or becomes it by its encodings.
        data: a `Data` or a loader; by default the validation part.

    Raises:
        TaskError: the target holds no numbers.
        DataError: the data has no targets.
    """
    goal = goal_of(
        learn, "A residual", Continuous, instead="use sprat.interpret.confusion(learn) for classes"
    )
    task, samples = learn.require_task(), data_of(learn, data)
    need_targets(samples, "A residual")
    assert task.target is not None
    truth: list[Tensor] = []
    predicted: list[Tensor] = []
    for batch, y_hat in passes(learn, samples):
        for values, kept in ((batch.y, truth), (y_hat, predicted)):
            kept.append(task.decode(task.target, values).flatten(1).float().cpu())
    wide = truth[0].shape[1]
    return Residuals(torch.cat(truth), torch.cat(predicted), _names(goal, wide))


def _names(goal: Block, size: int) -> tuple[str, ...]:
    names = getattr(goal, "names", ())
    return tuple(names) if len(names) == size else tuple(f"number {i}" for i in range(size))
