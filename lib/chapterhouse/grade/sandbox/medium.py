"""Level ``medium``: Landlock, seccomp and rlimits, for hosts that forbid user namespaces.

Threat model: as in `strong`, with these differences. The submission runs as the grader's user and
sees the machine's process numbers and the names of its files, so seccomp refuses every signal to
another process, every new process, every socket but a pair, and every change to a file's mode or
times. Landlock leaves it only what Python needs to read, and nothing to write. Where the grader is
root, the submission keeps the user but no capability. Nothing outlives it: it is one process.

So data loaders with workers and temporary files do not work here.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from . import cgroup, kernel, landlock, rlimits, root, seccomp


class Medium:
    """Forks each job into a process that Landlock and seccomp confine."""

    level = "medium"

    def __init__(self, warmed: list[str], use_cgroups: bool) -> None:
        kernel.machine()
        landlock.abi()
        self._shown = root.sources(warmed)
        self._limiter = (cgroup.find() if use_cgroups else None) or cgroup.Watcher()

    def clone(self) -> int:
        """Fork; 0 in the child."""
        pid = os.fork()
        if pid == 0:
            kernel.die_with_parent()
        return pid

    def admit(self, pid: int, limits: dict[str, Any]) -> None:
        """Give the waiting child its control group."""
        self._limiter.create(pid, limits)

    def enter(self, limits: dict[str, Any]) -> None:
        """Build the walls, from the outermost in."""
        os.setsid()
        os.umask(0o077)
        os.chdir("/")
        if os.geteuid() == 0:
            kernel.drop_bounding_set()
        kernel.drop_capabilities()
        kernel.die_with_parent()
        kernel.hide_memory()
        rlimits.apply(limits, count_processes=False)
        kernel.forbid_new_privileges()
        own = f"/proc/{os.getpid()}"
        landlock.restrict([*self._shown, *root.DEVICES, own], ["/dev/null"])
        seccomp.install(seccomp.build(own_pid=os.getpid()))

    def kill(self, pid: int) -> None:
        """End the job, which is one process."""
        os.kill(pid, signal.SIGKILL)

    def release(self, pid: int) -> dict[str, Any]:
        """What a finished job used; its control group is removed."""
        return self._limiter.release(pid)

    def watch(self, pid: int) -> str | None:
        """Why a running job must end now, or None."""
        return self._limiter.check(pid)

    def close(self) -> None:
        """Nothing was made."""


def backend(warmed: list[str], use_cgroups: bool) -> Medium:
    """The level's backend; called once by the fork server.

    Raises:
        OSError: this machine has no Landlock.
    """
    return Medium(warmed, use_cgroups)
