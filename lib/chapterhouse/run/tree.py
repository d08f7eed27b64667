"""Whether the course's files are as they were: for systems that cannot say who changed them.

Where the system tells what a chapter does (`chapterhouse.run.tracer`), a change is refused and it
is known whose it was. Elsewhere the files are compared before and after. Then a change may be that
of any chapter that ran meanwhile, or of somebody who edited a file, so all of them are named.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chapterhouse.course import Course
from chapterhouse.run.ours import Ours, signature

_lock = threading.Lock()
# (course, chapter, this run of it) → chapters beside it; one chapter may run several times at once
_meanwhile: dict[tuple[Path, str, object], set[str]] = {}


def take(course: Course) -> dict[str, str]:
    """Path → signature of each file that a chapter may not change.

    Only size, times and number are looked at, so it takes some milliseconds for a thousand files.
    """
    ours = Ours(course.root, course.build, course.build)
    return {path: signature(path) for path in _files(str(course.root), ours, str(course.build))}


def changed(before: dict[str, str], course: Course) -> list[str]:
    """The paths that differ now from what `take` found, those that are new or gone among them."""
    now = take(course)
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def _files(folder: str, ours: Ours, build: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return  # gone meanwhile, or not for us to read
    for entry in entries:
        if entry.path == build or not ours.may_not_change(entry.path):
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "node_modules":
                yield from _files(entry.path, ours, build)
        else:
            yield entry.path


@contextmanager
def beside(course: Course, slug: str) -> Iterator[set[str]]:
    """While it is open this chapter runs; gives the chapters of this process that ran meanwhile."""
    key = (course.root, slug, object())
    with _lock:
        others = [
            (name, seen) for (root, name, _), seen in _meanwhile.items() if root == course.root
        ]
        for _, seen in others:
            seen.add(slug)
        _meanwhile[key] = mine = {name for name, _ in others}
    try:
        yield mine
    finally:
        with _lock:
            del _meanwhile[key]
