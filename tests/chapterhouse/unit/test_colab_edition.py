"""A chapter's Colab edition: plain markdown, absolute addresses, an install cell, no outputs."""

import ast
import base64
import json
from pathlib import Path

import nbformat
import pytest

from chapterhouse.course import Course
from chapterhouse.errors import NotebookError, SiteError
from chapterhouse.plain_markdown import Link
from chapterhouse.site import colab
from chapterhouse.site.executed import Executed
from chapterhouse.site.references import References
from chapterhouse.site.settings import SiteSettings
from chapterhouse.site.wheel import Wheel

WHEEL = Wheel("sprat", "0.1.0+gabc1234", "f" * 64, "0")
PICTURE = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
TITLE = "# Title\n\nThe loss is {run}`loss:.2f`, see {doc}`02_b` and {ref}`place`."


@pytest.fixture
def course(tmp_path: Path) -> Course:
    (tmp_path / "pyproject.toml").write_text("[tool.chapterhouse]\n")
    (tmp_path / "book").mkdir()
    (tmp_path / "book/fish.svg").write_bytes(PICTURE)
    (tmp_path / "exercises/01_x").mkdir(parents=True)
    (tmp_path / "exercises/01_x/exercise.md").write_text(
        "---\nid: 01_x\nchapter: 01_a\ntitle: Do it\npoints: 2\ndifficulty: 2\n---\nWrite $f$.\n"
    )
    return Course.find(tmp_path)


def settings(base_url: str = "https://ann.github.io/course/") -> SiteSettings:
    return SiteSettings(
        title="T", base_url=base_url, repository_url="", branch="main", colab_prefix="",
        root_page="book/index", pages=("chapters/01_a", "chapters/02_b"), bibliography=(),
    )  # fmt: skip


def make(course: Course, *markdown: str, site: SiteSettings | None = None, **metadata):
    """The edition of a chapter with these markdown cells behind its title."""
    site = site or settings()
    v4 = nbformat.v4
    source = v4.new_notebook(
        cells=[
            v4.new_markdown_cell(TITLE),
            v4.new_code_cell("epochs = 1\nlr = 0.1", metadata={"tags": ["parameters"]}),
            v4.new_code_cell("print(epochs)", outputs=[v4.new_output("stream", text="1")]),
            *[v4.new_markdown_cell(text) for text in markdown],
        ],
        metadata={"chapterhouse": metadata},
    )
    run = Executed(
        slug="01_a", source_path=Path("chapters/01_a.ipynb"), source=source, notebook=source,
        profile="fast", wall_s=1.0, cpu_s=1.0, peak_memory_bytes=1, claims=(),
        values={"loss": 0.123}, data=(),
    )  # fmt: skip
    references = References(
        site,
        course.root,
        labels={"place": ("The place", "chapters/02_b.html#place")},
        terms={"batch": ("batch", "book/glossary.html#term-batch")},
        pages={"chapters/02_b": ("The next", "chapters/02_b.html")},
        works={key: Link(key.title(), f"https://x.org/{key}") for key in ("ho", "he", "li")},
        titles={"ho": "Diffusion", "he": "Residuals", "li": "Unread"},
    )
    edition = colab.edition(
        course, site, run, {"01_a": run.values}, page="chapters/01_a", references=references,
        wheel=colab.wheel_source(site, WHEEL, b"the wheel's own bytes"),
    )  # fmt: skip
    return edition, references


def test_the_first_code_cell_installs_the_wheel_of_this_source_and_nothing_else(course):
    edition, _ = make(course)
    source = next(cell.source for cell in edition.cells if cell.cell_type == "code")
    assert "https://ann.github.io/course/wheels/sprat-0.1.0+gabc1234-py3-none-any.whl" in source
    (command,) = [line for line in source.splitlines() if "pip" in line]
    assert command.split() == ["%pip", "install", "-q", "--no-deps", '"{wheel}"']
    ast.parse(source.replace("%pip install", "pass #"))


def test_without_an_address_the_notebook_carries_the_wheel(course):
    edition, _ = make(course, site=settings(""))
    source = next(cell.source for cell in edition.cells if cell.cell_type == "code")
    assert "http" not in source
    assert "SPRAT_WHEEL" in source
    packed = source.split('"""')[1]
    assert base64.b64decode(packed) == b"the wheel's own bytes"
    ast.parse(source.replace("%pip install", "pass #"))
    assert edition.cells[1].metadata.cellView == "form", "nobody wants to scroll past it"


def test_it_is_a_valid_notebook_without_outputs(course):
    edition, _ = make(course)
    nbformat.validate(edition)
    code = [cell for cell in edition.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in edition.cells}) == len(edition.cells)


