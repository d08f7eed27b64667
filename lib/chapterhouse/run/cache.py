"""Results kept by content: a chapter runs again only when something it was made from has changed.

What a chapter imports and reads is known only after it ran, so each result is kept with the list of
what it used and the hashes of that. A result is looked up in two steps: by what is known before
(code cells, parameters, machine), and then by whether all that it used is still the same.

``_build/.chapterhouse/results/<profile>/<slug>/<code>-<key>.json``
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.notebook import write_text
from chapterhouse.run import kernel, trace, variables
from chapterhouse.run.plan import Plan
from chapterhouse.run.record import Run
from chapterhouse.run.trace import Hashes, Used

FORMAT = 3  # raise it when normalising or assembling changes what a result looks like
_KEPT = 8  # results a chapter and profile: enough to go back and forth between a few branches


@dataclass(frozen=True)
class Result:
    """One kept result: all that is needed to make the executed notebook again.

    `cells` has a hash for each code cell, `machine` what `trace.machine` said, `users` the ids
    of the cells that used a file.
    """

    key: str
    cells: tuple[str, ...]
    overrides: dict[str, Any]
    machine: dict[str, str]
    used: Used
    users: dict[str, list[str]]
    outputs: list[list[dict[str, Any]]]
    injected: str | None
    language_info: dict[str, Any]
    run: Run


class Cache:
    """The kept results of one course."""

    def __init__(self, course: Course) -> None:
        self.folder = course.build / ".chapterhouse" / "results"

    def find(self, plan: Plan, hashes: Hashes) -> Result | None:
        """The result that running `plan` now would give again, or None."""
        before = known_before(plan, trace.machine())
        for path in self._newest_first(plan, f"{before[:16]}-"):
            result = _load(path)
            if result is not None and not changes(plan, result, hashes):
                return result
        return None

    def latest(self, plan: Plan) -> Result | None:
        """The newest result of the plan's chapter and profile, fresh or not."""
        for path in self._newest_first(plan, ""):
            if (result := _load(path)) is not None:
                return result
        return None

    def forget(self, plan: Plan, hashes: Hashes) -> None:
        """Drop the results that running `plan` now would give again: it has just failed."""
        before = known_before(plan, trace.machine())
        for path in self._newest_first(plan, f"{before[:16]}-"):
            result = _load(path)
            if result is not None and not changes(plan, result, hashes):
                path.unlink(missing_ok=True)

    def keep(self, plan: Plan, result: Result) -> None:
        """Keep one result, and forget the oldest ones of that chapter."""
        name = f"{known_before(plan, result.machine)[:16]}-{result.key[:16]}.json"
        text = json.dumps(
            {"format": FORMAT, **dataclasses.asdict(result)}, sort_keys=True, ensure_ascii=False
        )
        place = self._place(plan)
        newest = next(self._newest_first(plan, ""), None)
        write_text(text, place / name)
        if newest is not None:
            _date_after(newest, place / name)
        for old in list(self._newest_first(plan, ""))[_KEPT:]:
            old.unlink(missing_ok=True)
        # Only one run at a time keeps a result of this chapter: what is half written was killed.
        for left in place.glob(".*"):
            left.unlink(missing_ok=True)

    def _place(self, plan: Plan) -> Path:
        return self.folder / plan.profile / plan.slug

    def _newest_first(self, plan: Plan, prefix: str) -> Iterator[Path]:
        dated = []
        for path in self._place(plan).glob(f"{prefix}*.json"):
            with contextlib.suppress(OSError):  # another run may prune it meanwhile
                dated.append((path.stat().st_mtime_ns, path))
        yield from (path for _, path in sorted(dated, reverse=True))


def _date_after(older: Path, newer: Path) -> None:
    """Give a file a later date than another's: the clock may have been put back meanwhile."""
    with contextlib.suppress(OSError):
        before = older.stat().st_mtime_ns
        if newer.stat().st_mtime_ns <= before:
            os.utime(newer, ns=(before + 1, before + 1))


def cell_hashes(plan: Plan) -> tuple[str, ...]:
    """One hash for each code cell: its source, and the tags that change how it runs."""
    return tuple(
        _sha(cell.source, [tag for tag in nb.MATTERS if tag in nb.tags(cell)])
        for cell in nb.code_cells(plan.notebook)
    )


