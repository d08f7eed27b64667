"""Metrics by group: whether a model that is good on the whole is good for everybody.

A group is whatever a column says: the class, a category of the table, a range of a number, the
camera that took the picture. Barocas, Hardt and Narayanan, "Fairness and Machine Learning" (2023),
chapter 3, is about what such differences mean, and what they don't.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.blocks import Label
from sprat.cells import cells_of, in_words
from sprat.data import Data
from sprat.errors import DataError, TaskError
from sprat.interpret.columns import column_of
from sprat.interpret.passes import data_of, measured_of, need_targets
from sprat.interpret.plots import BLUE, RUST, axes
from sprat.measures import Metric, metric_of
from sprat.tables import Table

if TYPE_CHECKING:
    from sprat.learner import Learner

MOST_GROUPS = 50


@dataclass(frozen=True, repr=False)
class GroupMetrics:
    """Each metric for each group, and for all samples together.

    Args:
        groups: their names.
        counts: samples in each.
        values: by metric, one value a group.
        overall: by metric, over all samples.
    """

    groups: tuple[str, ...]
    counts: tuple[int, ...]
    values: dict[str, tuple[float, ...]]
    overall: dict[str, float]

    def __getitem__(self, metric: str) -> dict[str, float]:
        """One metric by group.

        Raises:
            DataError: it was not measured.
        """
        return dict(zip(self.groups, self._column(metric), strict=True))

    def _column(self, metric: str) -> tuple[float, ...]:
        if metric not in self.values:
            raise DataError(
                f"{metric!r} was not measured.", fix=f"use one of {', '.join(self.values)}"
            )
        return self.values[metric]

    def gap(self, metric: str) -> float:
        """The largest difference between two groups, in the metric's units."""
        column = self._column(metric)
        return max(column) - min(column)

    def table(self) -> Table:
        """A row a group, and one for all."""
        rows = [
            (group, f"{count}", *(f"{column[i]:.4f}" for column in self.values.values()))
            for i, (group, count) in enumerate(zip(self.groups, self.counts, strict=True))
        ]
        rows.append(("all", f"{sum(self.counts)}", *(f"{v:.4f}" for v in self.overall.values())))
        return Table(("group", "samples", *(n.replace("_", " ") for n in self.values)), rows)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def plot(self, metric: str | None = None, ax: Any = None) -> Any:
        """Draw one metric by group, with a line for all samples.

        Args:
            metric: by default the first.
            ax: matplotlib axes; new ones by default.

        Returns:
            The figure.
        """
        name = metric or next(iter(self.values))
        column = self._column(name)
        ax = axes(ax, 5.2, 1.2 + 0.3 * len(self.groups))
        names = [f"{g} ({n})" for g, n in zip(self.groups, self.counts, strict=True)]
        ax.barh(range(len(names)), column, color=BLUE)
        ax.axvline(self.overall[name], color=RUST)
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        words = name.replace("_", " ")
        title = f"{words.capitalize()} by group (line: all, {self.overall[name]:.3g})"
        ax.set(xlabel=words, ylabel="group (samples)", title=title)
        return ax.figure


def group_metrics(
    learn: "Learner",
    by: Any = None,
    *,
    metrics: Sequence[Any] | None = None,
    data: Any = None,
    bins: int = 4,
) -> GroupMetrics:
    """Measure each group of the samples by itself.

    Args:
        learn: what is measured.
        by: what groups them: the name of an input column of a table; a function of the whole
            columns ``(x, y)``; a tensor, list or column of pandas with a value a sample; or None
            for the true class. Numbers with many values are cut into ranges that hold about equally
            many samples. Other values are compared as ``cells.py`` says, and what is missing is a
            group of its own.
        metrics: functions of ``(y_hat, y)`` or `Metric` objects; by default the learner's.
        data: a `Data` or a loader; by default the validation part.
        bins: into how many ranges.

    Raises:
        TaskError: there is no metric, or no class to group by.
        DataError: `by` has another length, or makes too many groups.
    """
    samples = data_of(learn, data)
    need_targets(samples, "A metric")
    chosen = [metric_of(metric) for metric in (metrics or learn.metrics)]
    if not chosen:
        raise TaskError(
            "There is no metric to group.",
            fix="pass metrics=[sprat.metrics.accuracy], or give the task some",
        )
    names, group = _groups(learn, samples, by, bins)
    y_hat, y = measured_of(learn, samples)
    if y is None:
        raise DataError("The targets are no tensor.", fix="measure them in a phase of your own")
    members = [torch.nonzero(group == i)[:, 0] for i in range(len(names))]
    values = {
        metric.name: tuple(_measure(metric, y_hat[m], y[m]) for m in members) for metric in chosen
    }
    overall = {metric.name: _measure(metric, y_hat, y) for metric in chosen}
    return GroupMetrics(names, tuple(len(m) for m in members), values, overall)


