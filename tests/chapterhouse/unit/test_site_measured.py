"""The pages of claims and of run times: limits from code, margins, history, and their HTML."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from nbformat import v4

from chapterhouse.course import Course
from chapterhouse.site import measured
from chapterhouse.site.executed import CLAIM, Executed
from chapterhouse.site.measured import drawing, history, margins
from chapterhouse.site.measured.history import Point
from chapterhouse.site.measured.margins import Limit


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("x > 0.85", "x", [Limit(">", 0.85)]),
        ("0.85 < x", "x", [Limit(">", 0.85)]),
        ("x <= -1e-3", "x", [Limit("≤", -1e-3)]),
        ("0.5 < x < 1.5", "x", [Limit(">", 0.5), Limit("<", 1.5)]),
        ("x > 0.5 and y < 2", "x", [Limit(">", 0.5)]),
        ("1 / 4 < x", "x", [Limit(">", 0.25)]),
        ("float(x) < 2", "x", [Limit("<", 2)]),
        ("x[-1] < 2 * 3", "x[-1]", [Limit("<", 6)]),
        ("x > 0.5 or y", "x", []),
        ("not x < 0.5", "x", []),
        ("x > y", "x", []),
        ("x > y + 0.1", "x", []),
        ("x > 1 / 0", "x", []),
        ("x == 3", "x", []),
        ("int(x) < 2", "x", []),
        ("y > 0.5", "x", []),
        ("x > True", "x", []),
    ],
)
def test_only_a_written_number_beside_the_value_itself_is_a_limit(condition, value, expected):
    found = margins.limits(f'sp.claim("so it is", {condition}, value={value})')
    assert list(found.get("so it is", ())) == expected


def test_a_text_may_have_a_name_of_its_own_in_the_cell():
    assert margins.limits('text = "good"\nclaim(text, x > 1, value=x)') == {
        "good": (Limit(">", 1),)
    }
    assert margins.limits('text = "a"\ntext = "b"\nclaim(text, x > 1, value=x)') == {}
    assert margins.limits('claim(f"{n} steps", x > 1, value=x)') == {}


def test_two_claims_with_one_text_have_no_limit_and_broken_code_none():
    assert margins.limits('claim("a", x > 1, value=x)\nclaim("a", x > 2, value=x)') == {}
    assert margins.limits("%time claim(") == {}


def test_the_margin_is_the_way_to_the_nearest_limit():
    bounds = (Limit(">", 0.5), Limit("<", 1.5))
    near = margins.nearest(bounds, 1.4)
    assert near == Limit("<", 1.5)
    assert near.margin(1.4) == pytest.approx(0.1)
    assert near.margin(1.6) == pytest.approx(-0.1)
    assert margins.nearest((), 1.0) is None


CELL = 'sp.claim("a & b", score > 0.8, value=score)'


def chapter(folder: Path) -> tuple[Course, Executed]:
    """A course on disk with one chapter that claims two things."""
    (folder / "chapters").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.chapterhouse]\ntitle = "T"\nlibraries = []\n')
    claims = (
        {"text": "a & b", "held": True, "value": 0.9, "name": None},
        {"text": "plain", "held": True, "value": None, "name": None},
    )
    cells = [
        v4.new_markdown_cell("# First `steps`", id="title"),
        v4.new_code_cell(CELL, id="score"),
        v4.new_code_cell('# why\nsp.claim("plain", True)', id="plain"),
    ]
    for cell, claim in zip(cells[1:], claims, strict=True):
        data = {CLAIM: claim, "text/html": f"<p>{claim['text']}</p>", "text/plain": "."}
        cell.outputs = [v4.new_output("display_data", data=data)]
    notebook = v4.new_notebook(cells=cells)
    run = Executed(
        slug="01_steps",
        source_path=folder / "chapters/01_steps.ipynb",
        source=notebook,
        notebook=notebook,
        profile="fast",
        wall_s=4.0,
        cpu_s=3.0,
        peak_memory_bytes=200 * 1024**2,
        claims=claims,
        values={},
        data=(),
        cells=(("score", 3.0), ("plain", 0.5), ("injected-parameters", 0.0)),
        environment={"torch": "2.13.0", "Pygments": "2"},
        machine={"python": "3.11", "accelerators": ""},
    )
    return Course.find(folder), run


def remember(course: Course, *lines: str) -> None:
    path = course.build / "history/fast/01_steps.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def moment(day: str, value: float, *, held: bool = True) -> str:
    status = "ran" if held else "failed"
    claims = [{"text": "a & b", "held": held, "value": value}]
    return json.dumps(
        {"when": f"{day}T10:00:00+00:00", "status": status, "wall_s": 4, "claims": claims}
    )


def test_the_page_has_value_limit_margin_and_history_of_each_claim(tmp_path):
    course, run = chapter(tmp_path)
    remember(course, moment("2026-01-01", 0.7, held=False), "damaged", moment("2026-01-03", 0.9))
    page = measured.expand("claims-page", course, [run], page="book/claims")
    assert "2 of 2 claims held" in page
    assert "## 1 · First steps" in page
    assert '<a href="../chapters/01_steps.html#claim-1">a &amp; b</a>' in page
    assert "<td>0.9</td><td>&gt; 0.8</td><td>0.1 (12%)</td>" in page
    assert "2 runs from 2026-01-01 to 2026-01-03; smallest 0.7, largest 0.9; failed in 1." in page
    assert page.count("<svg") == 1  # the other claim is in no remembered run
    assert "\n\n<td" not in page


@pytest.mark.parametrize(
    ("value", "limits", "cells"),
    [
        (0.9, [(">", 0.8, 0)], "<td>&gt; 0.8</td><td>0.1 (12%)</td>"),
        (0.9, [(">", 0.5, 0), ("<", 1, 0)], "<td>&gt; 0.5 and &lt; 1</td><td>0.1 (10%)</td>"),
        (2.5, [("≈", 2.0, 1.0)], "<td>2 ± 1</td><td>0.5 (50%)</td>"),
        (0.25, [(">", 0, 0)], "<td>&gt; 0</td><td>0.25</td>"),
        (642, [("=", 642, 0)], "<td>= 642</td><td>exact</td>"),
        (641, [("=", 642, 0)], "<td>= 642</td><td>-1</td>"),
        (0.5, [], '<td colspan="2">yes or no</td>'),
        (None, [], '<td colspan="2">yes or no</td>'),
    ],
)
def test_a_recorded_limit_has_its_margin_and_a_yes_or_no_says_so(tmp_path, value, limits, cells):
    course, run = chapter(tmp_path)
    stated = [dict(zip(("sign", "number", "within"), limit, strict=True)) for limit in limits]
    claim = {"text": "a claim", "held": True, "value": value, "name": None, "limits": stated}
    run = replace(run, claims=(claim, run.claims[1]))
    page = measured.expand("claims-page", course, [run], page="book/claims")
    assert cells in page.split("a claim</a></td>")[1].split("</tr>")[0]
    assert '<td colspan="2">yes or no</td>' in page.split("plain</a></td>")[1]


def test_a_recorded_limit_goes_before_the_one_in_the_code(tmp_path):
    course, run = chapter(tmp_path)
    limits = [{"sign": ">", "number": 0.5, "within": 0}]
    run = replace(run, claims=({**run.claims[0], "limits": limits}, run.claims[1]))
    page = measured.expand("claims-page", course, [run], page="book/claims")
    assert "<td>&gt; 0.5</td><td>0.4 (80%)</td>" in page


def test_a_link_leads_to_the_very_claim_where_it_shows_itself(tmp_path):
    course, run = chapter(tmp_path)
    measured.mark_claims(run.notebook)
    shown = [cell.outputs[0].data["text/html"] for cell in run.notebook.cells[1:]]
    assert shown[0] == '<div id="claim-1"><p>a & b</p></div>'
    assert 'id="claim-2"' in shown[1]
    del run.notebook.cells[1].outputs[0].data["text/html"]
    page = measured.expand("claims-page", course, [run], page="claims")
    assert 'href="chapters/01_steps.html#claims">a &amp; b' in page
    assert 'href="chapters/01_steps.html#claim-2">plain' in page


def test_the_times_of_cells_and_the_environment_are_those_of_the_run(tmp_path):
    course, run = chapter(tmp_path)
    remember(course, moment("2026-01-01", 0.9))
    page = measured.expand("timing-page", course, [run], page="book/timing")
    assert "4.0 s" in page
    assert "200 MB" in page
    assert "2 code cells" in page
    assert "<code>sp.claim(&quot;plain&quot;, True)</code></td><td>0.50 s</td>" in page
    assert page.index("Pygments") < page.index("torch</th><td>2.13.0")
    assert "python 3.11" in page
    assert "accelerators" not in page


def test_a_course_without_runs_and_a_run_without_records_have_their_pages(tmp_path):
    course, run = chapter(tmp_path)
    assert "0 of 0" in measured.expand("claims-page", course, [], page="p")
    assert "Nothing has been executed" in measured.expand("timing-page", course, [], page="p")
    bare = replace(run, cells=(), environment={}, machine={})
    assert "<details" not in measured.expand("timing-page", course, [bare], page="p")
    assert measured.expand("another", course, [run], page="p") is None


def test_claims_with_one_text_keep_apart_over_runs():
    twice = ({"text": "t", "held": True, "value": 1}, {"text": "t", "held": False, "value": 2})
    points = history.by_claim([history.Past("2026-01-01T00", 1.0, True, twice)])
    assert points[("t", 0)] == [Point("2026-01-01", True, 1.0)]
    assert points[("t", 1)] == [Point("2026-01-01", False, 2.0)]


def test_a_plot_draws_every_run_and_stays_within_its_frame():
    points = [
        Point("2026-01-01", True, 3.0),
        Point("2026-01-02", False, 1.0),
        Point("x", True, None),
    ]
    plot = drawing.sparkline(points, title="<t>", name="n", limit=2.0)
    line = plot.split('points="')[1].split('"')[0].split()
    places = [tuple(map(float, pair.split(","))) for pair in line]
    assert len(places) == 3
    assert all(0 <= x <= drawing.WIDTH and 0 <= y <= drawing.HEIGHT for x, y in places)
    assert places[0][1] < places[1][1]  # the larger value lies higher
    assert plot.count("<circle") == 2
    assert "&lt;t&gt;" in plot
    assert "stroke-dasharray" in plot


def test_numbers_are_short_and_whole_where_they_are_whole():
    assert [drawing.number(v) for v in (3, 3.0, 12345.678, 0.000123456, 1e300)] == [
        "3", "3", "1.235e+04", "0.0001235", "1e+300",
    ]  # fmt: skip
