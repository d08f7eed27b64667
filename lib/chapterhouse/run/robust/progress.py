"""What the person who waits sees: one line a cell as it ends, with the time that is left."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from typing import TextIO

from chapterhouse.run.robust.matrix import Cell
from chapterhouse.run.robust.work import Outcome


class Progress:
    """Tells of cells as they end; in a terminal the last line shows those that run.

    Args:
        cells: what there is to run.
        costs: seconds that cells of a notebook took before, by slug.
        screen: where to write.
        places: how many threads compute at once.
    """

    def __init__(
        self, cells: Sequence[Cell], costs: dict[str, list[float]], screen: TextIO, *, places: int
    ) -> None:
        self._left = list(cells)
        self._total = len(self._left)
        self._costs, self._screen, self._places = costs, screen, places
        self._width = max((len(cell.slug) for cell in cells), default=0)
        self._running: dict[Cell, tuple[int, int]] = {}
        self._live = screen.isatty()
        self._lock = threading.Lock()
        self._shown = 0.0

    def running(self, cell: Cell, done: int, total: int) -> None:
        """A cell of the matrix has run `done` of its notebook's `total` cells."""
        with self._lock:
            self._running[cell] = (done, total)
            if self._live and time.monotonic() - self._shown > 0.2:
                self._shown = time.monotonic()
                now = ", ".join(f"{c.slug} {d}/{t}" for c, (d, t) in self._running.items())
                print(f"\r\033[K{now[:100]}", end="", file=self._screen, flush=True)

    def ended(self, cell: Cell, outcome: Outcome) -> None:
        """A cell has ended one way or another."""
        with self._lock:
            self._left.remove(cell)
            self._running.pop(cell, None)
            self._costs.setdefault(cell.slug, []).append(outcome.wall_s)
            broken = [claim.text for claim in outcome.claims if not claim.held]
            mark = "✘" if broken or outcome.error else "✔"
            held = sum(claim.held for claim in outcome.claims)
            what = f"{held} held" + (f", {len(broken)} FAILED" if broken else "")
            done = self._total - len(self._left)
            start = "\r\033[K" if self._live else ""
            print(
                f"{start}{mark} {done}/{self._total} {cell.slug:{self._width}}  {cell.words}: "
                f"{what}, {outcome.wall_s:.1f} s; {self.left()}",
                file=self._screen,
                flush=True,
            )
            for text in broken:
                print(f"    ✗ {text}", file=self._screen, flush=True)
            if outcome.error:
                print(f"    {outcome.error}", file=self._screen, flush=True)

    def left(self) -> str:
        """How long it will take, by what cells have cost; one of two threads takes two places."""
        if not self._left:
            return "done"
        known = [cost for costs in self._costs.values() for cost in costs]
        if not known:
            return "no estimate yet"
        usual = statistics.fmean(known)
        means = {slug: statistics.fmean(costs) for slug, costs in self._costs.items()}
        seconds = sum(
            means.get(cell.slug, usual) * min(cell.threads, self._places) for cell in self._left
        )
        return f"about {_duration(seconds / self._places)} left"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
