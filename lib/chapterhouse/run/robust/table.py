"""What a sweep says at its end: what failed, what is too near to its limit, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from chapterhouse.run.record import in_words
from chapterhouse.run.robust.claims import Claimed
from chapterhouse.run.robust.store import Summary
from chapterhouse.run.robust.sweep import Sweep

_WORST = 10
_CELLS = 5  # failed cells shown of one claim


def render(sweep: Sweep) -> str:
    """The whole closing text."""
    parts = [
        _errors(sweep.summaries),
        _failed(sweep.summaries),
        _near(sweep.summaries),
        _worst(sweep.summaries),
        *(f"notice: {notice}" for notice in sweep.notices),
        totals(sweep),
    ]
    return "\n\n".join(part for part in parts if part)


def held(sweep: Sweep) -> str:
    """The closing text of a slice: single runs have no spread, so only what failed is told."""
    claims = [claim for summary in sweep.summaries for claim in summary.claims]
    good = sum(claim.held == claim.runs for claim in claims)
    told = f"{good} of {len(claims)} claims held, in {sweep.wall_s:,.0f} s."
    parts = [_errors(sweep.summaries), _failed(sweep.summaries), told, _again(sweep.summaries)]
    return "\n\n".join(part for part in parts if part)


def _again(summaries: Iterable[Summary]) -> str:
    """The command that tries in every cell what failed in one; nothing where all held."""
    slugs = [s.slug for s in summaries if s.errors or any(claim.failed for claim in s.claims)]
    if not slugs:
        return ""
    return (
        "As another machine would run them, these notebooks do not hold.\n"
        f"  fix: chapterhouse robust {' '.join(slugs)}, and mend the claims that it lists"
    )


def totals(sweep: Sweep) -> str:
    """How many claims hold, and the cost: the clock of this call, and the work of all its runs."""
    claims = [claim for summary in sweep.summaries for claim in summary.claims]
    runs = sum(summary.cells["run"] for summary in sweep.summaries)
    exact = sum(claim.kind == "exact" for claim in claims)
    good = sum(claim.robust for claim in claims)
    wall_s = sum(summary.wall_s for summary in sweep.summaries)
    cpu_s = sum(summary.cpu_s for summary in sweep.summaries)
    return (
        f"{good} of {len(claims)} claims hold by the rule ({exact} exact, "
        f"{len(claims) - exact} statistical), in {runs} runs of {len(sweep.summaries)} notebooks.\n"
        f"All runs took {wall_s:,.0f} s one after another and {cpu_s:,.0f} s of processor time; "
        f"this call ran {sweep.cells} of them in {sweep.wall_s:,.0f} s."
    )


def _errors(summaries: Iterable[Summary]) -> str:
    lines = []
    for summary in summaries:
        same: dict[str, list[str]] = {}
        for error in summary.errors:
            cell, _, why = error.partition(": ")
            same.setdefault(why, []).append(cell)
        for why, cells in same.items():
            more = f" and in {len(cells) - 1} more runs" if len(cells) > 1 else ""
            lines.append(f"  {summary.slug}, {cells[0]}{more}: {why}")
    return "\n".join(["Runs that ended early:", *lines]) if lines else ""


def _failed(summaries: Iterable[Summary]) -> str:
    lines = []
    for slug, claim in _all(summaries):
        if claim.failed:
            lines.append(f"  {slug}: {claim.text}{_limits(claim)}")
            lines += [
                f"      {cell.cell}: " + (_number(cell.value) if cell.reached else "not reached")
                for cell in claim.failed[:_CELLS]
            ]
            if (more := len(claim.failed) - _CELLS) > 0:
                lines.append(f"      and {more} more of {claim.runs} runs")
    return "\n".join(["Claims that did not hold in every run:", *lines]) if lines else ""


def _near(summaries: Iterable[Summary]) -> str:
    lines = [
        f"  {slug}: {claim.text}{_limits(claim)}\n      {_spread(claim)}"
        for slug, claim in _all(summaries)
        if not claim.robust and not claim.failed
    ]
    return "\n".join(["Claims that held, but too near to their limit:", *lines]) if lines else ""


def _worst(summaries: Sequence[Summary]) -> str:
    """The statistical claims nearest to their limits, in standard deviations."""
    known = [
        (claim.distance_sd, slug, claim)
        for slug, claim in _all(summaries)
        if claim.kind == "statistical" and claim.distance_sd is not None
    ]
    known.sort(key=lambda each: each[0])
    if not known:
        return ""
    lines = [
        f"  {distance:6.1f} sd  {slug}: {claim.text}{_limits(claim)}\n             {_spread(claim)}"
        for distance, slug, claim in known[:_WORST]
    ]
    return "\n".join(["Nearest to their limits:", *lines])


def _all(summaries: Iterable[Summary]) -> Iterable[tuple[str, Claimed]]:
    return ((summary.slug, claim) for summary in summaries for claim in summary.claims)


def _limits(claim: Claimed) -> str:
    what = "margin " if claim.of == "margin" else ""
    told = " and ".join(map(in_words, claim.limits))
    return f" ({what}{told})" if told else ""


def _spread(claim: Claimed) -> str:
    over = claim.spread
    if over is None:
        return "no number in any run"
    sd = "no spread from one run" if over.sd is None else f"sd {_number(over.sd)}"
    widths = "" if claim.distance_range is None else f", {claim.distance_range:.2f} widths outside"
    skew = f", skewness {over.skewness:.1f}"
    return (
        f"{_number(over.min)} … {_number(over.median)} … {_number(over.max)} in {over.n} runs, "
        f"mean {_number(over.mean)}, {sd}{skew}{widths}"
    )


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "no number"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
