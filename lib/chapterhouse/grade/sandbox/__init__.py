"""Places to run a submission, from strongest to weakest: ``strong``, ``medium``, ``none``."""

from __future__ import annotations

import sys

from chapterhouse.errors import GradingError
from chapterhouse.grade.pool import WARM, Pool
from chapterhouse.grade.protocol import Call, Job, Status

LEVELS = ("strong", "medium", "none")


def open(level: str | None = None, warm: tuple[str, ...] = WARM) -> Pool:
    """A running sandbox. Close it, or use it as a context.

    Args:
        level: ``strong``, ``medium`` or ``none``; by default the strongest that this machine has.
        warm: modules that are imported once, before the first job.

    Raises:
        GradingError: the level is unknown, or this machine does not have it.
    """
    if level is not None:
        if level not in LEVELS:
            raise GradingError(
                f"There is no sandbox level {level!r}.", fix=f"use one of {', '.join(LEVELS)}"
            )
        return Pool(level, warm)
    reasons = probe()
    return Pool(next(name for name in LEVELS if reasons[name][0]), warm)


def probe() -> dict[str, tuple[bool, str]]:
    """For each level whether this machine has it, and if not why."""
    if sys.platform == "win32":
        raise GradingError(
            "The sandbox needs Linux or macOS; this is Windows.", fix="use WSL 2 or Colab"
        )
    return {level: _try(level) for level in LEVELS}


def _try(level: str) -> tuple[bool, str]:
    """Whether a level can run the smallest job."""
    try:
        with Pool(level, warm=()) as pool:
            outcome = pool.run(Job("answer = 42", (Call("answer"),)))
    except GradingError as error:
        return False, error.found
    if outcome.status is not Status.OK:
        return False, outcome.failure.message if outcome.failure else outcome.status.value
    return True, ""
