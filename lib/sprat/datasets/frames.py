"""Tables that pandas has pickled, read without pandas and without running anything in them.

A pickle is a program, and unpickling runs it. Here every name that the program may use is on
a list of eleven, which stand for functions of this file, `slice`, and numpy's arrays and types; any
other is refused. Nothing of pandas is called: tables can be read with any version of it, and with
none. How a frame is laid out, in blocks of columns of one type, is described in the pandas guide,
"Internals" (https://pandas.pydata.org/docs/development/internals.html).
"""

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from sprat.errors import DataError


def frame(content: bytes | bytearray) -> dict[str, np.ndarray]:
    """The columns of a pickled `pandas.DataFrame`, by name, in order.

    Args:
        content: the pickle. Dates, categories and types of extensions are not read, only numbers,
            booleans and objects such as strings.

    Returns:
        Arrays of one length: numbers as they are stored, words as objects, where NaN and None
        stand for missing values.

    Raises:
        DataError: it is no such pickle, or it wants to call something that it has no need to.
    """
    try:
        found = _Unpickler(io.BytesIO(content)).load()
        blocks, axes = found.state["_mgr"].state
        names, table = [str(name) for name in axes[0]], {}
        for values, places in blocks:
            for place, column in zip(places, np.atleast_2d(values), strict=True):
                table[names[place]] = column
        return {name: table[name] for name in names}
    except DataError:
        raise
    except Exception as error:  # a damaged pickle raises whatever its damage brings about
        raise DataError(
            f"A pickled table was expected; reading it fails with {type(error).__name__}: {error}.",
            fix="delete the file, so that it is fetched anew",
        ) from None


class _Stored:
    """Stands for a frame or its manager of blocks; keeps what would have been its state."""

    state: Any = None

    def __init__(self, *parts: Any) -> None:
        if parts:
            self.state = parts

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _block(values: Any, places: Any, axes: int) -> tuple[Any, list[int]]:
    """Columns of one type, (columns, rows), and where each stands in the frame."""
    if isinstance(places, slice):
        places = range(places.start, places.stop, places.step or 1)
    return values, [int(place) for place in places]


def _index(kind: type, parts: dict[str, Any]) -> Any:
    """Names of columns or rows: an array of names, or a range."""
    return parts["data"] if "data" in parts else range(parts["start"], parts["stop"], parts["step"])


def _array_of(kind: type, shape: tuple[int, ...], code: bytes) -> np.ndarray:
    """An empty array, which its state then fills."""
    return np.ndarray.__new__(np.ndarray, shape, code.decode())


def _array_from(buffer: Any, kind: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    """An array over bytes."""
    return np.frombuffer(buffer, dtype=kind).reshape(shape, order=order)  # type: ignore[call-overload]


class _Name:
    """Stands for a class that is only named in the pickle, never called."""


# Everything that such a pickle may call. Its names for numpy's functions are those of numpy 1 or 2.
_ALLOWED: dict[tuple[str, str], Callable[..., Any] | type] = {
    ("pandas.core.frame", "DataFrame"): _Stored,
    ("pandas.core.internals.managers", "BlockManager"): _Stored,
    ("pandas._libs.internals", "_unpickle_block"): _block,
    ("pandas.core.indexes.base", "_new_Index"): _index,
    ("pandas.core.indexes.base", "Index"): _Name,
    ("pandas.core.indexes.range", "RangeIndex"): _Name,
    ("builtins", "slice"): slice,
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[_core + ".multiarray", "_reconstruct"] = _array_of
    _ALLOWED[_core + ".numeric", "_frombuffer"] = _array_from


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise DataError(
                f"A pickled table wants to use {module}.{name}, which no table needs.",
                fix="do not trust the file: delete it, so that it is fetched anew",
            )
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("a table refers to nothing outside of itself")
