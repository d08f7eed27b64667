"""One case of an exercise: a call on the student's code, and how its value is judged.

A case holds inputs and a checker, never an expected value: that comes from running the reference on
the same inputs, in the same sandbox.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chapterhouse.errors import ExerciseError
from chapterhouse.exercise.checkers import Checker, close

CasesFunction = Callable[[np.random.Generator], Iterable["Case"]]


@dataclass(frozen=True)
class Case:
    """One call on the student's code and how it is judged.

    Args:
        name: what the student reads: short, and telling nothing that a hidden case hides.
        target: the function or class to call, by name.
        args, kwargs: its arguments: numbers, text, None, numpy arrays, torch tensors, and lists,
            tuples and dicts of them.
        steps: for an object: ``(method, args, kwargs)`` called in turn on what `target` made; the
            value is the list of what they returned.
        check: how the value is judged, against what the reference returned.
        points: this case's share of the exercise's points.
        visible: whether the student sees inputs and both values, in the notebook and in the
            feedback. A hidden case shows its name and `message` only.
        message: the author's sentence for who fails it: what to look at, not what the answer is.
        seed: torch, numpy and random are seeded with it before the call, for both sides.
        keep_inputs: whether changing an argument in place is a mistake.
        max_slowdown: how many times the reference's run time is allowed; None for the limits only.
    """

    name: str
    target: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[tuple[str, Sequence[Any], Mapping[str, Any]]] = ()
    check: Checker = field(default_factory=close)
    points: float = 1.0
    visible: bool = False
    message: str = ""
    seed: int | None = None
    keep_inputs: bool = True
    max_slowdown: float | None = None


def import_cases(path: Path) -> CasesFunction:
    """The ``cases`` function of one trusted ``cases.py``, imported fresh each time.

    Raises:
        ExerciseError: the file is missing, fails to import or has no such function.
    """
    if not path.is_file():
        raise ExerciseError(
            f"{path} does not exist.", fix="write `def cases(rng): yield Case(…)` there"
        )
    spec = importlib.util.spec_from_file_location(f"exercise_cases_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ExerciseError(
            f"{path} cannot be imported: {type(error).__name__}: {error}.", fix="mend it"
        ) from error
    finally:
        sys.dont_write_bytecode = written
    function = getattr(module, "cases", None)
    if not callable(function):
        raise ExerciseError(f"{path} has no function `cases`.", fix="write `def cases(rng): …`")
    return function


def check_cases(drawn: list[Any], *, names: tuple[str, ...], where: str) -> tuple[Case, ...]:
    """Refuse cases that could not be graded or would tell what they should hide.

    Raises:
        ExerciseError: the first fault, with the case's name.
    """
    if not drawn:
        raise ExerciseError(f"{where} yields no case.", fix="yield at least one visible Case")
    seen: set[str] = set()
    for case in drawn:
        if not isinstance(case, Case):
            raise ExerciseError(
                f"{where} yields a {type(case).__name__}, not a Case.", fix="yield Case(…)"
            )
        fault = _fault(case, names, seen)
        if fault:
            raise ExerciseError(f"{where}, case {case.name!r} {fault[0]}.", fix=fault[1])
        seen.add(case.name)
    if not any(case.visible for case in drawn):
        raise ExerciseError(
            f"{where} has no visible case, so a student could not check anything.",
            fix="give one case visible=True",
        )
    return tuple(drawn)


def _fault(case: Case, names: tuple[str, ...], seen: set[str]) -> tuple[str, str] | None:
    """What is wrong with one case and what mends it, or None."""
    if not case.name.strip() or case.name in seen:
        return "has a name that is empty or taken", "give each case its own name"
    if case.target not in names:
        return (
            f"calls {case.target!r}, which the starter does not define",
            "use one of " + ", ".join(names),
        )
    if case.points <= 0:
        return "is worth nothing", "give it points above 0"
    if not case.visible and not case.message.strip():
        return (
            "is hidden and has no message",
            "add message=… that says what to look at when it fails",
        )
    if case.visible and case.check.function is not None:
        return (
            "is visible but judged by a function of yours, which the notebook cannot carry",
            "use a built-in checker, or make the case hidden",
        )
    return None
