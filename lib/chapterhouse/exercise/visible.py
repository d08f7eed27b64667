"""Visible cases as data: the inputs, the expected value and the checker of each.

They are written to ``visible.json`` beside the exercise, from a run of the reference in the
sandbox, so that making a student's notebook needs no sandbox and the notebook needs no course.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chapterhouse.errors import ExerciseError
from chapterhouse.exercise import data
from chapterhouse.exercise.cases import Case
from chapterhouse.exercise.checkers import Checker, from_json

# The seed of the visible cases in notebooks; graded submissions get one of their own.
SEED = 0
MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class Visible:
    """One visible case with its expected value."""

    name: str
    target: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    steps: tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...]
    seed: int | None
    keep_inputs: bool
    check: Checker
    message: str
    expected: Any


def dumps(cases: Sequence[Case], expected: Sequence[Any], *, name: str) -> str:
    """The visible ones of `cases`, with their expected values, as the text of ``visible.json``.

    Raises:
        ExerciseError: a value cannot be written, or all together take more than 64 KiB.
    """
    rows = []
    for case, value in zip(cases, expected, strict=True):
        if not case.visible:
            continue
        row = {
            "name": case.name,
            "target": case.target,
            "args": data.encode(tuple(case.args)),
            "kwargs": data.encode(dict(case.kwargs)),
            "steps": data.encode([(m, tuple(a), dict(k)) for m, a, k in case.steps]),
            "seed": case.seed,
            "keep_inputs": case.keep_inputs,
            "check": case.check.to_json(),
            "message": case.message,
            "expected": data.encode(value),
        }
        rows.append(json.dumps(row, ensure_ascii=True))
    text = "[\n" + ",\n".join(rows) + "\n]\n"
    if len(text) > MAX_BYTES:
        raise ExerciseError(
            f"The visible cases of {name} take {len(text) // 1024} KiB; a notebook carries at most "
            f"{MAX_BYTES // 1024}.",
            fix="make their inputs smaller, or hide the large ones",
        )
    return text


def loads(text: str) -> tuple[Visible, ...]:
    """The cases that `dumps` wrote.

    Raises:
        ExerciseError: the text is not that, or is of a version that is not known.
    """
    fix = "run `chapterhouse exercise expect`, or download the notebook again"
    try:
        rows = json.loads(text)
        return tuple(
            Visible(
                name=row["name"],
                target=row["target"],
                args=data.decode(row["args"]),
                kwargs=data.decode(row["kwargs"]),
                steps=tuple(data.decode(row["steps"])),
                seed=row["seed"],
                keep_inputs=row["keep_inputs"],
                check=from_json(row["check"]),
                message=row["message"],
                expected=data.decode(row["expected"]),
            )
            for row in rows
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExerciseError(
            f"The visible cases cannot be read: {type(error).__name__}: {error}.", fix=fix
        ) from None
