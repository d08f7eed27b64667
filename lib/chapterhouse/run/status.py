"""``chapterhouse status``: which chapters' results are fresh, and what made the others stale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapterhouse.course import Course
from chapterhouse.errors import ChapterhouseError, NotebookError
from chapterhouse.run.cache import Cache, changes
from chapterhouse.run.executor import select
from chapterhouse.run.plan import Plan, make_plan, parse_assignments
from chapterhouse.run.record import Run, executed_path
from chapterhouse.run.trace import Hashes

_SHOWN = 3


@dataclass(frozen=True)
class Status:
    """One chapter: `state` is ``fresh``, ``stale``, ``new``, ``failed`` or ``broken``."""

    slug: str
    state: str
    reasons: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The line as ``--json`` prints it."""
        return {"slug": self.slug, "state": self.state, "reasons": list(self.reasons)}


def inspect(
    course: Course,
    names: Sequence[str] = (),
    *,
    profile: str = "fast",
    overrides: Sequence[str] = (),
) -> list[Status]:
    """The state of each chapter's result, without running anything.

    Args:
        course: whose chapters.
        names: slugs, numbers or paths; all chapters when empty.
        profile: which of the results.
        overrides: ``NAME=VALUE`` texts for the parameters cell.

    Raises:
        CourseError: an unknown chapter or profile.
        ParameterError: an override that a chapter does not have, or of another type.
    """
    course.limits(profile)
    cache, hashes, assignments = Cache(course), Hashes(course), parse_assignments(overrides)
    return [
        _inspect_one(course, path, profile, assignments, cache, hashes)
        for path in select(course, names)
    ]


def _inspect_one(
    course: Course,
    path: Path,
    profile: str,
    assignments: dict[str, str],
    cache: Cache,
    hashes: Hashes,
) -> Status:
    try:
        plan = make_plan(course, path, profile=profile, assignments=assignments)
    except NotebookError as error:
        return Status(path.stem, "broken", (error.found,))
    if cache.find(plan, hashes) is not None:
        return Status(plan.slug, "fresh")
    if reason := _last_failure(course, plan):
        return Status(plan.slug, "failed", (reason,))
    latest = cache.latest(plan)
    if latest is None:
        return Status(plan.slug, "new", ("never run in this profile",))
    return Status(plan.slug, "stale", tuple(changes(plan, latest, hashes)))


def _last_failure(course: Course, plan: Plan) -> str:
    try:
        run = Run.load(executed_path(course, plan.profile, plan.slug, ".json"))
    except (ChapterhouseError, OSError):
        return ""
    return run.error if run.status == "failed" else ""


def render(rows: Sequence[Status]) -> str:
    """The states as text, one chapter a line."""
    width = max((len(row.slug) for row in rows), default=0)
    lines = []
    for row in rows:
        shown = "; ".join(row.reasons[:_SHOWN])
        more = f"; and {len(row.reasons) - _SHOWN} more" if len(row.reasons) > _SHOWN else ""
        lines.append(f"{row.slug:{width}}  {row.state:6}  {shown}{more}".rstrip())
    return "\n".join(lines)
