"""Execute one chapter through papermill: its outputs and what it used, or how it failed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.run import kernel, normalise, origin, trace, tree
from chapterhouse.run.failure import Failure, describe
from chapterhouse.run.gather import Trace, read_report
from chapterhouse.run.plan import Plan
from chapterhouse.run.record import CellTime
from chapterhouse.run.trace import Hashes, Used
from chapterhouse.run.tracer import Tracer
from chapterhouse.run.watch import Watch

if TYPE_CHECKING:
    from chapterhouse.run.engine import Session

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Execution:
    """What came of executing one plan.

    `outputs` has one list for each code cell, in order, the injected one included; `injected` is
    that cell's source, if there is one; `users` maps a file that the chapter used, relative to the
    course, to the ids of the cells that did; `unsure` says why the result may not be used again, if
    so; `machine` and `processor` are where it ran, which may be another one; `notice` tells
    something about the kernel.
    """

    outputs: list[list[dict[str, Any]]]
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    injected: str | None = None
    language_info: dict[str, Any] = field(default_factory=dict)
    cells: tuple[CellTime, ...] = ()
    used: Used = field(default_factory=Used)
    users: dict[str, list[str]] = field(default_factory=dict)
    unsure: str = ""
    machine: dict[str, str] = field(default_factory=lambda: trace.machine())
    processor: str = field(default_factory=lambda: origin.processor())
    failure: Failure | None = None
    notice: str = ""


def execute(
    plan: Plan, course: Course, *, hashes: Hashes, progress: Progress, stop: threading.Event
) -> Execution:
    """Execute one chapter in a kernel of its own.

    Call it in a thread that has no event loop: it makes one and closes it.

    Args:
        plan: the chapter, its parameters and limits.
        course: where it belongs.
        hashes: of the library's files, taken before.
        progress: called with (cells done, cells) as it goes.
        stop: when set, the kernel is killed.

    Raises:
        OSError: the system refused a file or a process.
    """
    loop = _own_event_loop()
    try:
        with kernel.room(course, plan.variables) as room:
            return _execute_in(room, plan, course, hashes, progress, stop)
    finally:
        loop.close()
        asyncio.set_event_loop(None)


def assemble(
    notebook: NotebookNode,
    outputs: list[list[dict[str, Any]]],
    *,
    injected: str | None,
    language_info: dict[str, Any],
) -> NotebookNode:
    """The executed notebook: the stored one with outputs put back, cell by cell.

    A chapter that failed has fewer outputs than code cells; the rest stay empty.
    """
    executed = nb.strip(notebook)
    if injected is not None:
        tagged = nb.parameters_cell(executed, name="the notebook")
        cell = NotebookNode(
            cell_type="code",
            id="injected-parameters",
            metadata=NotebookNode(tags=["injected-parameters"]),
            source=injected,
            outputs=[],
            execution_count=None,
        )
        executed.cells.insert(executed.cells.index(tagged) + 1, cell)
    if language_info:
        executed.metadata.language_info = NotebookNode(language_info)
    count = 0
    for cell, made in zip(nb.code_cells(executed), outputs, strict=False):
        cell.outputs = [_node(output) for output in made]
        if cell.source.strip():
            count += 1
            cell.execution_count = count
    return executed


def _execute_in(
    room: kernel.Room,
    plan: Plan,
    course: Course,
    hashes: Hashes,
    progress: Progress,
    stop: threading.Event,
) -> Execution:
    kernel.warm_up(course, plan.variables)
    # papermill costs more than a second to import: only what executes something pays for it.
    from chapterhouse.run import engine

    engine.register()
    watch = Watch(plan.limits, stop)
    started = time.perf_counter()
    with tree.beside(course, plan.slug) as others, Tracer(course, room) as tracer:
        before = tree.take(course)
        session = engine.Session(
            course=course, room=room, watch=watch, tracer=tracer, progress=progress
        )
        error = _run(plan, session)
        if not tracer.active and (changed := tree.changed(before, course)):
            error = engine.blame(session, changed, sorted(others))
    wall_s = round(time.perf_counter() - started, 3)
    return _conclude(plan, session, hashes, wall_s, error)


def _run(plan: Plan, session: Session) -> Exception | None:
    """Have papermill execute a plan; what went wrong, if anything."""
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    from chapterhouse.run import engine

    try:
        execute_notebook(
            nb.strip(plan.notebook),
            None,
            parameters=plan.overrides,
            engine_name=engine.NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            session=session,
        )
        session.watch.end()
        engine.refuse_changes(session)  # in the background, after the last cell
    except (PapermillExecutionError, DeadKernelError, RuntimeError, TimeoutError) as caught:
        return caught
    finally:
        session.watch.end()
    return None


def _conclude(
    plan: Plan, session: Session, hashes: Hashes, wall_s: float, error: Exception | None
) -> Execution:
    """What a session that is over amounts to."""
    room, watch = session.room, session.watch
    folders = normalise.temporary_folders(room.cwd, room.folder)
    codes = [cell for cell in session.cells if cell.cell_type == "code"]
    outputs = [normalise.clean_outputs(cell.outputs, folders) for cell in codes]
    cpu_s, peak_bytes = watch.cpu_s, watch.peak_memory_bytes
    used, unsure, users = Used(), "", {}
    if error is None:
        left = read_report(room.report, session.course, hashes, session.tracer)
        used, unsure = left.used, left.unsure
        users = _users(left, codes, session.course)
        cpu_s = max(cpu_s, left.report["cpu_s"])
        peak_bytes = max(peak_bytes, left.report["peak_memory_bytes"])
    return Execution(
        outputs=outputs,
        wall_s=wall_s,
        cpu_s=round(cpu_s, 3),
        peak_memory_bytes=peak_bytes,
        injected=_injected(codes),
        language_info=session.language_info,
        cells=tuple(session.times),
        used=used,
        users=users,
        unsure=unsure,
        failure=describe(plan, session, outputs, error) if error is not None else None,
        notice=session.notice,
    )


def _users(left: Trace, cells: list[NotebookNode], course: Course) -> dict[str, list[str]]:
    """What was used, relative to the course → the ids of the cells that did, in their order."""
    ran = [cell.id for cell in cells if cell.execution_count]
    users = {name: set(ids) for name, ids in left.users.items()}
    for path, counts in left.report["uses"].items():
        name = path if path[0] == "$" else Path(path).relative_to(course.root).as_posix()
        users.setdefault(name, set()).update(ran[n - 1] for n in counts if n <= len(ran))
    used = left.used
    known = {*used.libraries, *used.files, *used.looked, *(f"${name}" for name in used.variables)}
    return {
        name: [cell for cell in ran if cell in ids]
        for name, ids in sorted(users.items())
        if name in known
    }


def _injected(cells: list[NotebookNode]) -> str | None:
    for cell in cells:
        if "injected-parameters" in nb.tags(cell):
            return str(cell.source)
    return None


def _node(output: dict[str, Any]) -> NotebookNode:
    """One output as nbformat wants it, its nested tables included."""
    from nbformat import from_dict

    return from_dict(output)


def _own_event_loop() -> asyncio.AbstractEventLoop:
    """A loop for this thread that nbclient takes up, so that we can close it."""
    from jupyter_core.utils import ensure_event_loop

    return ensure_event_loop()
