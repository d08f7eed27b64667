"""A row of a table: some columns hold categories, some hold numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.blocks.base import Block
from sprat.cells import Value, cells_of, in_order, in_words, plain
from sprat.errors import BlockError
from sprat.rows import MISSING, Rows, named, refuse_inexact

if TYPE_CHECKING:
    from sprat.grid import Grid

Categorical = Mapping[str, Sequence[Any]] | Sequence[Sequence[Any]]


@dataclass(frozen=True, init=False)
class TableRow(Block):
    """Rows of a table, stored as `sprat.tabular.Rows`.

    Args:
        categorical: the categories of each such column by its name, in the order of their indices:
            words, numbers, yes and no. They are compared by value, as ``cells.py`` says.
        continuous: names of the columns of numbers; units belong here.
        missing: names of the columns in which values may be missing: −1 in a column of
            categories, NaN in a column of numbers.
        as_text: compare categories as they are written, as the first version did; blocks that it
            saved are read so.

    Raises:
        BlockError: there is no column, or two are called the same.
    """

    categorical: tuple[tuple[str, tuple[Value, ...]], ...]
    continuous: tuple[str, ...]
    missing: tuple[str, ...]
    as_text: bool

    def __init__(
        self,
        categorical: Categorical = (),
        continuous: Sequence[str] = (),
        missing: Sequence[str] = (),
        *,
        as_text: bool = False,
    ) -> None:
        pairs = categorical.items() if isinstance(categorical, Mapping) else categorical
        kept = tuple((str(name), tuple(map(_category, categories))) for name, categories in pairs)
        names = [name for name, _ in kept] + list(continuous)
        twice = next((name for name in names if names.count(name) > 1), None)
        stray = next((name for name in missing if name not in names), None)
        if not names or twice is not None or stray is not None:
            found = (
                "no columns" if not names
                else f"the column {twice!r} twice" if twice is not None
                else f"missing values in {stray!r}, which is no column"
            )  # fmt: skip
            raise BlockError(f"TableRow got {found}.", fix="name each column once")
        object.__setattr__(self, "categorical", kept)
        object.__setattr__(self, "continuous", tuple(continuous))
        object.__setattr__(self, "missing", tuple(missing))
        object.__setattr__(self, "as_text", as_text)

    @classmethod
    def of(cls, columns: Any, *, categorical: Sequence[str] | None = None) -> "TableRow":
        """The block that fits some columns: the training part's, so that nothing leaks.

        Args:
            columns: a mapping of names to values, or a data frame of pandas or polars.
            categorical: names of the columns to take as categories; by default those that hold
                anything but numbers (words, dates, yes and no), and those that pandas has as
                categories. Only values that occur become categories: numbers by size, then words
                by the alphabet.

        Raises:
            BlockError: there is no such column, or one has several values a row.
        """
        found = named(columns)
        if categorical is not None and (stray := set(categorical) - set(found)):
            raise BlockError(
                f"The table has no column {min(stray)!r}, only {', '.join(found)}.",
                fix="name columns of the table in categorical=",
            )
        kept, numbers, missing = {}, [], []
        for name, values in found.items():
            cells = cells_of(name, values)
            if None in cells:
                missing.append(name)
            if name in categorical if categorical is not None else _wordy(values, cells):
                refuse_inexact(name, cells)
                kept[name] = in_order(cells)
            else:
                numbers.append(name)
        return cls(kept, numbers, missing)

    def read(self, columns: Any) -> Rows:
        """Rows from columns of words and numbers; a value that is no category counts as missing.

        Args:
            columns: a mapping of names to values, or a data frame of pandas or polars.

        Raises:
            BlockError: a column is absent or of another length, a number is none, or a column
                holds words where its categories are the numbers that they spell, or numbers for
                words.
        """
        return Rows.of(columns, self.categorical, self.continuous, as_text=self.as_text)

    def __repr__(self) -> str:
        return (
            f"TableRow({len(self.categorical)} categorical, {len(self.continuous)} continuous "
            "columns)"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """All columns: the categorical ones, then the continuous ones."""
        return tuple(name for name, _ in self.categorical) + self.continuous

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many categories each categorical column has: the lengths of embeddings."""
        return tuple(len(categories) for _, categories in self.categorical)

    def check(self, values: Any) -> None:
        """Refuse other columns, categories out of range, and missing values nobody announced."""
        if not isinstance(values, Rows):
            raise BlockError(
                f"{self} got {type(values).__name__}; sprat.tabular.Rows was expected.",
                fix="read columns of words and numbers with block.read(columns)",
            )
        if len(values) == 0:
            raise BlockError(f"{self} got an empty batch.", fix="check the data and its split")
        found = values.categorical.shape[1], values.continuous.shape[1]
        if found != (len(self.categorical), len(self.continuous)):
            raise BlockError(
                f"{self} got {found[0]} categorical and {found[1]} continuous columns.",
                fix="name every column in TableRow, in the order in which Rows holds them",
            )
        for i, (name, categories) in enumerate(self.categorical):
            column = values.categorical[:, i]
            low, high = int(column.min()), int(column.max())
            if low < MISSING or high >= len(categories):
                raise BlockError(
                    f"The column {name!r} has {len(categories)} categories, so indices "
                    f"0…{len(categories) - 1}; it holds {low} to {high}.",
                    fix="name every category, or mend the indices",
                )
            self._refuse_missing(name, column == MISSING)
        for i, name in enumerate(self.continuous):
            column = values.continuous[:, i]
            self._refuse_missing(name, column.isnan())
            if bool(column.isinf().any()):
                raise BlockError(
                    f"The column {name!r} holds infinite numbers.", fix="mend or drop those rows"
                )

    def _refuse_missing(self, name: str, gone: Tensor) -> None:
        if name in self.missing or not bool(gone.any()):
            return
        row, numbers = int(gone.nonzero()[0, 0]), name in self.continuous
        raise BlockError(
            f"The column {name!r} has missing values, the first in row {row}"
            + ("." if numbers else ", or values that are none of its categories."),
            fix="make the block with a place for them: TableRow(block.categorical, "
            f"block.continuous, [*block.missing, {name!r}]); and give the task "
            f"{'FillMissing' if numbers else 'Categorise'}.of(block, rows), as "
            "sprat.tabular.prepare does",
        )

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Rows:
        """Random categories and standard normal numbers; a fifth missing where some may be."""
        codes = [torch.randint(0, max(1, n), (count,), generator=generator) for n in self.sizes]
        numbers = torch.randn(count, len(self.continuous), generator=generator)
        gone = torch.rand(count, len(self.names), generator=generator) < 0.2
        gone &= torch.tensor([name in self.missing for name in self.names])
        categorical = torch.stack(codes, 1) if codes else torch.zeros(count, 0, dtype=torch.int64)
        return Rows(
            categorical.masked_fill(gone[:, : len(codes)], MISSING),
            numbers.masked_fill(gone[:, len(codes) :], float("nan")),
        )

    def shape(self) -> str:
        """As stored."""
        return f"int64 (B, {len(self.categorical)}) and float32 (B, {len(self.continuous)})"

    def cells(self, value: Rows) -> list[tuple[str, str]]:
        """Name and value of every column of one row, as a person reads them."""
        codes, numbers = value.categorical[0].tolist(), value.continuous[0].tolist()
        words = [
            (name, "missing" if code == MISSING else in_words(categories[code]))
            for (name, categories), code in zip(self.categorical, codes, strict=True)
        ]
        return words + [
            (name, "missing" if number != number else f"{number:.4g}")
            for name, number in zip(self.continuous, numbers, strict=True)
        ]

    def words(self, value: Any) -> str:
        """Every column with its value, in a line."""
        return ", ".join(f"{name} {cell}" for name, cell in self.cells(value))

    def show(self, grid: "Grid", value: Any, title: str = "") -> None:
        """A line a column."""
        grid.text("\n".join(f"{name}: {cell}" for name, cell in self.cells(value)), title)


def _category(given: Any) -> Value:
    """A category as it is kept; an empty one, which no cell ever is, as it is written."""
    value = plain(given)
    return str(given) if value is None else value


def _wordy(values: Any, cells: Sequence[Value | None]) -> bool:
    """Whether a column is one of categories: anything but numbers, or what pandas says is one."""
    declared = str(getattr(values, "dtype", "")) == "category"
    return declared or any(isinstance(cell, (str, bool)) for cell in cells)
