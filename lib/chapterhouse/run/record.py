"""What one run of one chapter left: its cost, its claims, its values, and what it was made from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chapterhouse.course import Course
from chapterhouse.errors import RunError
from chapterhouse.notebook import write_text

CLAIM = "application/vnd.sprat.claim+json"
RECORD = "application/vnd.sprat.record+json"


@dataclass(frozen=True)
class Claim:
    """One checked statement of a chapter."""

    text: str
    held: bool
    value: float | None = None
    name: str | None = None


@dataclass(frozen=True)
class CellTime:
    """How long one cell took, in seconds of wall clock."""

    id: str
    wall_s: float


@dataclass(frozen=True)
class Run:
    """The record of one run; it lies beside the executed notebook as JSON.

    `status` is ``ran`` or ``failed``. `data` and `libraries` map a data set or a file (relative to
    the course) to its sha256. `key` is empty when the result may not be used again.
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
    cells: tuple[CellTime, ...] = ()
    key: str = ""
    error: str = ""

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
                "claims": tuple(Claim(**claim) for claim in fields["claims"]),
                "cells": tuple(CellTime(**cell) for cell in fields["cells"]),
            }
        )


def executed_path(course: Course, profile: str, slug: str, suffix: str = ".ipynb") -> Path:
    """Where the executed copy of a chapter lies, or with another suffix what lies beside it."""
    return course.build / "executed" / profile / f"{slug}{suffix}"


def collect_claims(outputs: Iterable[Mapping[str, Any]]) -> tuple[Claim, ...]:
    """Every claim among some cells' outputs, in order."""
    return tuple(
        Claim(
            text=str(data.get("text", "")),
            held=bool(data.get("held")),
            value=data.get("value"),
            name=data.get("name"),
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
