"""Running a package manager: with a progress bar, an end, and its complaints in our words."""

import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

from sprat import progress
from sprat.datasets import cache
from sprat.datasets.sources import SourceFailed

_TIMEOUT_S = 600.0

# What the programs say where there is no network, in small letters: apt-get, pip, uv, npm.
_OFFLINE = (
    "could not resolve", "temporary failure resolving", "could not connect",
    "failed to establish a new connection", "name or service not known",
    "temporary failure in name resolution", "connection refused", "network is unreachable",
    "dns error", "failed to resolve", "error sending request", "client error (connect)",
    "eai_again", "enotfound", "econnrefused", "enetunreach", "etimedout", "connecttimeout",
)  # fmt: skip


class Offline(SourceFailed):
    """The program reached no server: trying once more would only fail more slowly."""


def run(command: list[str], scratch: Path, total_bytes: int | None, text: str) -> None:
    """Run a package manager in the scratch folder, with a bar that follows the folder's size.

    Raises:
        Offline: it reached no server.
        SourceFailed: it failed, with the last thing that it said.
        DataError: the disk is full.
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
            deadline = time.monotonic() + _TIMEOUT_S
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise SourceFailed(f"no end after {_TIMEOUT_S:.0f} s")
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
        program = Path(command[0]).name
        if any(sign in output.lower() for sign in _OFFLINE):
            raise Offline(f"no connection: {program} reaches no server")
        raise SourceFailed(_complaint(output) or f"{program} ended with {process.returncode}")


def _size_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # it was renamed while we looked
                total += (Path(parent) / name).stat().st_size
    return total


def _complaint(output: str) -> str:
    """What was wrong: in our words where we know the program's, else its own line about it."""
    if "(from versions: none)" in output:
        return "the package index can't be reached from here, or it does not have this package"
    if "(from versions:" in output:
        return "the package index has only other versions, or none for this Python"
    if "npm error 404" in output or "npm error code ETARGET" in output:
        return "the package index does not have this package or this version"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    marked = [line for line in lines if line.lower().startswith(("e:", "error"))]
    return (marked or lines or [""])[-1][:300]
