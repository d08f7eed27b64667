"""Grading files: read, run in the sandbox, judge outside it. One bad file never stops a batch.

Each answer is a job of its own, and so is the reference on the same inputs. Inputs are drawn from a
seed that is new for each file and kept with its grades, so that a grade can be repeated exactly.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from chapterhouse.errors import ChapterhouseError, ExerciseError
from chapterhouse.exercise.cases import Case
from chapterhouse.exercise.extract import Answer
from chapterhouse.exercise.folder import Exercise
from chapterhouse.exercise.reading import Reader
from chapterhouse.exercise.student import wanted
from chapterhouse.exercise.values import printable
from chapterhouse.grade.judge import Grade, calls, judge
from chapterhouse.grade.protocol import Failure, Job, Limits, Outcome, Sandbox, Status
from chapterhouse.grade.verdict import Verdict

_KEPT_REFERENCES = 64


@dataclass(frozen=True)
class FileReport:
    """What became of one file: its grades, or why it could not be read and what mends that."""

    path: Path
    sha256: str | None = None
    grades: tuple[Grade, ...] = ()
    seed: int | None = None
    fault: str | None = None
    fix: str | None = None
    wall_s: float = 0.0


@dataclass
class Grader:
    """Grades answers to some exercises in one sandbox. Safe to use from several threads.

    Args:
        exercises: those that may be answered.
        sandbox: where code runs.
    """

    exercises: Sequence[Exercise]
    sandbox: Sandbox
    _by_id: dict[str, Exercise] = field(init=False, repr=False)
    _references: dict[tuple[str, int], Outcome] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._by_id = {exercise.id: exercise for exercise in self.exercises}
        self._references = {}

    def warm(self) -> None:
        """Import what the exercises' cases need (torch takes seconds), so that no answer waits."""
        for exercise in self.exercises:
            exercise.cases(0)
        if "torch" in sys.modules:
            # Comparing small tensors on several threads costs more in waiting than in work.
            sys.modules["torch"].set_num_threads(1)

    def grade_answer(self, answer: Answer, *, seed: int) -> Grade:
        """The grade of one answer; a failure of ours is the verdict `BROKEN`, not an exception."""
        exercise = self._by_id[answer.exercise]
        if answer.source is None:
            grade = _without_run(exercise, Verdict.MISSING, 0.0)
        elif exercise.kind == "manual":
            grade = replace(_without_run(exercise, Verdict.MANUAL, None), answer=answer.source)
        else:
            grade = self.grade_source(exercise, answer.source, seed=seed, offset=answer.offset)
        return replace(grade, repairs=answer.repairs, seed=seed)

    def grade_source(self, exercise: Exercise, source: str, *, seed: int, offset: int = 0) -> Grade:
        """The grade of one source; `offset` lines of it stand above the student's own."""
        try:
            cases = exercise.cases(seed)
            reference = self.reference(exercise, cases, seed=seed)
            outcome = shift(self.run(exercise, source, cases), offset)
            grade = judge(exercise.id, exercise.points, cases, reference, outcome)
            if outcome.status is Status.OK and any(c.verdict is Verdict.TIME for c in grade.cases):
                # A busy machine is nobody's fault: the better of two tries counts.
                again = self.run(exercise, source, cases)
                slower = self.run(exercise, exercise.solution, cases)
                outcome = _with_times(outcome, again, min)
                reference = _with_times(reference, slower, max)
                grade = judge(exercise.id, exercise.points, cases, reference, outcome)
            return grade
        except ChapterhouseError as error:
            return replace(_without_run(exercise, Verdict.BROKEN, None), message=str(error))
        except Exception as error:  # a mistake of ours in one answer must not end the batch
            found = f"The grader raised {type(error).__name__}: {error}"
            return replace(_without_run(exercise, Verdict.BROKEN, None), message=printable(found))

    def reference(self, exercise: Exercise, cases: Sequence[Case], *, seed: int) -> Outcome:
        """The reference's outcome on the cases of `seed`; a few are kept, for equal seeds."""
        key = (exercise.id, seed)
        known = self._references.get(key)
        if known is None:
            known = self.run(exercise, exercise.solution, cases)
            if len(self._references) >= _KEPT_REFERENCES:
                self._references.clear()
            self._references[key] = known
        return known

    def run(self, exercise: Exercise, source: str, cases: Sequence[Case]) -> Outcome:
        """Run one source, a student's or the reference's, on the inputs of some cases."""
        limits = Limits(**dict(exercise.limits))  # type: ignore[arg-type]
        return self.sandbox.run(Job(source, calls(cases), limits, exercise.imports))


