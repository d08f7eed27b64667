"""What runs inside a chapter's kernel: it dies with its runner, and says what the chapter used.

The kernel is started as ``python -c "from chapterhouse.run.inside import main; main()"``, or forked
by `chapterhouse.run.forkserver`. After the last cell the runner asks it, by a silent request, to
`report`. This module is imported in the chapter's own process, so it needs only the standard
library and leaves no name in the notebook.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chapterhouse.run.uses import Uses

RUNNER_PID = "CHAPTERHOUSE_RUNNER_PID"
ROOT = "CHAPTERHOUSE_ROOT"
LIBRARIES = "CHAPTERHOUSE_LIBRARIES"
ROOM = "CHAPTERHOUSE_ROOM"

_PR_SET_PDEATHSIG = 1
# Event → how many of its first arguments are changed. Removing a tree opens its folders one by one
# and then names files relative to them, so it is caught at its own event.
_CHANGES = {
    "os.remove": 1,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.truncate": 1,
    "os.rename": 2,
    "shutil.rmtree": 1,
}
_MAKES = ("os.link", "os.symlink")  # a second argument
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LOOKS = ("open", "os.listdir", "os.scandir")
_opened: set[str] = set()
_sought: set[str] = set()  # names in the course's libraries that an import looked for
_uses = Uses(())


def main() -> None:
    """Start a kernel in this new process."""
    die_with(int(os.environ.pop(RUNNER_PID, "0")))
    start()


def start() -> None:
    """Start a kernel in this process, which is new or was forked from a warmed one."""
    global _uses
    _uses = Uses(_libraries())
    note_opened_files(os.environ.get(ROOT, ""))
    # ipykernel takes descriptor 2 for its own; a copy of it still reaches the runner's log.
    faulthandler.enable(file=os.fdopen(os.dup(2), "w"), all_threads=False)
    from ipykernel.kernelapp import IPKernelApp

    application = IPKernelApp.instance()
    application.initialize()
    events = application.kernel.shell.events
    events.register("pre_run_cell", _uses.begin)
    events.register("post_run_cell", _uses.end)
    application.start()


def die_with(runner_pid: int) -> None:
    """Have the system kill this process when its runner dies, whatever the runner died of.

    ipykernel polls for that too, but from a Python thread, which a cell stuck in compiled code
    starves.
    """
    if not sys.platform.startswith("linux") or not runner_pid:
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != runner_pid:  # it died before we asked
        os._exit(1)


def note_opened_files(root: str) -> None:
    """Remember each file under `root` that this process opens, and each folder that it lists.

    Writing there is refused, but in the chapter's own room: a chapter that changed the course would
    be another one the next time.
    """
    if not root:
        return
    prefix = root.rstrip(os.sep) + os.sep
    skip = len(prefix)
    own = tuple(Path(library).name for library in _libraries())
    room = os.environ.get(ROOM, "").rstrip(os.sep) + os.sep

    def refuse(path: Any) -> None:
        if not isinstance(path, str | os.PathLike):
            return
        full = os.path.abspath(path)  # noqa: PTH100
        if not full.startswith(prefix) or (full + os.sep).startswith(room):
            return
        if not any(part == "__pycache__" or part[0] == "." for part in Path(full[skip:]).parts):
            raise PermissionError(
                f"{full} is outside of the chapter's folder. Write below the current folder, or "
                "into one that tempfile.mkdtemp() makes"
            )

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        # Called for every open and import: kept quick.
        if event == "open" and arguments[2] & _WRITING:
            refuse(arguments[0])
        elif event in _CHANGES:
            for path in arguments[: _CHANGES[event]]:
                refuse(path)
        elif event in _MAKES:
            refuse(arguments[1])
        elif event in _LOOKS and isinstance(arguments[0], str | os.PathLike):
            path = os.path.abspath(arguments[0])  # noqa: PTH100
            if path.startswith(prefix):
                _opened.add(path if event == "open" else path + os.sep)
                _uses.opened(path)
        elif event == "import" and arguments[0].partition(".")[0] in own:
            _sought.add(arguments[0])

    sys.addaudithook(hook)


def report(path: str) -> None:
    """Write to `path`, as JSON, what this process imported, opened and cost.

    Args:
        path: the file that the runner reads.
    """
    files = {
        name: str(file)
        for name, module in list(sys.modules.items())
        if (file := _stored(module, "__file__"))
    }
    libraries = _libraries()
    imported = {
        name: file
        for name, file in files.items()
        if any(file.startswith(library.rstrip(os.sep) + os.sep) for library in libraries)
    }
    times = os.times()
    Path(path).write_text(
        json.dumps(
            {
                "libraries": sorted({*imported.values(), *_read(libraries), *_missing(libraries)}),
                "opened": sorted(_opened),
                "uses": {path: sorted(cells) for path, cells in sorted(_uses.files.items())},
                "data": _data_used(imported),
                "packages": sorted({name.partition(".")[0] for name in files} - _top(imported)),
                "cpu_s": times.user + times.system + times.children_user + times.children_system,
                "peak_memory_bytes": _peak_memory_bytes(),
            }
        )
    )


def _libraries() -> list[str]:
    return [path for path in os.environ.get(LIBRARIES, "").split(os.pathsep) if path]


def _read(libraries: list[str]) -> Iterator[str]:
    """Library files whose text or bytecode was read, loaded still or not."""
    for path in _opened:
        if any(path.startswith(library.rstrip(os.sep) + os.sep) for library in libraries):
            if path.endswith(".pyc"):
                with contextlib.suppress(ValueError):
                    yield importlib.util.source_from_cache(path)
            elif path.endswith(".py"):
                yield path


def _missing(libraries: list[str]) -> Iterator[str]:
    """Where the modules would be that were looked for in vain: making one is a change."""
    for library in libraries:
        for name in _sought:
            if name not in sys.modules and name.partition(".")[0] == Path(library).name:
                yield str(Path(library).parent.joinpath(*name.split("."))) + ".py"


def _stored(module: Any, name: str) -> Any:
    """An attribute that is there already: asking a lazy module for another would import it."""
    return getattr(module, "__dict__", {}).get(name)


def _top(imported: dict[str, str]) -> set[str]:
    """Packages that are no part of the environment: the libraries, and this one."""
    return {name.partition(".")[0] for name in imported} | {"chapterhouse"}


def _data_used(imported: dict[str, str]) -> dict[str, str]:
    """Name → sha256 of each data set, as the library's ``datasets`` module records it."""
    data: dict[str, str] = {}
    for name in imported:
        used = _stored(sys.modules[name], "used")
        if name.endswith(".datasets") and callable(used):
            data.update({str(k): str(v) for k, v in used().items()})
    return data


def _peak_memory_bytes() -> int:
    """The most resident memory this process has had; 0 where the system doesn't say."""
    try:
        # Not getrusage: its maximum starts at the size of the process that forked this one.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
