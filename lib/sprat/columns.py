"""Columns: what holds one value a sample, and can be counted, indexed and moved."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from sprat.cells import plain
from sprat.errors import DataError
from sprat.kinds import refuse_column, refuse_inputs


@runtime_checkable
class Column(Protocol):
    """What may stand in a column beside tensors and lists: rows of a table, graphs, your own."""

    def __len__(self) -> int:
        """How many samples there are."""

    def __getitem__(self, index: Any) -> Any:
        """The samples at some int64 indices, a tensor on any device; or one, or a slice."""

    def to(self, device: Any) -> Any:
        """The same samples on another device; itself where they are there already."""


def count(column: Any) -> int:
    """How many samples a column has; all parts of a tuple or a dict of columns have as many."""
    if isinstance(column, Tensor):
        return column.shape[0]  # a third of what len() of a tensor costs, in every step
    if isinstance(column, Mapping) and column:
        return count(next(iter(column.values())))
    return len(column[0]) if isinstance(column, tuple) and column else len(column)


def sample(column: Any, i: int) -> Any:
    """One sample of a column; a tuple with one of each where there are several columns."""
    return tuple(part[i] for part in column) if isinstance(column, tuple) else column[i]


def head(column: Any, most: int) -> Any:
    """The first samples of a column, `most` at most."""
    return tuple(part[:most] for part in column) if isinstance(column, tuple) else column[:most]


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


def as_column(values: Any) -> Any:
    """What was given as a column, as a tensor, a list, a `Column`, or a tuple of these.

    Raises:
        DataError: it has not one entry a sample, or none at all.
    """
    if isinstance(values, tuple) and values and all(map(is_column, values)):
        columns = tuple(map(as_column, values))
        if len({len(column) for column in columns}) > 1:
            raise DataError(
                f"The columns of a tuple have {[len(column) for column in columns]} samples.",
                fix="give each one entry a sample, or a list for single samples",
            )
        return columns
    if not isinstance(values, (Tensor, list)):
        refuse_column(values)
        values = _of_array(values) if hasattr(values, "__array__") else values
        values = list(values) if isinstance(values, range) else values
    if (
        not isinstance(values, (Tensor, list, tuple, Column))
        or isinstance(values, (str, bytes))
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


def as_inputs(values: Any, channels: int = 3) -> Any:
    """Inputs for `Learner.predict`: arrays as tensors, and everything else as it is.

    Args:
        values: what was given.
        channels: of the pictures that the model takes, if it takes any.

    Raises:
        DataError: it is one picture, a table, a data set or a generator, which a model can't take.
    """
    if isinstance(values, (Tensor, list, tuple)):
        return values
    refuse_inputs(values, channels)
    return _of_array(values) if hasattr(values, "__array__") else values


def _of_array(values: Any) -> Any:
    """A numpy array or a column of pandas as a tensor, or as a list where it holds words.

    Raises:
        DataError: it is a table of several kinds, or torch has no tensor for it.
    """
    import numpy as np  # which made it, so it is there; sprat.data needs nothing but torch

    array = np.asarray(values)
    if array.dtype.kind in "UO" and array.ndim == 1:
        cells = array.tolist()
        kinds = {
            type(plain(cell)) if not hasattr(cell, "__len__") else type(cell) for cell in cells
        }
        if not cells or not kinds <= {int, float, bool, type(None)}:
            return cells
        if type(None) not in kinds:  # numbers that pandas keeps as objects
            array = np.array([plain(cell) for cell in cells])
    if array.ndim:  # torch takes neither strides below 0 nor the byte order of other machines
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        array = array if array.flags.writeable else array.copy()
    try:
        return torch.as_tensor(array)
    except TypeError:
        raise DataError(
            f"A column of data has the type {array.dtype}, which torch has no tensor for.",
            fix="fill what is missing and turn it into numbers, or pass a list; a table of words "
            "and numbers goes through sprat.TableRow.of(table).read(table)",
        ) from None


def is_column(value: Any) -> bool:
    """Whether a part of a tuple is a column of its own, not a single sample."""
    if isinstance(value, Tensor):
        return value.ndim > 0
    return isinstance(value, (list, Column)) or getattr(value, "ndim", 0) > 0


def moved(value: Any, device: torch.device | str) -> Any:
    """Tensors, columns, and tuples, lists and dicts of them, on another device; else as it is."""
    if isinstance(value, Tensor):
        # Comparing costs a fifth of a call that then changes nothing.
        return value if value.device == device else value.to(device, non_blocking=True)
    if isinstance(value, (tuple, list)):
        parts = [moved(part, device) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {key: moved(part, device) for key, part in value.items()}
    return value.to(device) if isinstance(value, Column) else value


def describe(column: Any) -> str:
    """What a column holds, in a few words."""
    if isinstance(column, Tensor):
        return f"{str(column.dtype).removeprefix('torch.')} {tuple(column.shape[1:])}"
    if isinstance(column, tuple):
        return f"({', '.join(map(describe, column))})"
    return f"list of {type(column[0]).__name__}" if isinstance(column, list) else repr(column)