def _measure(metric: Metric, y_hat: Tensor, y: Tensor) -> float:
    metric.reset()
    metric.update(y_hat, y)
    value = metric.value()
    metric.reset()
    return value


def _groups(learn: "Learner", samples: Data, by: Any, bins: int) -> tuple[tuple[str, ...], Tensor]:
    """The names of the groups, and the number of each sample's group, (N,)."""
    if by is None:
        task = learn.require_task()
        if not isinstance(task.target, Label):
            raise TaskError(
                f"The target {task.target} has no classes to group by.",
                fix="pass by=, for example the name of a column or lambda x, y: ...",
            )
        assert samples.y is not None
        there = samples.y.cpu().unique()  # in the order of the classes
        return tuple(task.target.classes[i] for i in there), torch.searchsorted(
            there, samples.y.cpu()
        )
    if isinstance(by, str):
        by = column_of(learn.require_task().input, samples.x, by)
    elif callable(by):
        by = by(samples.x, samples.y)
    if not hasattr(by, "__len__") or len(by) != len(samples):
        raise DataError(
            f"by= has {len(by) if hasattr(by, '__len__') else 'no'} values; there are "
            f"{len(samples)} samples.",
            fix="give one value a sample",
        )
    if getattr(by, "ndim", 1) != 1:
        raise DataError(
            f"by= has shape {tuple(by.shape)}; ({len(samples)},) was expected.",
            fix="give one value a sample",
        )
    if getattr(getattr(by, "dtype", None), "kind", "") == "f":  # of numpy and pandas
        cells = [math.nan if cell is None else cell for cell in cells_of("by", by)]
        by = torch.tensor(cells, dtype=torch.float64)
    return _ranges(by, bins) if isinstance(by, Tensor) and by.is_floating_point() else _named(by)


def _named(by: Any) -> tuple[tuple[str, ...], Tensor]:
    values = cells_of("by", by)
    known: list[Any] = list(dict.fromkeys(value for value in values if value is not None))
    if not any(isinstance(value, str) for value in known):
        known.sort()
    if None in values:
        known.append(None)  # what is missing is a group of its own, the last
    if len(known) > MOST_GROUPS:
        raise DataError(
            f"by= makes {len(known)} groups; at most {MOST_GROUPS} were expected.",
            fix="give numbers as floats, which are cut into ranges, or join rare values",
        )
    number = {value: i for i, value in enumerate(known)}
    names = ["missing" if value is None else in_words(value) for value in known]
    if len(set(names)) < len(names):  # the number 1 and the word "1", say
        names = ["missing" if value is None else repr(value) for value in known]
    return tuple(names), torch.tensor([number[v] for v in values])


def _ranges(by: Tensor, bins: int) -> tuple[tuple[str, ...], Tensor]:
    """Groups of about equal size along a number; those without a number are one of their own."""
    by = by.double().cpu()
    there = by.isfinite()
    few = by[there].unique()
    if len(few) == 0:
        raise DataError("by= holds no finite number.", fix="group by another column")
    if len(few) <= bins and not bool(by.isinf().any()):
        return _named(by)
    edges = by[there].quantile(torch.linspace(0, 1, bins + 1, dtype=torch.float64)).unique()
    group = torch.bucketize(by, edges[1:-1], right=True)
    names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges.tolist())]
    if not names:
        names = [f"{float(edges[0]):.4g}"]
    if not bool(there.all()):
        group[~there] = len(names)
        names.append("missing")
    return tuple(names), group
