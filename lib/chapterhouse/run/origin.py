"""Where a run took place: on which processor, and from which commit of the course."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from chapterhouse.course import Course

#: Which instructions torch and the libraries under it may use; a result can depend on them.
CHOOSING = ("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA")


def processor() -> str:
    """The processor's name, and which of its instructions are ruled out by the environment."""
    asked = [f"{name}={os.environ[name]}" for name in CHOOSING if os.environ.get(name)]
    return ", ".join([model_and_flags()[0], *asked])


def model_and_flags() -> tuple[str, set[str]]:
    """The processor's name and what it can do, as Linux tells them; elsewhere its kind alone."""
    fields: dict[str, str] = {}
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        for line in told.split("\n"):
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    except OSError:
        pass  # another system than Linux, or a locked container
    model = fields.get("model name") or platform.processor() or platform.machine()
    return model, set(fields.get("flags", fields.get("Features", "")).split())


def commit(course: Course) -> str:
    """The commit that is checked out, ``-dirty`` with changes; empty where there is none."""
    return course.git("describe", "--always", "--dirty", "--exclude=*") or ""
