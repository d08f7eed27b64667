"""The preview renews the page that was edited, and leaves the rest to the whole build."""

import json
import shutil
from pathlib import Path

import pytest

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import quick, render
from chapterhouse.site.stage import Staged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def course(small_site, tmp_path_factory) -> Course:
    """A copy of the small course with its site; Sphinx reads it anew."""
    folder = tmp_path_factory.mktemp("quick") / "course"
    shutil.copytree(small_site.root, folder)
    return Course.find(folder)


@pytest.fixture(scope="module")
def helper(course):
    made = quick.Helper(course, "fast")
    yield made
    made.close()


def page(course: Course, name: str) -> str:
    return (course.build / "html" / f"{name}.html").read_text()


def edit_chapter(course: Course, change) -> None:
    path: Path = course.chapters / "01_line.ipynb"
    notebook = json.loads(path.read_text())
    change(notebook["cells"])
    path.write_text(json.dumps(notebook))


def test_pages_are_renewed_with_the_style_and_scripts_of_the_whole_site(course, helper):
    before, other = page(course, "chapters/01_line"), page(course, "book/glossary")
    index = course.root / "book/index.md"
    index.write_text(index.read_text() + "\nWords that are new here.\n")

    def more(cells):
        cells[0]["source"] = "".join(cells[0]["source"]) + "\n\nThe {term}`batch` is mended."

    edit_chapter(course, more)
    answer = helper.refresh()
    assert answer == {"pages": ["book/index", "chapters/01_line"], "complaints": []}
    assert "Words that are new here." in page(course, "book/index")
    after = page(course, "chapters/01_line")
    assert "is mended." in after
    assert 'data-definition="A few examples at once."' in after
    assert 'id="claim-1"' in after
    head = [line.strip() for line in before.split("</head>")[0].splitlines()]
    loaded = [line for line in head if "stylesheet" in line or "<script defer" in line]
    assert loaded
    assert all(line in after for line in loaded)
    assert len(after) < 1.2 * len(before), "what the theme brings was left out as before"
    assert page(course, "book/glossary") == other
    state = json.loads((course.build / "site/state.json").read_text())
    assert (state["site"], state["render"]) == (None, None), "the whole build trusts nothing"
    assert helper.refresh() == {"reason": "no page changed"}


def test_a_fault_is_told_and_the_page_shown(course, helper):
    index = course.root / "book/index.md"
    index.write_text(index.read_text() + "\nSee {ref}`nowhere-at-all`.\n")
    answer = helper.refresh()
    assert answer["pages"] == ["book/index"]
    assert "nowhere-at-all" in answer["complaints"][0]
    staged = Staged(course.build / "site-source")
    for _ in range(2):
        with pytest.raises(SiteError, match="nowhere-at-all"):
            render.render(course, staged)


def test_a_page_whose_code_was_changed_says_so_until_it_runs(course, helper):
    def other_code(cells):
        cells[1]["source"] = "num_points = 41\nseed = 0"

    edit_chapter(course, other_code)
    answer = helper.refresh()
    shown = page(course, "chapters/01_line")
    assert "This page is older than its notebook" in shown, answer
