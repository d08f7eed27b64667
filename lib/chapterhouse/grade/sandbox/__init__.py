"""Places to run a submission, from strongest to weakest: ``strong``, ``medium``, ``none``."""

from __future__ import annotations

import contextlib

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
        return _opened(level, warm)
    for stronger in LEVELS[:-1]:
        with contextlib.suppress(GradingError):
            return _opened(stronger, warm)
    return _opened(LEVELS[-1], warm)


def _opened(level: str, warm: tuple[str, ...]) -> Pool:
    """A pool that has run the smallest job: some walls show only then that they cannot be built."""
    pool = Pool(level, warm)
    reason = _reason(pool)
    if reason is not None:
        pool.close()
        raise GradingError(
            f"The sandbox's {level} level does not work on this machine: {reason}.",
            fix="run `chapterhouse grade --probe` to see which levels it has",
        )
    return pool


def probe() -> dict[str, tuple[bool, str]]:
    """For each level whether this machine has it, and if not why."""
    return {level: _try(level) for level in LEVELS}


def _try(level: str) -> tuple[bool, str]:
    try:
        _opened(level, warm=()).close()
    except GradingError as error:
        return False, error.found
    return True, ""


def _reason(pool: Pool) -> str | None:
    """Why a pool cannot run the smallest job, or None."""
    outcome = pool.run(Job("answer = 42", (Call("answer"),)))
    if outcome.status is Status.OK:
        return None
    return outcome.failure.message if outcome.failure else outcome.status.value
