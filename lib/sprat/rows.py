"""Rows of a table in memory: the columns that hold categories, and those that hold numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sprat.errors import BlockError
from sprat.shapes import Float, Int, Shaped

MISSING = -1


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table as two tensors: `len` counts rows, an index takes some of them.

    Args:
        categorical: the index of each value's category in its column, (rows, C); −1 is missing.
        continuous: numbers, (rows, D); NaN is missing.

    Raises:
        BlockError: the two have different numbers of rows.
    """

    categorical: Int[Tensor, "rows categorical"]
    continuous: Float[Tensor, "rows continuous"]

    def __post_init__(self) -> None:
        if len(self.categorical) != len(self.continuous):
            raise BlockError(
                f"Rows got {len(self.categorical)} rows of categories and "
                f"{len(self.continuous)} of numbers.",
                fix="give both for each row; torch.zeros(rows, 0) stands for no column",
            )

    @classmethod
    def of(
        cls,
        columns: Any,
        categorical: Sequence[tuple[str, Sequence[str]]],
        continuous: Sequence[str],
    ) -> "Rows":
        """Rows from columns of words and numbers; `TableRow.read` calls it with its own columns.

        Args:
            columns: a mapping of names to values, or a pandas `DataFrame`; None, NaN and "" are
                missing.
            categorical: name and categories of each column of words; other words are missing.
            continuous: names of the columns of numbers.

        Raises:
            BlockError: a column is missing or of another length, or a number is none.
        """
        wanted = [name for name, _ in categorical] + list(continuous)
        if absent := [name for name in wanted if name not in columns]:
            raise BlockError(
                f"The table has no column {absent[0]!r}, only {', '.join(map(str, columns))}.",
                fix="give a value for each column that the block names",
            )
        lengths = {name: len(columns[name]) for name in wanted}
        if len(set(lengths.values())) > 1:
            raise BlockError(
                f"The columns have different lengths: {lengths}.", fix="give one value for each row"
            )
        rows = next(iter(lengths.values()), 0)
        codes = [_codes(columns[name], categories) for name, categories in categorical]
        numbers = [_numbers(name, columns[name]) for name in continuous]
        return cls(
            torch.stack(codes, 1) if codes else torch.zeros(rows, 0, dtype=torch.int64),
            torch.stack(numbers, 1) if numbers else torch.zeros(rows, 0),
        )

    def __len__(self) -> int:
        return len(self.categorical)

    def __repr__(self) -> str:
        return (
            f"Rows({len(self):,} rows, {self.categorical.shape[1]} categorical and "
            f"{self.continuous.shape[1]} continuous columns)"
        )

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.categorical.device

    def __getitem__(self, index: int | slice | Shaped[Tensor, " chosen"]) -> "Rows":
        """The rows at `index`: a number (gives one row), a slice, int64 indices or a mask.

        Raises:
            IndexError: there is no such row.
        """
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(f"there are {len(self)} rows; {index} was asked for")
            index = slice(index % len(self), index % len(self) + 1)
        elif isinstance(index, Tensor):
            index = index.to(self.device, non_blocking=True)
        return Rows(self.categorical[index], self.continuous[index])

    def to(self, device: torch.device | str) -> "Rows":
        """The same rows on another device; itself where it is there already."""
        if self.device == torch.device(device):
            return self
        return Rows(
            self.categorical.to(device, non_blocking=True),
            self.continuous.to(device, non_blocking=True),
        )

    def pin_memory(self) -> "Rows":
        """The same rows in memory from which a copy to the GPU does not wait."""
        return Rows(self.categorical.pin_memory(), self.continuous.pin_memory())


def is_missing(value: object) -> bool:
    """Whether a cell of a column is empty: None, NaN or an empty string."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # pandas' own
        return True
    return bool(value == "" or value != value)  # NaN is unequal to itself


def _codes(values: Any, categories: Sequence[str]) -> Tensor:
    place = {name: i for i, name in enumerate(categories)}
    cells = values.tolist() if isinstance(values, Tensor) else values
    return torch.tensor(
        [MISSING if is_missing(cell) else place.get(str(cell), MISSING) for cell in cells],
        dtype=torch.int64,
    )


def _numbers(name: str, values: Any) -> Tensor:
    if isinstance(values, Tensor):
        return values.to(torch.float32)
    try:
        return torch.tensor(
            [float("nan") if is_missing(cell) else _number(cell) for cell in values],
            dtype=torch.float32,
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise BlockError(
            f"The column {name!r} should hold numbers: {error}.",
            fix="name it among the categorical columns, or mend the cell",
        ) from None


def _number(cell: Any) -> float:
    return float(cell) if hasattr(cell, "__float__") else float(str(cell))
