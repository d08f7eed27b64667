"""Running notebooks over the matrix: what is kept is taken, the rest is run, all of it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from chapterhouse.course import Course
from chapterhouse.errors import ChapterhouseError, from_os_error
from chapterhouse.run import chapter, forkclient, origin
from chapterhouse.run.executor import Execute, checked_jobs
from chapterhouse.run.plan import Plan
from chapterhouse.run.robust import work
from chapterhouse.run.robust.matrix import Cell, Matrix
from chapterhouse.run.robust.pool import Pool
from chapterhouse.run.robust.processor import Processor
from chapterhouse.run.robust.progress import Progress
from chapterhouse.run.robust.store import Summary, summarise
from chapterhouse.run.robust.work import Kept, Outcome
from chapterhouse.run.trace import Hashes


@dataclass(frozen=True)
class Sweep:
    """What one sweep came to: a summary a notebook, the time that it took, and what was said.

    `wall_s` is the clock of this call, `cells` how many it has run; the sums of the summaries count
    the runs that were taken again, too.
    """

    summaries: tuple[Summary, ...]
    wall_s: float
    cells: int
    notices: tuple[str, ...] = ()

    @property
    def robust(self) -> bool:
        """Whether every claim of every notebook holds by the rule."""
        return all(summary.robust for summary in self.summaries)


@dataclass
class _Notebook:
    """One notebook, its cells with their plans, and what has come of them."""

    path: Path
    plans: dict[Cell, Plan]
    outcomes: dict[Cell, Outcome] = field(default_factory=dict)

    @property
    def missing(self) -> list[Cell]:
        """The cells that have no outcome yet."""
        return [cell for cell in self.plans if cell not in self.outcomes]


def sweep(
    course: Course,
    cells: dict[Path, list[Cell]],
    *,
    matrix: Matrix,
    here: Processor,
    jobs: int | None = None,
    force: bool = False,
    screen: TextIO,
    execute: Execute | None = None,
    finished: Callable[[Summary], None] = lambda summary: None,
) -> Sweep:
    """Run cells of the matrix, or take what is kept of them.

    Args:
        course: whose notebooks.
        cells: of each notebook, in the order in which they are to run.
        matrix: which they are cells of.
        here: the processor.
        jobs: how many threads compute at once; one for each core when None.
        force: run what is kept, too.
        screen: where progress is shown.
        execute: what executes one plan; a kernel of its own when None.
        finished: called with each notebook's summary as soon as its last cell has ended.

    Raises:
        CourseError: a wrong number of jobs.
        NotebookError: a notebook is broken.
        ParameterError: a notebook's seed is no whole number.
        KeyboardInterrupt: after every kernel was killed; what has ended is kept.
    """
    places, started = checked_jobs(jobs), time.perf_counter()
    hashes, kept = Hashes(course), Kept(course)
    hashes.take_libraries(course)
    notebooks = [
        _Notebook(path, {cell: work.cell_plan(course, path, cell) for cell in some})
        for path, some in cells.items()
    ]
    for each in notebooks if not force else ():
        _take_kept(each, kept, here, hashes)
    missing = [cell for each in notebooks for cell in each.missing]
    progress = Progress(missing, _costs(notebooks, kept), screen, places=places)
    run = _Running(
        course, matrix, here, hashes, kept, execute or chapter.execute, progress, finished,
        commit=origin.commit(course),
    )  # fmt: skip
    tasks = []
    for each in notebooks:
        tasks += [(cell.threads, run.task(each, cell)) for cell in each.missing]
        run.conclude(each)  # one that has nothing to run is done
    if tasks:
        with forkclient.in_use():
            Pool(places, run.stop).run(tasks)
    return Sweep(
        summaries=tuple(run.summaries[each.path] for each in notebooks),
        wall_s=round(time.perf_counter() - started, 1),
        cells=len(missing),
        notices=tuple(sorted(run.notices)),
    )


@dataclass
class _Running:
    """What the threads share."""

    course: Course
    matrix: Matrix
    here: Processor
    hashes: Hashes
    kept: Kept
    execute: Execute
    progress: Progress
    finished: Callable[[Summary], None]
    commit: str  # asked before results are stored, which change the course
    stop: threading.Event = field(default_factory=threading.Event)
    summaries: dict[Path, Summary] = field(default_factory=dict)
    notices: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def task(self, each: _Notebook, cell: Cell) -> Callable[[], None]:
        """The call that runs one cell, keeps and tells what came of it."""

        def call() -> None:
            outcome = _outcome(self, each, cell)
            if self.stop.is_set():
                return  # whatever it says, it was cut short
            self.kept.keep(cell, outcome)
            self.progress.ended(cell, outcome)
            with self.lock:
                each.outcomes[cell] = outcome
                self.conclude(each)

        return call

    def conclude(self, each: _Notebook) -> None:
        """Make a notebook's summary and hand it on, if no cell of it is missing."""
        if each.missing:
            return
        summary = summarise(
            self.course,
            each.path,
            [(cell, each.outcomes[cell]) for cell in each.plans],
            matrix=self.matrix,
            here=self.here,
            hashes=self.hashes,
            commit=self.commit,
            now=datetime.now(UTC),
        )
        self.summaries[each.path] = summary
        self.finished(summary)


def _outcome(run: _Running, each: _Notebook, cell: Cell) -> Outcome:
    """Run one cell; whatever goes wrong is its outcome."""
    plan = each.plans[cell]
    try:
        execution = run.execute(
            plan,
            run.course,
            hashes=run.hashes,
            progress=lambda done, total: run.progress.running(cell, done, total),
            stop=run.stop,
        )
        if execution.notice:
            run.notices.add(execution.notice)
        return work.outcome(execution, plan, run.course, run.here, run.hashes)
    except OSError as error:
        told = from_os_error(error).found
    except ChapterhouseError as error:
        told = error.found
    except Exception as error:
        # Ours, not the notebook's. The other cells still run, and nothing is hidden.
        told = f"chapterhouse broke on it: {type(error).__name__}: {error}"
    return Outcome(key="", claims=(), wall_s=0.0, cpu_s=0.0, error=told)


def _take_kept(each: _Notebook, kept: Kept, here: Processor, hashes: Hashes) -> None:
    for cell, plan in each.plans.items():
        outcome = kept.find(cell, plan, here, hashes)
        if outcome is not None:
            each.outcomes[cell] = outcome


def _costs(notebooks: Sequence[_Notebook], kept: Kept) -> dict[str, list[float]]:
    """Seconds that each notebook's cells took before, fresh or not."""
    found: dict[str, list[float]] = {}
    for each in notebooks:
        for cell in each.plans:
            if (last := kept.last(cell)) is not None and not last.error:
                found.setdefault(cell.slug, []).append(last.wall_s)
    return found
