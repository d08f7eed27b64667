"""Tables: rows in memory, and the encodings that make them ready for a network.

`Categorise` renumbers categories so that one unseen in training has a place of its own,
`FillMissing` puts a number where one is missing and says so in a further column, and
`NormalizeTable` brings all numbers to one scale. Each is fitted with `of(block, rows)`, on the
training part alone, and `prepare` fits all three:

    block = sprat.TableRow.of(train_columns)
    x = block.read(train_columns)
    task = sprat.Task(block, target, encodings=sprat.tabular.prepare(block, x))
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from sprat.blocks import Block, TableRow
from sprat.encodings.base import Encoding
from sprat.errors import TaskError
from sprat.rows import MISSING, Rows

__all__ = ["MISSING", "Categorise", "FillMissing", "NormalizeTable", "Rows", "prepare"]

UNKNOWN = "unknown"
YES_NO = ("no", "yes")


def prepare(block: TableRow, rows: Rows) -> tuple[Encoding, ...]:
    """All that a table needs before a network can take it, fitted to the training rows.

    Args:
        block: what the rows are.
        rows: the training part, as stored.

    Returns:
        `Categorise`, `FillMissing` and `NormalizeTable`, without those that have nothing to do.

    Raises:
        BlockError: the rows are not what the block says.
        TaskError: a column of numbers is missing throughout.
    """
    steps: list[Encoding] = [Categorise.of(block, rows)] if block.categorical else []
    if block.continuous:
        steps += [FillMissing.of(block, rows), NormalizeTable.of(block, rows)]
    return tuple(steps)


@dataclass(frozen=True)
class Categorise(Encoding):
    """Categories renumbered: those of the training rows from 1, and all others are 0, "unknown".

    What was missing or unseen in training can't come back: it is decoded as missing.

    Args:
        names: the categorical columns, in order.
        kept: for each, which of its stored indices occur in training, rising.
        sizes: for each, how many categories are stored.
    """

    names: tuple[str, ...]
    kept: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", tuple(tuple(column) for column in self.kept))

    @classmethod
    def of(cls, block: TableRow, rows: Rows) -> "Categorise":
        """With the categories that occur in the training rows."""
        block.check(rows)
        columns = [sorted(set(column.tolist()) - {MISSING}) for column in rows.categorical.T]
        names = tuple(name for name, _ in block.categorical)
        return cls(names, tuple(map(tuple, columns)), block.sizes)

    def block(self, block: Block) -> Block | None:
        """`TableRow` stays one, with "unknown" as every column's first category.

        Raises:
            TaskError: the block has other categorical columns.
        """
        if not isinstance(block, TableRow):
            return None
        names = tuple(name for name, _ in block.categorical)
        if names != self.names or block.sizes != self.sizes:
            raise TaskError(
                f"Categorise has the columns {', '.join(self.names)} with {self.sizes} "
                f"categories, {block} has {', '.join(names)} with {block.sizes}.",
                fix="fit it with Categorise.of(block, rows), and put it before FillMissing, "
                "which adds columns",
            )
        new = [
            (name, (UNKNOWN, *(categories[i] for i in kept)))
            for (name, categories), kept in zip(block.categorical, self.kept, strict=True)
        ]
        left = [name for name in block.missing if name not in names]
        return TableRow(new, block.continuous, left, as_text=block.as_text)

    def encode(self, values: Rows) -> Rows:
        """Stored indices to those of training."""
        table, starts = _forward(self.kept, self.sizes, values.device)
        # Index −1, missing, is the first place of its column's part of the table.
        return Rows(table[values.categorical + 1 + starts], values.continuous)

    def decode(self, values: Rows) -> Rows:
        """Back to stored indices."""
        table, starts = _backward(self.kept, values.device)
        return Rows(table[values.categorical + starts], values.continuous)


@dataclass(frozen=True)
class FillMissing(Encoding):
    """Missing numbers replaced, and for each column one that says where: no or yes.

    Args:
        names: the continuous columns, in order.
        values: what replaces a missing number in each.
        flagged: the columns, of those, that get such a column, called "<name> missing".
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    flagged: tuple[str, ...]

    @classmethod
    def of(cls, block: TableRow, rows: Rows) -> "FillMissing":
        """With each column's median over the training rows: of two in the middle, their mean.

        Raises:
            TaskError: a column is missing throughout.
        """
        block.check(rows)
        numbers = rows.continuous.double()
        lower, upper = numbers.nanmedian(0).values, -(-numbers).nanmedian(0).values
        medians = (lower / 2 + upper / 2).tolist()
        empty = [n for n, value in zip(block.continuous, medians, strict=True) if value != value]
        if empty:
            raise TaskError(
                f"The column {empty[0]!r} is missing in all training rows.", fix="leave it out"
            )
        flagged = tuple(name for name in block.continuous if name in block.missing)
        return cls(block.continuous, tuple(medians), flagged)

    def block(self, block: Block) -> Block | None:
        """`TableRow` stays one, with a categorical column more for each that may be missing.

        Raises:
            TaskError: the block has other continuous columns.
        """
        if not isinstance(block, TableRow):
            return None
        _same_columns(self, self.names, block)
        flags = [(f"{name} missing", YES_NO) for name in self.flagged]
        left = [name for name in block.missing if name not in self.flagged]
        columns = [*block.categorical, *flags]
        return TableRow(columns, block.continuous, left, as_text=block.as_text)

    def encode(self, values: Rows) -> Rows:
        """Fill and flag."""
        gone = values.continuous.isnan()
        fill = _numbers(self.values, values.continuous.dtype, values.device)
        filled = torch.where(gone, fill, values.continuous)
        flags = gone.index_select(1, _numbers(self._places, torch.int64, values.device)).long()
        return Rows(torch.cat([values.categorical, flags], 1), filled)

    def decode(self, values: Rows) -> Rows:
        """NaN again where a flag says yes; exactly what was encoded."""
        before = values.categorical.shape[1] - len(self.flagged)
        numbers = values.continuous.clone()
        for flag, place in enumerate(self._places):
            gone = values.categorical[:, before + flag] == 1
            numbers[:, place] = torch.where(gone, float("nan"), numbers[:, place])
        return Rows(values.categorical[:, :before], numbers)

    @property
    def _places(self) -> tuple[int, ...]:
        return tuple(self.names.index(name) for name in self.flagged)


