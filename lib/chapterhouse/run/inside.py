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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapterhouse.run import syscalls
from chapterhouse.run.ours import Ours
from chapterhouse.run.seen import Seen
from chapterhouse.run.uses import Uses
from chapterhouse.run.variables import Variables

RUNNER_PID = "CHAPTERHOUSE_RUNNER_PID"
ROOT = "CHAPTERHOUSE_ROOT"
LIBRARIES = "CHAPTERHOUSE_LIBRARIES"
BUILD = "CHAPTERHOUSE_BUILD"
ROOM = "CHAPTERHOUSE_ROOM"
TRACER = "CHAPTERHOUSE_TRACER"

_PR_SET_PDEATHSIG = 1
_watching: _Watching | None = None


def main() -> None:
    """Start a kernel in this new process."""
    die_with(int(os.environ.pop(RUNNER_PID, "0")))
    start()


def start(inherited: Callable[[], Iterable[str]] = tuple) -> None:
    """Start a kernel in this process, which is new or was forked from a warmed one.

    Args:
        inherited: says at the end which environment variables were read before the fork, by
            modules that the chapter has used.
    """
    # ipykernel takes descriptor 2 for its own; a copy of it still reaches the runner's log.
    faulthandler.enable(file=os.fdopen(os.dup(2), "w"), all_threads=False)
    from ipykernel.kernelapp import IPKernelApp

    watching = watch(inherited)
    uses = watching.uses
    application = IPKernelApp.instance()
    application.initialize()
    watching.begin()
    events = application.kernel.shell.events
    events.register("pre_run_cell", uses.begin)
    events.register("post_run_cell", uses.end)
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


@dataclass
class _Watching:
    """All that looks on in this process."""

    seen: Seen
    variables: Variables
    uses: Uses
    inherited: Callable[[], Iterable[str]]

    def begin(self) -> None:
        """The chapter begins: what the kernel has used by itself does not count.

        From now on the runner is told of every file that is touched, if the system lets us.
        """
        self.seen.children = False
        self.variables.forget()
        address = os.environ.get(TRACER)
        if os.environ.get(ROOT) and (address is None or syscalls.ask(address)):
            self.seen.watch_stats()


def watch(inherited: Callable[[], Iterable[str]] = tuple) -> _Watching:
    """Note from now on what this process uses, and refuse that it changes the course.

    What the course is, the environment says.
    """
    global _watching
    libraries, env = _libraries(), os.environ.get
    uses = Uses(libraries)
    variables = Variables(libraries, uses.opened)
    root = env(ROOT, "")
    seen = Seen(
        root,
        libraries,
        Ours(root, env(BUILD, ""), env(ROOM, "")),
        used=uses.opened,
    )
    if root:  # without a course nobody will ask
        seen.watch()
        variables.watch()
    _watching = _Watching(seen, variables, uses, inherited)
    return _watching


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
    assert _watching is not None
    seen, variables, uses = _watching.seen, _watching.variables, _watching.uses
    times = os.times()
    Path(path).write_text(
        json.dumps(
            {
                "libraries": sorted(
                    {*imported.values(), *_read(seen, libraries), *_missing(seen, libraries)}
                ),
                "opened": seen.opened,
                "looked": sorted(seen.looked),
                "children": seen.children,
                "variables": variables.report(_watching.inherited()),
                "inherited": variables.report(_watching.inherited(), everything=True),
                "uses": {path: sorted(cells) for path, cells in sorted(uses.files.items())},
                "data": _data_used(imported),
                "packages": sorted({name.partition(".")[0] for name in files} - _top(imported)),
                "cpu_s": times.user + times.system + times.children_user + times.children_system,
                "peak_memory_bytes": _peak_memory_bytes(),
            }
        )
    )


def _libraries() -> list[str]:
    return [path for path in os.environ.get(LIBRARIES, "").split(os.pathsep) if path]


def _read(seen: Seen, libraries: list[str]) -> Iterator[str]:
    """Library files whose text or bytecode was read, loaded still or not."""
    for path in seen.opened:
        if any(path.startswith(library.rstrip(os.sep) + os.sep) for library in libraries):
            if path.endswith(".pyc"):
                with contextlib.suppress(ValueError):
                    yield importlib.util.source_from_cache(path)
            elif path.endswith(".py"):
                yield path


def _missing(seen: Seen, libraries: list[str]) -> Iterator[str]:
    """Where the modules would be that were looked for in vain: making one is a change."""
    for library in libraries:
        for name in seen.sought:
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
