"""The spreads of one notebook, as they are stored with the course: ``book/robust/<slug>.json``.

Dated, with the processor and the versions that made them, the hash of the notebook's code (with
another one they are void) and that of the library files that it used (with others they are old).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chapterhouse import notebook as nb
from chapterhouse.course import Course, combined_sha256
from chapterhouse.errors import RunError
from chapterhouse.run.robust.claims import Claimed, over_cells
from chapterhouse.run.robust.matrix import Cell, Matrix
from chapterhouse.run.robust.processor import Processor
from chapterhouse.run.robust.work import Outcome
from chapterhouse.run.trace import Hashes

FORMAT = 1


@dataclass(frozen=True)
class Summary:
    """One notebook over the matrix.

    `code` is `notebook.code_sha256`; `library` has ``files`` and one ``sha256`` of their hashes;
    `cells` has ``isas``, ``threads``, ``seeds`` and ``alike`` of the matrix, and how many were
    ``run``; `wall_s` and `cpu_s` are sums over the runs; `errors` tell of runs that ended early.
    """

    slug: str
    when: str
    code: str
    library: dict[str, Any]
    data: dict[str, str]
    processor: dict[str, Any]
    versions: dict[str, str]
    cells: dict[str, Any]
    wall_s: float
    cpu_s: float
    claims: tuple[Claimed, ...]
    errors: tuple[str, ...] = field(default=())

    @property
    def robust(self) -> bool:
        """Whether every claim holds by the rule, and no run ended early."""
        return not self.errors and all(claim.robust for claim in self.claims)

    def as_json(self) -> dict[str, Any]:
        """The summary as it is stored."""
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return {
            "format": FORMAT,
            **fields,
            "claims": [claim.as_json() for claim in self.claims],
            "errors": list(self.errors),
        }


def summarise(
    course: Course,
    path: Path,
    outcomes: Sequence[tuple[Cell, Outcome]],
    *,
    matrix: Matrix,
    here: Processor,
    hashes: Hashes,
    commit: str,
    now: datetime,
) -> Summary:
    """What all cells of one notebook amount to.

    Args:
        course: where it belongs.
        path: the stored notebook.
        outcomes: of all its cells, in their order.
        matrix: which they are cells of.
        here: the processor that ran them.
        hashes: of the course's files, as they were.
        commit: that the course stands at; empty without git.
        now: when the last cell ended.
    """
    used = {name for _, outcome in outcomes for name in outcome.used}
    data: dict[str, str] = {}
    for _, outcome in outcomes:
        data.update(outcome.data)
    return Summary(
        slug=path.stem,
        when=now.astimezone(UTC).isoformat(timespec="seconds"),
        code=nb.code_sha256(nb.read(path)),
        library=_library(course, used, hashes),
        data=data,
        processor=here.as_json(),
        versions={**here.versions, **({"commit": commit} if commit else {})},
        cells={
            "isas": list(matrix.isas),
            "alike": matrix.alike,
            "threads": list(matrix.threads),
            "design": matrix.design,
            "seeds": sorted({cell.seed for cell, _ in outcomes if cell.seed is not None}),
            "run": len(outcomes),
        },
        wall_s=round(sum(outcome.wall_s for _, outcome in outcomes), 1),
        cpu_s=round(sum(outcome.cpu_s for _, outcome in outcomes), 1),
        claims=tuple(over_cells(outcomes)),
        errors=tuple(
            f"{cell.words}: {outcome.error}" for cell, outcome in outcomes if outcome.error
        ),
    )


def place(course: Course, slug: str) -> Path:
    """Where the spreads of one notebook are stored."""
    return course.robust / f"{slug}.json"


def save(summary: Summary, course: Course) -> Path:
    """Store the spreads of one notebook; return where."""
    path = place(course, summary.slug)
    nb.write_text(json.dumps(summary.as_json(), indent=1, ensure_ascii=False) + "\n", path)
    return path


def load(course: Course, slug: str) -> Summary | None:
    """The stored spreads of one notebook, or None where there are none.

    Raises:
        RunError: what is stored is damaged or of another format.
    """
    path = place(course, slug)
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields.pop("format") != FORMAT:
            raise ValueError("another format")
        fields["claims"] = tuple(Claimed.from_json(claim) for claim in fields["claims"])
        return Summary(**{**fields, "errors": tuple(fields["errors"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{path} does not hold the spreads of a notebook: {error}.",
            fix=f"chapterhouse robust {slug}",
        ) from None


def _library(course: Course, used: set[str], hashes: Hashes) -> dict[str, Any]:
    folders = [folder.relative_to(course.root).as_posix() + "/" for folder in course.libraries]
    files = sorted(name for name in used if name.startswith(tuple(folders)) and name[-1] != "/")
    return {"sha256": combined_sha256({name: hashes.of(name) for name in files}), "files": files}
