"""The fake sandbox: runs jobs in this very process, with no wall and no limits.

For tests of what stands around a sandbox, with sources that the test wrote. It shows the same
outcomes as a real one for what a source returns or raises, in a millisecond and without torch.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any

from chapterhouse.exercise.compare import same
from chapterhouse.grade.protocol import Call, Failure, Job, Outcome, Result, Status
from chapterhouse.parsed import parse


class FakeSandbox:
    """A `protocol.Sandbox` for tests. It keeps the jobs that it was given in `jobs`.

    Args:
        level: what to claim to be.
        endings: outcomes to give instead of running, by the source that asks for it.
    """

    def __init__(self, level: str = "strong", endings: dict[str, Outcome] | None = None) -> None:
        self.level = level
        self.endings = endings or {}
        self.jobs: list[Job] = []
        self.closed = False

    def run(self, job: Job) -> Outcome:
        """Run one job's source, which must be trusted."""
        self.jobs.append(job)
        if job.source in self.endings:
            return self.endings[job.source]
        namespace: dict[str, Any] = {"__name__": "__main__"}
        began = time.perf_counter()
        try:
            exec(compile(parse(job.source), "<submission>", "exec"), namespace)
        except Exception as error:
            return Outcome(Status.COMPILE, failure=_failure(error), level=self.level)
        results = tuple(_call(namespace, call) for call in job.calls)
        return Outcome(
            Status.OK, results, wall_s=time.perf_counter() - began, cpu_s=0.0, level=self.level
        )

    def close(self) -> None:
        """Nothing is left to end."""
        self.closed = True


def _call(namespace: dict[str, Any], call: Call) -> Result:
    args, kwargs = copy.deepcopy(call.args), copy.deepcopy(dict(call.kwargs))
    began = time.perf_counter()
    try:
        value = namespace[call.target](*args, **kwargs)
        if call.steps:
            value = _steps(value, call.steps)
        value = copy.deepcopy(value)
    except Exception as error:
        return Result(failure=_failure(error))
    wall_s = time.perf_counter() - began
    pairs = zip(args, call.args, strict=True)
    mutated = tuple(f"argument {i + 1}" for i, (now, was) in enumerate(pairs) if same(now, was))
    return Result(value, wall_s=wall_s, mutated=mutated)


def _steps(made: Any, steps: Sequence[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> list[Any]:
    return [copy.deepcopy(getattr(made, name)(*args, **kwargs)) for name, args, kwargs in steps]


def _failure(error: Exception) -> Failure:
    line = error.lineno if isinstance(error, SyntaxError) else None
    return Failure(type(error).__name__, str(error), line)
