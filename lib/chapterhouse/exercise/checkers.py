"""Checkers: tiny pure functions that say whether a value is right and, if not, how it differs.

A checker takes the student's value, the reference's value and the inputs, all plain data, and
returns None when the value is right or one helpful sentence when it isn't. They run on the trusted
side only. NaN equals NaN; nothing broadcasts; shapes and families of numbers must agree.

Checkers without a function of the author's can be written to a notebook as data (`to_json`), so
that the student's own check and the grader judge by the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chapterhouse.errors import ExerciseError
from chapterhouse.exercise import compare
from chapterhouse.exercise.values import as_array, describe, is_array, kind, short

Judge = Callable[[Any, Any, tuple[Any, ...]], str | None]


@dataclass(frozen=True)
class Checker:
    """How a value is judged. Make one with a function below: `close`, `equal`, `satisfies`…

    `function` is set when the judgement needs code of the author's; such a checker stays with the
    grader.
    """

    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    function: Callable[..., Any] | None = None

    def __call__(self, value: Any, expected: Any, inputs: tuple[Any, ...] = ()) -> str | None:
        """None when `value` is right, else one sentence that says how it differs."""
        return _JUDGES[self.kind](self, value, expected, inputs)

    def to_json(self) -> dict[str, Any]:
        """The checker as data; only without a function."""
        return {"kind": self.kind, **self.options}


def from_json(data: dict[str, Any]) -> Checker:
    """The checker that `Checker.to_json` wrote.

    Raises:
        ExerciseError: the data is not of this version.
    """
    options = dict(data)
    name = options.pop("kind", None)
    if name not in _JUDGES:
        raise ExerciseError(
            f"This notebook uses the checker {name!r}, which this version does not know.",
            fix="download the notebook again, or install the wheel from the same site",
        )
    return Checker(name, options)


def equal() -> Checker:
    """Exactly what the reference returned, kind, shape and every element."""
    return Checker("equal")


def close(rtol: float = 1e-4, atol: float = 1e-6) -> Checker:
    """Numbers within ``atol + rtol * |expected|`` of the reference's; everything else exactly."""
    return Checker("close", {"rtol": rtol, "atol": atol})


def same_set() -> Checker:
    """The same elements as the reference returned, as often, in any order."""
    return Checker("same_set")


def text(*, case: bool = False, space: bool = False) -> Checker:
    """The reference's text; capitals and white space count only where `case` or `space` says so."""
    return Checker("text", {"case": case, "space": space})


def at_least(threshold: float, score: Callable[[Any], float] | None = None) -> Checker:
    """A score of at least `threshold`: the value itself, or what `score` makes of it.

    For a trained model, let the student's function return predictions for inputs whose labels it
    never sees, and pass ``accuracy(labels)``.
    """
    return Checker("at_least", {"threshold": threshold}, score)


def satisfies(function: Callable[..., bool | str | None]) -> Checker:
    """A property of the value: ``function(value, *args)`` gets the value and the case's arguments.

    It returns True when the property holds, or False or a sentence when it doesn't.
    """
    return Checker("satisfies", {}, function)


def symmetric(atol: float = 1e-6) -> Checker:
    """A matrix that equals its transpose."""
    return Checker("symmetric", {"atol": atol})


def sums_to(total: float, axis: int | None = None, atol: float = 1e-5) -> Checker:
    """Elements that sum to `total`, over all or along `axis`."""
    return Checker("sums_to", {"total": total, "axis": axis, "atol": atol})


def within(low: float, high: float) -> Checker:
    """Every element between `low` and `high`, both included."""
    return Checker("within", {"low": low, "high": high})


def same_shape() -> Checker:
    """An array of the reference's kind, shape and family of numbers; its elements may differ."""
    return Checker("same_shape")


def all_of(*checkers: Checker) -> Checker:
    """Every one of several checkers; the first that fails speaks."""
    if any(checker.function is not None for checker in checkers):
        return Checker("all_of", {}, lambda value, expected, inputs: _first(
            checkers, value, expected, inputs
        ))  # fmt: skip
    return Checker("all_of", {"checkers": [checker.to_json() for checker in checkers]})


def accuracy(labels: Any) -> Callable[[Any], float]:
    """A score for `at_least`: the share of predictions (batch,) that equal `labels` (batch,)."""

    def score(predictions: Any) -> float:
        if not is_array(predictions):
            raise ValueError(f"predictions should be a tensor, not {describe(predictions)}")
        given, truth = as_array(predictions), as_array(labels)
        if given.shape != truth.shape:
            raise ValueError(f"predictions have shape {given.shape} instead of {truth.shape}")
        return float(np.mean(given == truth))

    return score


def _first(
    checkers: tuple[Checker, ...], value: Any, expected: Any, inputs: tuple[Any, ...]
) -> str | None:
    for checker in checkers:
        fault = checker(value, expected, inputs)
        if fault is not None:
            return fault
    return None


