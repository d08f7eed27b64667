"""The staged tree: what the page gets, and what is refused before Sphinx is ever started."""

import json

import nbformat
import pytest

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import settings, stage

RECORD = {"application/vnd.sprat.record+json": {"values": {}}, "text/plain": "RECORDED"}
CLAIM = {"application/vnd.sprat.claim+json": {}, "text/html": "<p>✓</p>", "text/plain": "✓"}


def chapter(text: str = "# Title\n\nThe loss is {run}`loss:.1f`."):
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell(text, id="title"),
        v4.new_code_cell("epochs = 1", id="p", metadata={"tags": ["parameters"]}),
        v4.new_code_cell("draw()", id="draw", metadata={"alt": "A curve that falls."}),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture
def course(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.chapterhouse]\n")
    (tmp_path / "_config.yml").write_text("title: T\n")
    (tmp_path / "_toc.yml").write_text("root: book/index\nchapters: [{file: chapters/01_a}]\n")
    (tmp_path / "book").mkdir()
    (tmp_path / "book/index.md").write_text("# Book\n\nLoss {run}`01_a/loss:.2f`.\n")
    course = Course.find(tmp_path)
    execute(course, chapter())
    return course


def execute(course, notebook, *, stored=None, **record):
    """Leave a chapter and its executed copy, as the run room does."""
    nb.write(stored or notebook, course.chapters / "01_a.ipynb")
    v4 = nbformat.v4
    done = nbformat.from_dict(json.loads(json.dumps(notebook)))
    done.cells[-1].outputs = [
        v4.new_output("display_data", RECORD),
        v4.new_output("display_data", CLAIM),
        v4.new_output("display_data", {"image/png": "aGk=", "text/plain": "<Figure>"}),
    ]
    folder = course.build / "executed/fast"
    nb.write(done, folder / "01_a.ipynb")
    given = {
        "status": "ran", "wall_s": 3.2, "cpu_s": 3.0, "peak_memory_bytes": 1024**2,
        "claims": [{"text": "it falls", "held": True, "value": 0.5, "name": None}],
        "values": {"loss": 0.512}, "data": {},
    }  # fmt: skip
    nb.write_text(json.dumps({**given, **record}), folder / "01_a.json")


def staged(course):
    return stage.stage(course, settings.load(course))


def page(course):
    return nb.read(course.build / "site-source/chapters/01_a.ipynb")


def test_numbers_are_filled_in_chapters_and_pages(course):
    staged(course)
    assert "The loss is 0.5." in page(course).cells[0].source
    assert "Loss 0.51." in (course.build / "site-source/book/index.md").read_text()


def test_the_box_stands_below_the_title_and_the_claims_at_the_end(course):
    staged(course)
    cells = page(course).cells
    assert cells[0].source.startswith('# Title\n\n<aside class="facts"')
    assert 'id="claims"' in cells[-1].source
    assert [cell.id for cell in cells] == ["title", "p", "draw", "own-claims"]


def test_a_label_above_the_title_stays_above_it(course):
    execute(course, chapter("(label)=\n# Title\n\nText."))
    staged(course)
    assert page(course).cells[0].source.startswith("(label)=\n# Title\n\n<aside")


def test_records_are_not_shown_and_private_types_are_dropped(course):
    staged(course)
    outputs = page(course).cells[2].outputs
    assert "RECORDED" not in json.dumps(outputs)
    assert [sorted(output.data) for output in outputs] == [
        ["text/html", "text/plain"],
        ["image/png", "text/plain"],
    ]


def test_the_alt_text_of_a_cell_goes_to_its_picture(course):
    staged(course)
    assert page(course).cells[2].metadata.mystnb.image.alt == "A curve that falls."


def test_chapters_are_never_written_to(course):
    before = (course.chapters / "01_a.ipynb").read_bytes()
    staged(course)
    assert (course.chapters / "01_a.ipynb").read_bytes() == before


def test_what_did_not_change_keeps_its_time_and_what_is_gone_goes(course):
    (course.book / "old.md").write_text("# Old\n")
    staged(course)
    source = course.build / "site-source"
    before = (source / "chapters/01_a.ipynb").stat().st_mtime_ns
    (course.book / "old.md").unlink()
    (course.book / "index.md").write_text("# New\n")
    staged(course)
    assert (source / "chapters/01_a.ipynb").stat().st_mtime_ns == before
    assert (source / "book/index.md").read_text() == "# New\n"
    assert not (source / "book/old.md").exists()


def test_a_chapter_that_was_not_executed_is_refused(course):
    (course.build / "executed/fast/01_a.ipynb").unlink()
    with pytest.raises(SiteError, match="not executed") as caught:
        staged(course)
    assert caught.value.fix == "chapterhouse run 01_a"