@dataclass(frozen=True)
class NormalizeTable(Encoding):
    """Subtract the mean and divide by the standard deviation, column by column.

    Args:
        names: the continuous columns, in order.
        mean: one number a column, in the column's units.
        std: likewise, above 0.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        same = len(self.names) == len(self.mean) == len(self.std)
        if not same or any(not s > 0 for s in self.std):
            raise TaskError(
                f"NormalizeTable got mean {self.mean} and std {self.std} for {len(self.names)} "
                "columns.",
                fix="give one mean and one std above 0 for each, or use NormalizeTable.of(...)",
            )

    @classmethod
    def of(cls, block: TableRow, rows: Rows) -> "NormalizeTable":
        """The statistics of the training rows, over what is not missing in them.

        A column that is the same in every row keeps its scale.
        """
        block.check(rows)
        numbers = rows.continuous.double()
        mean = numbers.nanmean(0)
        std = (numbers - mean).square().nanmean(0).sqrt()
        # What is left of a constant column is rounding, which must not become the scale.
        std = torch.where(std > 1e-12 * mean.abs().clamp(min=1e-12), std, 1.0)
        return cls(block.continuous, tuple(mean.tolist()), tuple(std.tolist()))

    def block(self, block: Block) -> Block | None:
        """`TableRow` stays what it is, with other numbers in it.

        Raises:
            TaskError: the block has other continuous columns.
        """
        if not isinstance(block, TableRow):
            return None
        _same_columns(self, self.names, block)
        return block

    def encode(self, values: Rows) -> Rows:
        """Mean 0 and standard deviation 1 in each column, over the rows it was computed from."""
        mean, std = self._statistics(values.continuous)
        return Rows(values.categorical, (values.continuous - mean) / std)

    def decode(self, values: Rows) -> Rows:
        """Back to the columns' units."""
        mean, std = self._statistics(values.continuous)
        return Rows(values.categorical, values.continuous * std + mean)

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        return (
            _numbers(self.mean, like.dtype, like.device),
            _numbers(self.std, like.dtype, like.device),
        )


def _same_columns(encoding: Encoding, names: Sequence[str], block: TableRow) -> None:
    if tuple(names) != block.continuous:
        kind = type(encoding).__name__
        raise TaskError(
            f"{kind} has the columns {', '.join(names)}; {block} has "
            f"{', '.join(block.continuous)}.",
            fix=f"fit it with {kind}.of(block, rows)",
        )


# What follows is kept, because a new tensor on a GPU at every step would make the host wait.


@lru_cache(maxsize=64)
def _numbers(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """(columns,)."""
    return torch.tensor(values, dtype=dtype, device=device)


@lru_cache(maxsize=16)
def _forward(
    kept: tuple[tuple[int, ...], ...], sizes: tuple[int, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """For each column what becomes of −1, 0, 1, …, all in one row; where each begins."""
    table: list[int] = []
    starts: list[int] = []
    for column, size in zip(kept, sizes, strict=True):
        starts.append(len(table))
        place = {old: new for new, old in enumerate(column, 1)}
        table += [place.get(old, 0) for old in range(MISSING, size)]
    return torch.tensor(table, device=device), torch.tensor(starts, device=device)


@lru_cache(maxsize=16)
def _backward(kept: tuple[tuple[int, ...], ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """For each column the stored index of 0 (unknown: missing), 1, …; where each begins."""
    table: list[int] = []
    starts: list[int] = []
    for column in kept:
        starts.append(len(table))
        table += [MISSING, *column]
    return torch.tensor(table, device=device), torch.tensor(starts, device=device)
