"""The kernel of one chapter: this interpreter, a clean room, nothing from the user's settings.

It listens on unix sockets in a private folder, so that two runs cannot take each other's port and
no other user of the machine can connect.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chapterhouse.course import Course
from chapterhouse.run import inside

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

# One thread each: chapters run side by side, and sums come out in the same order every time.
_THREADS = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")
# Set by a runner or a test around us; a chapter must not see where it runs.
_HIDDEN = ("PYTEST_CURRENT_TEST", "FORCE_COLOR", "NO_COLOR", "JPY_PARENT_PID", "JPY_SESSION_NAME")
_MATPLOTLIBRC = "svg.hashsalt: chapterhouse\n"  # else the ids inside an SVG differ each time


@dataclass(frozen=True)
class Room:
    """The temporary folders of one running chapter."""

    folder: Path  # under the build folder: what the chapter may fill
    sockets: Path  # short enough for the name of a unix socket

    @property
    def cwd(self) -> Path:
        """Where the chapter runs; empty at its start."""
        return self.folder / "cwd"

    @property
    def report(self) -> Path:
        """What `inside.report` writes."""
        return self.folder / "report.json"

    @property
    def log(self) -> Path:
        """What the kernel's process said outside of any cell."""
        return self.folder / "kernel.log"


@contextmanager
def room(course: Course) -> Iterator[Room]:
    """A fresh `Room`, removed afterwards; rooms that a killed run left behind go too."""
    parent = course.build / ".chapterhouse" / "work"
    parent.mkdir(parents=True, exist_ok=True)
    # One at a time: between making a room and locking it, another's sweep would take it away.
    with (parent.parent / "rooms.lock").open("w") as making:
        fcntl.flock(making, fcntl.LOCK_EX)
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(dir=parent))
        lock = (folder / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    sockets = None
    try:
        sockets = Path(tempfile.mkdtemp(prefix="chapterhouse-"))
        (folder / "sockets").symlink_to(sockets)
        for name in ("cwd", "ipython"):
            (folder / name).mkdir()
        (folder / "matplotlibrc").write_text(_MATPLOTLIBRC)
        yield Room(folder, sockets)
    finally:
        if sockets is not None:
            shutil.rmtree(sockets, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _sweep(parent: Path) -> None:
    """Remove the rooms that nobody holds: the system drops a lock when its holder dies."""
    for folder in parent.iterdir():
        try:
            with (folder / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree((folder / "sockets").resolve(), ignore_errors=True)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # held, or just being made or removed by another run
            continue


def environment(course: Course, where: Room) -> dict[str, str]:
    """The environment variables of a chapter's kernel."""
    env = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
    env.update({f"{name}_NUM_THREADS": "1" for name in _THREADS})
    env.update(
        {
            "PYTHONHASHSEED": "0",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "MATPLOTLIBRC": str(where.folder / "matplotlibrc"),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "SOURCE_DATE_EPOCH": "0",
            "IPYTHONDIR": str(where.folder / "ipython"),
            "COLUMNS": "100",
            "PWD": str(where.cwd),
            inside.RUNNER_PID: str(os.getpid()),
            inside.ROOT: str(course.root),
            inside.LIBRARIES: os.pathsep.join(str(path) for path in course.libraries),
        }
    )
    return env


def manager(where: Room) -> AsyncKernelManager:
    """A manager that starts this very interpreter, whatever kernels are installed elsewhere."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisInterpreter(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            start = "from chapterhouse.run.inside import main; main()"
            return KernelSpec(
                argv=[sys.executable, "-c", start, "-f", "{connection_file}"],
                display_name="Python 3",
                language="python",
            )

    return AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=ThisInterpreter(),
        transport="ipc",
        ip=str(where.sockets / "ipc"),
        connection_file=str(where.sockets / "connection.json"),
    )
