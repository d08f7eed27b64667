"""What goes into a sandbox and what comes back: plain data, parsed with limits, never pickle.

A `Job` holds the student's source and the calls to make on it. An `Outcome` holds what each call
returned, as data. Neither holds an expected value: the verdict is computed by the caller, outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    `memory_bytes` counts what the submission adds to a warmed interpreter. `output_bytes` is what
    it may print; `value_bytes` is what all its results together may weigh. `processes` counts
    threads too.
    """

    cpu_s: float = 10.0
    wall_s: float = 20.0
    memory_bytes: int = 1024**3
    output_bytes: int = 1024**2
    value_bytes: int = 64 * 1024**2
    processes: int = 16
    files_bytes: int = 64 * 1024**2


@dataclass(frozen=True)
class Call:
    """One call on the student's namespace.

    `target` is a name (``"sgd_step"``). With `steps`, the target is a class or factory: it is made
    with `args` and `kwargs`, then each step ``(method, args, kwargs)`` is called on it in turn and
    the value is the list of what the steps returned. Values are those of `chapterhouse.grade.wire`:
    numbers, strings, bytes, None, booleans, numpy arrays, torch tensors, and lists, tuples, sets
    and dicts of them. `seed` sets the generators of random, numpy and torch before the call.
    """

    target: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()
    steps: tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class Job:
    """One submission's source, the calls to make, and what it may use.

    `imports` are the top-level modules that the source may import. The list is for a clear message;
    the sandbox is what holds.
    """

    source: str
    calls: tuple[Call, ...]
    limits: Limits = Limits()
    imports: tuple[str, ...] = ("math", "torch", "numpy", "sprat")


class Status(Enum):
    """How a run in the sandbox ended. `BROKEN` is ours; the others are the student's.

    `FORBIDDEN` and `MEMORY` win over `OK` when a call ran into them and the run went on: the
    results still stand, and the call's own `Failure` says what happened.
    """

    OK = "ok"
    COMPILE = "compile"  # the source does not parse, or raised while its cells ran
    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"
    KILLED = "killed"  # exited or was killed in the midst of the work
    FORBIDDEN = "forbidden"  # an import outside the allowed list, or a refused system call
    BROKEN = "broken"


@dataclass(frozen=True)
class Failure:
    """An exception of the student's code: text only, shortened, control characters removed."""

    type: str
    message: str
    line: int | None = None


@dataclass(frozen=True)
class Result:
    """What one call gave: a value, or a failure; and whether it changed its own inputs.

    `wall_s` is measured outside, from the call sent to its value received. `mutated` names the
    parameters whose values the call changed.
    """

    value: Any = None
    failure: Failure | None = None
    wall_s: float = 0.0
    mutated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Everything that came back. `results` may be shorter than the calls when it ended early."""

    status: Status
    results: tuple[Result, ...] = ()
    failure: Failure | None = None
    stdout: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_memory_bytes: int = 0
    level: str = "none"


class Sandbox(Protocol):
    """A place to run jobs. Its `level` (strong, medium or none) is kept with each score."""

    level: str

    def run(self, job: Job) -> Outcome:
        """Run one job to its end; never raises for anything that the student's code does."""

    def close(self) -> None:
        """End every process that the sandbox started."""
