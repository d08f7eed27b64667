"""Results that were typed into prose by hand, which the next run may make untrue.

A number of the prose is suspect when it says, to all its digits, what the run recorded, claimed or
printed, and the code does not write it itself. It belongs in a ``{run}`` role. To accuse nobody
wrongly, only numbers with two digits that count are looked at, and whole numbers only as
percentages or from a thousand. A number that is a definition and only happens to agree is named in
its cell's metadata: ``"given": ["2.30"]``.
"""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

from chapterhouse import myst
from chapterhouse import notebook as nb
from chapterhouse.parsed import parse
from chapterhouse.site import recorded
from chapterhouse.site.executed import CLAIM, RECORD, Executed

# A number that stands alone: no part of a name, a version, a date, a path or a longer number.
_NUMBER = re.compile(
    r"(?<![\w.,/\-–:#=^])[−-]?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<percent>\s?(?:%|per ?cent\b))?(?![\w/:=-]|[.,]\d)"
)
_UNIT = re.compile(r"\s(?P<unit>(?:milli|micro)?seconds?|[mµu]?s|KB|Mi?B|times)\b")
_LINK = re.compile(r"\]\([^)]*\)|<[^<>\n]*>|https?://\S+")
_THOUSAND = 1000


@dataclass(frozen=True)
class Number:
    """One number of a text: as written, its value, its decimals, and the unit behind it, if any."""

    text: str
    value: float
    decimals: int
    percent: bool
    unit: str = ""

    @property
    def tells(self) -> bool:
        """Whether it has digits enough for an agreement to be no accident."""
        digits = re.sub(r"\D", "", self.text).lstrip("0")
        if self.decimals:
            return len(digits) >= 2
        # Round percentages such as 10%, 50% and 100% are said without any measurement.
        return self.value >= _THOUSAND or (self.percent and len(digits.rstrip("0")) >= 2)

    def says(self, result: float) -> bool:
        """Whether this is the result, rounded as it is written."""
        if self.percent:
            result *= 100
        if self.decimals == 0 and not self.percent:
            return self.value == abs(result)
        return math.isclose(self.value, round(abs(result), self.decimals), rel_tol=1e-9)


def numbers(text: str) -> list[Number]:
    """The numbers that stand in a text."""
    found = []
    for match in _NUMBER.finditer(text):
        digits = match["digits"].replace(",", "")
        decimals = len(digits.partition(".")[2])
        unit = _UNIT.match(text, match.end())
        found.append(
            Number(
                match[0].strip(),
                float(digits),
                decimals,
                percent=match["percent"] is not None,
                unit=unit["unit"] if unit else "",
            )
        )
    return found


def findings(run: Executed) -> list[str]:
    """What a chapter's prose has as a typed number though its run made it, each with its place."""
    results = list(_results(run))
    printed = {number.text.lstrip("−-") for text in _printed(run.notebook) for number in text}
    written = set(_written(run.source))
    found = []
    for place, cell in enumerate(run.source.cells, start=1):
        if cell.cell_type != "markdown":
            continue
        given = {str(entry) for entry in cell.metadata.get("given", [])}
        for number in numbers(prose(cell.source)):
            if not number.tells or number.text in given or number.value in written:
                continue
            made = next((name for name, value in results if number.says(value)), "")
            bare = number.text.lstrip("−-")
            if not made and number.decimals and bare in printed:
                made = "the output of a cell"
            if made:
                found.append(
                    f"{run.source_path}, cell {place}: {number.text} is typed by hand, "
                    f"but it is {made}"
                )
    return found


def _results(run: Executed) -> Iterator[tuple[str, float]]:
    """What the run recorded and claimed, each with the words that name it."""
    for name, value in recorded.values(run).items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{{run}}`{name}`", float(value)
    for claim in run.claims:
        value = claim.get("value")
        if claim.get("name") is None and isinstance(value, (int, float)):
            yield f"the value of the claim {str(claim.get('text'))!r}", float(value)


def _printed(notebook: NotebookNode) -> Iterator[list[Number]]:
    """The numbers in every output that a reader sees as text."""
    for cell in nb.code_cells(notebook):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if CLAIM in data or RECORD in data:
                continue
            yield numbers("".join(output.get("text") or data.get("text/plain") or ""))


def _written(notebook: NotebookNode) -> Iterator[float]:
    """Every number that the code writes; as a share and as a percentage."""
    for cell in nb.code_cells(notebook):
        for value in _literals(cell.source):
            yield from (value, round(value * 100, 9), round(value / 100, 12))


def _literals(source: str) -> Iterable[float]:
    """The numbers of one cell, also of one that is no plain Python, and those inside its texts."""
    try:
        nodes = list(ast.walk(parse(source)))
    except SyntaxError:
        return [float(token) for token in _number_tokens(source)]
    found = []
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [number.value for number in numbers(node.value)]
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            found.append(float(str(node.value)))
    return found


def _number_tokens(source: str) -> Iterator[str]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NUMBER and re.fullmatch(r"[\d.]*\d[\d.]*", token.string):
                yield token.string
    except (tokenize.TokenError, SyntaxError, ValueError):
        return


def prose(text: str) -> str:
    """The words of a markdown text: no roles, code, mathematics, addresses or literal blocks."""
    parts = []
    for block in myst.blocks(text):
        if isinstance(block, myst.Prose):
            hidden, _ = myst.protect_code(block.text)
            # A place-holder has a number of its own.
            parts.append(_LINK.sub(" ", re.sub(r"\x00\d+\x00", " x ", hidden)))
        elif isinstance(block, myst.Directive) and block.name not in myst.LITERAL_DIRECTIVES:
            parts += [prose(block.argument), prose(block.body)]
    return "\n\n".join(parts)
