"""The kernel of one chapter: this interpreter, a clean room, nothing from the user's settings.

It is forked from a process that has imported what the course's files import at their top, so that
no chapter waits for torch; the library itself is never among that, for it may change at any time.

It listens on unix sockets in a private folder, so that two runs cannot take each other's port and
no other user of the machine can connect.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chapterhouse.course import Course
from chapterhouse.run import forkclient, inside, syscalls

if TYPE_CHECKING:
    from chapterhouse.run.warm import WarmKernelManager

# Set by a runner or a test around us; a chapter must not see where it runs.
_HIDDEN = {
    "PYTEST_CURRENT_TEST", "FORCE_COLOR", "NO_COLOR", "JPY_PARENT_PID", "JPY_SESSION_NAME",
    # Scikit-learn and torch set these as they are imported: a program that has imported them and
    # runs chapters would give them other variables than the command does.
    "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "TORCHINDUCTOR_CACHE_DIR",
}  # fmt: skip
# The same file for every room: matplotlib reads it when it is imported, which is before the fork.
_MATPLOTLIBRC = Path(__file__).with_name("matplotlibrc")
# A statement at the top of a module, and the same in the JSON of a notebook.
_IMPORT = re.compile(r'^(?:\s*")?(?:import|from) ([A-Za-z_][\w.]*)', re.MULTILINE)
# Packages that do the same wherever they are imported. Others look for a notebook around them as
# they are imported (tqdm.auto, plotly, matplotlib's inline backend): before the fork is too soon.
_ANYWHERE = {"numpy", "torch", "matplotlib", "safetensors", "PIL", "scipy", "pandas", "sklearn"}
# What these import later, in a function, is much of the wait for them.
_ALSO = {
    "torch": "torch._dynamo",  # at the first use of an optimizer
    "matplotlib": "matplotlib.pyplot",
}


@dataclass(frozen=True)
class Room:
    """The temporary folders of one running chapter, and the variables that it alone has."""

    folder: Path  # under the build folder: what the chapter may fill
    sockets: Path  # short enough for the name of a unix socket
    variables: Mapping[str, str] = field(default_factory=dict)  # an empty one is taken away

    @property
    def cwd(self) -> Path:
        """Where the chapter runs; empty at its start."""
        return self.folder / "cwd"

    @property
    def report(self) -> Path:
        """What `inside.report` writes."""
        return self.folder / "report.json"

    @property
    def tracer(self) -> Path:
        """Where `chapterhouse.run.tracer` listens."""
        return self.sockets / "tracer"

    @property
    def log(self) -> Path:
        """What the kernel's process said outside of any cell."""
        return self.folder / "kernel.log"


@contextmanager
def room(course: Course, variables: Mapping[str, str] | None = None) -> Iterator[Room]:
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
        yield Room(folder, sockets, variables or {})
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
    env.update(dict.fromkeys(forkclient.THREADS, "1"))
    env.update(
        {
            "PYTHONHASHSEED": "0",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "MATPLOTLIBRC": str(_MATPLOTLIBRC),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "SOURCE_DATE_EPOCH": "0",
            "IPYTHONDIR": str(where.folder / "ipython"),
            "COLUMNS": "100",
            # The same dates and the same order of letters on every machine.
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            "LANG": "C.UTF-8",
            "LANGUAGE": "C",
            "PWD": str(where.cwd),
            inside.RUNNER_PID: str(os.getpid()),
            inside.ROOT: str(course.root),
            inside.BUILD: str(course.build),
            inside.ROOM: str(where.folder),
            inside.LIBRARIES: os.pathsep.join(str(path) for path in course.libraries),
        }
    )
    if syscalls.known():
        env[inside.TRACER] = str(where.tracer)
    env.update(where.variables)
    return {name: value for name, value in env.items() if where.variables.get(name) != ""}


def preload(course: Course) -> list[str]:
    """The modules that a course's kernels find loaded: of what its files import at their top.

    The standard library is quick, and the course's own library must be read anew by each chapter.
    """
    files = [path for library in course.libraries for path in library.rglob("*.py")]
    names: set[str] = set()
    for path in [*files, *course.notebook_paths()]:
        names.update(_IMPORT.findall(path.read_text(encoding="utf-8", errors="replace")))
    names = {name for name in names if name.partition(".")[0] in _ANYWHERE}
    names |= {_ALSO[top] for top in {name.partition(".")[0] for name in names} if top in _ALSO}
    return sorted(names)


def warm_up(course: Course, variables: Mapping[str, str]) -> None:
    """Begin to preload what the kernels of a course need, and return at once."""
    if not forkclient.unsafe():
        env = environment(course, Room(Path(), Path(), variables))
        with contextlib.suppress(forkclient.CannotFork):  # told when a kernel is wanted
            forkclient.server(sys.executable, preload(course), env)


def manager(course: Course, where: Room) -> WarmKernelManager:
    """A manager that starts this very interpreter, whatever kernels are installed elsewhere."""
    from chapterhouse.run.warm import WarmKernelManager

    return WarmKernelManager(
        modules=preload(course),
        kernel_name="python3",
        transport="ipc",
        ip=str(where.sockets / "ipc"),
        connection_file=str(where.sockets / "connection.json"),
    )
