"""Cells of a column: each as a plain value, so that equal things are equal wherever they come from.

The same value has another type in a list, a numpy array, a tensor and a data frame, and a column of
whole numbers becomes one of floats as soon as a cell is empty. So categories are compared by value:

    numbers   by what they are worth: 1, 1.0, True and numpy's own are one category. A number of
              32 bits or fewer stands for the shortest decimal that it is nearest to: 0.1, say.
    words     letter by letter; bytes are read as UTF-8. The word "1" is not the number 1.
    dates     as words in ISO form, without a time where it is midnight; zones are brought to UTC.
    holes     None, NaN, "" and what pandas has for them: no value at all.
"""

import datetime
import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from torch import Tensor

from sprat.errors import BlockError

Value = bool | int | float | str
EXACT = 2**53  # beyond it not every whole number is a float

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SHORT = ("float16", "float32")
_COARSE = {"Y": "D", "M": "D", "W": "D", "h": "s", "m": "s"}  # numpy's units of dates


def plain(cell: Any) -> Value | None:
    """What a cell holds, as Python's own number or word; None where it is empty.

    Raises:
        BlockError: the cell holds several values.
    """
    kind = type(cell)
    if cell is None or kind.__name__ in ("NAType", "NaTType"):  # pandas' own
        return None
    if kind is str:
        return cell or None
    if kind is int or kind is bool:
        return cell
    if kind is float:
        return None if cell != cell else cell
    if getattr(cell, "ndim", 0):
        raise BlockError(
            f"A cell holds a {kind.__name__} of shape {tuple(cell.shape)}.",
            fix="give one value for each row, as in table[:, 0]",
        )
    if isinstance(cell, Tensor):
        return plain(cell.item() if cell.element_size() == 8 else _shortest(cell.float().numpy()))
    return _scalar(cell, getattr(getattr(cell, "dtype", None), "kind", ""))


def _scalar(cell: Any, letter: str) -> Value | None:
    """A value of numpy's, by the letter of its kind, or of the standard library's."""
    if letter in ("M", "m"):
        if cell != cell:  # not a time
            return None
        return (
            _day(cell) if letter == "M" else _seconds(cell.astype("timedelta64[ns]").item() / 1e9)
        )
    if letter == "b":
        return bool(cell)
    if letter == "f":
        return plain(_shortest(cell) if cell.dtype.name in _SHORT else float(cell))
    if isinstance(cell, bytes):
        return cell.decode(errors="backslashreplace") or None
    if isinstance(cell, datetime.date):  # date and time are one too, and pandas' are
        return _moment(cell)
    if isinstance(cell, datetime.timedelta):
        return _seconds(cell.total_seconds())
    if isinstance(cell, Integral):
        return int(cell)
    if isinstance(cell, (Real, Decimal)):
        return plain(float(cell))
    return str(cell) or None


def _shortest(cell: Any) -> float:
    """A number of numpy's as its shortest decimal, which is how it is written."""
    return float(str(cell))


def _moment(cell: datetime.date) -> str:
    """A date, or a date with a time, in ISO form."""
    if not isinstance(cell, datetime.datetime):
        return cell.isoformat()
    if cell.tzinfo is None:
        return _tidy(cell.isoformat())
    return _tidy(cell.astimezone(datetime.UTC).replace(tzinfo=None).isoformat()) + "+00:00"


def _day(cell: Any) -> str:
    """A date of numpy's, whose unit may be anything from a year to less than a nanosecond."""
    unit = cell.dtype.name.removeprefix("datetime64[").removesuffix("]")
    return _tidy(str(cell.astype(f"datetime64[{_COARSE[unit]}]") if unit in _COARSE else cell))


def _tidy(text: str) -> str:
    """Without zeros behind the seconds, and without a time at midnight."""
    whole, point, parts = text.partition(".")
    parts = parts.rstrip("0")
    return (whole + point + parts if parts else whole).removesuffix("T00:00:00")


def _seconds(number: float) -> str:
    return f"{number:.15g} s"


def cells_of(name: str, values: Any) -> list[Value | None]:
    """A whole column, cell by cell.

    Args:
        name: of the column, for the message.
        values: a list, a tensor, an array, or a column of pandas or polars, with one value a row.

    Raises:
        BlockError: it has several values a row.
    """
    if getattr(values, "ndim", 1) != 1:
        raise BlockError(
            f"The column {name!r} has shape {tuple(values.shape)}.",
            fix="give one value for each row: values[:, 0] for the first of several",
        )
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values.tolist() if values.element_size() == 8 else list(values)
    elif str(getattr(values, "dtype", "")).lower() in _SHORT:
        values = _short_numbers(values)
    return [plain(cell) for cell in values]


def _short_numbers(values: Any) -> list[Any]:
    """Numbers of 32 bits as numpy's: pandas and polars would give them with noise behind."""
    if hasattr(values, "to_numpy"):
        try:
            values = values.to_numpy(dtype="float32", na_value=float("nan"))
        except TypeError:  # polars
            values = values.to_numpy()
    return list(values)


def in_order(values: Iterable[Any]) -> list[Any]:
    """Each value once, as the type that came first: numbers by size, then words by alphabet."""
    known = dict.fromkeys(value for value in values if value is not None)
    return sorted(known, key=lambda value: (isinstance(value, str), value))


def in_words(value: Value) -> str:
    """A value as a person reads it: whole numbers without a point."""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def spelled(value: Value) -> bool | int | float | None:
    """The number, or the yes or no, that a word spells; None for other words, and for numbers."""
    if not isinstance(value, str):
        return None
    if value in ("True", "False"):
        return value == "True"
    if _NUMBER.fullmatch(value) is None:
        return None
    return int(value) if value.lstrip("+-").isdecimal() else float(value)
