"""What the runs of a chapter left over time, as the site reads it.

The run room appends one line of JSON a run to ``_build/history/<profile>/<slug>.jsonl``; its own
`chapterhouse.run.record` documents the fields. A line that is damaged is passed over: a lost
moment of the past must not stop the site.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chapterhouse.course import Course
from chapterhouse.site.executed import Executed


@dataclass(frozen=True)
class Past:
    """One run: when it ended (ISO 8601, UTC), its wall seconds, and what it claimed, in order.

    `commit` and `processor` say where it took place; those of an old run are not known.
    """

    when: str
    wall_s: float
    ran: bool
    claims: tuple[dict[str, Any], ...]
    commit: str = ""
    processor: str = ""

    @property
    def day(self) -> str:
        """The date alone."""
        return self.when.partition("T")[0]


@dataclass(frozen=True)
class Point:
    """One claim in one run; `value` is None for a claim that rests on no number."""

    day: str
    held: bool
    value: float | None


def read(course: Course, run: Executed) -> list[Past]:
    """The remembered runs of a chapter in the profile that is shown, oldest first."""
    path = course.build / "history" / run.profile / f"{run.slug}.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in lines:
        try:
            fields = json.loads(line)
            claims = tuple(dict(claim) for claim in fields["claims"])
            ran = fields["status"] != "failed"
            where = (str(fields.get("commit", "")), str(fields.get("processor", "")))
            found.append(Past(str(fields["when"]), float(fields["wall_s"]), ran, claims, *where))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def identities(claims: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    """What each claim is known by from run to run: its text, and the how-manieth with that text."""
    seen: dict[str, int] = {}
    found = []
    for claim in claims:
        text = str(claim.get("text", ""))
        found.append((text, seen.get(text, 0)))
        seen[text] = seen.get(text, 0) + 1
    return found


def last_held(past: Sequence[Past], identity: tuple[str, int]) -> Past | None:
    """The newest run in which a claim held, or None if it never has."""
    for moment in reversed(past):
        told = dict(zip(identities(moment.claims), moment.claims, strict=True))
        if told.get(identity, {}).get("held"):
            return moment
    return None


def by_claim(past: Sequence[Past]) -> dict[tuple[str, int], list[Point]]:
    """For each claim its points over all runs, oldest first."""
    points: dict[tuple[str, int], list[Point]] = {}
    for moment in past:
        for identity, claim in zip(identities(moment.claims), moment.claims, strict=True):
            value = claim.get("value")
            number = float(value) if isinstance(value, (int, float)) else None
            point = Point(moment.day, bool(claim.get("held")), number)
            points.setdefault(identity, []).append(point)
    return points