def grade_files(
    paths: Sequence[Path],
    exercises: Sequence[Exercise],
    sandbox: Sandbox,
    *,
    seed: int | None = None,
    jobs: int = 1,
    only: str | None = None,
    each: Callable[[FileReport], None] | None = None,
) -> list[FileReport]:
    """Grade files, in order; a file that cannot be read is reported and the others are graded.

    Args:
        paths: notebooks and scripts.
        exercises: those that may be answered.
        sandbox: where code runs.
        seed: of the inputs, for all files, to repeat a grading; None draws one for each file.
        jobs: how many answers are graded at a time.
        only: the one exercise that the files answer, whether they have its marker or not.
        each: called with each report as it is ready, in the order of `paths`.
    """
    grader = Grader(exercises, sandbox)
    reports = []
    with (
        Reader([wanted(exercise) for exercise in exercises]) as reader,
        ThreadPoolExecutor(max_workers=max(1, jobs)) as pool,
    ):
        # Reading stays a little ahead of grading, so a large batch does not pile up in memory.
        started: list[_Started] = []
        for path in paths:
            started.append(_start(path, reader, grader, pool, (seed, only)))
            if len(started) > 4 * max(1, jobs):
                reports.append(_report(started.pop(0), each))
        reports += [_report(one, each) for one in started]
    return reports


def find_files(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files to grade, and those that are passed over because they can't be submissions.

    To grade are those named, and in each folder named its notebooks and scripts. A folder that has
    none stands for itself, so that its fault is reported. Passed over are a folder's other files
    and its links.
    """
    found: list[Path] = []
    passed_over: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = []
        for file in sorted(path.rglob("*")):
            if any(part.startswith(".") for part in file.relative_to(path).parts):
                continue
            # A link in an inbox could name any file of ours.
            if file.suffix.lower() in (".ipynb", ".py") and not file.is_symlink():
                inside.append(file)
            elif file.is_symlink() or not file.is_dir():
                passed_over.append(file)
        found += inside or [path]
    return list(dict.fromkeys(found)), list(dict.fromkeys(passed_over))


@dataclass(frozen=True)
class _Started:
    """A file on its way: what is known of it, and the grades that are being made."""

    report: FileReport
    grades: tuple[Future[Grade], ...] = ()


def _start(
    path: Path,
    reader: Reader,
    grader: Grader,
    pool: ThreadPoolExecutor,
    asked: tuple[int | None, str | None],
) -> _Started:
    seed, only = asked
    try:
        submission = reader.read(path, only=only)
        if not submission.answers:
            raise ExerciseError(
                f"{path} has no answer to any exercise of this course.",
                fix="keep the lines `# exercise: …`, or name the exercise with --exercise ID",
            )
    except ExerciseError as error:
        return _Started(FileReport(path, fault=error.found, fix=error.fix))
    # Too many for a submission to try; few enough for a JSON number to hold exactly.
    drawn = secrets.randbits(53) if seed is None else seed
    grades = tuple(
        pool.submit(grader.grade_answer, answer, seed=drawn) for answer in submission.answers
    )
    return _Started(FileReport(path, submission.sha256, seed=drawn), grades)


def _report(started: _Started, each: Callable[[FileReport], None] | None) -> FileReport:
    grades = tuple(future.result() for future in started.grades)
    wall_s = sum(grade.wall_s for grade in grades)
    report = replace(started.report, grades=grades, wall_s=round(wall_s, 4))
    if each is not None:
        each(report)
    return report


def _without_run(exercise: Exercise, verdict: Verdict, points: float | None) -> Grade:
    return Grade(exercise.id, verdict, points, points, exercise.points, verdict.meaning)


def shift(outcome: Outcome, offset: int) -> Outcome:
    """The outcome with line numbers as they are in the answer's own cell."""
    if not offset:
        return outcome

    def shifted(failure: Failure | None) -> Failure | None:
        if failure is None or failure.line is None:
            return failure
        line = failure.line - offset
        return replace(failure, line=line if line > 0 else None)

    results = tuple(replace(r, failure=shifted(r.failure)) for r in outcome.results)
    return replace(outcome, results=results, failure=shifted(outcome.failure))


def _with_times(
    outcome: Outcome, other: Outcome, choose: Callable[[float, float], float]
) -> Outcome:
    """The outcome with the run time of each call chosen from two runs of the same source."""
    if len(other.results) != len(outcome.results):
        return outcome
    pairs = zip(outcome.results, other.results, strict=True)
    results = tuple(replace(one, wall_s=choose(one.wall_s, two.wall_s)) for one, two in pairs)
    return replace(outcome, results=results)


def tally(reports: Sequence[FileReport]) -> dict[Verdict, int]:
    """How many grades each verdict has, in the order of `Verdict`."""
    counts = dict.fromkeys(Verdict, 0)
    for grade in all_grades(reports):
        counts[grade.verdict] += 1
    return {verdict: count for verdict, count in counts.items() if count}


def all_grades(reports: Sequence[FileReport]) -> Iterator[Grade]:
    """Every grade of every report."""
    for report in reports:
        yield from report.grades
