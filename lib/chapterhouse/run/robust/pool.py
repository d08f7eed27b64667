"""Work side by side, where a task with two threads takes the place of two with one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

_GRACE_S = 20.0  # for tasks to tidy up after an interrupt; their kernels are dead by then
Task = tuple[int, Callable[[], None]]


class Pool:
    """Runs tasks in the order in which they are given.

    Args:
        places: how many threads may compute at once.
        stop: set when the work is given up; tasks look at it.
    """

    def __init__(self, places: int, stop: threading.Event) -> None:
        self._places, self._free = places, places
        self._stop = stop
        self._changed = threading.Condition()
        self._broken: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def run(self, tasks: Sequence[Task]) -> None:
        """Run every task, each a number of threads and a call; return when all have ended.

        Raises:
            BaseException: what a task raised, or an interrupt, after the others have ended.
        """
        try:
            for weight, call in tasks:
                if self._broken:
                    break
                self._take(min(weight, self._places))
                thread = threading.Thread(
                    target=self._work, args=(min(weight, self._places), call), daemon=True
                )
                self._threads.append(thread)
                thread.start()
            self._take(self._places)
        except BaseException:
            self._stop.set()
            self._await_tidy()
            raise
        if self._broken:
            raise self._broken[0]

    def _take(self, weight: int) -> None:
        """Wait for so many places and take them; in short steps, so that Ctrl-C is heard."""
        with self._changed:
            while self._free < weight:
                self._changed.wait(0.2)
            self._free -= weight

    def _work(self, weight: int, call: Callable[[], None]) -> None:
        try:
            if not self._stop.is_set():
                call()
        except BaseException as error:
            self._broken.append(error)
            self._stop.set()
        finally:
            with self._changed:
                self._free += weight
                self._changed.notify_all()

    def _await_tidy(self) -> None:
        """Wait for tasks to put everything away; further interrupts do not cut that short."""
        deadline = time.monotonic() + _GRACE_S
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < deadline:
            try:
                time.sleep(0.05)
            except KeyboardInterrupt:
                continue
