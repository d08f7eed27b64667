"""Rows of a table in memory: the columns that hold categories, and those that hold numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sprat.cells import EXACT, Value, cells_of, in_words, plain, spelled
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
        categorical: Sequence[tuple[str, Sequence[Value]]],
        continuous: Sequence[str],
        *,
        as_text: bool = False,
    ) -> "Rows":
        """Rows from columns of words and numbers; `TableRow.read` calls it with its own columns.

        Args:
            columns: a mapping of names to values, or a data frame of pandas or polars; None, NaN
                and "" are missing.
            categorical: name and categories of each such column; what is none of them is missing.
            continuous: names of the columns of numbers.
            as_text: compare categories as they are written, and not by value.

        Raises:
            BlockError: a column is missing or of another length, a number is none, or a category
                is a number and the cell the word for it, or the other way round.
        """
        wanted = [name for name, _ in categorical] + list(continuous)
        found = named(columns)
        if absent := [name for name in wanted if name not in found]:
            raise BlockError(
                f"The table has no column {absent[0]!r}, only {', '.join(found)}.",
                fix="give a value for each column that the block names",
            )
        columns = {name: found[name] for name in wanted}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise BlockError(
                f"The columns have different lengths: {lengths}.", fix="give one value for each row"
            )
        rows = next(iter(lengths.values()), 0)
        read = _codes_as_text if as_text else _codes
        codes = [read(name, columns[name], categories) for name, categories in categorical]
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


def named(columns: Any) -> dict[str, Any]:
    """The columns of a mapping or of a data frame by their names, which become words."""
    return {str(name): columns[name] for name in getattr(columns, "columns", columns)}


def is_missing(value: object) -> bool:
    """Whether a cell of a column is empty: None, NaN, pandas' own, or an empty string."""
    return plain(value) is None


def _codes(name: str, values: Any, categories: Sequence[Value]) -> Tensor:
    """The place of each cell among the categories, (rows,)."""
    place: dict[Any, int] = {}
    for i, category in enumerate(categories):
        place.setdefault(category, i)
    cells = cells_of(name, values)
    strange = dict.fromkeys(cell for cell in cells if cell is not None and cell not in place)
    if strange:
        _refuse_other_kind(name, strange, categories)
    refuse_inexact(name, [*cells, *categories])
    return torch.tensor(
        [MISSING if cell is None else place.get(cell, MISSING) for cell in cells],
        dtype=torch.int64,
    )


def _refuse_other_kind(name: str, strange: Iterable[Any], categories: Sequence[Value]) -> None:
    """Refuse the word for a number that is a category, and the number for a word that is one.

    They were read in another way than in training, so all of them would be unknown.
    """
    words = {number: word for word in categories if (number := spelled(word)) is not None}
    numbers = {category for category in categories if not isinstance(category, str)}
    for cell in strange:
        if (number := spelled(cell)) is not None and number in numbers:
            cast = "cell == 'True'" if isinstance(number, bool) else "float(cell)"
            raise BlockError(
                f"The column {name!r} holds the word {cell!r}; its category is the number "
                f"{in_words(number)}.",
                fix=f"read the column as numbers: [{cast} for cell in column]",
            )
        if not isinstance(cell, str) and cell in words:
            raise BlockError(
                f"The column {name!r} holds the number {in_words(cell)}; its category is the word "
                f"{words[cell]!r}.",
                fix="read the column as words, as in training (pandas: "
                f"read_csv(..., dtype={{{name!r}: str}})), or name the categories as numbers: "
                f"TableRow({{{name!r}: [{in_words(cell)}, ...]}})",
            )


def refuse_inexact(name: str, cells: Sequence[Value | None]) -> None:
    """Refuse whole numbers beside floats that are too large to tell them apart.

    Raises:
        BlockError: naming the column and the number.
    """
    large = {type(cell): cell for cell in cells if _large(cell)}
    if len(large) > 1:
        raise BlockError(
            f"The column {name!r} holds {large[float]!r} beside {large[int]!r}: floats as large as "
            "that stand for several whole numbers.",
            fix="keep such numbers whole (pandas: dtype 'Int64'), or read them as words",
        )


def _large(cell: Value | None) -> bool:
    return isinstance(cell, (int, float)) and EXACT <= abs(cell) < float("inf")


def _codes_as_text(name: str, values: Any, categories: Sequence[Value]) -> Tensor:
    """The same for categories that were kept as the words for them, numbers too."""
    place = {str(category): i for i, category in enumerate(categories)}
    worth = {spelled(category): i for i, category in enumerate(categories)}
    cells = values.tolist() if isinstance(values, Tensor) else values

    def code(cell: Any, value: Value | None) -> int:
        if value is None:
            return MISSING
        number = None if isinstance(value, str) else value
        other = MISSING if number is None else worth.get(number, MISSING)
        return place.get(str(cell), other)

    pairs = zip(cells, cells_of(name, values), strict=True)
    return torch.tensor([code(cell, value) for cell, value in pairs], dtype=torch.int64)


def _numbers(name: str, values: Any) -> Tensor:
    if isinstance(values, Tensor) and values.ndim == 1:
        return values.to(torch.float32)
    try:
        numbers = [float("nan") if c is None else float(c) for c in cells_of(name, values)]
        return torch.tensor(numbers, dtype=torch.float32)
    except (ValueError, OverflowError) as error:
        raise BlockError(
            f"The column {name!r} should hold numbers: {error}.",
            fix="name it among the categorical columns, or mend the cell",
        ) from None
