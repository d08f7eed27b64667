"""What a grading says: a table for a terminal, a document for a script.

Names of files and texts come from strangers: everything is made printable before it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chapterhouse.exercise.values import printable
from chapterhouse.grade.grader import FileReport, all_grades, tally
from chapterhouse.grade.judge import CaseResult, Grade
from chapterhouse.grade.verdict import Verdict

# Shown even at nought, because their absence is what a teacher looks for.
_ALWAYS = (Verdict.ACCEPTED, Verdict.BROKEN)


def as_json(
    reports: Sequence[FileReport], *, level: str, wall_s: float, passed_over: Sequence[Path] = ()
) -> dict[str, Any]:
    """The whole grading as plain data; the format that `chapterhouse grade --json` promises."""
    counts = {verdict.label: count for verdict, count in tally(reports).items()}
    return {
        "level": level,
        "wall_s": round(wall_s, 3),
        "summary": counts,
        "unreadable": sum(report.fault is not None for report in reports),
        "passed_over": [str(path) for path in passed_over],
        "files": [_file(report) for report in reports],
    }


def line(report: FileReport) -> str:
    """One file on one line."""
    # With a folder for each student the files themselves all have one name.
    name = printable(str(report.path), 120)
    if report.fault is not None:
        named = report.fault.startswith(str(report.path))
        fault = report.fault if named else f"{name}: {report.fault}"
        return f" ?  {printable(fault)}\n      fix: {printable(report.fix or '')}"
    parts = [
        f"{g.verdict.symbol} {g.exercise} {g.verdict.label}{_points(g)}" for g in report.grades
    ]
    return f"    {name}: {'   '.join(parts)}"


def details(report: FileReport) -> str:
    """One file with every case, as feedback for the student."""
    if report.fault is not None:
        return line(report)
    rows = [f"{printable(str(report.path), 120)}   seed {report.seed}"]
    for grade in report.grades:
        rows.append(
            f"  {grade.verdict.symbol} {grade.exercise}: {grade.verdict.label}{_points(grade)}"
        )
        if grade.verdict is not Verdict.ACCEPTED:
            rows.append(f"      {grade.verdict.meaning} {grade.verdict.advice}")
        if grade.message and grade.message != grade.verdict.meaning:
            rows.append(f"      {printable(grade.message)}")
        rows += [f"      note: {printable(repair)}" for repair in grade.repairs]
        rows += [row for case in grade.cases for row in _case_rows(case)]
    return "\n".join(rows)


def summary(reports: Sequence[FileReport], *, wall_s: float) -> str:
    """The last line: how many of each verdict, and the time that each graded answer took."""
    counts = tally(reports)
    parts = [
        f"{verdict.symbol} {counts.get(verdict, 0)} {verdict.label}"
        for verdict in Verdict
        if counts.get(verdict) or verdict in _ALWAYS
    ]
    unreadable = sum(report.fault is not None for report in reports)
    if unreadable:
        parts.append(f"? {unreadable} unreadable")
    graded = sum(1 for _ in all_grades(reports))
    each = f"      {wall_s / graded:.2f} s each" if graded else ""
    return " " + "   ".join(parts) + each


def passed_over(paths: Sequence[Path]) -> str:
    """Which files in the folders named were left alone, on one line."""
    names = ", ".join(printable(str(path), 120) for path in paths[:5])
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return f" passed over (neither .ipynb nor .py, or a link): {names}{more}"


def exit_code(reports: Sequence[FileReport]) -> int:
    """3 when the grader failed, else 1 when a file could not be read, else 0 whatever the marks."""
    if any(grade.verdict.is_ours for grade in all_grades(reports)):
        return 3
    return 1 if any(report.fault is not None for report in reports) else 0


def _points(grade: Grade) -> str:
    return "" if grade.points is None else f" {grade.points:g}/{grade.out_of:g}"


def _case_rows(case: CaseResult) -> list[str]:
    symbol = case.verdict.symbol if case.verdict else "–"
    kind = "" if case.visible else " (hidden)"
    rows = [f"      {symbol} {case.name}{kind}" + (f": {case.message}" if case.message else "")]
    if case.visible and case.given is not None:
        rows.append(f"          {case.inputs} gave {case.given}, expected {case.expected}")
    return rows


def _file(report: FileReport) -> dict[str, Any]:
    fault = None if report.fault is None else {"found": report.fault, "fix": report.fix}
    return {
        "path": str(report.path),
        "sha256": report.sha256,
        "seed": report.seed,
        "fault": fault,
        "wall_s": report.wall_s,
        "exercises": [_grade(grade) for grade in report.grades],
    }


def _grade(grade: Grade) -> dict[str, Any]:
    return {
        "id": grade.exercise,
        "verdict": grade.verdict.value,
        "label": grade.verdict.label,
        "meaning": grade.verdict.meaning,
        "advice": grade.verdict.advice,
        "score": grade.score,
        "points": grade.points,
        "out_of": grade.out_of,
        "message": grade.message,
        "cases": [_case(case) for case in grade.cases],
        "repairs": list(grade.repairs),
        "seed": grade.seed,
        "level": grade.level,
        "cpu_s": round(grade.cpu_s, 4),
        "wall_s": round(grade.wall_s, 4),
        "peak_memory_bytes": grade.peak_memory_bytes,
        "answer": grade.answer,
    }


def _case(case: CaseResult) -> dict[str, Any]:
    return {
        "name": case.name,
        "visible": case.visible,
        "verdict": case.verdict.value if case.verdict else None,
        "points": case.points,
        "out_of": case.out_of,
        "message": case.message,
        "inputs": case.inputs,
        "expected": case.expected,
        "given": case.given,
    }
