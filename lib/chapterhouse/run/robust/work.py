"""Running one cell of the matrix, and what is kept of it so that it need not run again.

A cell is kept under ``_build/robust/cells/<slug>/``, apart from the results of ordinary runs. It is
taken again while the notebook's code, its parameters, the processor and the versions are as they
were, and so is every file of the library and of the course that it used. What ended before its last
cell (a kernel that was killed, say) is run again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.run.chapter import Execution
from chapterhouse.run.plan import Plan, make_plan
from chapterhouse.run.record import Claim, collect_claims
from chapterhouse.run.robust.matrix import Cell
from chapterhouse.run.robust.processor import Processor
from chapterhouse.run.trace import Hashes

FORMAT = 1  # raise it when an outcome means something else
SEED = "seed"
# An old instruction set is slow, and two cells share the machine: neither is the notebook's fault.
_PATIENCE = 5.0


@dataclass(frozen=True)
class Outcome:
    """What one cell came to.

    `used` maps each file of the course that it used to its hash, those of the library among them;
    `data` a data set to its hash. `error` says why it ended early, if it did.
    """

    key: str
    claims: tuple[Claim, ...]
    wall_s: float
    cpu_s: float
    used: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    error: str = ""


def cell_plan(course: Course, path: Path, cell: Cell) -> Plan:
    """The plan that runs one cell.

    Raises:
        NotebookError: the notebook is broken or breaks a house rule.
        ParameterError: its seed is no whole number.
    """
    assignments = {} if cell.seed is None else {SEED: str(cell.seed)}
    plan = make_plan(course, path, assignments=assignments)
    limits = dataclasses.replace(plan.limits, timeout_s=plan.limits.timeout_s * _PATIENCE)
    return dataclasses.replace(plan, limits=limits, variables=cell.variables)


def usual_seed(course: Course, path: Path) -> Any:
    """The value of the parameter that the seeds are given to, or None where there is none."""
    return make_plan(course, path).parameters.get(SEED)


def key(plan: Plan, here: Processor) -> str:
    """What is known before a cell runs and decides what comes of it."""
    told = [FORMAT, nb.code_sha256(plan.notebook), plan.overrides, plan.variables]
    text = json.dumps([*told, here.as_json(), here.versions], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def outcome(
    execution: Execution, plan: Plan, course: Course, here: Processor, hashes: Hashes
) -> Outcome:
    """What one execution came to; whatever its notebook did is part of it."""
    used = {**execution.used.libraries, **execution.used.files}
    if execution.failure is not None:
        # It could not say what it used, so the whole library counts.
        used = library(course, hashes)
    return Outcome(
        key=key(plan, here),
        claims=collect_claims(output for made in execution.outputs for output in made),
        wall_s=execution.wall_s,
        cpu_s=execution.cpu_s,
        used=used,
        data=dict(execution.used.data),
        error=execution.failure.headline if execution.failure is not None else "",
    )


def library(course: Course, hashes: Hashes) -> dict[str, str]:
    """Every file of the course's libraries with its hash."""
    names = [
        path.relative_to(course.root).as_posix()
        for folder in course.libraries
        for path in folder.rglob("*.py")
    ]
    return {name: hashes.of(name) for name in sorted(names)}


class Kept:
    """The outcomes of one course that are kept."""

    def __init__(self, course: Course) -> None:
        self.folder = course.build / "robust" / "cells"

    def keep(self, cell: Cell, outcome: Outcome) -> None:
        """Keep one outcome in place of the cell's last one."""
        text = json.dumps(dataclasses.asdict(outcome), indent=1, sort_keys=True, default=repr)
        nb.write_text(text + "\n", self._path(cell))

    def find(self, cell: Cell, plan: Plan, here: Processor, hashes: Hashes) -> Outcome | None:
        """The outcome that running a cell now would give again, or None."""
        outcome = self.last(cell)
        if outcome is None or outcome.error or outcome.key != key(plan, here):
            return None
        same = all(hashes.of(name) == hash_ for name, hash_ in outcome.used.items())
        return outcome if same else None

    def last(self, cell: Cell) -> Outcome | None:
        """The cell's last outcome, fresh or not; None where there is none or it is damaged."""
        try:
            fields: dict[str, Any] = json.loads(self._path(cell).read_text(encoding="utf-8"))
            fields["claims"] = tuple(Claim.from_dict(claim) for claim in fields["claims"])
            return Outcome(**fields)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _path(self, cell: Cell) -> Path:
        return self.folder / cell.slug / f"{cell.name}.json"