def known_before(plan: Plan, machine: dict[str, str]) -> str:
    """The part of the key that is known before the chapter runs."""
    return _sha(FORMAT, cell_hashes(plan), plan.overrides, machine)


def make_key(plan: Plan, machine: dict[str, str], used: Used) -> str:
    """The whole key: what was known before, and what the run turned out to use."""
    return _sha(known_before(plan, machine), dataclasses.asdict(used))


def changes(plan: Plan, result: Result, hashes: Hashes) -> list[str]:
    """What differs between a kept result and what `plan` would use now; empty when it is fresh."""
    found = _code_changes(plan, result)
    if _sha(plan.overrides) != _sha(result.overrides):
        found.append("parameters changed")
    for kind in ("libraries", "files"):
        for name, hash_ in getattr(result.used, kind).items():
            now = hashes.of(name)
            if now != hash_:
                became = "is gone" if not now else "changed" if hash_ else "appeared"
                found.append(f"{name} {became}{_by_cells(plan, result, name)}")
    found += _other_changes(plan, result, hashes)
    for name, value in trace.machine().items():
        before = result.machine.get(name, "")
        if before != value:
            found.append(f"{name}: {before or 'none'} → {value or 'none'}")
    for name, version in result.used.distributions.items():
        now = trace.version_of(name)
        if now != version:
            found.append(f"{name} {version} → {now or 'not installed'}")
    return found


def _other_changes(plan: Plan, result: Result, hashes: Hashes) -> list[str]:
    """What differs of paths that were looked at, files elsewhere, and environment variables."""
    found = []
    for name, kind in result.used.looked.items():
        now = hashes.kind(name)
        if now != kind:
            became = "is gone" if not now else f"is {now} now" if kind else "appeared"
            found.append(f"{name} {became}{_by_cells(plan, result, name)}")
    for path, before in result.used.outside.items():
        if (now := trace.state(path)) != before:
            found.append(f"{path} {'changed' if now else 'is gone'}")
    given = kernel.environment(hashes.course, kernel.Room(Path(), Path()))
    for name, became in variables.changes(result.used.variables, given):
        cells = _by_cells(plan, result, f"${name}")
        found.append(f"environment variable {name} {became}{cells}")
    return found


def _by_cells(plan: Plan, result: Result, name: str) -> str:
    """Which cells of the notebook as it is now used a file: `` (used by cells 12, 31)``."""
    users = set(result.users.get(name, ()))
    numbers = [str(i) for i, cell in enumerate(plan.notebook.cells, 1) if cell.get("id") in users]
    if not numbers:
        return ""
    return f" (used by cell{'s' if len(numbers) > 1 else ''} {', '.join(numbers)})"


def _code_changes(plan: Plan, result: Result) -> list[str]:
    now = cell_hashes(plan)
    if now == result.cells:
        return []
    if len(now) != len(result.cells):
        return [f"{len(now)} code cells, {len(result.cells)} before"]
    numbers = [i + 1 for i, cell in enumerate(plan.notebook.cells) if cell.cell_type == "code"]
    changed = [
        str(number) for number, a, b in zip(numbers, now, result.cells, strict=True) if a != b
    ]
    return [f"cell{'s' if len(changed) > 1 else ''} {', '.join(changed)} changed"]


def _load(path: Path) -> Result | None:
    """One result; None when it is gone, damaged or of another format: it is then made again."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields.pop("format") != FORMAT or not _is_whole(fields):
            return None
        return Result(
            **{
                **fields,
                "cells": tuple(fields["cells"]),
                "used": Used(**fields["used"]),
                "run": Run.from_dict(fields["run"]),
            }
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _is_whole(fields: dict[str, Any]) -> bool:
    """Whether the parts that are looked up by name are tables of texts."""
    tables = [fields["machine"], *fields["used"].values()]
    return all(
        isinstance(table, dict) and all(isinstance(value, str) for value in table.values())
        for table in tables
    ) and all(isinstance(ids, list) for ids in fields["users"].values())


def _sha(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()