def test_text_is_filled_in_and_linked_with_whole_addresses(course):
    edition, _ = make(course)
    base = "https://ann.github.io/course/"
    assert edition.cells[2].source == (
        f"# Title\n\nThe loss is 0.12, see [The next]({base}chapters/02_b.html) and "
        f"[The place]({base}chapters/02_b.html#place)."
    )


@pytest.mark.parametrize("gpu", ["recommended", "optional", None])
def test_a_gpu_is_asked_for_only_where_the_chapter_is_meant_for_one(course, gpu):
    edition, _ = make(course, **({"gpu": gpu} if gpu else {}))
    assert edition.metadata.get("accelerator") == ("GPU" if gpu == "recommended" else None)
    kaggle = edition.metadata.kaggle
    assert kaggle.isGpuEnabled == (gpu == "recommended")
    assert (kaggle.accelerator == "none") == (gpu != "recommended")
    assert kaggle.isInternetEnabled, "the first cell gets the library from the network"


def test_the_full_profile_stands_behind_the_parameters_commented_out(course):
    edition, _ = make(course, profiles={"full": {"epochs": 20, "lr": 0.01}})
    index = next(i for i, cell in enumerate(edition.cells) if cell.source.startswith("epochs"))
    lines = edition.cells[index + 1].source.splitlines()
    assert lines[-2:] == ["# epochs = 20", "# lr = 0.01"]
    assert all(line.startswith("#") for line in lines)


def test_a_chapter_with_one_profile_has_no_such_cell(course):
    edition, _ = make(course)
    assert not any(cell.id == "full-profile" for cell in edition.cells)


def test_pictures_become_addresses_that_the_site_answers(course):
    edition, references = make(course, "![A fish](../book/fish.svg)")
    (name,) = references.pictures
    assert f"![A fish](https://ann.github.io/course/{name})" in edition.cells[-1].source
    assert references.pictures[name].read_bytes() == PICTURE


def test_without_an_address_pictures_travel_inside_the_notebook(course):
    text = "```{figure} ../book/fish.svg\n:alt: A fish.\n\nSwims.\n```"
    edition, references = make(course, text, site=settings(""))
    assert 'src="data:image/svg+xml;base64,' in edition.cells[-1].source
    assert references.pictures == {}


def test_an_exercise_says_what_to_do_and_where(course):
    edition, _ = make(course, "```{graded} 01_x\n```")
    source = edition.cells[-1].source
    assert source.startswith("> **Exercise: Do it** (2 points, medium · may import ")
    assert "> Write $f$." in source
    assert "blob/gh-pages/_static/exercises/01_a_exercises.ipynb" in source


def test_the_bibliography_lists_what_this_chapter_cites(course):
    edition, _ = make(course, "As {cite:t}`ho` and {cite}`ho,he` say.", "```{bibliography}\n```")
    assert edition.cells[-1].source == (
        "- [He](https://x.org/he). Residuals.\n- [Ho](https://x.org/ho). Diffusion."
    )


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("{doc}`03_gone`", SiteError, "03_gone"),
        ("![x](gone.png)", SiteError, r"gone\.png"),
        ("{cite}`nobody`", SiteError, "nobody"),
        ("```{graded} 01_gone\n```", SiteError, "01_gone"),
        ("{run}`gone`", SiteError, "gone"),
        ("```{mermaid}\nx\n```", NotebookError, "mermaid"),
    ],
)
def test_what_leads_nowhere_is_named_with_its_cell(course, text, error, says):
    with pytest.raises(error, match=says) as caught:
        make(course, text)
    assert caught.value.fix


@pytest.mark.parametrize(
    "text", ["```{note}\nx\n```", "a {term}`b`", "![x](y.png)", '<img src="y.png" alt="x">']
)
def test_the_last_look_refuses_raw_myst_and_relative_pictures(text):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    with pytest.raises(SiteError, match="cell 1, still holds"):
        colab.check(notebook, name="x")


@pytest.mark.parametrize(
    "text",
    [
        "```python\n{term}`b`\n```",
        "`{term}`",
        "![x](https://y.org/z.png)",
        "![x](data:image/png,x)",
    ],
)
def test_the_last_look_lets_code_and_whole_addresses_be(text):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    colab.check(notebook, name="x")


def test_equal_chapters_give_equal_editions(course):
    first, second = make(course)[0], make(course)[0]
    for notebook in (first, second):
        for cell in notebook.cells:
            # The fixture's own cells get new ids each time; the edition's own are fixed.
            cell.id = cell.id if "-" in cell.id or cell.id == "install" else "x"
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