@pytest.mark.parametrize("cell", [0, 2])
def test_a_chapter_that_was_edited_since_is_refused(course, cell):
    edited = chapter()
    edited.cells[cell].source += "\nmore"
    nb.write(edited, course.chapters / "01_a.ipynb")
    with pytest.raises(SiteError, match="edited after it was executed"):
        staged(course)


def test_the_cell_that_papermill_puts_in_is_no_edit(course):
    injected = chapter()
    injected.cells.insert(
        2,
        nbformat.v4.new_code_cell("epochs = 9", metadata={"tags": ["injected-parameters"]}),
    )
    execute(course, injected, stored=chapter())
    staged(course)
    assert page(course).cells[2].source == "epochs = 9"


def test_a_chapter_that_failed_is_refused(course):
    execute(course, chapter(), status="failed")
    with pytest.raises(SiteError, match="failed when it was last executed"):
        staged(course)


def test_a_broken_record_is_refused(course):
    nb.write_text("{", course.build / "executed/fast/01_a.json")
    with pytest.raises(SiteError, match="not the record of a run"):
        staged(course)


@pytest.mark.parametrize("text", ["No title here.", "## Too low"])
def test_a_chapter_must_begin_with_its_title(course, text):
    execute(course, chapter(text))
    with pytest.raises(SiteError, match="first cell is not a title"):
        staged(course)


@pytest.mark.parametrize("page", ["chapters/02_gone", "book/gone"])
def test_a_page_that_is_listed_but_missing_is_refused(course, page):
    toc = course.root / "_toc.yml"
    toc.write_text(f"root: book/index\nchapters: [{{file: chapters/01_a}}, {{file: {page}}}]\n")
    with pytest.raises(SiteError, match="gone"):
        staged(course)


def test_an_exercise_becomes_a_numbered_block_with_its_links(course):
    folder = course.exercises / "01_x"
    folder.mkdir(parents=True)
    front = "---\nid: 01_x\nchapter: 01_a\ntitle: Do it\npoints: 1\ndifficulty: 3\n---\n"
    (folder / "exercise.md").write_text(f"{front}Write\n\n```python\nx = 1\n```\n")
    execute(course, chapter("# Title\n\nText.\n\n```{graded} 01_x\n```"))
    found = staged(course)
    source = page(course).cells[0].source
    assert "````{exercise} Do it\n:label: exercise-01_x" in source
    assert "1 point, hard" in source
    assert "../_static/exercises/01_a_exercises.ipynb" in source
    assert found.exercise_chapters == {"01_a"}


def test_a_page_shows_a_picture_that_a_chapter_drew(course):
    (course.book / "index.md").write_text(
        "# Book\n\n```{from-run} 01_a/draw\n:width: 60%\n\nIt falls.\n```\n"
    )
    staged(course)
    text = (course.build / "site-source/book/index.md").read_text()
    name = "book/_from_run/01_a-draw.png"
    assert f"```{{image}} /{name}\n:alt: A curve that falls.\n:width: 60%\n```" in text
    assert ":::{container} picture-caption\nIt falls.\n:::" in text
    assert (course.build / "site-source" / name).read_bytes() == b"hi"


@pytest.mark.parametrize(
    ("argument", "says"),
    [("02_gone/x", "no cell of an executed chapter"), ("01_a/p", "drew no picture")],
)
def test_a_picture_that_nobody_drew_is_refused(course, argument, says):
    (course.book / "index.md").write_text(f"# Book\n\n```{{from-run}} {argument}\n```\n")
    with pytest.raises(SiteError, match=says) as caught:
        staged(course)
    assert "index.md, line 3" in caught.value.found
    assert "one of" in caught.value.fix


def test_citations_lead_to_the_chapters_own_list(course):
    execute(course, chapter("# Title\n\nAs {cite:t}`ho` and {cite}`he, li` say."))
    staged(course)
    cells = page(course).cells
    assert "As {cite:t}`01_a--ho` and {cite}`01_a--he,01_a--li` say." in cells[0].source
    assert [cell.id for cell in cells[-2:]] == ["own-references", "own-claims"]
    assert ":keyprefix: 01_a--" in cells[-2].source


def test_a_list_of_works_stays_where_the_author_put_it(course):
    execute(course, chapter("# Title\n\n{cite}`ho`\n\n```{bibliography}\n```\n\nThe end."))
    staged(course)
    cells = page(course).cells
    assert ":keyprefix: 01_a--" in cells[0].source
    assert cells[0].source.endswith("The end.")
    assert "own-references" not in [cell.id for cell in cells]


def test_stored_spreads_of_claims_are_no_pages(course):
    folder = course.book / "robust"
    folder.mkdir()
    (folder / "01_a.json").write_text("{}")
    (course.book / "other.json").write_text("{}")
    assert "book/other.json" in staged(course).files
    assert "book/robust/01_a.json" not in staged(course).files
