"""Level ``none``: a process with limits on time and memory, and no wall.

Threat model: none. It is for a student's own machine (macOS, Colab, any Linux), where the only
submission is the student's own. A job can read and write what the user can. It is still ended on
time, and its process group with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from . import rlimits


class NoWall:
    """Forks jobs without isolating them."""

    level = "none"

    def clone(self) -> int:
        """Fork; 0 in the child."""
        return os.fork()

    def admit(self, pid: int, limits: dict[str, Any]) -> None:
        """The parent's part of the setup: nothing."""

    def enter(self, limits: dict[str, Any]) -> None:
        """The child's part of the setup."""
        os.setsid()
        rlimits.apply(limits, count_processes=False)

    def kill(self, pid: int) -> None:
        """End the job and its process group."""
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)

    def release(self, pid: int) -> dict[str, Any]:
        """End what the job left running; nothing more is known of what it used."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return {}

    def watch(self, pid: int) -> str | None:
        """Why a running job must end now, or None."""
        return None

    def close(self) -> None:
        """Nothing was made."""


def backend(warmed: list[str], use_cgroups: bool) -> NoWall:
    """The level's backend; called once by the fork server."""
    return NoWall()
