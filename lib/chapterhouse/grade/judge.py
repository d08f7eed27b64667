"""The judge: from two runs in the sandbox, the student's and the reference's, to a grade.

It runs on the trusted side and touches plain data only. What a grade tells of a hidden case is the
author's message: never the inputs, never the student's own exception text, which could carry them.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chapterhouse.errors import GradingError
from chapterhouse.exercise.cases import Case
from chapterhouse.exercise.values import printable, short
from chapterhouse.grade import verdict as verdicts
from chapterhouse.grade.protocol import Call, Failure, Outcome, Result, Status
from chapterhouse.grade.verdict import Verdict

# Below this a run time is noise, so no case fails for it, in seconds.
TIME_FLOOR_S = 0.2


@dataclass(frozen=True)
class CaseResult:
    """How one case ended. `inputs`, `expected` and `given` are None for a hidden case."""

    name: str
    visible: bool
    verdict: Verdict | None
    points: float
    out_of: float
    message: str = ""
    inputs: str | None = None
    expected: str | None = None
    given: str | None = None


@dataclass(frozen=True)
class Grade:
    """The grade of one exercise of one submission.

    `score` is the share of the points, 0 to 1, or None when there is none: our fault, or a person
    will mark it. `level` says how well the sandbox was closed. Times are in seconds.
    """

    exercise: str
    verdict: Verdict
    score: float | None
    points: float | None
    out_of: float
    message: str = ""
    cases: tuple[CaseResult, ...] = ()
    seed: int | None = None
    level: str | None = None
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_memory_bytes: int = 0
    repairs: tuple[str, ...] = ()
    answer: str | None = field(default=None, repr=False)


def calls(cases: Sequence[Case]) -> tuple[Call, ...]:
    """The calls of some cases, as a job carries them: no checker, no points, no message."""
    return tuple(
        Call(
            target=case.target,
            args=tuple(case.args),
            kwargs=tuple(case.kwargs.items()),
            steps=tuple((name, tuple(args), dict(kwargs)) for name, args, kwargs in case.steps),
            seed=case.seed,
        )
        for case in cases
    )


def expected_values(cases: tuple[Case, ...], reference: Outcome) -> tuple[Result, ...]:
    """The reference's results, one a case.

    Raises:
        GradingError: the reference did not run to its end: the fault is the exercise's.
    """
    fix = "run `chapterhouse exercise verify` and mend solution.py or cases.py"
    if reference.status is not Status.OK or len(reference.results) != len(cases):
        why = (
            f": {reference.failure.type}: {reference.failure.message}" if reference.failure else ""
        )
        raise GradingError(f"The reference ended with {reference.status.value!r}{why}.", fix=fix)
    for case, result in zip(cases, reference.results, strict=True):
        if result.failure is not None:
            raise GradingError(
                f"The reference raised {result.failure.type} in the case {case.name!r}: "
                f"{result.failure.message}.",
                fix=fix,
            )
    return reference.results


def judge(
    exercise: str, out_of: float, cases: tuple[Case, ...], reference: Outcome, outcome: Outcome
) -> Grade:
    """The grade of one outcome, by the values of the reference on the same inputs.

    Args:
        exercise: its id.
        out_of: its points.
        cases: what was called.
        reference: the outcome of the reference.
        outcome: the outcome of the student's answer.

    Raises:
        GradingError: the reference did not run to its end.
    """
    expected = expected_values(cases, reference)
    ended = verdicts.of_status(outcome.status)
    if ended is Verdict.BROKEN:
        why = outcome.failure.message if outcome.failure else "the sandbox gave no reason"
        return Grade(exercise, Verdict.BROKEN, None, None, out_of, printable(why))
    results = _judge_cases(cases, expected, outcome, ended)
    total = sum(case.points for case in cases)
    score = sum(result.points for result in results) / total
    return Grade(
        exercise=exercise,
        out_of=out_of,
        verdict=ended
        or verdicts.of_cases([result.verdict or Verdict.KILLED for result in results]),
        score=round(score, 6),
        points=round(score * out_of, 4),
        message=_ending(cases, outcome),
        cases=tuple(results),
        level=outcome.level,
        cpu_s=outcome.cpu_s,
        wall_s=outcome.wall_s,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )


def _judge_cases(
    cases: tuple[Case, ...],
    expected: tuple[Result, ...],
    outcome: Outcome,
    ended: Verdict | None,
) -> list[CaseResult]:
    """One result a case; those that a run did not reach have the verdict of how it ended."""
    results = []
    for number, case in enumerate(cases):
        if number < len(outcome.results):
            results.append(_judge_case(case, expected[number], outcome.results[number]))
        elif number == len(outcome.results) and ended is not Verdict.COMPILE:
            reason = ended or Verdict.KILLED
            results.append(_failed(case, reason, _advice(case, reason.meaning)))
        else:
            results.append(_failed(case, None, "Not run, because the run ended before it."))
    return results


def _judge_case(case: Case, expected: Result, result: Result) -> CaseResult:
    if result.failure is not None:
        return _failed(case, Verdict.RUNTIME, _raised(case, result.failure))
    fault = case.check(result.value, expected.value, tuple(case.args))
    if fault is not None:
        return _failed(case, Verdict.WRONG, _advice(case, fault), expected, result)
    if case.keep_inputs and result.mutated:
        text = "The value is right, but an argument was changed in place"
        if case.visible:  # the names come from the student's process, and could carry inputs out
            text += ": " + ", ".join(printable(name, 40) for name in result.mutated[:3])
        return _failed(case, Verdict.WRONG, f"{text}.", expected, result)
    if case.max_slowdown is not None:
        allowed = max(TIME_FLOOR_S, case.max_slowdown * expected.wall_s)
        if result.wall_s > allowed:
            text = f"Right, but too slow: {result.wall_s:.2f} s; {allowed:.2f} s allowed."
            return _failed(case, Verdict.TIME, text)
    return CaseResult(
        case.name, case.visible, Verdict.ACCEPTED, case.points, case.points, "", _shown(case)
    )


def _failed(
    case: Case,
    verdict: Verdict | None,
    message: str,
    expected: Result | None = None,
    result: Result | None = None,
) -> CaseResult:
    inputs = _shown(case)
    values: tuple[str | None, str | None] = (None, None)
    if case.visible and expected is not None and result is not None:
        values = printable(short(expected.value)), printable(short(result.value))
    return CaseResult(case.name, case.visible, verdict, 0.0, case.points, message, inputs, *values)


def _shown(case: Case) -> str | None:
    """The inputs of a visible case, as a call that a person can read."""
    if not case.visible:
        return None
    parts: list[Any] = [short(value) for value in case.args]
    parts += [f"{key}={short(value)}" for key, value in case.kwargs.items()]
    text = f"{case.target}({', '.join(parts)})"
    for name, args, kwargs in case.steps:
        inner = [short(value) for value in args] + [f"{k}={short(v)}" for k, v in kwargs.items()]
        text += f".{name}({', '.join(inner)})"
    return text


def _advice(case: Case, fault: str) -> str:
    """What a student reads of a fault: of a hidden case, the author's words only."""
    if not case.visible:
        return case.message
    fault = printable(fault[:1].upper() + fault[1:]).rstrip(".") + "."
    return f"{fault} {case.message}".strip()


def _raised(case: Case, failure: Failure) -> str:
    """What a student reads of an exception; its text could carry a hidden case's inputs out."""
    known = getattr(builtins, failure.type, None)
    builtin = isinstance(known, type) and issubclass(known, BaseException)
    name = failure.type if builtin else "an exception of its own"
    where = f" in line {failure.line} of your answer" if failure.line else ""
    if case.visible:
        return printable(f"Raised {failure.type}{where}: {failure.message}").removesuffix(": ")
    return f"Raised {name}{where}. {case.message}"


def _ending(cases: tuple[Case, ...], outcome: Outcome) -> str:
    """Why a run ended early, unless its text could carry a hidden case's inputs out."""
    if outcome.failure is None or outcome.status not in (Status.COMPILE, Status.FORBIDDEN):
        return ""
    # Nothing was called before a compile error, and only the first case before an early refusal.
    if outcome.status is Status.FORBIDDEN and (outcome.results or not cases[0].visible):
        return ""
    where = f" in line {outcome.failure.line} of your answer" if outcome.failure.line else ""
    return printable(f"{outcome.failure.type}{where}: {outcome.failure.message}").removesuffix(": ")
