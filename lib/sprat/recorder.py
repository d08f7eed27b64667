"""The recorder: what every fit leaves in the history, without ever waiting for the device."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from sprat import sanity
from sprat.callbacks import Callback
from sprat.errors import TrainingError
from sprat.followed import Part
from sprat.measures import Metric, Whole

if TYPE_CHECKING:
    from sprat.distributed import Group
    from sprat.learner import Learner

_STACKED_AT_ONCE = 1024


class Column:
    """One named number, a value a step, left on its device until somebody reads it."""

    def __init__(self) -> None:
        self.values: list[Tensor] = []  # tensors with no axes
        self.stacked: list[Tensor] = []  # many of them in one: a tensor of its own costs 0.5 KB
        self.sizes: list[Any] = []  # what each value is the mean over: samples, or a tensor's value
        self.parts: list[Column] = []  # where each value is a sum of means over different things

    def add(self, value: Tensor, size: Any, parts: Sequence[Part] = ()) -> None:
        """Take in the mean over `size` samples, or over as much as a tensor says.

        Args:
            value: the mean, a tensor with no axes.
            size: what it is a mean over.
            parts: whose sum it is, each a mean over something of its own; None for `size`.
        """
        if not self.sizes:
            self.parts = [Column() for _ in parts]
        if len(parts) != len(self.parts):
            self.parts = []  # a sum of other parts than before: it counts as a whole
        for column, (part, over) in zip(self.parts, parts, strict=False):
            column.add(part, size if over is None or not size else over)
        self.values.append(value.detach() if value.requires_grad else value)
        self.sizes.append(size)
        if len(self.values) == _STACKED_AT_ONCE:
            self._stack()

    def read(self) -> list[float]:
        """All values. Waits for the device."""
        self._stack()
        return [value for part in self.stacked for value in part.tolist()]

    def weights(self) -> list[float]:
        """What each value is the mean over. Waits for the device where a tensor says it."""
        if any(isinstance(size, Tensor) for size in self.sizes):
            sizes = [torch.as_tensor(size).detach().cpu().double() for size in self.sizes]
            self.sizes = torch.stack(sizes).tolist()
        return self.sizes

    def mean(self, group: "Group | None") -> float:
        """The mean over everything, of all processes; not a number where nothing counts."""
        if self.parts:
            return sum(part.mean(group) for part in self.parts)
        values, sizes = self.read(), self.weights()
        if group is not None:
            values, sizes = group.merged(values, sizes)
        # A batch in which nothing counts has a mean that is no number.
        pairs = [(v, s) for v, s in zip(values, sizes, strict=True) if s]
        total = sum(value * size for value, size in pairs)
        return total / sum(size for _, size in pairs) if pairs else math.nan

    def _stack(self) -> None:
        if self.values:
            self.stacked.append(torch.stack(self.values).float())
            self.values = []

    def state_dict(self) -> dict[str, Any]:
        """The values so far, for a checkpoint."""
        self._stack()
        values, sizes = torch.cat(self.stacked), torch.tensor(self.weights())
        return {"values": values, "sizes": sizes, "parts": [p.state_dict() for p in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.values, self.stacked = [], [state["values"]]
        self.sizes = state["sizes"].tolist()
        self.parts = []
        for kept in state.get("parts", []):
            self.parts.append(Column())
            self.parts[-1].load_state_dict(kept)


class Recorder(Callback):
    """Keep the history: losses by step, and the means of every named number by epoch.

    A step costs it a look at what was named and two entries in a list. Sums are taken once a phase.
    """

    reads: ClassVar = {"loss", "y_hat", "lr", "batch"}
    writes: ClassVar = {"metrics", "history"}

    def __init__(self) -> None:
        self.metrics: list[Metric] = []  # those that a phase gathers while it trains

    def epoch_begin(self, learn: "Learner") -> None:
        """Start a row."""
        self.row: dict[str, float] = {"epoch": len(learn.history)}  # counts on from fit to fit

    def phase_begin(self, learn: "Learner") -> None:
        """Forget the means of the phase before."""
        self.columns: dict[str, Column] = {}
        self.lrs: list[float] = []
        self.measured = learn.phase.measures
        self.metrics = learn.metrics if self.measured and learn.phase.trains else []
        for metric in learn.metrics:
            metric.reset()
        self.compared = False  # whether the metrics have been given anything

    def step_end(self, learn: "Learner") -> None:
        """Take one step in."""
        state, batch = learn.state, learn.batch
        size = len(batch) if learn.group is None else learn.group.count(learn)
        over, parts = learn.weighed.take(state.get("loss"))
        for name, value in state.items():
            if isinstance(value, Tensor) and not value.ndim:
                column = self.columns.get(name)
                if column is None:
                    column = self.columns[name] = Column()
                if name != "loss":
                    column.add(value, size)
                else:
                    column.add(value, size if over is None or not size else over, parts)
        if learn.phase.trains:
            self.lrs.append(learn.lr)
        if self.measured and "y_hat" in state and batch.y is not None:
            y_hat, y = state["y_hat"], batch.y
            if learn.group is not None and learn.metrics:
                y_hat, y = learn.group.gathered(learn, y_hat), learn.group.gathered(learn, y)
            self.compared = True
            if learn.task is not None and learn.metrics:
                y_hat, y = learn.task.in_units(y_hat, y)
            for metric in learn.metrics:
                try:
                    metric.update(y_hat, y)
                except sanity.MISTAKES as error:
                    sanity.explain_metric(metric, y_hat, y, error)
                    raise

    def phase_end(self, learn: "Learner") -> None:
        """Write the phase's means into the row.

        Raises:
            TrainingError: the training loss is not finite.
        """
        name = learn.phase.name
        read: dict[str, list[float]] = {}
        for key, column in self.columns.items():
            read[key] = column.read()
            if learn.group is not None:
                read[key] = learn.group.merged(read[key], column.weights())[0]
            self.row[f"{name}_{key}"] = column.mean(learn.group)
        if self.compared:
            for metric in learn.metrics:
                self.row[metric.name] = _value(metric)
        if learn.phase.trains:
            losses = read.get("loss", [])
            learn.history.losses.extend(losses)
            learn.history.lrs.extend(self.lrs)
            _refuse_infinite(losses, name, len(learn.history))
            if losses and math.isnan(self.row[f"{name}_loss"]):
                raise TrainingError(
                    f"In no batch of the {name} phase does any target count towards the loss.",
                    fix="look at what the loss leaves out (padding, ignore_index=, a mask, weights "
                    "of 0), and give targets that it does not",
                )

    def epoch_end(self, learn: "Learner") -> None:
        """Add the row to the history."""
        learn.history.rows.append(self.row)

    def state_dict(self) -> dict[str, Any]:
        """The row and the columns so far."""
        columns = {name: column.state_dict() for name, column in self.columns.items()}
        lrs = torch.tensor(self.lrs, dtype=torch.float64)
        metrics = [metric.state_dict() for metric in self.metrics]
        return {
            "row": self.row, "columns": columns, "lrs": lrs, "metrics": metrics,
            "compared": self.compared,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.row, self.lrs, self.columns = dict(state["row"]), state["lrs"].tolist(), {}
        self.compared = state.get("compared", True)
        # Between two epochs there are none here yet, and what they had gathered is done with.
        for metric, gathered in zip(self.metrics, state["metrics"], strict=False):
            metric.load_state_dict(gathered)
        for name, column in state["columns"].items():
            self.columns[name] = Column()
            self.columns[name].load_state_dict(column)


def _value(metric: Metric) -> float:
    """What a metric says; not a number is an answer too."""
    try:
        return metric.value()
    except sanity.MISTAKES as error:
        if isinstance(metric, Whole):  # only now does its function meet what it compares
            sanity.explain_metric(metric, *metric.gathered(), error)
        raise


def _refuse_infinite(losses: list[float], phase: str, epoch: int) -> None:
    wrong = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)
    if wrong is None:
        return
    found = f"The {phase} loss of epoch {epoch} is {losses[wrong]} from step {wrong} on: "
    if wrong == 0 and epoch == 0:
        raise TrainingError(
            found + "before the weights have moved once.",
            fix="look for values that are not finite in the data: x.isfinite().all()",
        )
    raise TrainingError(
        found + "training has diverged.",
        fix="use a lower lr (learn.lr_find() suggests one), or callbacks=[GradientClip(1)]; "
        "and look for values that are not finite in the data",
    )
