"""What a chapter was made from: library files, data, packages, and the machine it ran on."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from chapterhouse.course import Course

_NOT_DATA = (".pyc", ".so")
_NOT_OURS = ("__pycache__", "site-packages")
_THIS_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Used:
    """What one run used.

    `libraries` and `files` map a path relative to the course to its sha256 (of a folder, whose name
    ends in ``/``, that of its list; empty for what was looked for and is not there), `data` a data
    set's name to its sha256, `distributions` an installed distribution to its version.
    """

    libraries: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    distributions: dict[str, str] = field(default_factory=dict)


class Hashes:
    """sha256 of files of a course, each read once."""

    def __init__(self, course: Course) -> None:
        self.root = course.root
        self._known: dict[str, str] = {}

    def of(self, relative: str) -> str:
        """The hash of a file, or of a folder's list, relative to the course; empty if it is not."""
        if relative not in self._known:
            path = self.root / relative
            try:
                if relative.endswith("/"):
                    content = "\n".join(sorted(each.name for each in path.iterdir())).encode()
                else:
                    content = path.read_bytes()
                self._known[relative] = hashlib.sha256(content).hexdigest()
            except OSError:
                self._known[relative] = ""
        return self._known[relative]

    def take_libraries(self, course: Course) -> None:
        """Take the hash of every library file now, before a run that may outlast an edit."""
        for library in course.libraries:
            for path in library.rglob("*.py"):
                self.of(path.relative_to(self.root).as_posix())


def read_report(path: Path, course: Course, hashes: Hashes) -> tuple[Used, dict[str, Any]]:
    """What `inside.report` wrote: what the chapter used, and the whole report.

    Args:
        path: the report.
        course: where the chapter belongs.
        hashes: taken before the chapter ran.
    """
    report = json.loads(path.read_text(encoding="utf-8"))
    used = Used(
        libraries=_hashed(report["libraries"], course, hashes),
        files=_hashed((p for p in report["opened"] if _is_data(p, course)), course, hashes),
        data=report["data"],
        distributions=_distributions(report["packages"]),
    )
    return used, report


def _hashed(paths: Iterable[str], course: Course, hashes: Hashes) -> dict[str, str]:
    names = []
    for path in paths:
        name = Path(path).relative_to(course.root).as_posix()
        names.append(f"{name}/" if path.endswith(os.sep) else name)
    return {name: hashes.of(name) for name in sorted(names)}


def _is_data(text: str, course: Course) -> bool:
    """Whether what was opened or listed is the course's data, not something made or hidden."""
    path = Path(text)
    parts = path.relative_to(course.root).parts
    if path.is_relative_to(course.build) or path.is_relative_to(_THIS_PACKAGE):
        return False
    if path.suffix in _NOT_DATA:
        return False
    if any(part.startswith(".") or part in _NOT_OURS for part in parts):
        return False
    if text.endswith(os.sep):
        # Importing lists the folders of libraries, and those that they lie in.
        return not any(
            path.is_relative_to(each) or each.is_relative_to(path) for each in course.libraries
        )
    return not path.is_dir() and not any(path.is_relative_to(each) for each in course.libraries)


def _distributions(packages: Iterable[str]) -> dict[str, str]:
    owners = _packages_distributions()
    names = {owner for package in packages for owner in owners.get(package, ())}
    return {name: version_of(name) for name in sorted(names)}


@functools.cache
def _packages_distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


@functools.cache
def version_of(distribution: str) -> str:
    """The installed version of a distribution; empty when it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


@functools.cache
def machine() -> dict[str, str]:
    """What of this machine can change a result: Python, the system, the accelerators."""
    gpus = sorted(
        line.split(":", 1)[1].strip()
        for information in Path("/proc/driver/nvidia/gpus").glob("*/information")
        for line in information.read_text().splitlines()
        if line.startswith("Model:")
    )
    return {
        "python": platform.python_version(),
        "system": f"{sys.platform}-{platform.machine()}",
        "accelerators": ", ".join(gpus),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
    }
