"""What stands at the top of a page whose run is not as it should be, and in the table of a build.

It says what did not hold here, with value and limit, and in which run it held last, as far as this
copy of the book remembers. It is plain HTML without empty lines, which markdown passes through.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from nbformat import NotebookNode, v4

from chapterhouse.course import Course
from chapterhouse.site.executed import CLAIM, Executed
from chapterhouse.site.measured import drawing, history, margins
from chapterhouse.site.measured.history import Past

_TITLES = {
    "ran": "This page is older than its notebook",
    "claims": "Not all that this page states holds here",
    "stopped": "The run of this page did not come to its end",
    "missing": "This page has not been run",
    "unreadable": "The notebook of this page cannot be read",
}
_STOPPED = "run-stopped"


def banner(course: Course, run: Executed) -> str:
    """The box for the top of a page; nothing where all is well."""
    if not run.is_broken:
        return ""
    title = _TITLES[run.state]
    parts = [f'<p class="broken-title">{escape(title)}</p>', *_reason(course, run)]
    if run.edited and run.state != "ran":
        parts.append("<p>The notebook was edited after this run.</p>")
    if run.edited or run.state == "missing":
        parts.append(f"<p><code>{escape(command(run))}</code> runs it.</p>")
    body = "\n".join(parts)
    return f'<aside class="broken" aria-label="{escape(title)}">\n{body}\n</aside>'


def command(run: Executed) -> str:
    """What executes a notebook in its profile."""
    profile = "" if run.profile == "fast" else f" --profile {run.profile}"
    return f"chapterhouse run {run.slug}{profile}"


def told(run: Executed) -> str:
    """What is wrong with a page, in one line."""
    return run.error or _TITLES[run.state]


def mark_stop(notebook: NotebookNode, run: Executed) -> None:
    """Say below the cell that stopped a run that nothing after it was computed."""
    at = run.cells[-1][0] if run.cells else ""
    for cell in notebook.cells:
        if run.state == "stopped" and cell.cell_type == "code" and cell.get("id") == at:
            text = "The run stopped here. What stands below was not computed."
            html = f'<p class="run-stopped" id="{_STOPPED}">{text}</p>'
            bundle = {"text/html": html, "text/plain": text}
            cell.outputs.append(v4.new_output("display_data", data=bundle))


def _reason(course: Course, run: Executed) -> Iterator[str]:
    past = history.read(course, run)
    if run.state == "stopped":
        yield f"<p>{escape(run.error)}</p>"
        if run.cells:
            yield (
                f'<p>What stands below <a href="#{_STOPPED}">the place where it stopped</a> was '
                f"not computed. {_last_end(past)}</p>"
            )
        else:
            yield f"<p>Nothing was computed. {_last_end(past)}</p>"
    elif run.state in ("missing", "unreadable"):
        yield f"<p>{escape(run.error)}</p>"
        yield "<p>It shows what its author wrote, and nothing that a run computes.</p>"
    broken = sum(not claim["held"] for claim in run.claims)
    if broken:
        does = "does" if broken == 1 else "do"
        on = f" on {escape(run.processor)}" if run.processor else ""
        yield f"<p>In the run shown here{on}, {broken} of {len(run.claims)} claims {does} not hold:"
        yield f"</p><ul>{''.join(_claims(run, past))}</ul>"


def _claims(run: Executed, past: list[Past]) -> Iterator[str]:
    """One entry for each claim that does not hold."""
    outputs = [out for cell in run.notebook.cells for out in cell.get("outputs", [])]
    shown = [bool(o.data.get("text/html")) for o in outputs if CLAIM in o.get("data", {})]
    identities = history.identities(run.claims)
    for number, (identity, claim) in enumerate(zip(identities, run.claims, strict=True), start=1):
        if claim["held"]:
            continue
        own = len(shown) == len(run.claims) and shown[number - 1]
        place = f"#claim-{number}" if own else "#claims"
        text = " ".join(str(claim["text"]).split())
        held = history.last_held(past, identity)
        when = f"It held last {_when(held)}." if held else "It has never held here."
        yield (
            f'<li><a href="{place}">{escape(text)}</a>{_value(claim)} '
            f'<span class="broken-last">{when}</span></li>'
        )


def _value(claim: dict) -> str:
    """The number and what it must be: ``: 0.17, and it must be < 0.15.``"""
    value = claim.get("value")
    number = str(claim.get("found") or "") if value is None else drawing.number(value)
    limits = margins.recorded(claim)
    must = " and ".join(map(str, limits))
    if not number:
        return "."
    return f": {escape(number)}" + (f"; it must be {escape(must)}." if must else ".")


def _last_end(past: list[Past]) -> str:
    ended = next((moment for moment in reversed(past) if moment.ran), None)
    return f"All was well last {_when(ended)}." if ended else "It has never run well here."


def _when(moment: Past) -> str:
    """When and where a run took place, as far as it is known."""
    commit = f"at commit <code>{escape(moment.commit)}</code>" if moment.commit else ""
    on = f"on {escape(moment.processor)}" if moment.processor else ""
    return ", ".join(filter(None, [f"on {moment.day}", commit, on]))
