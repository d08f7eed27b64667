"""Control groups: what all processes of a job together may use of memory and of processes.

Each job gets a group below the fork server's own, in version 1 or 2 of the interface, where the
user may make one. Where not, `Watcher` looks at the processes themselves: coarser, and enough to
end a job that fills the memory.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PREFIX = "sprat-"


@dataclass(frozen=True)
class Groups:
    """Where groups can be made: one folder in version 2, one for each controller in version 1."""

    folders: tuple[Path, ...]
    unified: bool

    def create(self, pid: int, limits: dict[str, Any]) -> None:
        """Make the group of one job and put its first process in."""
        for folder in self._of(pid):
            folder.mkdir()
            for name, value in self._settings(limits):
                if (folder / name).exists():
                    (folder / name).write_text(str(value))
            (folder / "cgroup.procs").write_text(str(pid))

    def release(self, pid: int) -> dict[str, Any]:
        """What a job used; its group is removed."""
        used: dict[str, Any] = {}
        for folder in self._of(pid):
            peak = _number(
                folder / ("memory.peak" if self.unified else "memory.max_usage_in_bytes")
            )
            if peak is not None:
                used["peak_memory_bytes"] = peak
        if self.check(pid):
            used["reason"] = "memory"
        for folder in self._of(pid):
            _remove(folder)
        return used

    def check(self, pid: int) -> str | None:
        """Why a job must end now, or None: the kernel has killed one of its processes."""
        events = self._of(pid)[0] / ("memory.events" if self.unified else "memory.oom_control")
        return "memory" if re.search(r"^oom_kill [1-9]", _text(events), re.MULTILINE) else None

    def _of(self, pid: int) -> list[Path]:
        return [folder / f"{_PREFIX}{os.getpid()}-{pid}" for folder in self.folders]

    def _settings(self, limits: dict[str, Any]) -> list[tuple[str, int]]:
        memory, processes = limits["memory_bytes"], limits["processes"]
        if self.unified:
            return [
                ("memory.max", memory),
                ("memory.swap.max", 0),
                ("memory.oom.group", 1),
                ("pids.max", processes),
            ]
        return [
            ("memory.limit_in_bytes", memory),
            ("memory.memsw.limit_in_bytes", memory),
            ("pids.max", processes),
        ]


def find() -> Groups | None:
    """Where this user may make groups for memory and processes, or None."""
    own = _own_groups()
    candidates = [Groups((own[""],), unified=True)] if "" in own else []
    if {"memory", "pids"} <= set(own):
        candidates.append(Groups((own["memory"], own["pids"]), unified=False))
    return next((groups for groups in candidates if _usable(groups)), None)


def _own_groups() -> dict[str, Path]:
    """The folder of this process's group for each controller; "" names version 2."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in _text(Path("/proc/self/mountinfo")).splitlines():
        before, _, after = line.partition(" - ")
        root, place = before.split()[3:5]
        kind, _, options = after.split()[:3]
        names = [""] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []
        mounts.update(dict.fromkeys(names, (root, place)))
    own = {}
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            if name in mounts:
                root, place = mounts[name]
                inner = os.path.relpath(path, root) if path.startswith(root) else "."
                own[name] = Path(place) / inner
    return own


def _usable(groups: Groups) -> bool:
    """Whether a group can be made here that has the limits."""
    if groups.unified:
        wanted = groups.folders[0] / "cgroup.subtree_control"
        with contextlib.suppress(OSError):
            wanted.write_text("+memory +pids")
    found = set()
    for folder in groups.folders:
        _sweep(folder)
        trial = folder / f"{_PREFIX}{os.getpid()}-trial"
        try:
            trial.mkdir()
            names = ("memory.max", "memory.limit_in_bytes", "pids.max")
            found |= {name for name in names if os.access(trial / name, os.W_OK)}
        except OSError:
            return False
        finally:
            _remove(trial)
    return "pids.max" in found and len(found) == 2


def _sweep(folder: Path) -> None:
    """Remove the empty groups of servers that were killed."""
    for left in folder.glob(f"{_PREFIX}*-*"):
        owner = left.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            _remove(left)


def _remove(folder: Path) -> None:
    # A process that has just been reaped may still be counted for a moment.
    for pause_s in (0.0, 0.001, 0.01, 0.1):
        time.sleep(pause_s)
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            continue


class Watcher:
    """Adds up what a job's processes hold, where no control group can.

    A child shares the fork server's pages until it writes to them, and is counted as holding them;
    so what the server held at the fork is taken off each process.
    """

    def __init__(self) -> None:
        self._limits: dict[int, dict[str, Any]] = {}
        self._peaks: dict[int, int] = {}
        self._own_bytes = 0

    def create(self, pid: int, limits: dict[str, Any]) -> None:
        """Watch a job from here on."""
        self._limits[pid] = limits
        self._own_bytes = _held(os.getpid())[0]

    def release(self, pid: int) -> dict[str, Any]:
        """What a job used, as far as it was seen."""
        self._limits.pop(pid, None)
        return {"peak_memory_bytes": self._peaks.pop(pid, 0)}

    def check(self, pid: int) -> str | None:
        """Why a job must end now, or None."""
        limits = self._limits.get(pid)
        if limits is None:
            return None
        held = [_held(member) for member in itertools.islice(_family(pid), 4096)]
        memory = sum(max(0, size - self._own_bytes) for size, _ in held)
        self._peaks[pid] = max(self._peaks.get(pid, 0), memory)
        if memory > limits["memory_bytes"]:
            return "memory"
        if sum(threads for _, threads in held) > limits["processes"]:
            return f"more than {limits['processes']} processes and threads were started"
        return None


def _family(pid: int) -> Any:
    """A process and all that descend from it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _text(children).split():
            yield from _family(int(child))


def _held(pid: int) -> tuple[int, int]:
    """Bytes of memory that are this process's own or shared, and its threads; zeros when gone."""
    status = _text(Path(f"/proc/{pid}/status"))
    sizes = re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", status, re.MULTILINE)
    threads = re.search(r"^Threads:\s+(\d+)", status, re.MULTILINE)
    return sum(map(int, sizes)) * 1024, int(threads[1]) if threads else 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None
