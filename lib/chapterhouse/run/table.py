"""What the person who waits sees: a live table in a terminal, plain lines anywhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from chapterhouse.run.report import Row

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table as RichTable

_WIDTH = 20
_MARKS = {"waiting": "·", "running": "▸", "ran": "✔", "cached": "✔", "failed": "✘"}
_STYLES = {"waiting": "dim", "running": "bold", "ran": "green", "cached": "dim", "failed": "red"}


@dataclass
class _Line:
    state: str = "waiting"
    done: int = 0
    total: int = 0
    started: float = 0.0
    row: Row | None = None


class Progress:
    """Shows chapters as they wait, run and end. Every method may be called from any thread.

    Args:
        slugs: the chapters, in reading order.
        costs: slug → seconds that it took last time; for the time left.
        screen: where to write.
        jobs: how many run at once.
    """

    def __init__(
        self, slugs: Sequence[str], costs: Mapping[str, float], screen: TextIO, *, jobs: int = 1
    ) -> None:
        self._lines = {slug: _Line() for slug in slugs}
        self._width = max((len(slug) for slug in slugs), default=0)
        self._costs, self._screen, self._jobs = costs, screen, jobs
        self._lock = threading.Lock()
        self._live = _live(self, screen) if screen.isatty() else None
        self.colour = self._live is not None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def running(self, slug: str, done: int, total: int) -> None:
        """A chapter has run `done` of its `total` cells."""
        with self._lock:
            line = self._lines[slug]
            if line.state != "running":
                line.state, line.started = "running", time.monotonic()
            line.done, line.total = done, total

    def ended(self, row: Row) -> None:
        """A chapter has ended one way or another."""
        with self._lock:
            line = self._lines[row.slug]
            line.state, line.row = row.status, row
            if self._live is None:
                mark = _MARKS[row.status]
                self._write(f"{mark} {row.slug:{self._width}}  {row.status:7}{row.figures()}")

    def say(self, text: str) -> None:
        """Show a text above the table, or as it is where there is none."""
        with self._lock:
            if self._live:
                from rich.text import Text

                self._live.console.print(Text.from_ansi(text))
            else:
                self._write(text)

    def left_s(self) -> float | None:
        """Seconds until the end by last time's costs; None when a chapter has never run."""
        now, rest = time.monotonic(), [0.0]
        for slug, line in self._lines.items():
            if line.row is not None:
                continue
            if slug not in self._costs:
                return None
            spent = now - line.started if line.state == "running" else 0.0
            rest.append(max(self._costs[slug] - spent, 0.0))
        return max(sum(rest) / self._jobs, max(rest))

    def render(self) -> RichTable:
        """The table as it is now."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, show_header=False)
        with self._lock:
            for slug, line in self._lines.items():
                style = _STYLES[line.state]
                detail = line.row.figures() if line.row else self._advance(line)
                table.add_row(
                    Text(_MARKS[line.state], style), Text(slug, style), line.state, detail
                )
            open_ = sum(line.row is None for line in self._lines.values())
            left = self.left_s()
        if open_:
            eta = f"about {left:.0f} s left" if left is not None else "first run: no estimate"
            table.caption = f"{open_} to go, {eta}"
        return table

    def _advance(self, line: _Line) -> str:
        if line.state != "running":
            return ""
        share = line.done / line.total if line.total else 0.0
        bar = "━" * round(share * _WIDTH)
        spent = time.monotonic() - line.started
        return f"{bar:─<{_WIDTH}} {line.done}/{line.total} cells  {spent:.0f} s"

    def _write(self, text: str) -> None:
        print(text, file=self._screen, flush=True)


def _live(progress: Progress, screen: TextIO) -> Live:
    """A live display of `progress`; imported here, for most runs are not in a terminal."""
    from rich.console import Console
    from rich.live import Live

    return Live(
        console=Console(file=screen),
        get_renderable=progress.render,
        refresh_per_second=5,
        redirect_stdout=False,
        redirect_stderr=False,
    )
