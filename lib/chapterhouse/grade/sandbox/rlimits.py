"""Resource limits of one process, set by the process itself before the student's code runs."""

from __future__ import annotations

import contextlib
import math
import resource
import sys
from pathlib import Path
from typing import Any


def apply(limits: dict[str, Any], count_processes: bool) -> None:
    """Set the limits of this process and of all that it starts.

    Args:
        limits: the fields of `protocol.Limits`.
        count_processes: also limit how many processes and threads this user may have. Only sound
            where the user is the sandbox's own.
    """
    cpu_s = math.ceil(limits["cpu_s"])
    # Soft and hard are one: the kernel then sends SIGKILL, which no handler can catch.
    _set(resource.RLIMIT_CPU, cpu_s)
    _set(resource.RLIMIT_FSIZE, limits["files_bytes"])
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NOFILE, 256)
    if sys.platform == "linux":
        # What the interpreter and torch have mapped already is not the student's doing.
        _set(resource.RLIMIT_AS, _mapped_bytes() + limits["memory_bytes"])
        _set(resource.RLIMIT_MEMLOCK, 0)
        _set(resource.RLIMIT_MSGQUEUE, 0)
    if count_processes:
        _set(resource.RLIMIT_NPROC, limits["processes"])


def _set(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(
        ValueError
    ):  # macOS refuses some combinations; none is a boundary there
        resource.setrlimit(kind, (value, value))


def _mapped_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
