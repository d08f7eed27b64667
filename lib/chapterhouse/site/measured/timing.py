"""The page of times: what each chapter and each of its cells cost, and on what they ran."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from chapterhouse.course import Course
from chapterhouse.site import facts
from chapterhouse.site.executed import Executed
from chapterhouse.site.measured import drawing, history
from chapterhouse.site.measured.claims import page_of, title
from chapterhouse.site.measured.history import Point

_LINE = 60  # characters of a cell's code that its row shows


def timing_page(course: Course, runs: Sequence[Executed], *, page: str) -> str:
    """A table of all notebooks, then one section a notebook, as markdown with HTML."""
    runs = [run for run in runs if run.has_run]
    longest = max((run.wall_s for run in runs), default=1.0) or 1.0
    rows = "".join(_row(course, run, longest, page=page) for run in runs)
    names = ("Page", "Run time", "", "Processor", "Peak memory", "Run time over runs")
    overview = _table("Run time and memory of each page", names, rows)
    total = sum(run.wall_s for run in runs)
    told = (
        f"One after another the runs of these {len(runs)} pages took {facts.duration(total)}, "
        f"in the profile {runs[0].profile}."
        if runs
        else "Nothing has been executed."
    )
    return "\n\n".join([told, overview, *(_section(run) for run in runs)])


def _row(course: Course, run: Executed, longest: float, *, page: str) -> str:
    address = facts.from_page(page, f"{page_of(course, run)}.html")
    past = [Point(m.day, m.ran, m.wall_s) for m in history.read(course, run)]
    heading = title(run)
    plot = ""
    if past:
        name = f"{run.slug.replace('_', '-')}-time"
        plot = drawing.sparkline(past, title=f"{heading}: seconds", name=name, limit=None)
    cells = [
        f"{run.wall_s:.1f} s",
        drawing.bar(run.wall_s / longest),
        f"{run.cpu_s:.1f} s",
        f"{run.peak_memory_bytes / 1024**2:,.0f} MB",
        plot,
    ]
    return (
        f'<tr><th scope="row"><a href="{escape(address)}">{escape(heading)}</a></th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def _section(run: Executed) -> str:
    """The cells of one notebook in their order, and what it imported; both folded."""
    known = {
        cell.id: (number, cell.source)
        for number, cell in enumerate(run.source.cells, start=1)
        if cell.cell_type == "code"
    }
    times = [(cell, wall_s) for cell, wall_s in run.cells if cell in known]
    longest = max((wall_s for _, wall_s in times), default=1.0) or 1.0
    rows = "".join(
        f'<tr><th scope="row">{known[cell][0]}</th><td><code>{escape(_first(known[cell][1]))}'
        f"</code></td><td>{wall_s:.2f} s</td><td>{drawing.bar(wall_s / longest)}</td></tr>"
        for cell, wall_s in times
    )
    heading = title(run)
    parts = [f"## {heading}"]
    if rows:
        table = _table(f"Cells of {heading}", ("Cell", "Begins with", "Run time", ""), rows)
        parts.append(
            f'<details class="measured">\n<summary>{len(times)} code cells</summary>\n'
            f"{table}\n</details>"
        )
    parts.append(_environment(run))
    return "\n\n".join(part for part in parts if part)


def _environment(run: Executed) -> str:
    """What the notebook really imported, and where it ran."""
    versions = sorted(run.environment.items(), key=lambda item: item[0].lower())
    if not versions and not run.machine:
        return ""
    where = ", ".join(
        escape(f"{name} {value}") for name, value in sorted(run.machine.items()) if value
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(version)}</td></tr>'
        for name, version in versions
    )
    table = _table(f"What {title(run)} imported", ("Distribution", "Version"), rows)
    return (
        f'<details class="measured">\n<summary>Environment: {len(versions)} distributions'
        f"</summary>\n<p>{where}</p>\n{table}\n</details>"
    )


def _table(caption: str, names: Sequence[str], rows: str) -> str:
    # A column of bars repeats the number beside it, so it has no name of its own.
    head = "".join(f'<th scope="col">{name}</th>' if name else "<td></td>" for name in names)
    return (
        f'<div class="table-scroll"><table class="measured"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _first(source: str) -> str:
    """The first line of a cell that is neither empty nor a comment, cut to a row's width."""
    lines = [line.strip() for line in source.splitlines()]
    code = next((line for line in lines if line and not line.startswith("#")), "")
    return code if len(code) <= _LINE else f"{code[: _LINE - 1]}…"
