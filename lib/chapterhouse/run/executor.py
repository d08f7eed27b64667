"""Execute a course's chapters side by side, the longest first, each in a kernel of its own."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

from chapterhouse.course import Course
from chapterhouse.errors import ChapterhouseError, CourseError, NotebookError, from_os_error
from chapterhouse.run import chapter, forkclient
from chapterhouse.run.cache import Cache
from chapterhouse.run.chapter import Execution
from chapterhouse.run.plan import Plan, make_plan, parse_assignments
from chapterhouse.run.publish import publish, publish_new
from chapterhouse.run.record import Run, executed_path
from chapterhouse.run.report import Report, Row
from chapterhouse.run.table import Progress
from chapterhouse.run.trace import Hashes
from chapterhouse.run.turn import turn

_GRACE_S = 20.0  # for threads to tidy up after an interrupt; their kernels are dead by then


class Execute(Protocol):
    """What `chapter.execute` does; a test passes a fake."""

    def __call__(
        self,
        plan: Plan,
        course: Course,
        *,
        hashes: Hashes,
        progress: chapter.Progress,
        stop: threading.Event,
    ) -> Execution:
        """Execute one plan."""
        ...


@dataclass
class _Work:
    """What the worker threads share."""

    course: Course
    cache: Cache
    hashes: Hashes
    progress: Progress
    execute: Execute
    force: bool
    waiting: queue.SimpleQueue[Plan] = field(default_factory=queue.SimpleQueue)
    rows: dict[str, Row] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    notices: set[str] = field(default_factory=set)

    def end(self, row: Row, story: str = "") -> None:
        """Note and show that a chapter has ended."""
        self.rows[row.slug] = row
        self.progress.ended(row)
        if story:
            self.progress.say(story)

    def notice(self, text: str) -> None:
        """Say something about the whole run, once."""
        if text and text not in self.notices:
            self.notices.add(text)
            self.progress.say(f"notice: {text}")


def run_course(
    course: Course,
    names: Sequence[str] = (),
    *,
    profile: str = "fast",
    overrides: Sequence[str] = (),
    jobs: int | None = None,
    force: bool = False,
    screen: TextIO | None = None,
    execute: Execute = chapter.execute,
) -> Report:
    """Run chapters, or take their kept results, and publish both.

    Args:
        course: whose chapters.
        names: slugs, numbers or paths; all chapters when empty.
        profile: which limits and parameters.
        overrides: ``NAME=VALUE`` texts for the parameters cell.
        jobs: how many chapters at once; one for each core when None.
        force: run what is fresh too.
        screen: where progress and failures are shown; stdout when None.
        execute: what executes one plan.

    Returns:
        One row for each chapter, in reading order. A chapter that failed is a row, not an error.

    Raises:
        CourseError: an unknown chapter or profile, or a wrong number of jobs.
        ParameterError: an override that a chapter does not have, or of another type.
        KeyboardInterrupt: after every kernel was killed and every temporary file removed.
    """
    started = time.perf_counter()
    jobs, screen = checked_jobs(jobs), screen or sys.stdout
    paths = select(course, names)
    slugs = [path.stem for path in paths]
    costs = _last_costs(course, profile, slugs)
    with Progress(slugs, costs, screen, jobs=jobs) as progress:
        work = _Work(
            course, Cache(course), Hashes(course), progress, execute or chapter.execute, force
        )
        plans = _plan_all(work, paths, profile, parse_assignments(overrides))
        stale = [plan for plan in plans if force or not _reuse(work, plan)]
        stale.sort(key=lambda plan: costs.get(plan.slug, float("inf")), reverse=True)
        if stale:
            work.hashes.take_libraries(course)
            with forkclient.in_use():
                _run_all(work, stale, jobs)
    report = Report(
        wall_s=round(time.perf_counter() - started, 3),
        rows=tuple(work.rows[slug] for slug in slugs),
    )
    print("\n".join(filter(None, [report.table(), report.summary()])), file=screen)
    return report


def select(course: Course, names: Sequence[str]) -> list[Path]:
    """The chapters and pages that `names` name, each once, in reading order; all without names.

    Raises:
        CourseError: a name is no chapter's and no executed page's.
    """
    if not names:
        return course.notebook_paths()
    chosen = {course.notebook_path(name) for name in names}
    return [path for path in course.notebook_paths() if path in chosen]


def checked_jobs(jobs: int | None) -> int:
    """How many to run at once; one for each core when None.

    Raises:
        CourseError: it is below 1.
    """
    if jobs is None:
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    if jobs < 1:
        raise CourseError(f"--jobs is {jobs}; at least 1 was expected.", fix="leave it out")
    return jobs


def _last_costs(course: Course, profile: str, slugs: Sequence[str]) -> dict[str, float]:
    costs = {}
    for slug in slugs:
        try:
            run = Run.load(executed_path(course, profile, slug, ".json"))
        except (ChapterhouseError, OSError):
            continue  # never run, or unreadable: it counts as unknown
        costs[slug] = run.wall_s
    return costs


def _plan_all(
    work: _Work, paths: Sequence[Path], profile: str, assignments: dict[str, str]
) -> list[Plan]:
    """A plan for each chapter; one whose notebook is broken ends here, and the others go on."""
    plans = []
    for path in paths:
        try:
            plan = make_plan(work.course, path, profile=profile, assignments=assignments)
        except NotebookError as error:
            work.end(Row(path.stem, "failed", error=error.found), str(error))
        else:
            plans.append(plan)
    return plans


def _reuse(work: _Work, plan: Plan) -> bool:
    """Take the kept result of a chapter, if it has a fresh one."""
    result = work.cache.find(plan, work.hashes)
    if result is None:
        return False
    work.end(Row.of(publish(plan, result, work.course), "cached"))
    return True


def _run_all(work: _Work, plans: Sequence[Plan], jobs: int) -> None:
    for plan in plans:
        work.waiting.put(plan)
    # Events, not Thread.join: an interrupt inside join makes Python 3.11 think the thread ended.
    ended = [threading.Event() for _ in range(min(jobs, len(plans)))]
    try:
        for number, event in enumerate(ended):
            name = f"chapter-{number}"
            threading.Thread(target=_worker, args=(work, event), name=name, daemon=True).start()
        for event in ended:
            while not event.wait(0.2):
                pass
    except BaseException:
        work.stop.set()
        _await_tidy(ended)
        raise


def _await_tidy(ended: Sequence[threading.Event]) -> None:
    """Wait for the workers to put everything away; further interrupts do not cut that short."""
    deadline = time.monotonic() + _GRACE_S
    while not all(event.is_set() for event in ended) and time.monotonic() < deadline:
        try:
            time.sleep(0.05)
        except KeyboardInterrupt:
            continue


def _worker(work: _Work, ended: threading.Event) -> None:
    """Run chapters until none is left or the run is given up; then set `ended`."""
    try:
        while not work.stop.is_set():
            _run_one(work, work.waiting.get_nowait())
    except queue.Empty:
        pass
    finally:
        ended.set()


def _run_one(work: _Work, plan: Plan) -> None:
    """Run one chapter when it is our turn; whatever goes wrong becomes its row."""
    try:
        with turn(work.course, plan, work.stop) as waited:
            if work.stop.is_set() or (waited and not work.force and _reuse(work, plan)):
                return
            _execute_one(work, plan)
    except OSError as error:
        trouble = from_os_error(error)
        work.end(Row(plan.slug, "failed", error=trouble.found), f"{plan.path}: {trouble}")
    except ChapterhouseError as error:
        work.end(Row(plan.slug, "failed", error=error.found), f"{plan.path}: {error}")
    except Exception as error:
        # Ours, not the chapter's. The other chapters still run, and nothing is hidden.
        story = f"{plan.path}: chapterhouse broke on it: {type(error).__name__}: {error}"
        work.end(Row(plan.slug, "failed", error=story), story)


def _execute_one(work: _Work, plan: Plan) -> None:
    execution = work.execute(
        plan,
        work.course,
        hashes=work.hashes,
        progress=lambda done, total: work.progress.running(plan.slug, done, total),
        stop=work.stop,
    )
    if work.stop.is_set():
        return  # whatever it says, it was cut short
    work.notice(execution.notice)
    run = publish_new(plan, execution, work.course, work.cache)
    failure = execution.failure
    story = failure.text(colour=work.progress.colour) if failure is not None else ""
    work.end(Row.of(run, run.status), story)
