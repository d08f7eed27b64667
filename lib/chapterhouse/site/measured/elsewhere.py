"""How claims go on other machines, as ``chapterhouse robust`` has stored it with the course.

The run room's `chapterhouse.run.robust.store` documents the fields. A file that is damaged is
passed over: the page then says that nothing is known, and the tests say why.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from chapterhouse import notebook as nb
from chapterhouse.course import Course, combined_sha256
from chapterhouse.site.executed import Executed
from chapterhouse.site.measured import drawing

# What of the product of instruction sets, threads and seeds was run.
_DESIGNS = {"half": "two threads with every other seed", "thin": "one instruction set a seed"}


@dataclass(frozen=True)
class Elsewhere:
    """The stored spreads of one notebook.

    `told` says how many runs there were and where; `stale` is why they may not be those of the
    notebook as it is now, if so; `claims` are known by text and the how-manieth with that text.
    """

    told: str
    stale: str
    claims: dict[tuple[str, int], dict[str, Any]]

    def cell(self, identity: tuple[str, int]) -> str:
        """What a table's cell says of one claim, as HTML."""
        claim = self.claims.get(identity)
        if claim is None:
            return "not tried"
        runs, held = int(claim["runs"]), int(claim["held"])
        parts = [_numbers(claim)]
        if held < runs:
            parts.append(f'<span class="failed">✗ failed in {runs - held} of {runs} runs</span>')
        elif claim["kind"] == "exact":
            parts.append(f"held in all {runs} runs")
        else:
            distance = claim["distance_sd"]
            away = "" if distance is None else f"{distance:.1f} sd from its limit, "
            parts.append(f"{away}{runs} runs")
        if self.stale:
            parts.append("older")
        return "; ".join(part for part in parts if part)


def read(course: Course, run: Executed) -> Elsewhere | None:
    """What is stored of a notebook; None where nothing is, or it is damaged."""
    try:
        path = course.robust / f"{run.slug}.json"
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Elsewhere(
            told=_told(stored),
            stale=_stale(course, run, stored),
            claims={(str(c["text"]), int(c["nth"])): c for c in stored["claims"]},
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _numbers(claim: Mapping[str, Any]) -> str:
    over = claim["spread"]
    if over is None:
        return ""
    low, middle, high = (drawing.number(over[name]) for name in ("min", "median", "max"))
    if claim["of"] == "margin":
        return f"margin {low} … {middle} … {high}"
    return low if low == high else f"{low} … {middle} … {high}"


def _told(stored: Mapping[str, Any]) -> str:
    cells, versions = stored["cells"], stored["versions"]
    same = "".join(f", {name} is {run} there" for name, run in cells["alike"].items())
    seeds = f", seeds {cells['seeds'][0]} to {cells['seeds'][-1]}" if cells["seeds"] else ""
    threads = " and ".join(map(str, cells["threads"]))
    part = f" ({_DESIGNS[design]})" if (design := cells.get("design")) in _DESIGNS else ""
    torch = f", torch {versions['torch']}" if "torch" in versions else ""
    day = str(stored["when"]).partition("T")[0]
    return escape(
        f"{cells['run']} runs on {day}: instruction sets {', '.join(cells['isas'])}{same}; "
        f"{threads} threads{seeds}{part}; {stored['processor']['model']}{torch}."
    )


def _stale(course: Course, run: Executed, stored: Mapping[str, Any]) -> str:
    """Why stored spreads may not be those of the notebook and the library as they are now."""
    if stored["code"] != nb.code_sha256(run.source):
        return "The chapter's code was changed since."
    library = stored["library"]
    hashes = {}
    for name in library["files"]:
        try:
            hashes[name] = hashlib.sha256((course.root / name).read_bytes()).hexdigest()
        except OSError:
            hashes[name] = ""
    if combined_sha256(hashes) != library["sha256"]:
        return "They were made with an earlier library."
    return ""
