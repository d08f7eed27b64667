"""Data in memory: two columns, inputs and targets, of the same length.

Everything works on whole columns or whole batches at once: a function given to `Data.map` or
`Data.filter` is called once, not once a sample.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from sprat.errors import DataError


@runtime_checkable
class Column(Protocol):
    """What may stand in a column beside tensors and lists: rows of a table, graphs, your own."""

    def __len__(self) -> int:
        """How many samples there are."""

    def __getitem__(self, index: Any) -> Any:
        """The samples at some int64 indices, a tensor on any device; or one, or a slice."""

    def to(self, device: Any) -> Any:
        """The same samples on another device; itself where they are there already."""


@dataclass(slots=True)
class Batch:
    """What one step works on.

    Args:
        x: inputs, the first axis is the batch; a tuple of such where there are several.
        y: targets, or None where there are none.
        index: where in its `Data` each sample stands, (batch,), or None.
    """

    x: Any
    y: Any = None
    index: Tensor | None = None

    @classmethod
    def of(cls, raw: Any) -> "Batch":
        """A batch from what a loader yields: a `Batch`, ``(x, y)``, ``(x,)`` or ``x`` alone.

        Raises:
            DataError: the loader yields a tuple of three or more, whose meaning we can't guess.
        """
        if isinstance(raw, Batch):
            return raw
        if not isinstance(raw, (tuple, list)):
            return cls(raw)
        if len(raw) > 2:
            raise DataError(
                f"The loader yields {len(raw)} things in a batch; (x, y) was expected.",
                fix="yield sprat.Batch(x, y), or write a phase whose step takes them apart",
            )
        return cls(*raw)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device; itself where it is there already."""
        x, y = moved(self.x, device), moved(self.y, device)
        return self if x is self.x and y is self.y else Batch(x, y, self.index)

    def __len__(self) -> int:
        return count(self.x)


class Splits(NamedTuple):
    """The part to learn from and the part to check with."""

    train: Any
    valid: Any


class Data:
    """Inputs and their targets, in memory.

    Args:
        x: inputs, length N: a tensor, a numpy array (becomes a tensor), a list, any `Column`
            (`sprat.tabular.Rows`, say); or a tuple of such columns, for several inputs at once.
        y: targets likewise, or None.
        classes: the names of the labels, where `y` holds label indices.
        name: what reports call it.

    Raises:
        DataError: there are no samples, or `x` and `y` differ in length.
    """

    def __init__(
        self, x: Any, y: Any = None, *, classes: Sequence[str] | None = None, name: str = "data"
    ) -> None:
        self.x = _as_column(x)
        self.y = None if y is None else _as_column(y)
        self.classes = None if classes is None else tuple(classes)
        self.name = name
        if self.y is not None and count(self.x) != count(self.y):
            raise DataError(
                f"x has {count(self.x)} samples and y has {count(self.y)}.",
                fix="give one target for each input",
            )

    def __len__(self) -> int:
        return count(self.x)

    def __repr__(self) -> str:
        parts = [f"{len(self):,} samples", f"x {_describe(self.x)}"]
        if self.y is not None:
            parts.append(f"y {_describe(self.y)}")
        if self.classes is not None:
            parts.append(f"{len(self.classes)} classes")
        return f"Data({self.name!r}: {', '.join(parts)})"

    def __getitem__(self, index: int | slice | Tensor) -> Any:
        """One sample as ``(x, y)`` for an integer; a smaller `Data` for a slice, indices or a mask.

        Raises:
            DataError: a mask whose length is not that of the data.
        """
        if isinstance(index, int):
            return sample(self.x, index), None if self.y is None else sample(self.y, index)
        if isinstance(index, slice):
            index = torch.arange(len(self))[index]
        if index.dtype == torch.bool:
            if index.shape != (len(self),):
                raise DataError(
                    f"The mask has shape {tuple(index.shape)}; ({len(self)},) was expected.",
                    fix="give one true or false for each sample",
                )
            index = index.nonzero()[:, 0]
        return self._with(*take(self, index))

    def _with(self, x: Any, y: Any) -> "Data":
        return Data(x, y, classes=self.classes, name=self.name)

    def map(self, function: Callable[[Any], Any]) -> "Data":
        """New data with `function` applied once to the whole column of inputs."""
        return self._with(function(self.x), self.y)

    def filter(self, keep: Callable[[Any, Any], Tensor]) -> "Data":
        """The samples for which ``keep(x, y)``, called once with whole columns, is true."""
        return self[keep(self.x, self.y).bool().cpu()]

    def group(self, key: Callable[[Any, Any], Tensor] | None = None) -> dict[Any, "Data"]:
        """One `Data` for each value of ``key(x, y)``, by default of the target."""
        keys = (self._targets() if key is None else key(self.x, self.y)).cpu()
        return {value.item(): self[keys == value] for value in keys.unique()}

    def shuffle(self, *, generator: torch.Generator | None = None) -> "Data":
        """The same samples in random order."""
        return self[torch.randperm(len(self), generator=generator)]

    def take(self, count: int) -> "Data":
        """The first `count` samples.

        Raises:
            DataError: there are fewer, or none are asked for.
        """
        if not 0 < count <= len(self):
            raise DataError(
                f"{count:,} samples asked for; {self.name!r} has {len(self):,}.",
                fix=f"ask for 1 to {len(self):,}",
            )
        return self[:count]

    def split(
        self,
        valid: float | int,
        *,
        stratify: bool = False,
        generator: torch.Generator | None = None,
    ) -> Splits:
        """Random parts to train on and to validate on.

        Args:
            valid: the share (a float below 1) or the number (an int) of samples to validate on.
            stratify: keep the share of every label the same in both parts.
            generator: where the randomness comes from; torch's own by default.

        Raises:
            DataError: a part would be empty, or a label would be missing from a stratified part.
        """
        if not isinstance(valid, (int, float)) or not math.isfinite(valid):
            raise DataError(
                f"valid={valid!r} is neither a share nor a number of samples.",
                fix="give a share between 0 and 1, or a number below the number of samples",
            )
        order = torch.randperm(len(self), generator=generator)
        if stratify:
            chosen = self._stratified(order, valid)
        else:
            size = valid if isinstance(valid, int) else round(valid * len(self))
            chosen = order[: max(0, size)]
        held = torch.zeros(len(self), dtype=torch.bool)
        held[chosen] = True
        if held.all() or not held.any():
            raise DataError(
                f"valid={valid} of {len(self):,} samples leaves one part empty.",
                fix="give a share between 0 and 1, or a number below the number of samples",
            )
        return Splits(self[order[~held[order]]], self[order[held[order]]])

    def _stratified(self, order: Tensor, valid: float | int) -> Tensor:
        """The indices to hold out, the same share of every label."""
        share = valid / len(self) if isinstance(valid, int) else valid
        targets = self._targets().cpu()[order]
        chosen = []
        for value in targets.unique():
            mine = order[targets == value]
            size = round(share * len(mine))
            if not 0 < size < len(mine):
                raise DataError(
                    f"Label {int(value)} has {len(mine)} samples; {share:.0%} of them leaves "
                    "one part without it.",
                    fix="hold out another share, or drop the rare label with data.filter",
                )
            chosen.append(mine[:size])
        return torch.cat(chosen)

    def _targets(self) -> Tensor:
        if not isinstance(self.y, Tensor):
            raise DataError(
                f"{self.name!r} has no column of label indices.", fix="pass y= with one per sample"
            )
        return self.y

    def to(self, device: torch.device | str) -> "Data":
        """The same data with its tensors on another device."""
        return self._with(moved(self.x, device), moved(self.y, device))


