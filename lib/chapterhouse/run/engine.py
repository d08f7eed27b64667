"""A papermill engine whose kernel is a clean room under watch."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from chapterhouse.course import Course
from chapterhouse.errors import RunError
from chapterhouse.notebook import tags
from chapterhouse.run import kernel
from chapterhouse.run.record import CellTime
from chapterhouse.run.tracer import Tracer
from chapterhouse.run.watch import Watch

NAME = "chapterhouse"


@dataclass
class Session:
    """One execution, shared by whoever started it and the engine that carries it out.

    `cells` are the executed cells, also when the execution failed; `at` is the cell that runs,
    `death` how the kernel ended if it died by itself, `notice` why it was not a warm one.
    """

    course: Course
    room: kernel.Room
    watch: Watch
    tracer: Tracer
    progress: Callable[[int, int], None]
    cells: list[NotebookNode] = field(default_factory=list)
    times: list[CellTime] = field(default_factory=list)
    language_info: dict[str, Any] = field(default_factory=dict)
    at: int = 0
    death: str = ""
    notice: str = ""


class ChapterClient(PapermillNotebookClient):
    """nbclient's client with our kernel, the watch, and a last question to the kernel."""

    def __init__(self, nb_man: Any, session: Session, **settings: Any) -> None:
        super().__init__(nb_man, **settings)
        self.session = session
        self.shutdown_kernel = "immediate"  # all is said: a polite shutdown takes up to 0.8 s

    def create_kernel_manager(self) -> Any:
        """Our own manager, whatever kernels this machine has."""
        self.km = kernel.manager(self.session.course, self.session.room)
        return self.km

    def start_new_kernel(self, **kwargs: Any) -> None:
        """Start the kernel in its room and begin to watch it."""
        room = self.session.room
        with room.log.open("wb") as log:
            super().start_new_kernel(
                env=kernel.environment(self.session.course, room),
                cwd=str(room.cwd),
                stdout=log,
                stderr=log,
                **kwargs,
            )
        provisioner: Any = self.km.provisioner if self.km else None
        self.session.notice = provisioner.notice
        self.session.watch.begin(provisioner.process)

    def _cleanup_kernel(self) -> None:
        self.session.watch.end()
        super()._cleanup_kernel()

    def execute_cell(self, cell: NotebookNode, cell_index: int, **kwargs: Any) -> NotebookNode:
        """Run one cell, timed."""
        session = self.session
        session.at, session.tracer.cell = cell_index, cell.id
        session.progress(cell_index, len(self.nb.cells))
        started = time.perf_counter()
        try:
            executed = super().execute_cell(cell, cell_index, **kwargs)
            refuse_changes(session)
            return executed
        except DeadKernelError:
            session.death = session.watch.cause_of_death()  # asked before we kill what is left
            raise
        finally:
            if cell.cell_type == "code":
                spent_s = round(time.perf_counter() - started, 4)
                session.times.append(CellTime(id=cell.id, wall_s=spent_s))

    def papermill_execute_cells(self) -> None:
        """Run every cell; if none failed, ask what the chapter used."""
        super().papermill_execute_cells()
        if any(cell.metadata.papermill.get("exception") for cell in self.nb.cells):
            return
        self.session.progress(len(self.nb.cells), len(self.nb.cells))
        question = (
            "__import__('chapterhouse.run.inside', fromlist=['report'])"
            f".report({str(self.session.room.report)!r})"
        )
        # The chapter's own time limit guards this too: the watch still runs.
        reply = self.wait_for_reply(self.kc.execute(question, silent=True, store_history=False))
        answer = reply["content"] if reply else {}
        if answer.get("status") != "ok":
            raise RunError(
                "The chapter ran, but its kernel could not say what it used: "
                f"{answer.get('ename', 'no answer')}: {answer.get('evalue', '')}.",
                fix="check that the disk has space, then run the chapter again",
            )

    def process_message(self, msg: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Take one message of the kernel into the notebook, and count its size."""
        self.session.watch.count_output(_size(msg["content"]))
        return super().process_message(msg, *args, **kwargs)


class ChapterEngine(NBClientEngine):
    """papermill's own engine with `ChapterClient`; expects a `Session` among the arguments."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, session: Session, **kwargs: Any
    ) -> None:
        """Execute, and leave the executed cells in the session whatever happens."""
        try:
            ChapterClient(
                nb_man,
                session,
                kernel_name=kernel_name,
                startup_timeout=kwargs["start_timeout"],
                timeout=None,  # the watch knows the chapter's limit
                record_timing=False,
            ).execute()
        finally:
            session.cells = copy.deepcopy(nb_man.nb.cells)
            session.language_info = dict(nb_man.nb.metadata.get("language_info", {}))
            _hide_expected_errors(nb_man.nb)


def refuse_changes(session: Session) -> None:
    """Fail a chapter that has tried to change the course, whether or not it heard the refusal.

    Raises:
        RuntimeError: it has.
    """
    if session.tracer.refused and not session.watch.breach:
        path, _ = session.tracer.refused[0]
        session.watch.breach = f"tried to change {path}, which is outside of its folder"
        session.watch.fix = (
            "write below the current folder, or into one that tempfile.mkdtemp() makes; that holds "
            "for programs that the chapter starts, too"
        )
    if session.tracer.refused:
        raise RuntimeError(session.watch.breach)


def blame(session: Session, changed: list[str], others: list[str]) -> RuntimeError:
    """Fail a chapter during which the course was changed, when nobody knows by whom.

    Args:
        session: the chapter's, which has ended.
        changed: the paths.
        others: the chapters that ran meanwhile.
    """
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    beside = f", and while {', '.join(others)} ran" if others else ""
    session.watch.breach = f"{changed[0]}{more} was changed while it ran{beside}"
    session.watch.fix = (
        "have the chapter write below its current folder; if it was you who edited that, run again"
    )
    return RuntimeError(session.watch.breach)


def _hide_expected_errors(notebook: NotebookNode) -> None:
    """Because papermill takes any error for a failure, even where a cell was meant to raise."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "raises-exception" in tags(cell):
            cell.outputs = [o for o in cell.outputs if o.output_type != "error"]


def _size(content: dict[str, Any]) -> int:
    """Roughly how many bytes a message adds to the notebook."""
    return len(content.get("text", "")) + sum(
        len(value) if isinstance(value, str) else len(str(value))
        for value in (content.get("data") or {}).values()
    )


_registering = threading.Lock()


def register() -> None:
    """Make the engine known to papermill, once."""
    with _registering:
        papermill_engines.register(NAME, ChapterEngine)
