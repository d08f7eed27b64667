"""Comparing plain values: where two differ first, and by how much, in one sentence or None."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from chapterhouse.exercise.values import as_array, describe, dtype_kind, is_array, kind, short


def same(
    value: Any, expected: Any, *, rtol: float = 0.0, atol: float = 0.0, at: str = ""
) -> str | None:
    """None when two values agree, else how they differ; `at` says where inside a container."""
    where = f" at {at}" if at else ""
    if kind(value) != kind(expected):
        return f"{describe(value)} instead of {_expected_kind(expected)}{where}"
    if is_array(expected):
        fault = difference(as_array(value), as_array(expected), rtol=rtol, atol=atol)
        return (f"in {at}: {fault}" if at else fault) if fault else None
    if isinstance(expected, (list, tuple)):
        return _same_list(value, expected, rtol=rtol, atol=atol, at=at)
    if isinstance(expected, dict):
        return _same_dict(value, expected, rtol=rtol, atol=atol, at=at)
    if kind(expected) == "a number":
        if _close(value, expected, rtol=rtol, atol=atol):
            return None
        if rtol == atol == 0.0 and isinstance(value, float) and not isinstance(expected, float):
            return f"{short(value)} instead of a whole number{where}"
        return f"{short(value)} is not the right number{where}"
    return None if value == expected else f"{short(value, 60)} is not right{where}"


def form(array: np.ndarray, expected: np.ndarray) -> str | None:
    """How two arrays differ in shape or family of numbers, or None."""
    if array.shape != expected.shape:
        return f"shape {array.shape} instead of {expected.shape}"
    if dtype_kind(array) != dtype_kind(expected):
        return f"{dtype_kind(array)} values instead of {dtype_kind(expected)} values"
    return None


def difference(array: np.ndarray, expected: np.ndarray, *, rtol: float, atol: float) -> str | None:
    """How two arrays differ, with the largest difference and where it is, or None."""
    fault = form(array, expected)
    if fault or array.size == 0:
        return fault
    if array.dtype.kind not in "fcmM" and expected.dtype.kind not in "fc" and rtol == atol == 0:
        wrong = array != expected
        return _counted(wrong) if bool(np.any(wrong)) else None
    if array.dtype.kind in "USOmMV":
        wrong = array != expected
        return _counted(wrong) if bool(np.any(wrong)) else None
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    given, wanted = array.astype(wide), expected.astype(wide)
    with np.errstate(over="ignore", invalid="ignore"):
        good = np.isclose(given, wanted, rtol=rtol, atol=atol, equal_nan=True)
    if bool(np.all(good)):
        return None
    strange = np.isnan(given) & ~np.isnan(wanted)
    if bool(np.any(strange)):
        return (
            f"{int(strange.sum())} of {given.size} values are NaN, the first at {_index(strange)}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        gap = np.where(good, 0.0, np.abs(given - wanted))
    gap = np.nan_to_num(gap, nan=np.inf, posinf=np.inf)
    worst = np.unravel_index(int(np.argmax(gap)), gap.shape)
    place = f" at {[int(i) for i in worst]}" if gap.ndim else ""
    if gap.size == 1:
        return f"largest difference {float(gap[worst]):.4g}"
    return f"largest difference {float(gap[worst]):.4g}{place}; {_counted(~good)}"


def number(value: Any) -> float:
    """One number, from a number or an array of one element.

    Raises:
        ValueError: it is something else.
    """
    found = None if isinstance(value, (list, tuple)) else numbers(value)
    if found is not None and found.size == 1:
        return float(found.reshape(()))
    raise ValueError(f"{describe(value)} instead of a number")


def numbers(value: Any) -> np.ndarray | None:
    """A number, a flat list of numbers or an array as an array of floats, or None."""
    if is_array(value):
        array = as_array(value)
        return array.astype(np.float64) if array.dtype.kind in "fiub" else None
    parts = value if isinstance(value, (list, tuple)) else [value]
    if not all(kind(part) == "a number" and not np.iscomplexobj(part) for part in parts):
        return None
    try:
        return np.asarray([float(part) for part in parts] if parts is value else float(value))
    except OverflowError:  # a whole number beyond the largest float
        return None


def elements(value: Any) -> Counter[str] | None:
    """The elements of a list, a dictionary's items or a flat array, as text, counted, or None."""
    if is_array(value):
        return Counter(map(_text, as_array(value).tolist())) if as_array(value).ndim == 1 else None
    if isinstance(value, dict):
        return Counter(map(_text, value.items()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return Counter(map(_text, value))
    return None


def _text(value: Any) -> str:
    """An element as text: NaN equals NaN, 1 differs from 1.0 and True, and hashes are our own.

    A stranger can choose numbers whose hashes are all equal, which text does not allow.
    """
    if is_array(value):
        array = as_array(value)
        return f"array {array.shape} {_text(array.reshape(-1).tolist())}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_text, value)))}}}"
    if isinstance(value, dict):
        return f"dict {_text(set(map(_text, value.items())))}"
    # Adding nought makes 0.0 of -0.0, which equals it.
    return repr(value + 0.0 if isinstance(value, float) else value)


def _close(value: Any, expected: Any, *, rtol: float, atol: float) -> bool:
    """Whether two numbers agree; NaN equals NaN, and whole numbers compare without rounding."""
    if rtol == atol == 0.0:
        both_nan = value != value and expected != expected
        return both_nan or (type(value) is type(expected) and value == expected)
    try:
        if np.iscomplexobj(value) or np.iscomplexobj(expected):
            pair = complex(value), complex(expected)
            return bool(np.isclose(*pair, rtol=rtol, atol=atol, equal_nan=True))
        given, wanted = float(value), float(expected)
    except OverflowError:
        return bool(value == expected)
    if math.isnan(wanted) or math.isnan(given):
        return math.isnan(wanted) and math.isnan(given)
    if math.isinf(wanted) or math.isinf(given):
        return given == wanted
    return abs(given - wanted) <= atol + rtol * abs(wanted)


def _same_list(value: Any, expected: Any, *, rtol: float, atol: float, at: str) -> str | None:
    if len(value) != len(expected):
        where = f" at {at}" if at else ""
        return f"{len(value)} elements instead of {len(expected)}{where}"
    for number_, (part, wanted) in enumerate(zip(value, expected, strict=True)):
        fault = same(part, wanted, rtol=rtol, atol=atol, at=f"{at}[{number_}]")
        if fault:
            return fault
    return None


def _same_dict(value: Any, expected: Any, *, rtol: float, atol: float, at: str) -> str | None:
    where = f" at {at}" if at else ""
    missing = [key for key in expected if key not in value]
    extra = [key for key in value if key not in expected]
    if missing:
        return f"the key {short(missing[0], 40)} is missing{where}"
    if extra:
        return f"the key {short(extra[0], 40)} is too many{where}"
    for key, wanted in expected.items():
        fault = same(value[key], wanted, rtol=rtol, atol=atol, at=f"{at}[{short(key, 40)}]")
        if fault:
            return fault
    return None


def _expected_kind(expected: Any) -> str:
    """What was expected, told without telling the value of a number or text."""
    if is_array(expected) or isinstance(expected, (list, tuple, dict)):
        return describe(expected)
    return kind(expected)


def _index(mask: np.ndarray) -> list[int]:
    return [int(i) for i in np.argwhere(mask)[0]]


def _counted(wrong: np.ndarray) -> str:
    count = int(np.count_nonzero(wrong))
    first = f", the first at {_index(wrong)}" if wrong.ndim else ""
    return f"{count} of {wrong.size} values are wrong{first}"
