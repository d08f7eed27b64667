"""Level ``strong``: namespaces, an own root, no capability, Landlock, seccomp, control groups.

Threat model. The submission is hostile native code: it may rewrite the interpreter that it runs in.
It wants an answer that it did not compute, other students' work, the machine, or to keep others
from being graded. The kernel is trusted. What it meets:

- Nothing secret is within reach. Expected values never enter. Its root holds the interpreter and
  libraries, read-only; its environment and descriptors were made for it.
- It sees no other process (pid namespace, own /proc), no network (net namespace, and no socket but
  AF_UNIX), no shared memory or semaphores of others (ipc namespace).
- It can gain no privilege: another user than the grader's where that is root, no capability, an
  empty bounding set, ``no_new_privs``, no exec, no new namespace, and no call by which kernels are
  attacked (seccomp).
- It cannot use more than its limits: processor time (rlimit), wall time (the grader), memory and
  processes (control group, or rlimits with a watcher), files and inodes (tmpfs sizes), descriptors.
- Nothing outlives it: it is the first process of its pid namespace, and when that ends the kernel
  ends the others. It dies with the fork server, and the fork server with the grader.

Not covered: what the processor leaks between processes, and faults of the kernel itself.
"""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

from . import cgroup, kernel, landlock, rlimits, root, seccomp

_NAMESPACES = (
    kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
)
# The user and group that the submission runs as, inside; outside too where the grader is root.
_NOBODY = 65534


class Strong:
    """Forks each job into namespaces of its own."""

    level = "strong"

    def __init__(self, warmed: list[str], use_cgroups: bool) -> None:
        kernel.machine()
        landlock.abi()
        self._shown = root.sources(warmed)
        self._filter = seccomp.build()
        self._limiter = (cgroup.find() if use_cgroups else None) or cgroup.Watcher()
        self._is_root = os.geteuid() == 0

    def clone(self) -> int:
        """Fork into new namespaces; 0 in the child."""
        pid = kernel.clone(_NAMESPACES)
        if pid == 0:
            kernel.die_with_parent()
        return pid

    def admit(self, pid: int, limits: dict[str, Any]) -> None:
        """Give the waiting child its users and its control group."""
        proc, user, group = Path(f"/proc/{pid}"), os.geteuid(), os.getegid()
        if self._is_root:
            # The child builds its root as root, to reach what only root may, then changes user.
            users = groups = f"0 0 1\n{_NOBODY} {_NOBODY} 1\n"
        else:
            (proc / "setgroups").write_text("deny")
            users, groups = f"{_NOBODY} {user} 1\n", f"{_NOBODY} {group} 1\n"
        (proc / "uid_map").write_text(users)
        (proc / "gid_map").write_text(groups)
        self._limiter.create(pid, limits)

    def enter(self, limits: dict[str, Any]) -> None:
        """Build the walls, from the outermost in."""
        kernel.unshare(kernel.CLONE_NEWCGROUP)
        kernel.set_hostname("sandbox")
        os.setsid()
        os.umask(0o022)
        kernel.drop_bounding_set()
        root.build(self._shown, limits["files_bytes"])
        if self._is_root:
            os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        kernel.drop_capabilities()
        kernel.die_with_parent()
        kernel.hide_memory()
        os.chdir("/tmp")
        os.environ.update(HOME="/tmp", TMPDIR="/tmp")
        tempfile.tempdir = None  # forget what the server found
        rlimits.apply(limits, count_processes=True)
        kernel.forbid_new_privileges()
        landlock.restrict(root.readable(), [*root.SCRATCH, "/dev/null"])
        seccomp.install(self._filter)

    def kill(self, pid: int) -> None:
        """End the first process of the namespace; the kernel ends the others."""
        os.kill(pid, signal.SIGKILL)

    def release(self, pid: int) -> dict[str, Any]:
        """What a finished job used; its control group is removed."""
        return self._limiter.release(pid)

    def watch(self, pid: int) -> str | None:
        """Why a running job must end now, or None."""
        return self._limiter.check(pid)

    def close(self) -> None:
        """Nothing lasts: the kernel removes a namespace with its last process."""


def backend(warmed: list[str], use_cgroups: bool) -> Strong:
    """The level's backend; called once by the fork server.

    Raises:
        OSError: this machine lacks something that it needs.
    """
    return Strong(warmed, use_cgroups)
