"""Results that were typed into a page that is no notebook, where no cell has made them.

A page has no code beside its prose, so the rule is narrower than that for chapters
(`chapterhouse.site.typed`): a number is suspect when it says, to all its digits, a value that a run
has named or claimed; and where a figure has a unit, as those of benchmarks have, only a number with
the same unit. It belongs in a ``{run}`chapter/name` `` role, or on a page that a program writes.
Such a page says so in a line ``% made by PROGRAM``. A number that is a definition and only happens
to agree is named on the page: ``% given: 2.30, 1,000``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chapterhouse.site import recorded
from chapterhouse.site.executed import Executed
from chapterhouse.site.typed import Number, numbers, prose

_MADE = re.compile(r"(?m)^% made by (?P<program>\S.*)$")
_GIVEN = re.compile(r"(?m)^% given: (?P<numbers>.*)$")
#: The ways to write a unit, each with the one name under which figures are compared.
UNITS = {
    "s": "s", "second": "s", "seconds": "s",
    "ms": "ms", "millisecond": "ms", "milliseconds": "ms",
    "µs": "us", "us": "us", "microsecond": "us", "microseconds": "us",
    "KB": "KB", "MB": "MB", "MiB": "MB",
    "times": "times", "%": "%",
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A value that was measured, the words that name it, and its unit, one of `UNITS`, if any."""

    name: str
    value: float
    unit: str = ""

    def stands_in(self, number: Number) -> bool:
        """Whether a number of a text says this figure."""
        # Round numbers are said without any measurement, and 2.0 is a version more often.
        if len(re.sub(r"\D", "", number.text).strip("0")) < 2:
            return False
        if not self.unit:
            return number.tells and number.says(self.value)
        unit = "%" if number.percent else UNITS.get(number.unit, "")
        said = round(abs(self.value), number.decimals)
        return unit == self.unit and math.isclose(number.value, said, rel_tol=1e-9)


def of_runs(runs: Iterable[Executed]) -> Iterator[Figure]:
    """What the runs have named, and the values of their other claims."""
    for run in runs:
        for name, value in recorded.values(run).items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield Figure(f"{{run}}`{run.slug}/{name}`", float(value))
        for claim in run.claims:
            value = claim.get("value")
            if claim.get("name") is not None or isinstance(value, bool):
                continue
            if isinstance(value, (int, float)):
                yield Figure(f"a value that {run.slug} claims: {claim.get('text')!r}", float(value))


def made_by(text: str) -> str:
    """The program that writes this page, or nothing."""
    found = _MADE.search(text)
    return found["program"].strip() if found else ""


def findings(text: str, figures: Iterable[Figure], *, where: str) -> list[str]:
    """The typed results on a page, each with its place.

    Args:
        text: the page as its author writes it.
        figures: what was measured.
        where: the page, for the message.
    """
    if made_by(text):
        return []
    given = {number.text for match in _GIVEN.finditer(text) for number in numbers(match["numbers"])}
    known, found = list(figures), []
    for number in numbers(prose(_GIVEN.sub("", text))):
        if number.text in given:
            continue
        name = next((figure.name for figure in known if figure.stands_in(number)), "")
        if name:
            shown = f"{number.text} {number.unit}".strip()
            found.append(f"{where}: {shown} is typed by hand, but it is {name}")
    return found
