"""What a chapter's page says about its own run: a box below the title, and a table of claims.

Both are plain HTML without empty lines, which markdown passes through as it stands.
"""

from __future__ import annotations

from html import escape
from posixpath import relpath

from chapterhouse.site.executed import Executed
from chapterhouse.site.settings import SiteSettings

COLAB_HELP = (
    "To run it in Colab, download the notebook, then choose File, Upload notebook there. It brings "
    "the book's library along."
)


def notebook_path(slug: str) -> str:
    """Where the Colab edition of a chapter is within the site."""
    return f"colab/{slug}.ipynb"


def exercises_path(slug: str) -> str:
    """Where the notebook of a chapter's exercises is within the site."""
    return f"_static/exercises/{slug}_exercises.ipynb"


def from_page(page: str, path: str) -> str:
    """The relative address of a file of the site, seen from one of its pages."""
    return relpath(path, page.rpartition("/")[0] or ".")


def box(executed: Executed, settings: SiteSettings, *, page: str) -> str:
    """The box below a chapter's title: run time, memory, data, claims and links."""
    held = sum(bool(claim["held"]) for claim in executed.claims)
    facts = [
        *([("Chapter", escape(executed.number))] if executed.is_chapter else []),
    ]
    if executed.has_run:
        until = ", until it stopped" if executed.state == "stopped" else ""
        profile = f"<small>({escape(executed.profile)}{until})</small>"
        facts.append(("Run time", f"{duration(executed.wall_s)} {profile}"))
        facts.append(("Memory", f"{executed.peak_memory_bytes / 1024**2:,.0f} MB"))
    else:
        facts.append(("Run time", "not run"))
    if executed.data:
        facts.append(("Data", ", ".join(escape(name) for name in executed.data)))
    if executed.claims:
        facts.append(("Claims", f'<a href="#claims">{held} of {len(executed.claims)} held</a>'))
    rows = "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in facts)
    what = "chapter" if executed.is_chapter else "page"
    links = _links(executed, settings, page=page)
    return (
        f'<aside class="facts" aria-label="About this {what}\'s run">\n'
        f"<dl>{rows}</dl>\n"
        + (f'<p class="facts-links">{links}</p>\n' if links else "")
        + "</aside>"
    )


def _links(executed: Executed, settings: SiteSettings, *, page: str) -> str:
    if not executed.is_chapter:
        source = settings.source_url(f"{page}.ipynb")
        return f'<a class="button" href="{escape(source)}">Source</a>' if source else ""
    path = notebook_path(executed.slug)
    colab = settings.colab_url(path)
    links = []
    if colab:
        links.append(f'<a class="button" href="{escape(colab)}">Open in Colab</a>')
    kaggle = settings.kaggle_url(path)
    if kaggle:
        links.append(f'<a class="button" href="{escape(kaggle)}">Open in Kaggle</a>')
    links.append(
        f'<a class="button" href="{escape(from_page(page, path))}" download>Download notebook</a>'
    )
    source = settings.source_url(f"chapters/{executed.slug}.ipynb")
    if source:
        links.append(f'<a class="button" href="{escape(source)}">Source</a>')
    if not colab:
        links.append(f'<span class="facts-help">{COLAB_HELP}</span>')
    return " ".join(links)


def claims_table(executed: Executed) -> str:
    """The folded table of everything that the chapter claims; nothing for a chapter without."""
    if not executed.claims:
        return ""
    rows = "".join(_claim_row(claim) for claim in executed.claims)
    held = sum(bool(claim["held"]) for claim in executed.claims)
    what = "chapter" if executed.is_chapter else "page"
    return (
        '<details class="claims" id="claims">\n'
        f"<summary>What this {what} claims: {held} of {len(executed.claims)} held "
        "in the run shown here</summary>\n"
        '<div class="table-scroll"><table><thead><tr><th scope="col">Held</th>'
        '<th scope="col">Claim</th><th scope="col">Value</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>\n"
        "</details>"
    )


def _claim_row(claim: dict) -> str:
    name, words = ("held", "✓ yes") if claim["held"] else ("failed", "✗ no")
    value = claim.get("value")
    if value is None:
        shown = str(claim.get("found") or "")
    else:
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    text = " ".join(str(claim["text"]).split())
    return (
        f'<tr><td><span class="{name}">{words}</span></td>'
        f"<td>{escape(text)}</td><td>{escape(shown)}</td></tr>"
    )


def duration(seconds: float) -> str:
    """A time as people say it: ``9 s``, ``2 min 5 s``, ``1 h 3 min``."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