def _same_set(self: Checker, value: Any, expected: Any, inputs: tuple[Any, ...]) -> str | None:
    given, wanted = compare.elements(value), compare.elements(expected)
    if given is None or wanted is None or is_array(value) != is_array(expected):
        return f"{describe(value)} instead of {describe(expected)}"
    missing, extra = wanted - given, given - wanted
    if missing:
        return f"{missing.total()} of {wanted.total()} elements are missing"
    return f"{extra.total()} elements too many" if extra else None


def _text(self: Checker, value: Any, expected: Any, inputs: tuple[Any, ...]) -> str | None:
    if not isinstance(value, str):
        return f"{describe(value)} instead of text"
    given, wanted = value, str(expected)
    if not self.options["space"]:
        given, wanted = " ".join(given.split()), " ".join(wanted.split())
    if not self.options["case"]:
        given, wanted = given.casefold(), wanted.casefold()
    if given == wanted:
        return None
    where = next(
        (i for i, pair in enumerate(zip(given, wanted, strict=False)) if pair[0] != pair[1]),
        min(len(given), len(wanted)),
    )
    return f"the text differs from character {where + 1} on: {short(given[where : where + 20])}"


def _at_least(self: Checker, value: Any, expected: Any, inputs: tuple[Any, ...]) -> str | None:
    threshold = self.options["threshold"]
    try:
        score = compare.number(value) if self.function is None else float(self.function(value))
        passed = bool(score >= threshold)  # NaN, which is neither above nor below, fails
    except Exception as error:
        # As in `_satisfies`: the author's function was not made for a value of this form.
        return str(error)
    return None if passed else f"{score:.4g} reached, at least {threshold:g} needed"


def _satisfies(self: Checker, value: Any, expected: Any, inputs: tuple[Any, ...]) -> str | None:
    assert self.function is not None
    try:
        answer = self.function(value, *inputs)
        holds = answer is None or bool(answer)
    except Exception as error:
        # The author's function met a value of a form that it did not foresee; `exercise verify`
        # has shown that it accepts the reference's.
        return f"{describe(value)} is not of the form that the check expects ({error})"
    if isinstance(answer, str):
        return answer
    return None if holds else "the property does not hold"


def _symmetric(self: Checker, value: Any, expected: Any, inputs: tuple[Any, ...]) -> str | None:
    if not is_array(value) or as_array(value).ndim != 2:
        return f"{describe(value)} instead of a matrix"
    matrix = as_array(value)
    if matrix.shape[0] != matrix.shape[1]:
        return f"shape {matrix.shape} is not square"
    return compare.difference(matrix.T, matrix, rtol=0.0, atol=self.options["atol"])


def _sums_to(self: Checker, value: Any, expected: Any, inputs: tuple[Any, ...]) -> str | None:
    numbers = compare.numbers(value)
    axis, total = self.options["axis"], self.options["total"]
    if numbers is None or (axis is not None and not -numbers.ndim <= axis < numbers.ndim):
        return f"{describe(value)} instead of numbers to sum"
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.asarray(numbers.sum(axis=axis))
    if sums.size == 0:
        return f"{describe(value)} has nothing to sum"
    worst = sums.flat[int(np.argmax(np.abs(np.nan_to_num(sums - total, nan=np.inf))))]
    if abs(worst - total) <= self.options["atol"]:
        return None
    return f"a sum is {worst:.6g} instead of {total:g}"


def _within(self: Checker, value: Any, expected: Any, inputs: tuple[Any, ...]) -> str | None:
    numbers = compare.numbers(value)
    low, high = self.options["low"], self.options["high"]
    if numbers is None or numbers.size == 0:
        return f"{describe(value)} instead of numbers"
    if bool(np.all((numbers >= low) & (numbers <= high))):
        return None
    return (
        f"values from {np.min(numbers):.4g} to {np.max(numbers):.4g}; {low:g} to {high:g} allowed"
    )


def _all_of(self: Checker, value: Any, expected: Any, inputs: tuple[Any, ...]) -> str | None:
    if self.function is not None:
        answer: str | None = self.function(value, expected, inputs)
        return answer
    checkers = tuple(from_json(data) for data in self.options["checkers"])
    return _first(checkers, value, expected, inputs)


def _same_shape(self: Checker, value: Any, expected: Any, inputs: tuple[Any, ...]) -> str | None:
    if kind(value) != kind(expected):
        return f"{describe(value)} instead of {describe(expected)}"
    return compare.form(as_array(value), as_array(expected)) if is_array(value) else None


_JUDGES: dict[str, Callable[[Checker, Any, Any, tuple[Any, ...]], str | None]] = {
    "equal": lambda self, value, expected, inputs: compare.same(value, expected),
    "close": lambda self, value, expected, inputs: compare.same(value, expected, **self.options),
    "same_set": _same_set,
    "text": _text,
    "at_least": _at_least,
    "satisfies": _satisfies,
    "symmetric": _symmetric,
    "sums_to": _sums_to,
    "within": _within,
    "same_shape": _same_shape,
    "all_of": _all_of,
}
