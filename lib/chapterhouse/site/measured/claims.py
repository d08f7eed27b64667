"""The page of claims: each with value, limit and margin, and how it went elsewhere and before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from nbformat import NotebookNode

from chapterhouse.course import Course
from chapterhouse.site import facts
from chapterhouse.site.executed import CLAIM, Executed
from chapterhouse.site.measured import drawing, elsewhere, history, margins
from chapterhouse.site.measured.elsewhere import Elsewhere
from chapterhouse.site.measured.history import Point
from chapterhouse.site.measured.margins import Limit

_HEAD = (
    "<thead><tr>"
    + "".join(
        f'<th scope="col">{name}</th>'
        for name in ("Held", "Claim", "Value", "Limit", "Margin", "Elsewhere", "Over runs")
    )
    + "</tr></thead>"
)


def mark_claims(notebook: NotebookNode) -> None:
    """Give every claim of a notebook's page a place that a link can lead to: ``claim-1``, …"""
    for number, (_, output) in enumerate(_shown(notebook), start=1):
        markup = output.data.get("text/html")
        if markup is not None:
            output.data["text/html"] = f'<div id="claim-{number}">{"".join(markup)}</div>'


def claims_page(course: Course, runs: Sequence[Executed], *, page: str) -> str:
    """The sections of the page, one a notebook that claims anything, as markdown with HTML."""
    claims = [claim for run in runs for claim in run.claims]
    held = sum(bool(claim["held"]) for claim in claims)
    told = f"{held} of {len(claims)} claims held in the runs shown here."
    sections = [_section(course, run, page=page) for run in runs if run.claims]
    return "\n\n".join([told, *sections])


def title(run: Executed) -> str:
    """A chapter's title with its number, as the contents show it."""
    words = run.slug.replace("_", " ")
    for cell in run.source.cells[:1]:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("# "):
                words = line[2:].strip().replace("`", "")
                break
    return f"{run.number} · {words}" if run.is_chapter else words


def page_of(course: Course, run: Executed) -> str:
    """The page that shows a notebook, such as ``chapters/04_under_the_hood``."""
    return run.source_path.relative_to(course.root).with_suffix("").as_posix()


def _section(course: Course, run: Executed, *, page: str) -> str:
    address = facts.from_page(page, f"{page_of(course, run)}.html")
    bounds = _limits(run)
    past = history.by_claim(history.read(course, run))
    tried = elsewhere.read(course, run)
    linked = [bool(out.data.get("text/html")) for _, out in _shown(run.notebook)]
    rows = []
    for number, (identity, claim) in enumerate(
        zip(history.identities(run.claims), run.claims, strict=True), start=1
    ):
        # A claim that shows nothing of its own has no place but the table at the chapter's end.
        own = len(linked) == len(run.claims) and linked[number - 1]
        place = f"{address}#claim-{number}" if own else f"{address}#claims"
        name = f"{run.slug.replace('_', '-')}-{number}"
        points = past.get(identity, [])
        limits = margins.recorded(claim) or bounds.get(identity[0], ())
        spread = "not tried" if tried is None else tried.cell(identity)
        rows.append(_row(claim, points, limits, spread, place=place, name=name))
    heading = title(run)
    return (
        f"## {heading}\n\n"
        f"{_elsewhere(tried)}"
        f'<div class="table-scroll"><table class="measured">'
        f'<caption><a href="{escape(address)}">{escape(heading)}</a>: '
        f"{sum(bool(c['held']) for c in run.claims)} of {len(run.claims)} held</caption>"
        f"{_HEAD}<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _elsewhere(tried: Elsewhere | None) -> str:
    """The line above a table that says where and when its spreads were made."""
    if tried is None:
        return ""
    older = f' <strong class="failed">{tried.stale}</strong>' if tried.stale else ""
    return f'<p class="measured">Elsewhere: {tried.told}{older}</p>\n\n'


def _row(
    claim: dict[str, Any],
    points: list[Point],
    limits: Sequence[Limit],
    spread: str,
    *,
    place: str,
    name: str,
) -> str:
    css, words = ("held", "✓ yes") if claim["held"] else ("failed", "✗ no")
    text = " ".join(str(claim["text"]).split())
    where = f" [{escape(claim['on'])}]" if claim.get("on") else ""
    value = claim.get("value")
    limit = None if value is None else margins.nearest(limits, value)
    shown = escape(str(claim.get("found") or "")) if value is None else drawing.number(value)
    plot = ""
    if points:
        number = limit.number if limit is not None else None
        plot = drawing.sparkline(points, title=text, name=name, limit=number)
    return (
        f'<tr><td><span class="{css}">{words}</span></td>'
        f'<td><a href="{escape(place)}">{escape(text)}</a>{where}</td>'
        f"<td>{shown}</td>{_margin(limits, limit, value)}"
        f'<td class="spread">{spread}</td><td>{plot}</td></tr>'
    )


def _margin(limits: Sequence[Limit], limit: Limit | None, value: float | None) -> str:
    """The cells of limit and margin: how far the value is from failing, and which part that is."""
    if limits and value is None:
        stated = escape(" and ".join(map(str, limits)))
        return f"<td>{stated}</td><td>not a number</td>"
    if limit is None or value is None:
        return '<td colspan="2">yes or no</td>'
    stated = escape(" and ".join(map(str, limits)))
    margin, part = limit.margin(value), limit.part(value)
    if limit.sign == "=":
        told = "exact" if margin == 0 else f"{margin:.3g}"
    else:
        told = f"{margin:.3g}" + ("" if part is None else f" ({part:.0%})")
    return f"<td>{stated}</td><td>{told}</td>"


def _limits(run: Executed) -> dict[str, tuple[Limit, ...]]:
    """The limits that code alone tells, of every claim whose text stands once, by text."""
    found: dict[str, tuple[Limit, ...]] = {}
    texts = [str(claim.get("text", "")) for claim in run.claims]
    for cell in run.source.cells:
        if cell.cell_type == "code" and "claim(" in cell.source:
            found.update(margins.limits(cell.source))
    return {text: bounds for text, bounds in found.items() if texts.count(text) == 1}


def _shown(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    """Each cell and output that holds a claim, in order."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if CLAIM in output.get("data", {}):
                yield cell, output
