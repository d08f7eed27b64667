"""Taking turns: two runs that want the same chapter do the work once."""

from __future__ import annotations

import contextlib
import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chapterhouse.course import Course
from chapterhouse.run.plan import Plan

_PERIOD_S = 0.2


@contextmanager
def turn(course: Course, plan: Plan, stop: threading.Event) -> Iterator[bool]:
    """Hold the chapter's lock; the system drops it if this process dies.

    Args:
        course: where the chapter belongs.
        plan: what is about to run.
        stop: when set, waiting ends without the lock.

    Yields:
        Whether another run had the lock first, so that a fresh result may be there by now.
    """
    folder = course.build / ".chapterhouse" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    waited = False
    with (folder / f"{plan.profile}-{plan.slug}").open("w") as lock:
        while not stop.is_set():
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            waited = True
            stop.wait(_PERIOD_S)
        yield waited
