"""One notebook's claims over all cells of the matrix: each with its spread, and where it failed.

A claim is known from cell to cell by its text, and by the how-manieth it is with that text. Where
its limit is computed anew in each run, the numbers of different runs have no limit in common; then
the spread is that of the margin, which must be above 0. A claim that says ``one thread`` in its
`on` is tried with one only; any other must hold with two as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chapterhouse.run.record import Claim
from chapterhouse.run.robust import spread as rule
from chapterhouse.run.robust.matrix import Cell
from chapterhouse.run.robust.spread import Spread
from chapterhouse.run.robust.work import Outcome

_ONE_THREAD = "one thread"
_MARGIN = ({"sign": ">", "number": 0, "within": 0},)
Identity = tuple[str, int]


@dataclass(frozen=True)
class Failed:
    """A cell in which a claim did not hold, or (`reached` false) the notebook ended before it."""

    isa: str
    threads: int
    seed: int | None
    value: float | None
    reached: bool = True

    @property
    def cell(self) -> str:
        """The cell for a person."""
        return Cell("", self.isa, self.threads, self.seed).words


@dataclass(frozen=True)
class Claimed:
    """One claim over all cells.

    `number` counts the claims of the notebook from 1, `nth` those with the same text from 0. `kind`
    and `why` are those of `spread.kind`. `of` is ``value`` or, where limits are computed in each
    run, ``margin``: what `limits` and `spread` are about. `held` of `runs` held.
    """

    text: str
    number: int
    nth: int
    kind: str
    why: str
    of: str
    limits: tuple[Mapping[str, Any], ...]
    runs: int
    held: int
    spread: Spread | None
    distance_sd: float | None
    distance_range: float | None
    robust: bool
    on: str = ""
    failed: tuple[Failed, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The claim as it is stored; numbers with ten digits that count."""
        return {key: _rounded(value) for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Claimed:
        """The claim that was stored.

        Raises:
            TypeError, KeyError: it has other fields.
        """
        made = dict(fields)
        made["limits"] = tuple(made["limits"])
        made["spread"] = Spread(**made["spread"]) if made["spread"] is not None else None
        made["failed"] = tuple(Failed(**cell) for cell in made["failed"])
        return cls(**made)


def over_cells(outcomes: Sequence[tuple[Cell, Outcome]]) -> list[Claimed]:
    """Every claim that some cell made, in the order in which they stand.

    Args:
        outcomes: of all cells of one notebook.
    """
    seen = [(cell, _identified(outcome.claims)) for cell, outcome in outcomes]
    order: dict[Identity, None] = {}
    # The longest first: one that ended early does not know what stands between.
    for _, claims in sorted(seen, key=lambda each: -len(each[1])):
        order.update(dict.fromkeys(claims))
    return [
        _claimed(identity, number, [(cell, claims.get(identity)) for cell, claims in seen])
        for number, identity in enumerate(order, start=1)
    ]


def _identified(claims: Sequence[Claim]) -> dict[Identity, Claim]:
    found: dict[Identity, Claim] = {}
    for claim in claims:
        nth = sum(text == claim.text for text, _ in found)
        found[claim.text, nth] = claim
    return found


def _claimed(identity: Identity, number: int, made: Sequence[tuple[Cell, Claim | None]]) -> Claimed:
    on, certain = next((c.on, c.by_construction) for _, c in made if c is not None)
    if _ONE_THREAD in on:
        made = [(cell, claim) for cell, claim in made if cell.threads == 1]
    claims = [claim for _, claim in made if claim is not None]
    limits, values, of = _measured(claims)
    held = sum(claim.held for claim in claims)
    over = rule.spread(values)
    kind, why = rule.kind(limits, values, certain=certain)
    return Claimed(
        text=identity[0],
        number=number,
        nth=identity[1],
        kind=kind,
        why=why,
        of=of,
        limits=limits,
        runs=len(made),
        held=held,
        spread=over,
        distance_sd=rule.distance_sd(limits, over) if over else None,
        distance_range=rule.distance_range(limits, over) if over else None,
        robust=rule.holds(limits, values, held=held, runs=len(made), certain=certain),
        on=on,
        failed=tuple(
            Failed(
                cell.isa,
                cell.threads,
                cell.seed,
                value=claim.value if claim is not None else None,
                reached=claim is not None,
            )
            for cell, claim in made
            if claim is None or not claim.held
        ),
    )


def _measured(
    claims: Sequence[Claim],
) -> tuple[tuple[Mapping[str, Any], ...], list[float], str]:
    """The limits that the claims have in common, the numbers that they are about, and what of."""
    known = [claim for claim in claims if claim.value is not None]
    limits = claims[0].limits if claims else ()
    if all(claim.limits == limits for claim in claims):
        return limits, [float(claim.value or 0) for claim in known], "value"
    if any(limit["sign"] == "=" for claim in claims for limit in claim.limits):
        return limits, [float(claim.value or 0) for claim in known], "value"
    return _MARGIN, [_margin(claim) for claim in known], "margin"


def _margin(claim: Claim) -> float:
    """How far a claim's number lies inside of its limits; negative outside."""
    low, high = rule.allowed(claim.limits)
    value = float(claim.value or 0)
    return min(value - low, high - value)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.10g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_rounded(each) for each in value]
    return value
