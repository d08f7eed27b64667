"""The wheel of the very source that the chapters ran with.

Its version carries the commit (``0.1.0+g1a2b3c4``), or, for a working tree that differs from its
commit, a hash of the packaged source (``0.1.0+g1a2b3c4.d5e6f7a8``). Equal sources give equal bytes:
times in the archive come from the commit. Built by hatchling in this environment, without
isolation and without network.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from chapterhouse.course import Course
from chapterhouse.errors import SiteError

# 1 January 2024: any fixed moment does where there is no commit to take one from.
_NO_COMMIT_EPOCH = "1704067200"


@dataclass(frozen=True)
class Wheel:
    """What the wheel of the present source is called."""

    distribution: str
    version: str
    source_hash: str
    epoch: str

    @property
    def name(self) -> str:
        """The file name, by the wheel specification."""
        return f"{self.distribution}-{self.version}-py3-none-any.whl"


def describe(course: Course) -> Wheel:
    """Name the wheel that `build` would make, without making it.

    Raises:
        SiteError: pyproject.toml has no static name and version.
    """
    project = tomllib.loads((course.root / "pyproject.toml").read_text()).get("project", {})
    try:
        name, version = str(project["name"]), str(project["version"])
    except KeyError as error:
        raise SiteError(
            f"{course.root / 'pyproject.toml'} has no [project] {error}.",
            fix="write name and version there; the wheel for Colab is called by them",
        ) from None
    source_hash = hash_sources(course)
    commit = course.git("rev-parse", "--short=7", "HEAD")
    clean = commit and not course.git("status", "--porcelain", "--", *_sources(course))
    local = f"g{commit}" if commit else "src"
    if not clean:
        local += f".d{source_hash[:8]}"
    epoch = course.git("log", "-1", "--format=%ct") if commit else None
    return Wheel(
        distribution=re.sub(r"[-_.]+", "_", name).lower(),
        version=f"{version}+{local}",
        source_hash=source_hash,
        epoch=epoch or _NO_COMMIT_EPOCH,
    )


def build(course: Course, wheel: Wheel, folder: Path) -> Path:
    """Build the wheel into `folder` and return its path; a wheel of this source is kept.

    Raises:
        SiteError: hatchling is not installed or refuses.
    """
    cached = course.build / "site" / "wheels" / wheel.source_hash[:16] / wheel.name
    if not cached.is_file():
        _build(course, wheel, cached)
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy2(cached, folder / wheel.name))


def _build(course: Course, wheel: Wheel, target: Path) -> None:
    """Build from a copy, because the version is written into pyproject.toml first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        copy = Path(temporary) / "source"
        for name in _sources(course):
            source = course.root / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, copy / name)
        _set_version(copy / "pyproject.toml", wheel.version)
        done = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", temporary],
            cwd=copy,
            env={**os.environ, "SOURCE_DATE_EPOCH": wheel.epoch},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            tail = "\n    ".join((done.stderr + done.stdout).strip().splitlines()[-6:])
            raise SiteError(
                f"The wheel could not be built:\n    {tail}",
                fix="install hatchling (it is in the extra [book]), or mend pyproject.toml",
            )
        built = next(Path(temporary).glob("*.whl"))
        if built.name != wheel.name:
            raise SiteError(
                f"hatchling built {built.name}; {wheel.name} was expected.",
                fix='the package must be pure Python: set requires-python = ">=3.11"',
            )
        built.replace(target)


def _set_version(settings: Path, version: str) -> None:
    """Write the version, and leave out a readme that the tree does not have (yet)."""
    text = re.sub(
        r'(?m)^version\s*=\s*"[^"]*"', f'version = "{version}"', settings.read_text(), count=1
    )
    readme = re.search(r'(?m)^readme\s*=\s*"([^"]*)"\n', text)
    if readme and not (settings.parent / readme[1]).is_file():
        text = text.replace(readme[0], "", 1)
    settings.write_text(text)


def hash_sources(course: Course) -> str:
    """One hash over everything that goes into the wheel."""
    digest = hashlib.sha256()
    for name in _sources(course):
        root = course.root / name
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.relative_to(course.root).as_posix().encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _sources(course: Course) -> list[str]:
    """What the wheel is made from, relative to the root."""
    project = tomllib.loads((course.root / "pyproject.toml").read_text())
    hatch = project.get("tool", {}).get("hatch", {}).get("build", {}).get("targets", {})
    packages = hatch.get("wheel", {}).get("packages", [])
    named = [project.get("project", {}).get("readme"), *project["project"].get("license-files", [])]
    files = [name for name in named if isinstance(name, str) and (course.root / name).is_file()]
    return ["pyproject.toml", *packages, *files]