def count(column: Any) -> int:
    """How many samples a column has; all parts of a tuple of columns have the same number."""
    return len(column[0]) if isinstance(column, tuple) and column else len(column)


def sample(column: Any, i: int) -> Any:
    """One sample of a column; a tuple with one of each where there are several columns."""
    return tuple(part[i] for part in column) if isinstance(column, tuple) else column[i]


def head(column: Any, most: int) -> Any:
    """The first samples of a column, `most` at most."""
    return tuple(part[:most] for part in column) if isinstance(column, tuple) else column[:most]


def take(data: Data, index: Tensor) -> tuple[Any, Any]:
    """The inputs and targets at `index`, an int64 tensor of shape (batch,)."""
    return rows(data.x, index), None if data.y is None else rows(data.y, index)


def rows(column: Any, index: Tensor) -> Any:
    """The samples of a column at `index`, int64 (batch,)."""
    if isinstance(column, Tensor):
        # index_select is about twice as fast as column[index] for rows of this size.
        return column.index_select(0, index.to(column.device, non_blocking=True))
    if isinstance(column, list):
        return [column[i] for i in index.tolist()]
    if isinstance(column, tuple):
        return tuple(rows(part, index) for part in column)
    return column[index]


def _as_column(values: Any) -> Any:
    if isinstance(values, tuple) and values and all(map(_is_column, values)):
        columns = tuple(map(_as_column, values))
        if len({len(column) for column in columns}) > 1:
            raise DataError(
                f"The columns of a tuple have {[len(column) for column in columns]} samples.",
                fix="give each one entry a sample, or a list for single samples",
            )
        return columns
    if not isinstance(values, (Tensor, list)) and hasattr(values, "__array__"):
        try:
            values = torch.as_tensor(values)
        except TypeError:
            raise DataError(
                f"A column of data has the type {getattr(values, 'dtype', type(values).__name__)}, "
                "which torch has no tensor for.",
                fix="turn it into numbers, or pass a list",
            ) from None
    if (
        isinstance(values, (str, bytes, Mapping))
        or not hasattr(values, "__len__")
        or (isinstance(values, Tensor) and values.ndim == 0)
    ):
        raise DataError(
            f"A column of data has one entry for each sample; {type(values).__name__} has not.",
            fix="pass a tensor, a numpy array or a list with one entry a sample",
        )
    if isinstance(values, tuple):
        values = list(values)
    if len(values) == 0:
        raise DataError("There are no samples.", fix="check the filter or the path that made it")
    return values


def _is_column(value: Any) -> bool:
    """Whether a part of a tuple is a column of its own, not a single sample."""
    if isinstance(value, Tensor):
        return value.ndim > 0
    return isinstance(value, (list, Column)) or getattr(value, "ndim", 0) > 0


def moved(value: Any, device: torch.device | str) -> Any:
    """Tensors, columns, and tuples and lists of them, on another device; all else as it is."""
    if isinstance(value, Tensor):
        # Comparing costs a fifth of a call that then changes nothing.
        return value if value.device == device else value.to(device, non_blocking=True)
    if isinstance(value, (tuple, list)):
        return type(value)(moved(part, device) for part in value)
    return value.to(device) if isinstance(value, Column) else value


def _describe(column: Any) -> str:
    if isinstance(column, Tensor):
        return f"{str(column.dtype).removeprefix('torch.')} {tuple(column.shape[1:])}"
    if isinstance(column, tuple):
        return f"({', '.join(map(_describe, column))})"
    return f"list of {type(column[0]).__name__}" if isinstance(column, list) else repr(column)
