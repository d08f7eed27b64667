"""What one ``chapterhouse run`` did, chapter by chapter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chapterhouse.run.record import Claim, Run


@dataclass(frozen=True)
class Row:
    """One chapter's line: `status` is ``ran``, ``cached`` or ``failed``.

    `untrue` are the claims that did not hold; `error` says so, or, if it `stopped`, what did that.
    """

    slug: str
    status: str
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0
    held: int = 0
    untrue: tuple[Claim, ...] = ()
    error: str = ""
    stopped: bool = True

    @classmethod
    def of(cls, run: Run, status: str) -> Row:
        """The line of one run."""
        return cls(
            slug=run.slug,
            status=status,
            wall_s=run.wall_s,
            cpu_s=run.cpu_s,
            peak_memory_bytes=run.peak_memory_bytes,
            held=run.held,
            untrue=tuple(claim for claim in run.claims if not claim.held),
            error=run.error,
            stopped=run.stopped,
        )

    @property
    def broken(self) -> int:
        """How many claims did not hold."""
        return len(self.untrue)

    def figures(self) -> str:
        """Time, memory and claims, for a person."""
        if self.wall_s == 0.0:
            return ""
        claims = f"  {_count(self.held)} held" if self.held else ""
        broken = f"  {self.broken} FAILED" if self.broken else ""
        memory = f"{self.peak_memory_bytes / 1024**2:6.0f} MiB"
        return f"{self.wall_s:7.1f} s  {memory}{claims}{broken}"

    def as_json(self) -> dict[str, Any]:
        """The line as ``--json`` prints it."""
        line: dict[str, Any] = {
            "slug": self.slug,
            "status": self.status,
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "peak_memory_bytes": self.peak_memory_bytes,
            "claims": {"held": self.held, "failed": self.broken},
        }
        if self.untrue:
            line["did_not_hold"] = [
                {"text": c.text, "value": c.value, "found": c.found, "limits": list(c.limits)}
                for c in self.untrue
            ]
        return {**line, "error": self.error} if self.error else line

    def story(self) -> str:
        """What went wrong, for a person: each claim that did not hold, and what stopped it."""
        lines = [f"✗ {claim}" for claim in self.untrue] + [self.error] * self.stopped
        return "\n".join([self.slug, *(f"  {line}" for line in lines)])


@dataclass(frozen=True)
class Report:
    """All lines, in reading order, and the wall clock of the whole."""

    wall_s: float
    rows: tuple[Row, ...]

    @property
    def failed(self) -> list[Row]:
        """The chapters that failed."""
        return [row for row in self.rows if row.status == "failed"]

    def as_json(self) -> dict[str, Any]:
        """What ``chapterhouse run --json`` prints."""
        return {"wall_s": self.wall_s, "chapters": [row.as_json() for row in self.rows]}

    def table(self) -> str:
        """What failed, chapter by chapter, for a person; nothing where all is well."""
        if not self.failed:
            return ""
        return "\n".join(["what failed:", *(row.story() for row in self.failed)])

    def summary(self) -> str:
        """One closing line for a person."""
        counts = {
            status: sum(row.status == status for row in self.rows)
            for status in ("ran", "cached", "failed")
        }
        shown = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        claims = _count(sum(row.held for row in self.rows))
        return f"{shown or 'nothing to do'} in {self.wall_s:.1f} s; {claims} held"


def _count(count: int) -> str:
    """``1 claim``, ``2 claims``."""
    return f"{count} claim{'' if count == 1 else 's'}"
