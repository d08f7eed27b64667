"""Level ``medium``: Landlock, seccomp and rlimits, for hosts that forbid user namespaces.

Threat model: as in `strong`, with these differences. The submission runs as the grader's user and
sees the machine's process numbers, so seccomp refuses every signal to another process, every new
process, and every socket but a pair. Landlock leaves it only what Python needs to read, and one
scratch folder that is removed afterwards. Where the grader is root, the submission keeps the user
but no capability. Nothing outlives it, because it is one process.

Weaker: scratch files share the machine's disk (each is limited in size, all together only by the
time limit); times and names of the machine can be read. Data loaders with workers do not work.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

from . import cgroup, kernel, landlock, rlimits, root, seccomp


class Medium:
    """Forks each job into a process that Landlock and seccomp confine."""

    level = "medium"

    def __init__(self, warmed: list[str], use_cgroups: bool) -> None:
        landlock.abi()
        self._shown = root.sources(warmed)
        self._groups = cgroup.find() if use_cgroups else None
        self._watcher = cgroup.Watcher()
        self._scratch = Path(tempfile.mkdtemp(prefix="sprat-grading-"))

    def clone(self) -> int:
        """Fork; 0 in the child."""
        pid = os.fork()
        if pid == 0:
            kernel.die_with_parent()
        return pid

    def admit(self, pid: int, limits: dict[str, Any]) -> None:
        """Give the waiting child its scratch folder and its control group."""
        (self._scratch / str(pid)).mkdir()
        (self._groups or self._watcher).create(pid, limits)

    def enter(self, limits: dict[str, Any]) -> None:
        """Build the walls, from the outermost in."""
        scratch = str(self._scratch / str(os.getpid()))
        os.setsid()
        os.umask(0o077)
        os.chdir(scratch)
        for name in ("HOME", "TMPDIR"):
            os.environ[name] = scratch
        tempfile.tempdir = scratch
        if os.geteuid() == 0:
            kernel.drop_bounding_set()
        kernel.drop_capabilities()
        kernel.die_with_parent()
        kernel.hide_memory()
        rlimits.apply(limits, count_processes=False)
        kernel.forbid_new_privileges()
        own = f"/proc/{os.getpid()}"
        landlock.restrict([*self._shown, *root.DEVICES, own], [scratch, "/dev/null"])
        seccomp.install(seccomp.build(own_pid=os.getpid()))

    def kill(self, pid: int) -> None:
        """End the job, which is one process."""
        os.kill(pid, signal.SIGKILL)

    def release(self, pid: int) -> dict[str, Any]:
        """What a finished job used; its folder and control group are removed."""
        shutil.rmtree(self._scratch / str(pid), ignore_errors=True)
        return (self._groups or self._watcher).release(pid)

    def watch(self, pid: int) -> str | None:
        """Why a running job must end now, or None."""
        return None if self._groups else self._watcher.check(pid)

    def close(self) -> None:
        """Remove the scratch folder."""
        shutil.rmtree(self._scratch, ignore_errors=True)


def backend(warmed: list[str], use_cgroups: bool) -> Medium:
    """The level's backend; called once by the fork server.

    Raises:
        OSError: this machine has no Landlock.
    """
    return Medium(warmed, use_cgroups)
