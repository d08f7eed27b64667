"""``chapterhouse exercise``, ``check`` and ``grade``.

Exit codes of ``grade``: 0 everything was graded, whatever the marks; 1 a file could not be read; 3
the grader failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from chapterhouse.course import Course
from chapterhouse.errors import ExerciseError, GradingError
from chapterhouse.exercise import command as exercise_command

if TYPE_CHECKING:
    from chapterhouse.exercise.folder import Exercise
    from chapterhouse.grade.grader import FileReport
    from chapterhouse.grade.pool import Pool
    from chapterhouse.grade.verify import Finding

LEVELS = ("strong", "medium", "none")


def add_command(subparsers: argparse._SubParsersAction) -> None:
    """Add ``exercise``, ``check`` and ``grade``."""
    exercise = subparsers.add_parser("exercise", help="make, verify and list exercises")
    actions = exercise.add_subparsers(title="actions", metavar="ACTION", required=True)
    exercise_command.add_list(actions)
    exercise_command.add_student(actions)
    expect = actions.add_parser(
        "expect",
        help="write visible.json: what the reference returns for the visible cases",
        description="Write visible.json: what the reference returns for the visible cases.",
    )
    expect.set_defaults(action=_expect)
    verify = actions.add_parser(
        "verify",
        help="try every claim of an exercise: submissions, mutants, seeds",
        description="Try every claim of an exercise: the reference is accepted, each submission "
        "gets the verdict that its name says, no mutant of the reference survives.",
    )
    verify.add_argument("--verbose", action="store_true", help="show what is right, too")
    verify.set_defaults(action=_verify)
    for parser in (expect, verify):
        parser.add_argument("ids", nargs="*", metavar="ID", help="exercises (default: all)")
        _add_sandbox(parser)
    _add_check(subparsers)
    _add_grade(subparsers)


def _add_check(subparsers: argparse._SubParsersAction) -> None:
    check = subparsers.add_parser(
        "check",
        help="try your answers on the visible cases",
        description="Try the answers in a notebook or script on the visible cases, on this "
        "machine. Nothing is recorded. Run it on your own files only.",
    )
    check.add_argument("file", type=Path, metavar="FILE", help="a .ipynb or .py file")
    check.add_argument("--exercise", metavar="ID", help="the exercise that the file answers")
    check.set_defaults(action=_check)


def _add_grade(subparsers: argparse._SubParsersAction) -> None:
    grade = subparsers.add_parser(
        "grade",
        help="grade notebooks and scripts in the sandbox",
        description="Grade notebooks and scripts: all cases, in the strongest sandbox that this "
        "machine has. Exit code 0: everything was graded, whatever the marks; 1: a file could not "
        "be read; 3: the grader failed.",
    )
    grade.add_argument("files", nargs="*", type=Path, metavar="FILE", help="files or folders")
    grade.add_argument("--exercise", metavar="ID", help="the exercise that the files answer")
    grade.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    grade.add_argument("-o", "--output", type=Path, metavar="FILE", help="store that object, too")
    grade.add_argument("--details", action="store_true", help="show every case of every file")
    grade.add_argument("--seed", type=_seed, help="draw the inputs from it, to repeat a grading")
    grade.add_argument("--probe", action="store_true", help="say which levels this machine has")
    _add_sandbox(grade)
    grade.add_argument(
        "--accept-no-sandbox",
        action="store_true",
        help="with --level none: grade although the code can do whatever you can",
    )
    grade.set_defaults(action=_grade)


def _add_sandbox(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--level", choices=LEVELS, help="the sandbox (default: the strongest here)")
    parser.add_argument(
        "--jobs", type=_count, default=1, metavar="N", help="how many run at a time (default: 1)"
    )


def _seed(text: str) -> int:
    """A seed from the command line."""
    return _at_least(0, text)


def _count(text: str) -> int:
    """A number of jobs from the command line."""
    return _at_least(1, text)


def _at_least(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
    return int(text)


def _exercises(arguments: argparse.Namespace, ids: tuple[str, ...]) -> list[Exercise]:
    from chapterhouse.exercise.folder import load_all

    found = load_all(Course.find(arguments.course), ids=ids)
    if not found:
        raise ExerciseError("The course has no exercises.", fix="see exercises/README.md")
    return found


def _open(level: str | None) -> Pool:
    from chapterhouse.grade import sandbox

    return sandbox.open(level)


def _expect(arguments: argparse.Namespace) -> int:
    from chapterhouse.grade.verify import expect

    with _open(arguments.level) as sandbox:
        for exercise in _exercises(arguments, tuple(arguments.ids)):
            if path := expect(exercise, sandbox):
                print(f"wrote {path}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from chapterhouse.grade.verify import verify

    def show(finding: Finding) -> None:
        if finding.fault is not None:
            print(f"  ✘ {finding.what}: {finding.fault}")
        elif arguments.verbose:
            print(f"  ✔ {finding.what}")

    faults = 0
    with _open(arguments.level) as sandbox:
        for exercise in _exercises(arguments, tuple(arguments.ids)):
            began = time.monotonic()
            print(f"{exercise.id} ({sandbox.level} sandbox)", flush=True)
            findings = verify(exercise, sandbox, jobs=arguments.jobs, each=show)
            bad = sum(finding.fault is not None for finding in findings)
            faults += bad
            print(f"  {len(findings) - bad} right, {bad} not, {time.monotonic() - began:.1f} s")
    return 1 if faults else 0


def _check(arguments: argparse.Namespace) -> int:
    from chapterhouse.exercise.reading import Reader
    from chapterhouse.exercise.student import wanted
    from chapterhouse.grade.check import check_answers

    exercises = _exercises(arguments, _named(arguments.exercise))
    with Reader([wanted(exercise) for exercise in exercises]) as reader:
        submission = reader.read(arguments.file, only=arguments.exercise)
    if not submission.answers:
        raise ExerciseError(
            f"{arguments.file} has no answer to any exercise of this course.",
            fix="keep the lines `# exercise: …`, or name the exercise with --exercise ID",
        )
    with _open(None) as sandbox:
        lines, passed = check_answers(submission, exercises, sandbox)
    print("\n".join(lines))
    return 0 if passed else 1


def _grade(arguments: argparse.Namespace) -> int:
    from chapterhouse import notebook
    from chapterhouse.grade import grader, report

    if arguments.probe:
        return _probe()
    if not arguments.files:
        raise ExerciseError("No file was named.", fix="chapterhouse grade FILE…")
    exercises = _exercises(arguments, _named(arguments.exercise))
    files, passed_over = grader.find_files(arguments.files)
    quiet = arguments.json
    full = arguments.details or len(files) == 1

    def show(one: FileReport) -> None:
        if not quiet:
            print(report.details(one) if full else report.line(one), flush=True)

    with _official(arguments.level, accept_none=arguments.accept_no_sandbox) as sandbox:
        grader.Grader(exercises, sandbox).warm()
        began = time.monotonic()
        reports = grader.grade_files(
            files,
            exercises,
            sandbox,
            seed=arguments.seed,
            jobs=arguments.jobs,
            only=arguments.exercise,
            each=show,
        )
        wall_s = time.monotonic() - began
        data = report.as_json(reports, level=sandbox.level, wall_s=wall_s, passed_over=passed_over)
    if passed_over and not quiet:
        print(report.passed_over(passed_over))
    text = json.dumps(data, indent=1)
    # Shown before it is stored: a full disk must not take the grades with it.
    print(text if quiet else report.summary(reports, wall_s=wall_s), flush=True)
    if arguments.output:
        notebook.write_text(text + "\n", arguments.output)
    return report.exit_code(reports)


def _official(level: str | None, *, accept_none: bool) -> Pool:
    """The sandbox for grading: never level none, unless that was said twice."""
    fix = (
        "grade on Linux; `chapterhouse grade --probe` says what this machine lacks. To grade your "
        "own work without a sandbox: --level none --accept-no-sandbox"
    )
    if level == "none" and not accept_none:
        raise ExerciseError("Level none does not stop a submission from doing harm.", fix=fix)
    sandbox = _open(level)
    if sandbox.level == "none" and level != "none":
        sandbox.close()
        raise GradingError("This machine has no sandbox but level none.", fix=fix)
    return sandbox


def _probe() -> int:
    from chapterhouse.grade import sandbox

    for level, (available, reason) in sandbox.probe().items():
        print(f" {'✔' if available else '✘'} {level:7} {reason}", file=sys.stdout)
    return 0


def _named(exercise: str | None) -> tuple[str, ...]:
    return (exercise,) if exercise else ()
