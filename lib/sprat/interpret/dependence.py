"""Partial dependence: what the model says, on average, as one column runs over its values.

For each value the whole column is set to it, and the outputs of all samples are averaged; Friedman,
"Greedy function approximation" (2001), section 8.2. The line of a single sample is its individual
conditional expectation (ICE); Goldstein and others, "Peeking inside the black box" (2015). Where
columns go together, values are set that never occur together: look at the ICE lines too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.blocks import Label, Labels
from sprat.data import Data
from sprat.errors import DataError
from sprat.interpret.columns import categories_of, column_of, place_of, with_value
from sprat.interpret.passes import data_of, outputs_of
from sprat.interpret.plots import BLUE, RUST, axes
from sprat.shapes import Float

if TYPE_CHECKING:
    from sprat.learner import Learner

FEW = 20


@dataclass(frozen=True)
class Dependence:
    """What the model says for each value of one column.

    Args:
        column: its name.
        values: the values, (V,), or the names of the categories.
        lines: (N, V): a line a sample (ICE).
        output: what the numbers are: a probability 0…1 for classes, else in the target's units.
    """

    column: str
    values: Float[Tensor, " values"] | tuple[str, ...]
    lines: Float[Tensor, "samples values"]
    output: str

    @property
    def mean(self) -> Float[Tensor, " values"]:
        """The partial dependence: the mean of all lines."""
        return self.lines.mean(0)

    def plot(self, ax: Any = None, *, ice: int = 50, centred: bool = False) -> Any:
        """Draw the mean, and the lines of some samples behind it.

        Args:
            ax: matplotlib axes; new ones by default.
            ice: lines of single samples at most, evenly spread over the data; 0 for none.
            centred: let every line start at 0, which shows where samples differ.

        Returns:
            The figure.
        """
        ax = axes(ax, 5.2, 3.4)
        lines = self.lines - self.lines[:, :1] if centred else self.lines
        named = isinstance(self.values, tuple)
        at = list(range(len(self.values))) if named else list(self.values)
        step = max(1, len(lines) // ice) if ice else len(lines) + 1
        for line in lines[::step][:ice]:
            ax.plot(at, line.numpy(), color=BLUE, alpha=0.2, linewidth=0.8)
        ax.plot(at, lines.mean(0).numpy(), "o-", color=RUST, label="mean", markersize=3)
        if named:
            ax.set_xticks(at, self.values, rotation=30, ha="right")
        change = "change of " if centred else ""
        ax.set(xlabel=self.column, ylabel=f"{change}{self.output}", title="Partial dependence")
        ax.legend(frameon=False)
        return ax.figure


def partial_dependence(
    learn: "Learner",
    column: str,
    *,
    output: int | str = 0,
    values: Sequence[float] | Float[Tensor, " values"] | None = None,
    data: Any = None,
) -> Dependence:
    """Set one column to value after value and see what the model says.

    Args:
        learn: a learner whose input has columns: `TableRow`, `Continuous`.
        column: its name.
        output: which of the model's outputs, by number or by the name of the class.
        values: in the units that the data is stored in; by default 20 that are evenly spaced
            between the 5th and the 95th percentile, or all where there are fewer; for a column of
            categories, each of them.
        data: a `Data` or a loader; by default the validation part.

    Raises:
        TaskError: the input has no such column.
        DataError: there is no such output, or no value.
    """
    task, samples = learn.require_task(), data_of(learn, data)
    place, names = place_of(task.input, column), categories_of(task.input, column)
    if names is not None and values is None:
        chosen = torch.arange(len(names), dtype=torch.float32)
    elif values is None:
        chosen = _spread(column_of(task.input, samples.x, column))
    else:
        chosen = torch.as_tensor(values, dtype=torch.float32)
        names = names and tuple(names[int(i)] for i in chosen)
    if len(chosen) == 0:
        raise DataError("There is no value to set.", fix="give values=[...]")
    number, words = _output(learn, output)
    lines = [
        _read(learn, Data(with_value(samples.x, place, value), samples.y), number)
        for value in chosen.tolist()
    ]
    return Dependence(column, chosen if names is None else names, torch.stack(lines, 1), words)


def _spread(column: Tensor) -> Tensor:
    """Values that are worth a look, in rising order."""
    there = column[column.isfinite()].float().cpu()
    if len(there) == 0:
        raise DataError("The column holds no finite number.", fix="choose another column")
    known = there.unique()
    if len(known) <= FEW:
        return known
    low, high = there.quantile(torch.tensor([0.05, 0.95])).tolist()
    return torch.linspace(low, high, FEW)


def _output(learn: "Learner", output: int | str) -> tuple[int, str]:
    """The number of an output, and what it is called."""
    task = learn.require_task()
    goal = task.encoded(task.output)
    classes = getattr(goal, "classes", None)
    names = classes or getattr(goal, "names", None) or ()
    number = names.index(output) if output in names else output
    most = getattr(goal, "size", None) or len(names)
    if not isinstance(number, int) or not 0 <= number < max(1, most):
        known = ", ".join(map(str, names)) or f"0 to {max(1, most) - 1}"
        raise DataError(f"There is no output {output!r}.", fix=f"use one of {known}")
    name = names[number] if number < len(names) else f"output {number}"
    return number, f"probability of {name}" if classes else str(name)


def _read(learn: "Learner", data: Data, number: int) -> Tensor:
    """One output of each sample, (N,): a probability, or a number in the target's units."""
    task = learn.require_task()
    goal = task.encoded(task.output)
    y_hat, _ = outputs_of(learn, data)
    if isinstance(goal, Label):
        return y_hat.softmax(1)[:, number]
    if isinstance(goal, Labels):
        return y_hat[:, number].sigmoid()
    assert task.output is not None
    return task.decode(task.output, y_hat).flatten(1)[:, number]
