"""What one run of one chapter left: its cost, its claims, its values, and what it was made from.

Two files, for whoever shows them:

- ``_build/executed/<profile>/<slug>.json`` is the record of the result that is shown, one `Run`:
  claims with their values, wall seconds of each cell by its id, parameters, and the environment:
  ``environment`` has the version of each distribution that the chapter imported, and ``machine``
  the Python, system and accelerators.
- ``_build/history/<profile>/<slug>.jsonl`` has one `Moment` a line for each run that really took
  place, failed ones too, the newest last: ``when`` (UTC, ISO 8601), ``status``, ``key``,
  ``wall_s``, ``cpu_s``, ``peak_memory_bytes``, ``claims`` as in the record, ``cells`` (id → wall
  seconds), ``commit`` and ``processor``. A result that is used again adds nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chapterhouse.course import Course
from chapterhouse.errors import RunError
from chapterhouse.notebook import write_text

CLAIM = "application/vnd.sprat.claim+json"
RECORD = "application/vnd.sprat.record+json"
_REMEMBERED = 200  # runs of one chapter


@dataclass(frozen=True)
class Claim:
    """One checked statement of a chapter.

    A limit has ``sign`` (``>``, ``<``, ``=`` or ``≈``), ``number`` and ``within``; a claim without
    any is a yes or no, or was made in a form that tells no limit. `found` is a value that is not
    finite, as text; `on` says for which devices and threads an equality is claimed,
    `by_construction` that its limit follows from how the number is made.
    """

    text: str
    held: bool
    value: float | None = None
    name: str | None = None
    limits: tuple[Mapping[str, Any], ...] = ()
    found: str = ""
    on: str = ""
    by_construction: bool = False

    def __str__(self) -> str:
        """The statement with its value and its limit: ``it learns (0.17; must be < 0.15)``."""
        number = self.found if self.value is None else f"{self.value:.4g}"
        must = " and ".join(map(in_words, self.limits))
        told = "; ".join([number] * bool(number) + [f"must be {must}"] * bool(must))
        return f"{self.text} ({told})" if told else self.text

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Claim:
        """A claim from what JSON made of it; an old one has no limits."""
        return cls(**{**fields, "limits": tuple(fields.get("limits", ()))})


def in_words(limit: Mapping[str, Any]) -> str:
    """A limit for a person: ``≈ 2 ± 0.5``; whole numbers with all their digits."""
    number, within = limit["number"], limit.get("within")
    shown = f"{number:,}" if isinstance(number, int) else f"{number:.4g}"
    return f"{limit['sign']} {shown}" + (f" ± {within:.4g}" if within else "")


@dataclass(frozen=True)
class CellTime:
    """How long one cell took, in seconds of wall clock."""

    id: str
    wall_s: float


@dataclass(frozen=True)
class Run:
    """The record of one run; it lies beside the executed notebook as JSON.

    `status` is ``ran`` or ``failed``: a claim did not hold, or, with `stopped`, it did not come to
    its end. `data` and `libraries` map a data set or a file (relative to
    the course) to its sha256, `environment` a distribution to its version. `key` is empty when the
    result may not be used again.
    """

    slug: str
    status: str
    profile: str
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    parameters: dict[str, Any] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    cells: tuple[CellTime, ...] = ()
    key: str = ""
    error: str = ""
    processor: str = ""
    stopped: bool = False

    @property
    def held(self) -> int:
        """How many claims held."""
        return sum(claim.held for claim in self.claims)

    @property
    def broken(self) -> int:
        """How many claims did not hold."""
        return len(self.claims) - self.held

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        write_text(self.dumps(), path)

    def dumps(self) -> str:
        """Its JSON text, the same for the same record."""
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True, default=repr) + "\n"

    @classmethod
    def load(cls, path: Path) -> Run:
        """Read one record.

        Raises:
            RunError: it is missing or is not such a record.
        """
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise RunError(f"{path} does not exist.", fix="run `chapterhouse run`") from None
        except (ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"{path} is not the record of a run: {error}.", fix="run `chapterhouse run --force`"
            ) from None

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Run:
        """A record from what `dataclasses.asdict` or JSON made of it."""
        return cls(
            **{
                **fields,
                "claims": tuple(Claim.from_dict(claim) for claim in fields["claims"]),
                "cells": tuple(CellTime(**cell) for cell in fields["cells"]),
            }
        )


def executed_path(course: Course, profile: str, slug: str, suffix: str = ".ipynb") -> Path:
    """Where the executed copy of a chapter lies, or with another suffix what lies beside it."""
    return course.build / "executed" / profile / f"{slug}{suffix}"


@dataclass(frozen=True)
class Moment:
    """One run in the history of a chapter; see the top of this file."""

    when: str
    status: str
    key: str
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    claims: tuple[Claim, ...]
    cells: dict[str, float]
    commit: str = ""
    processor: str = ""


def history_path(course: Course, profile: str, slug: str) -> Path:
    """Where the history of a chapter lies."""
    return course.build / "history" / profile / f"{slug}.jsonl"


def remember(run: Run, course: Course, *, now: datetime, commit: str = "") -> None:
    """Add a run to its chapter's history, and forget the oldest ones.

    Args:
        run: what took place.
        course: where the chapter belongs.
        now: when it ended.
        commit: of the course, as `chapterhouse.run.origin` says it.
    """
    moment = Moment(
        when=now.astimezone(UTC).isoformat(timespec="seconds"),
        status=run.status,
        key=run.key,
        wall_s=run.wall_s,
        cpu_s=run.cpu_s,
        peak_memory_bytes=run.peak_memory_bytes,
        claims=run.claims,
        cells={cell.id: cell.wall_s for cell in run.cells},
        commit=commit,
        processor=run.processor,
    )
    path = history_path(course, run.profile, run.slug)
    lines = _lines(path) if path.is_file() else []
    lines.append(json.dumps(dataclasses.asdict(moment), default=repr))
    write_text("\n".join(lines[-_REMEMBERED:]) + "\n", path)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def history(course: Course, profile: str, slug: str) -> list[Moment]:
    """The runs of one chapter that are remembered, oldest first; a damaged line is passed over."""
    try:
        lines = _lines(history_path(course, profile, slug))
    except OSError:
        return []
    moments = []
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            fields = json.loads(line)
            fields["claims"] = tuple(Claim.from_dict(claim) for claim in fields["claims"])
            moments.append(Moment(**fields))
    return moments


def collect_claims(outputs: Iterable[Mapping[str, Any]]) -> tuple[Claim, ...]:
    """Every claim among some cells' outputs, in order."""
    return tuple(
        Claim(
            text=str(data.get("text", "")),
            held=bool(data.get("held")),
            value=data.get("value"),
            name=data.get("name"),
            limits=tuple(data.get("limits") or ()),
            found=str(data.get("found", "")),
            on=str(data.get("on") or ""),
            by_construction=data.get("by_construction") is True,
        )
        for data in _displayed(outputs, CLAIM)
    )


def collect_values(outputs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Every recorded value among some cells' outputs; a later one replaces an earlier one."""
    values: dict[str, Any] = {}
    for data in _displayed(outputs, RECORD):
        values.update(data.get("values", {}))
    return values


def _displayed(outputs: Iterable[Mapping[str, Any]], mime: str) -> Iterable[Mapping[str, Any]]:
    for output in outputs:
        data = output.get("data", {}).get(mime)
        if isinstance(data, Mapping):
            yield data
