"""Where a run took place: on which processor, and from which commit of the course."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from chapterhouse.course import Course

# Which instructions torch and the library under it may use; a result can depend on them.
_INSTRUCTIONS = ("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA")


def processor() -> str:
    """The processor's name, and which of its instructions are ruled out by the environment."""
    named = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n"):
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                named = value.strip()
                break
    except OSError:
        pass  # another system than Linux, or a locked container
    asked = [f"{name}={os.environ[name]}" for name in _INSTRUCTIONS if os.environ.get(name)]
    return ", ".join([named, *asked])


def commit(course: Course) -> str:
    """The commit that is checked out, ``-dirty`` with changes; empty where there is none."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude=*"],
            cwd=course.root,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""  # there is no git
    return done.stdout.strip() if done.returncode == 0 else ""
