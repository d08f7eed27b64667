"""Permutation importance: how much worse a model gets when one column tells it nothing.

The column is shuffled among the samples, so it keeps its values and loses its meaning. Breiman,
"Random forests" (2001), section 10; Fisher, Rudin and Dominici, "All models are wrong, but many are
useful" (2019). Of two columns that say the same each looks unimportant, as the other stands in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.data import Data
from sprat.errors import DataError, TaskError
from sprat.interpret.columns import columns_of, permuted, place_of
from sprat.interpret.passes import data_of, measured_of, need_targets
from sprat.interpret.plots import BLUE, axes
from sprat.measures import Metric, metric_of
from sprat.shapes import Float
from sprat.tables import Table

if TYPE_CHECKING:
    from sprat.learner import Learner


@dataclass(frozen=True, repr=False)
class Importance:
    """What shuffling each column does to a metric.

    Args:
        columns: their names.
        changes: (columns, repeats): the metric after minus the metric before. Shuffling a column
            that the model needs lowers an accuracy and raises an error.
        metric: its name.
        baseline: the metric with nothing shuffled.
    """

    columns: tuple[str, ...]
    changes: Float[Tensor, "columns repeats"]
    metric: str
    baseline: float

    @property
    def mean(self) -> Float[Tensor, " columns"]:
        """The mean change of each column."""
        return self.changes.mean(1)

    @property
    def std(self) -> Float[Tensor, " columns"]:
        """The standard deviation of each column's change over the repeats, of the population."""
        return self.changes.std(1, correction=0)

    def ranked(self) -> list[tuple[str, float]]:
        """Columns and their mean changes, the one with the largest effect first."""
        order = self.mean.abs().argsort(descending=True, stable=True).tolist()
        return [(self.columns[i], float(self.mean[i])) for i in order]

    def table(self) -> Table:
        """A row a column, the largest effect first."""
        spread = dict(zip(self.columns, self.std.tolist(), strict=True))
        rows = [(n, f"{change:+.4f}", f"{spread[n]:.4f}") for n, change in self.ranked()]
        words = self.metric.replace("_", " ")
        caption = f"{words} with nothing shuffled: {self.baseline:.4f}"
        return Table(("column", f"change of {words}", "spread"), rows, caption)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def plot(self, ax: Any = None, *, count: int = 20) -> Any:
        """Draw the mean changes with their spread over the repeats.

        Args:
            ax: matplotlib axes; new ones by default.
            count: columns at most.

        Returns:
            The figure.
        """
        shown = self.ranked()[:count]
        spread = dict(zip(self.columns, self.std.tolist(), strict=True))
        ax = axes(ax, 5.2, 1.2 + 0.3 * len(shown))
        places = range(len(shown))
        ax.barh(places, [d for _, d in shown], xerr=[spread[n] for n, _ in shown], color=BLUE)
        ax.set_yticks(places, [n for n, _ in shown])
        ax.invert_yaxis()
        words = self.metric.replace("_", " ")
        ax.set(
            xlabel=f"change of {words} when shuffled",
            ylabel="column",
            title="Permutation importance",
        )
        return ax.figure


def permutation_importance(
    learn: "Learner",
    metric: Any = None,
    *,
    columns: Sequence[str] | None = None,
    repeats: int = 5,
    data: Any = None,
    generator: torch.Generator | None = None,
) -> Importance:
    """Shuffle one column after the other and see how much the metric changes.

    Args:
        learn: a learner whose input has columns: `TableRow`, `Continuous`, the channels of `Image`.
        metric: a function of ``(y_hat, y)`` or a `Metric`; by default the learner's first.
        columns: names; by default all.
        repeats: shuffles a column.
        data: a `Data` or a loader; by default the validation part.
        generator: where the shuffling comes from, on the CPU; torch's own by default.

    Raises:
        TaskError: the input has no columns, or there is no metric.
        DataError: the data has no targets, or `repeats` is below 1.
    """
    if repeats < 1:
        raise DataError(f"repeats is {repeats}.", fix="give 1 or more")
    block, samples = learn.require_task().input, data_of(learn, data)
    need_targets(samples, "Permutation importance")
    chosen = metric if metric is not None else next(iter(learn.metrics), None)
    if chosen is None:
        raise TaskError("There is no metric.", fix="pass metric=sprat.metrics.accuracy")
    measure = metric_of(chosen)
    names = tuple(columns) if columns is not None else tuple(columns_of(block))
    places = [place_of(block, name) for name in names]
    baseline = _value(measure, *measured_of(learn, samples))
    changes = torch.zeros(len(names), repeats)
    for i, place in enumerate(places):
        for r in range(repeats):
            order = torch.randperm(len(samples), generator=generator)
            shuffled = Data(permuted(samples.x, place, order), samples.y)
            changes[i, r] = _value(measure, *measured_of(learn, shuffled)) - baseline
    return Importance(names, changes, measure.name, baseline)


def _value(metric: Metric, y_hat: Tensor, y: Any) -> float:
    metric.reset()
    metric.update(y_hat, y)
    value = metric.value()
    metric.reset()
    return value
