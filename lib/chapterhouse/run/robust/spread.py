"""How a claim's number is spread over runs, and the rule by which it holds anywhere.

A claim is *exact* when it states equality or a yes or no, or when its number came out the same in
every run; any other is *statistical*. An exact claim holds if it held in every run. A statistical
one must also keep away from its limits: they lie at least three standard deviations from the mean,
or, where the numbers are skewed, outside of their range by at least half its width (the long tail
of a skewed distribution may lie on the safe side, and says nothing about the other).

Pure functions of numbers; limits are those of a claim's record: ``{"sign", "number", "within"}``.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEAST_SD = 3.0
LEAST_WIDTHS = 0.5
SKEWED = 0.5  # third standardised moment; from here on a distribution counts as moderately skewed

EQUALITY = "states equality"
YES_OR_NO = "is a yes or no"
BY_CONSTRUCTION = "holds by construction"
SAME = "has the same value in every run"


@dataclass(frozen=True)
class Spread:
    """The distribution of one number over `n` runs; `sd` is that of a sample, None for one run."""

    n: int
    min: float
    median: float
    max: float
    mean: float
    sd: float | None
    skewness: float

    @property
    def width(self) -> float:
        """From the smallest to the largest."""
        return self.max - self.min


def spread(values: Sequence[float]) -> Spread | None:
    """The distribution of some finite numbers; None when there is none."""
    if not values:
        return None
    # Of numbers near the largest that there are, a sum or a square may not be finite.
    scale = max(map(abs, values)) or 1.0
    small = [value / scale for value in values]
    mean = math.fsum(small) / len(small)
    squares = math.fsum((value - mean) ** 2 for value in small)
    cubes = math.fsum((value - mean) ** 3 for value in small)
    deviation = math.sqrt(squares / len(small))
    return Spread(
        n=len(values),
        min=min(values),
        median=statistics.median(small) * scale,
        max=max(values),
        # Rounding must not carry it out of the range.
        mean=min(max(mean * scale, min(values)), max(values)),
        sd=math.sqrt(squares / (len(small) - 1)) * scale if len(small) > 1 else None,
        skewness=cubes / len(small) / deviation**3 if deviation > 1e-12 else 0.0,
    )


def allowed(limits: Iterable[Mapping[str, Any]]) -> tuple[float, float]:
    """The interval that some limits leave to a number; unbounded where they say nothing."""
    low, high = -math.inf, math.inf
    for limit in limits:
        sign, number, within = limit["sign"], float(limit["number"]), float(limit.get("within", 0))
        if sign in (">", "≥", "=", "≈"):
            low = max(low, number - within)
        if sign in ("<", "≤", "=", "≈"):
            high = min(high, number + within)
    return low, high


def kind(
    limits: Sequence[Mapping[str, Any]], values: Sequence[float], *, certain: bool = False
) -> tuple[str, str]:
    """``exact`` or ``statistical``, and for an exact claim by which criterion.

    Args:
        limits: of the claim's record.
        values: the claim's number in each run that had one.
        certain: whether the claim says that it holds by construction.
    """
    if certain:
        return "exact", BY_CONSTRUCTION
    if not limits:
        return "exact", YES_OR_NO
    if any(limit["sign"] == "=" for limit in limits):
        return "exact", EQUALITY
    if len(values) > 1 and min(values) == max(values):
        return "exact", SAME
    return "statistical", ""


def distance_sd(limits: Iterable[Mapping[str, Any]], over: Spread) -> float | None:
    """Standard deviations from the mean to the nearest limit, negative beyond it.

    None where there are none: no limit, one run, or no spread.
    """
    low, high = allowed(limits)
    nearest = min(over.mean - low, high - over.mean)
    return nearest / over.sd if over.sd and math.isfinite(nearest) else None


def distance_range(limits: Iterable[Mapping[str, Any]], over: Spread) -> float | None:
    """Widths of the range from its end to the nearest limit, negative inside of the range.

    None where there are none: no limit, or no width.
    """
    low, high = allowed(limits)
    nearest = min(over.min - low, high - over.max)
    return nearest / over.width if over.width and math.isfinite(nearest) else None


def keeps_away(limits: Sequence[Mapping[str, Any]], over: Spread) -> bool:
    """Whether the numbers keep so far from their limits as a statistical claim must."""
    by_sd, by_range = distance_sd(limits, over), distance_range(limits, over)
    if by_sd is None or by_range is None:
        return False
    skewed = abs(over.skewness) >= SKEWED
    return by_sd >= LEAST_SD or (skewed and by_range >= LEAST_WIDTHS)


def holds(
    limits: Sequence[Mapping[str, Any]],
    values: Sequence[float],
    *,
    held: int,
    runs: int,
    certain: bool = False,
) -> bool:
    """The rule: whether a claim holds anywhere, as far as runs can tell.

    Args:
        limits: of the claim's record.
        values: its number in each run that had a finite one.
        held: in how many runs it held.
        runs: how many runs there were.
        certain: whether the claim says that it holds by construction.
    """
    if not runs or held != runs:
        return False
    if kind(limits, values, certain=certain)[0] == "exact":
        return True
    over = spread(values)
    return over is not None and keeps_away(limits, over)
