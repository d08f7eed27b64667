"""The page of claims says how each went on other machines, and whether that is old."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.run.record import CLAIM
from chapterhouse.run.robust import store
from chapterhouse.run.robust.matrix import make_matrix
from chapterhouse.run.robust.processor import Processor
from chapterhouse.run.robust.sweep import sweep
from chapterhouse.site import measured
from chapterhouse.site.executed import Executed
from chapterhouse.testing import FakeExecute, make_course, make_notebook

HERE = Processor("a <processor>", "AVX2", (), 2, {"python": "3", "torch": "2.13.0"})
LIMIT = [{"sign": ">", "number": 0, "within": 0}]


def claim(text: str, value: float | None, limits: list[dict], *, held: bool = True) -> dict:
    return {"text": text, "held": held, "value": value, "limits": limits}


def claims(seed: int) -> list[dict]:
    return [
        claim("far", 10.0 + seed % 3, LIMIT),
        claim("near", 1.0 - seed, LIMIT, held=seed == 0),
        claim("plain", None, []),
        claim("computed", 10.0 + seed, [{**LIMIT[0], "number": 5.0 - seed}]),
    ]


def execute(plan, course, **settings):
    made = FakeExecute(used={plan.slug: ["lib/tiny/a.py"]})(plan, course, **settings)
    made.outputs[0] = [{"data": {CLAIM: each}} for each in claims(plan.parameters["seed"])]
    return made


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course with one chapter whose spreads are stored."""
    chapter = make_notebook(["print(1)"], parameters="seed = 1", prose="# First")
    course = make_course(tmp_path, {"01_one": chapter}, library={"a.py": "x = 1"})
    matrix = make_matrix("AVX2", seeds=range(10), design="full")
    sweep(
        course,
        {course.chapters / "01_one.ipynb": matrix.cells("01_one", seeded=True)},
        matrix=matrix,
        here=HERE,
        screen=io.StringIO(),
        execute=execute,
        finished=lambda summary: store.save(summary, course),
    )
    return course


def page(course: Course) -> str:
    path = course.chapters / "01_one.ipynb"
    source = nb.read(path)
    run = Executed(
        slug="01_one",
        source_path=path,
        source=source,
        notebook=source,
        profile="fast",
        wall_s=1.0,
        cpu_s=1.0,
        peak_memory_bytes=1,
        claims=(*claims(0), claim("new", None, [])),
        values={},
        data=(),
    )
    return measured.expand("claims-page", course, [run], page="book/claims")


def cell(course: Course, text: str) -> str:
    row = page(course).split(f">{text}</a></td>")[1].split("</tr>")[0]
    return row.split('<td class="spread">')[1].split("</td>")[0]


def test_each_claim_has_its_spread_beside_it(course) -> None:
    assert cell(course, "far") == "10 … 11 … 12; 13.0 sd from its limit, 40 runs"
    assert cell(course, "near") == (
        '-8 … -3.5 … 1; <span class="failed">✗ failed in 36 of 40 runs</span>'
    )
    assert cell(course, "plain") == "held in all 40 runs"
    assert cell(course, "computed").startswith("margin 5 … 14 … 23; 2.4 sd")
    assert cell(course, "new") == "not tried"


def test_limit_and_margin_stay_left_of_the_spread(course) -> None:
    head = page(course).split("<thead>")[1].split("</thead>")[0]
    assert head.index("Limit") < head.index("Margin") < head.index("Elsewhere")
    assert "<td>&gt; 0</td><td>10</td><td class" in page(course)


def test_the_page_says_where_and_when_the_runs_were(course) -> None:
    stored = json.loads(store.place(course, "01_one").read_text())
    day = stored["when"].partition("T")[0]
    assert (
        f"Elsewhere: 40 runs on {day}: instruction sets default, native, avx2 is native there; "
        "1 and 2 threads, seeds 0 to 9; a &lt;processor&gt;, torch 2.13.0.</p>"
    ) in page(course)


@pytest.mark.parametrize(
    ("design", "words"),
    [
        ("half", "seeds 0 to 9 (two threads with every other seed); a"),
        ("thin", "seeds 0 to 9 (one instruction set a seed); a"),
        ("full", "seeds 0 to 9; a"),
    ],
)
def test_the_page_says_which_part_of_the_matrix_was_run(course, design, words) -> None:
    path = store.place(course, "01_one")
    stored = json.loads(path.read_text())
    stored["cells"]["design"] = design
    path.write_text(json.dumps(stored))
    assert words in page(course)


def test_what_was_stored_before_the_code_was_changed_is_shown_as_such(course) -> None:
    prose = make_notebook(["print(1)"], parameters="seed = 1", prose="# Other words")
    nb.write(prose, course.chapters / "01_one.ipynb")
    assert "older" not in cell(course, "far")
    code = make_notebook(["print(2)"], parameters="seed = 1", prose="# First")
    nb.write(code, course.chapters / "01_one.ipynb")
    assert "The chapter's code was changed since." in page(course)
    assert cell(course, "far").endswith("40 runs; older")


@pytest.mark.parametrize("gone", [False, True])
def test_what_was_stored_with_an_earlier_library_is_shown_as_such(course, gone) -> None:
    file = course.root / "lib" / "tiny" / "a.py"
    if gone:
        file.unlink()
    else:
        file.write_text("x = 2")
    assert "They were made with an earlier library." in page(course)
    assert cell(course, "plain").endswith("older")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"claims": 3}'])
def test_damage_and_nothing_stored_leave_a_page(course, text) -> None:
    store.place(course, "01_one").write_text(text)
    assert cell(course, "far") == "not tried"
    store.place(course, "01_one").unlink()
    assert cell(course, "far") == "not tried"
    assert "Elsewhere:" not in page(course)
