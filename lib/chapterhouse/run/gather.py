"""What a chapter used, from what it said itself and from what the system saw of it.

What counts: every file of the course that was opened to read, whoever did it; every folder whose
list was read; what a path was found to be, or not to be; files elsewhere, but for those of the
system, of installed packages (their version counts) and hidden ones; environment variables, as
`chapterhouse.run.variables` says; data sets, as the library says.

Not seen: the times of files, what a process that the chapter did not start does for it, the
network, and installed packages that are edited in place. Where the system does not let anybody look
(other systems than Linux, or a locked container), what compiled code opens by itself is not seen
either, and the result of a chapter that starts another program is not kept.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chapterhouse.course import Course
from chapterhouse.run import trace
from chapterhouse.run.ours import signature
from chapterhouse.run.trace import Hashes, Used
from chapterhouse.run.tracer import Tracer

_CODE = (".py", ".pyc")
_NOT_DATA = (".pyc", ".so")
_NOT_OURS = ("__pycache__", "site-packages")
_THIS_PACKAGE = Path(__file__).resolve().parent.parent
# Below these, files come with the system or with an installed package.
_SYSTEM = (
    *("/bin", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/nix", "/opt", "/proc", "/run", "/sbin"),
    *("/snap", "/sys", "/usr", "/var", "/System", "/Library"),
)


@dataclass(frozen=True)
class Trace:
    """What one run left of itself.

    `users` maps what was used, relative to the course, to the ids of the cells that ran meanwhile,
    as the system saw it; `report` is what `inside.report` wrote; `unsure` says why the result may
    not be used again, if so.
    """

    used: Used
    report: dict[str, Any]
    users: dict[str, set[str]] = field(default_factory=dict)
    unsure: str = ""


def read_report(path: Path, course: Course, hashes: Hashes, tracer: Tracer | None = None) -> Trace:
    """What the chapter used.

    Args:
        path: what `inside.report` wrote.
        course: where the chapter belongs.
        hashes: taken before the chapter ran.
        tracer: what the system saw, if it was asked.
    """
    report = json.loads(path.read_text(encoding="utf-8"))
    if tracer is not None and not tracer.active:
        tracer = None
    opened = {**report["opened"], **(tracer.signatures if tracer else {})}
    looked = {*report["looked"], *(tracer.looked if tracer else ())}
    by_children = tracer.listed_by_children if tracer else set()
    libraries = _hashed({*report["libraries"], *_sources(opened, course)}, course, hashes)
    kept = {p: s for p, s in opened.items() if _is_data(p, course) or p in by_children}
    files = _hashed(kept, course, hashes)
    started = report["children"] or (tracer is not None and tracer.executed)
    used = Used(
        libraries=libraries,
        files=files,
        data=report["data"],
        distributions=trace.distributions(report["packages"]),
        looked=_looked(looked, course, hashes, {*libraries, *files}),
        outside=_outside(tracer, course) if tracer else {},
        variables=report["inherited" if started else "variables"],
    )
    return Trace(used, report, _users(tracer, course), _unsure(kept, started, tracer))


def _unsure(opened: dict[str, str], started: bool, tracer: Tracer | None) -> str:
    if started and tracer is None:
        return "it starts another program, and nothing here sees which files that opens"
    for path, before in opened.items():
        if signature(path) != before:
            return f"{path} was changed while the chapter ran"
    return ""


def _name(path: str, course: Course) -> str:
    name = Path(path).relative_to(course.root).as_posix()
    return f"{name}/" if path.endswith(os.sep) else name


def _hashed(paths: Iterable[str], course: Course, hashes: Hashes) -> dict[str, str]:
    return {name: hashes.of(name) for name in sorted(_name(path, course) for path in paths)}


def _users(tracer: Tracer | None, course: Course) -> dict[str, set[str]]:
    users: dict[str, set[str]] = {}
    for seen in (tracer.opened, tracer.looked) if tracer else ():
        for path, cells in seen.items():
            users.setdefault(_name(path, course), set()).update(cells - {""})
    return users


def _sources(opened: Iterable[str], course: Course) -> Iterator[str]:
    """The library files whose text or bytecode was opened."""
    for path in opened:
        if path.endswith(_CODE) and _in_library(Path(path), course):
            try:
                yield importlib.util.source_from_cache(path) if path.endswith(".pyc") else path
            except ValueError:
                continue  # bytecode that lies elsewhere than an import would put it


def _in_library(path: Path, course: Course) -> bool:
    return any(path.is_relative_to(each) for each in course.libraries)


def _is_shown(path: Path, course: Course) -> bool:
    """Whether a path is neither made by us nor hidden."""
    if path.is_relative_to(course.build) or path.is_relative_to(_THIS_PACKAGE):
        return False
    parts = path.relative_to(course.root).parts
    return path.suffix not in _NOT_DATA and not any(
        part.startswith(".") or part in _NOT_OURS for part in parts
    )


def _is_data(text: str, course: Course) -> bool:
    """Whether what was opened or listed is the course's data, not something made or hidden."""
    path = Path(text)
    if not _is_shown(path, course):
        return False
    if text.endswith(os.sep):
        # Importing lists the folders of libraries, and those that they lie in.
        return not _in_library(path, course) and not _above_library(path, course)
    return not path.is_dir() and not (path.suffix == ".py" and _in_library(path, course))


def _above_library(path: Path, course: Course) -> bool:
    return any(each.is_relative_to(path) for each in course.libraries)


def _looked(
    paths: Iterable[str], course: Course, hashes: Hashes, known: set[str]
) -> dict[str, str]:
    """What each path was found to be; not where its content counts anyway."""
    names = set()
    for text in paths:
        path = Path(text)
        if _is_shown(path, course) and not _above_library(path, course):
            names.add(_name(text, course))
    return {name: hashes.kind(name) for name in sorted(names - known) if f"{name}/" not in known}


def _outside(tracer: Tracer, course: Course) -> dict[str, str]:
    """Files elsewhere that the chapter found and did not make."""
    passed = (*_SYSTEM, sys.prefix, sys.base_prefix, *filter(None, sys.path))
    passed = tuple(f"{path}{os.sep}" for path in passed if Path(path) != course.root)
    found = {}
    for text in sorted(tracer.outside - tracer.made):
        if text.startswith(passed) or any(part[0] == "." for part in Path(text).parts[1:]):
            continue
        if state := trace.state(text):
            found[text] = state
    return found
