"""``chapterhouse check``: the visible cases of the answers in one file, at any level of sandbox.

It says what a student may know anyway, so it needs no wall; the student's code still never runs in
this process.
"""

from __future__ import annotations

from collections.abc import Sequence

from chapterhouse.exercise import visible
from chapterhouse.exercise.folder import Exercise
from chapterhouse.exercise.reading import Submission
from chapterhouse.exercise.values import printable
from chapterhouse.grade.grader import Grader, shift
from chapterhouse.grade.judge import Grade, judge
from chapterhouse.grade.protocol import Sandbox
from chapterhouse.grade.verdict import Verdict


def check_answers(
    submission: Submission, exercises: Sequence[Exercise], sandbox: Sandbox
) -> tuple[list[str], bool]:
    """Lines to print, and whether every visible case of every answer passes."""
    by_id = {exercise.id: exercise for exercise in exercises}
    grader = Grader(exercises, sandbox)
    lines: list[str] = []
    all_pass = True
    for answer in submission.answers:
        exercise = by_id[answer.exercise]
        lines.append(f"{exercise.id}: {exercise.title}")
        lines += [f"    note: {printable(repair)}" for repair in answer.repairs]
        if answer.source is None:
            lines.append(f"  – {Verdict.MISSING.meaning}")
            all_pass = False
        elif exercise.kind == "manual":
            lines.append(f"  ✎ {Verdict.MANUAL.meaning}")
        else:
            grade = _check(exercise, answer.source, answer.offset, grader)
            lines += _lines(grade)
            all_pass = all_pass and grade.verdict is Verdict.ACCEPTED
    return lines, all_pass


def _check(exercise: Exercise, source: str, offset: int, grader: Grader) -> Grade:
    """A grade by the visible cases alone, with the inputs that the notebook carries."""
    cases = tuple(case for case in exercise.cases(visible.SEED) if case.visible)
    reference = grader.run(exercise, exercise.solution, cases)
    outcome = shift(grader.run(exercise, source, cases), offset)
    return judge(exercise.id, exercise.points, cases, reference, outcome)


def _lines(grade: Grade) -> list[str]:
    lines = [f"  {grade.verdict.symbol} {grade.message}"] if grade.message else []
    for case in grade.cases:
        passed = case.verdict is Verdict.ACCEPTED
        lines.append(f"  {'✔' if passed else '✘'} {case.name}" + f": {case.message}" * (not passed))
        if case.given is not None:
            lines.append(f"      {case.inputs} gave {case.given}, expected {case.expected}")
    right = sum(case.verdict is Verdict.ACCEPTED for case in grade.cases)
    lines.append(f"  Visible cases that pass: {right} of {len(grade.cases)}.")
    return lines
