"""What the site takes of a run that is not as it should be, and what its page then says."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.run import record
from chapterhouse.run.executor import run_course
from chapterhouse.run.record import executed_path, history_path
from chapterhouse.site import banner, recorded
from chapterhouse.site import executed as ex
from chapterhouse.site.gaps import NUMBER, Gaps
from chapterhouse.testing import FakeExecute, make_course, make_notebook

SLUG = "01_one"
LIMIT = {"sign": "<", "number": 0.15, "within": 0}
BROKEN = {"text": "it is < small", "held": False, "value": 0.17, "limits": [LIMIT]}


@pytest.fixture
def course(tmp_path) -> Course:
    return make_course(tmp_path, {SLUG: make_notebook(["print(1)"])})


def run(course: Course, tmp_path, **scripted) -> ex.Executed:
    with (tmp_path / "screen").open("w") as screen:
        run_course(course, screen=screen, execute=FakeExecute(**scripted), force=True)
    return load(course)


def load(course: Course) -> ex.Executed:
    return ex.load_anyhow(course, course.chapter_path("1"), profile="fast")


def edit(course: Course, old: str, new: str) -> None:
    path = course.chapter_path("1")
    path.write_text(path.read_text().replace(old, new))


def test_a_run_that_is_well_is_as_usual(course, tmp_path) -> None:
    found = run(course, tmp_path)
    assert (found.state, found.is_broken, found.error) == ("ran", False, "")
    assert banner.banner(course, found) == ""


def test_a_failed_claim_leaves_a_whole_copy(course, tmp_path) -> None:
    found = run(course, tmp_path, claims={SLUG: [BROKEN]}, stdout={SLUG: "shown"})
    assert (found.state, found.is_broken, found.has_run) == ("claims", True, True)
    assert found.notebook.cells[1].outputs[0].text == "shown"
    html = banner.banner(course, found)
    assert "\n\n" not in html
    assert '<a href="#claims">it is &lt; small</a>: 0.17; it must be &lt; 0.15.' in html
    assert f"In the run shown here on {found.processor}, 1 of 1 claims does not hold" in html
    with pytest.raises(SiteError, match="failed when it was last executed"):
        ex.load(course, course.chapter_path("1"), profile="fast")


def test_a_stopped_run_has_its_outputs_and_says_where(course, tmp_path) -> None:
    found = run(course, tmp_path, failing={SLUG}, stdout={SLUG: "so far"})
    assert found.state == "stopped"
    assert found.notebook.cells[1].outputs[0].text == "so far"
    assert found.error.startswith("chapters/01_one.ipynb, cell 3 of 3 (id code-0): ValueError")
    assert "It has never run well here." in banner.banner(course, found)


def test_a_changed_chapter_shows_the_copy_that_ran(course, tmp_path) -> None:
    run(course, tmp_path, stdout={SLUG: "shown"})
    edit(course, "print(1)", "print(2)")
    found = load(course)
    assert (found.state, found.edited, found.is_broken) == ("ran", True, True)
    assert found.notebook.cells[2].source == "print(1)"
    html = banner.banner(course, found)
    assert "older than its notebook" in html
    assert "<code>chapterhouse run 01_one</code>" in html


def test_new_prose_stands_beside_the_outputs_of_a_failed_run(course, tmp_path) -> None:
    run(course, tmp_path, claims={SLUG: [BROKEN]}, stdout={SLUG: "shown"})
    edit(course, "# A chapter", "# Another title")
    found = load(course)
    assert (found.state, found.edited) == ("claims", False)
    assert found.notebook.cells[0].source == "# Another title"
    assert found.notebook.cells[1].outputs[0].text == "shown"


def test_what_never_ran_has_text_and_code_and_says_what_runs_it(course) -> None:
    found = load(course)
    assert (found.state, found.has_run, found.claims) == ("missing", False, ())
    assert [cell.cell_type for cell in found.notebook.cells] == ["markdown", "code", "code"]
    html = banner.banner(course, found)
    assert "<code>chapterhouse run 01_one</code> runs it." in html
    assert str(course.root) not in html


@pytest.mark.parametrize("damage", ["{", "[]", '{"status": "ran"}', '{"status": "failed"}'])
def test_a_damaged_record_counts_as_no_run(course, tmp_path, damage) -> None:
    run(course, tmp_path)
    executed_path(course, "fast", SLUG, ".json").write_text(damage)
    assert load(course).state == "missing"


def test_a_notebook_that_cannot_be_read_has_a_title(course, tmp_path) -> None:
    run(course, tmp_path)
    course.chapter_path("1").write_text("{")
    found = load(course)
    assert found.state == "unreadable"
    assert nb.dumps(found.notebook)
    assert found.source.cells[0].source == "# One"
    assert "chapters/01_one.ipynb is not a notebook" in banner.banner(course, found)


def test_the_banner_knows_the_run_in_which_a_claim_held_last(course, tmp_path) -> None:
    good = run(course, tmp_path, claims={SLUG: [{**BROKEN, "held": True, "value": 0.1}]})
    past = history_path(course, "fast", SLUG)
    moment = json.loads(past.read_text())
    moment.update(when="2026-03-01T12:00:00+00:00", commit="abc1234", processor="a <fast> one")
    past.write_text(json.dumps(moment) + "\n")
    record.remember(
        record.Run.load(executed_path(course, "fast", SLUG, ".json")),
        course,
        now=datetime(2026, 3, 2, tzinfo=UTC),
        commit="def5678",
    )
    broken = run(course, tmp_path, claims={SLUG: [BROKEN]})
    html = banner.banner(course, broken)
    assert (
        f"It held last on 2026-03-02, at commit <code>def5678</code>, on {good.processor}." in html
    )
    past.write_text("\n".join(past.read_text().splitlines()[::2]) + "\n")
    html = banner.banner(course, load(course))
    assert "on 2026-03-01, at commit <code>abc1234</code>, on a &lt;fast&gt; one." in html


def test_a_claim_with_the_same_text_is_another_one(course, tmp_path) -> None:
    held = {**BROKEN, "held": True}
    run(course, tmp_path, claims={SLUG: [held, BROKEN]})
    html = banner.banner(course, run(course, tmp_path, claims={SLUG: [BROKEN, BROKEN]}))
    first, second = html.split("<li>")[1:]
    assert "It held last on" in first
    assert "It has never held here." in second


def test_a_gap_of_a_broken_run_is_no_complaint_and_any_other_is(course) -> None:
    gaps = Gaps(strict=False, broken={"01_one"})
    text = "{run}`01_one/a` and {run}`02_two/b` and {run}`01_one/c:.1f`"
    runs = {"01_one": {"c": 2}, "02_two": {}}
    filled = recorded.fill(text, runs, slug=None, where="page", absent=gaps.number(NUMBER))
    assert filled == f"{NUMBER} and {NUMBER} and 2.0"
    assert gaps.complaints == [
        "page: {run}`02_two/b` names 'b', which the run did not record."
    ]  # fmt: skip
    with pytest.raises(SiteError, match="01_one/a"):
        recorded.fill(text, runs, slug=None, where="page", absent=Gaps().number(NUMBER))
