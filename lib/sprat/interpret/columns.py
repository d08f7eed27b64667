"""Columns of an input: what can be shuffled, set to a value or grouped by, block by block.

A column of numbers is a column; so is one of a table's, and a channel of a picture. Your own block
brings its columns by registering three small functions:

    @sprat.interpret.columns_of.register
    def _(block: MyBlock): return ["left", "right"]
"""

from functools import singledispatch
from typing import Any

from torch import Tensor

from sprat.blocks import Block, Continuous, Image, ImageTensor, Several, TableRow
from sprat.cells import in_words
from sprat.errors import TaskError
from sprat.rows import Rows
from sprat.shapes import Int


@singledispatch
def columns_of(block: Block) -> list[str]:
    """The names of an input's columns.

    Raises:
        TaskError: it has none.
    """
    raise TaskError(
        f"{block} has no columns.",
        fix="interpret an input of TableRow, Continuous or Image, or register "
        f"sprat.interpret.columns_of for {type(block).__name__}",
    )


@columns_of.register(Image)
@columns_of.register(ImageTensor)
def _(block: Any) -> list[str]:
    named = {1: ["grey"], 3: ["red", "green", "blue"], 4: ["red", "green", "blue", "alpha"]}
    return named.get(block.channels, [f"channel {i}" for i in range(block.channels)])


@columns_of.register
def _(block: Continuous) -> list[str]:
    named = list(block.names)
    return named if len(named) == block.size else [f"number {i}" for i in range(block.size)]


@columns_of.register
def _(block: TableRow) -> list[str]:
    return [*(name for name, _ in block.categorical), *block.continuous]


@columns_of.register
def _(block: Several) -> list[str]:
    """Those of every part that has some, each after the number of its part."""
    return [f"{i}: {name}" for i, part in enumerate(block.parts) for name in _columns_if_any(part)]


def _columns_if_any(block: Block) -> list[str]:
    try:
        return columns_of(block)
    except TaskError:
        return []


def categories_of(block: Block, column: str) -> tuple[str, ...] | None:
    """The categories of a column that has some; None for a column of numbers."""
    if isinstance(block, Several):
        part, column = _part_of(block, column)
        return categories_of(block.parts[part], column)
    if not isinstance(block, TableRow) or column not in (known := dict(block.categorical)):
        return None
    return tuple(map(in_words, known[column]))


def _part_of(block: Several, column: str) -> tuple[int, str]:
    """The part that a column is in, and its name there."""
    number, _, name = column.partition(": ")
    return int(number), name


def column_of(block: Block, values: Any, column: str) -> Any:
    """One column of a batch: floats (N,), or a list of N category names.

    Raises:
        TaskError: there is no such column, or it holds more than one number a sample.
    """
    i = place_of(block, column)
    if isinstance(block, Several):
        part, name = _part_of(block, column)
        return column_of(block.parts[part], values[part], name)
    if isinstance(values, Rows):
        wide = values.categorical.shape[1]
        if i >= wide:
            return values.continuous[:, i - wide]
        names = categories_of(block, column) or ()
        return [names[k] if k >= 0 else "missing" for k in values.categorical[:, i].tolist()]
    if values.ndim != 2:
        raise TaskError(
            f"{column!r} holds {tuple(values.shape[2:])} numbers a sample; one was expected.",
            fix="pass by= as a function of (x, y), or one value a sample",
        )
    return values[:, i].float()


@singledispatch
def permuted(values: Any, column: int, order: Int[Tensor, " samples"]) -> Any:
    """The same batch with one column in another order, and all others as they were.

    Args:
        values: a batch, not yet encoded.
        column: its number.
        order: where each sample takes the column from, (N,).

    Raises:
        TaskError: nobody said how these values are cut into columns.
    """
    raise _unknown(values)


@permuted.register
def _(values: Tensor, column: int, order: Tensor) -> Tensor:
    changed = values.clone()
    changed[:, column] = values[order.to(values.device), column]
    return changed


@permuted.register
def _(values: Rows, column: int, order: Tensor) -> Rows:
    wide = values.categorical.shape[1]
    if column < wide:
        return Rows(permuted(values.categorical, column, order), values.continuous)
    return Rows(values.categorical, permuted(values.continuous, column - wide, order))


@permuted.register
def _(values: tuple, column: int, order: Tensor) -> tuple[Any, ...]:
    part, within = _within(values, column)
    changed = permuted(values[part], within, order)
    return (*values[:part], changed, *values[part + 1 :])


@singledispatch
def with_value(values: Any, column: int, value: float) -> Any:
    """The same batch with one number everywhere in a column (for a category, its index).

    Args:
        values: a batch, not yet encoded.
        column: its number.
        value: in the units that the data is stored in.

    Raises:
        TaskError: nobody said how these values are cut into columns.
    """
    raise _unknown(values)


@with_value.register
def _(values: Tensor, column: int, value: float) -> Tensor:
    changed = values.clone()
    changed[:, column] = value
    return changed


@with_value.register
def _(values: Rows, column: int, value: float) -> Rows:
    wide = values.categorical.shape[1]
    if column < wide:
        return Rows(with_value(values.categorical, column, value), values.continuous)
    return Rows(values.categorical, with_value(values.continuous, column - wide, value))


@with_value.register
def _(values: tuple, column: int, value: float) -> tuple[Any, ...]:
    part, within = _within(values, column)
    changed = with_value(values[part], within, value)
    return (*values[:part], changed, *values[part + 1 :])


def _within(values: tuple[Any, ...], column: int) -> tuple[int, int]:
    """The part that holds a column, and the column's number there."""
    for part, some in enumerate(values):
        wide = _width(some)
        if column < wide:
            return part, column
        column -= wide
    raise _unknown(values)


def _width(values: Any) -> int:
    if isinstance(values, Rows):
        return values.categorical.shape[1] + values.continuous.shape[1]
    return values.shape[1] if isinstance(values, Tensor) and values.ndim > 1 else 0


def place_of(block: Block, column: str) -> int:
    """The number of a column.

    Raises:
        TaskError: there is no such column.
    """
    names = columns_of(block)
    if column not in names:
        raise TaskError(f"There is no column {column!r}.", fix=f"use one of {', '.join(names)}")
    return names.index(column)


def _unknown(values: Any) -> TaskError:
    return TaskError(
        f"Nobody said how a batch of {type(values).__name__} is cut into columns.",
        fix="register sprat.interpret.permuted and with_value for it",
    )
