"""What a chapter was made from: library files, data, packages, and the machine it ran on."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from chapterhouse.course import Course
from chapterhouse.run.ours import listing


@dataclass(frozen=True)
class Used:
    """What one run used.

    `libraries` and `files` map a path relative to the course to its sha256 (of a folder, whose name
    ends in ``/``, that of its list; empty for what was looked for and is not there), `looked` a
    path of the course whose kind or size was asked for to both, `outside` a file elsewhere to its
    size and time of change, `data` a data set's name to its sha256, `distributions` an installed
    distribution to its version, and `variables` an environment variable to the hash of its value
    (see `chapterhouse.run.variables`).
    """

    libraries: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    distributions: dict[str, str] = field(default_factory=dict)
    looked: dict[str, str] = field(default_factory=dict)
    outside: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


class Hashes:
    """sha256 of files of a course, each read once."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.root = course.root
        self._known: dict[str, str] = {}

    def of(self, relative: str) -> str:
        """The hash of a file, or of a folder's list, relative to the course; empty if it is not."""
        if relative not in self._known:
            path = self.root / relative
            try:
                if relative.endswith("/"):
                    content = "\n".join(listing(str(path))).encode()
                else:
                    content = path.read_bytes()
                self._known[relative] = hashlib.sha256(content).hexdigest()
            except OSError:
                self._known[relative] = ""
        return self._known[relative]

    def kind(self, relative: str) -> str:
        """Of a path relative to the course: whether it is a file, and its size; or a folder."""
        return kind(self.root / relative)

    def take_libraries(self, course: Course) -> None:
        """Take the hash of every library file now, before a run that may outlast an edit."""
        for library in course.libraries:
            for path in library.rglob("*.py"):
                self.of(path.relative_to(self.root).as_posix())


def kind(path: Path) -> str:
    """Whether a path is a file, and of what size, or a folder; empty when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return "a folder" if stat.S_ISDIR(found.st_mode) else f"a file of {found.st_size} bytes"


def state(path: str) -> str:
    """The size of a file outside of the course and when it was changed; empty without it."""
    try:
        found = Path(path).stat()
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def distributions(packages: Iterable[str]) -> dict[str, str]:
    """The version of each installed distribution that has one of some top packages."""
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
