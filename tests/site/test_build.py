"""The site of a small course from end to end: what is built, refused, and not done again."""

import json
import time
from collections.abc import Iterator

import pytest
import yaml

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import build, render

LONG = "# Small course\n\n" + "Words that fill a page. " * 10


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, write_small_course, run_and_build) -> Course:
    """A small course for the tests of this file alone, executed and built once."""
    course = write_small_course(tmp_path_factory.mktemp("site") / "course")
    run_and_build(course)
    return course


@pytest.fixture
def built(workshop, command) -> Iterator[Course]:
    """The small course, built; what a test changes in its sources is put back afterwards."""
    root = workshop.root
    names = (
        "_config.yml",
        "book/index.md",
        "book/glossary.md",
        "chapters/01_line.ipynb",
        "lib/pebble/__init__.py",
    )
    kept = {name: (root / name).read_bytes() for name in names}
    build.build(workshop)
    yield workshop
    changed = [name for name in names if (root / name).read_bytes() != kept[name]]
    for name in changed:
        (root / name).write_bytes(kept[name])
    if "chapters/01_line.ipynb" in changed:
        command(workshop, "run")


@pytest.fixture
def no_sphinx(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("Sphinx was started, though no page changed")

    monkeypatch.setattr(render, "render", refuse)


def edit_page(course: Course, text: str) -> None:
    (course.book / "index.md").write_text(text)


def test_pages_show_what_the_run_recorded(small_site):
    html = (small_site.build / "html/chapters/01_line.html").read_text()
    record = json.loads((small_site.build / "executed/fast/01_line.json").read_text())
    assert f"The mistake is {record['claims'][0]['value']:.3f} for 40 points." in html
    assert "RECORDED" not in html
    assert "In 40 points." in (small_site.build / "html/book/glossary.html").read_text()


def test_a_notebook_among_the_pages_is_executed_but_no_chapter(small_site):
    html = (small_site.build / "html/book/api/api_pebble.html").read_text()
    assert "Its answer is 42." in html
    assert "About this page's run" in html
    assert "1 of 1 held" in html
    assert "<dt>Chapter</dt>" not in html
    assert not (small_site.build / "html/colab/api_pebble.ipynb").exists()


def test_the_site_has_its_wheel_its_notebooks_and_its_exercises(small_site):
    html = small_site.build / "html"
    assert len(list((html / "wheels").glob("pebble-0.1.0+*.whl"))) == 1
    assert sorted(path.name for path in (html / "colab").glob("*.ipynb")) == [
        "01_line.ipynb",
        "04_under_the_hood.ipynb",
    ]
    exercises = html / "_static/exercises/04_under_the_hood_exercises.ipynb"
    assert "04_sgd_step" in exercises.read_text()
    assert not (html / "_static/mathjax").exists(), "formulas need no script"


def test_what_no_page_loads_is_not_published(small_site):
    names = [p.name for p in (small_site.build / "html").rglob("*") if p.is_file()]
    assert not [n for n in names if n.endswith(".map") or "thebe" in n or n == "fontawesome.js"]
    size = sum(p.stat().st_size for p in (small_site.build / "html").rglob("*") if p.is_file())
    assert size < 3 * 1024**2


def test_nothing_changed_means_nothing_is_built(built, no_sphinx):
    begun = time.process_time()
    report = build.build(built)
    assert not report.rebuilt
    # Processor time, because the machine may be busy with other tests.
    assert time.process_time() - begun < 4


def test_a_change_in_the_library_renders_no_page(built, no_sphinx):
    before = report_wheel(built)
    with (built.root / "lib/pebble/__init__.py").open("a") as file:
        file.write("\n# changed\n")
    report = build.build(built)
    assert report.rebuilt
    assert report.wheel != before
    notebook = (built.build / "html/colab/01_line.ipynb").read_text()
    assert report.wheel in notebook


def report_wheel(course: Course) -> str:
    (wheel,) = (course.build / "html/wheels").glob("*.whl")
    return wheel.name


def test_a_lost_file_is_noticed_and_put_back(built, no_sphinx):
    page = built.build / "html/chapters/01_line.html"
    page.unlink()
    assert build.build(built).rebuilt
    assert page.is_file()


@pytest.mark.slow
def test_only_the_changed_page_is_read_again(built):
    other = render.output_folder(built).parent / ".doctrees/chapters/01_line.doctree"
    before = other.stat().st_mtime_ns
    edit_page(built, LONG + "Changed.")
    build.build(built)
    assert "Changed." in (built.build / "html/book/index.html").read_text()
    assert other.stat().st_mtime_ns == before


WARNED = """\
# Small course

{ref}`nowhere` $\\frac{a$

```{unknown}
```

![x](gone.png)
"""
REFUSED = """\
# Small course

<img src="https://example.org/x.png" alt="x">
<a href="gone.html">x</a>

![](_static/favicon.svg)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            WARNED,
            [
                "book/index.md:3: undefined label: 'nowhere'",
                "book/index.md:3: the formula '\\\\frac{a': KaTeX parse error",
                "book/index.md:5: Unknown directive",
                "book/index.md:8: image file not readable",
            ],
        ),
        (
            REFUSED,
            [
                "book/index.html would load https://example.org/x.png from another host",
                "gone.html, which the site does not have",
                "without a text for those who cannot see it",
                "book/index.html is all but empty",
            ],
        ),
    ],
    ids=["warned", "refused"],
)
def test_every_fault_is_named_and_the_old_site_stays(built, text, says):
    page = built.build / "html/book/index.html"
    before = page.read_bytes()
    edit_page(built, text)
    # Twice: Sphinx itself would keep silent about a page that it has read before.
    for _ in range(2):
        with pytest.raises(SiteError) as caught:
            build.build(built)
        for words in says:
            assert words in str(caught.value)
    assert "site-source" not in str(caught.value)
    assert page.read_bytes() == before
    edit_page(built, LONG)
    assert build.build(built).rebuilt


@pytest.mark.slow
def test_a_term_that_is_gone_is_missed_on_the_pages_that_use_it(built):
    glossary = built.book / "glossary.md"
    glossary.write_text(glossary.read_text().replace("\nbatch\n", "\nbundle\n"))
    with pytest.raises(SiteError, match=r"chapters/01_line\.ipynb, cell 1, line \d+: term not in"):
        build.build(built)


@pytest.mark.slow
def test_a_warning_in_a_chapter_names_its_cell(built, command):
    path = built.chapters / "01_line.ipynb"
    chapter = nb.read(path)
    chapter.cells[2].source += "\n\n{ref}`nowhere`"
    nb.write(chapter, path)
    assert command(built, "run").returncode == 0
    done = command(built, "site")
    assert done.returncode == 1
    assert "chapters/01_line.ipynb, cell 3, line" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_public_address_is_one_setting(built):
    path = built.root / "_config.yml"
    config = yaml.safe_load(path.read_text())
    config["html"]["baseurl"] = "https://ann.github.io/course/"
    path.write_text(yaml.safe_dump(config))
    build.build(built)
    html = built.build / "html"
    page = (html / "chapters/01_line.html").read_text()
    assert "colab.research.google.com/github/ann/course/blob/gh-pages/colab/01_line.ipynb" in page
    notebook = (html / "colab/01_line.ipynb").read_text()
    assert f"https://ann.github.io/course/wheels/{report_wheel(built)}" in notebook
    (picture,) = (html / "colab/images").iterdir()
    assert f"https://ann.github.io/course/colab/images/{picture.name}" in notebook
    assert "data:image" not in notebook
    assert (
        "https://ann.github.io/course/chapters/04_under_the_hood.html"
        in (html / "colab/04_under_the_hood.ipynb").read_text()
    )


def test_the_commands_say_what_they_did(small_site, command, tmp_path):
    done = command(small_site, "site")
    assert done.returncode == 0
    assert "up to date, 7 pages" in done.stdout
    done = command(small_site, "colab", "1", "-o", str(tmp_path / "x.ipynb"))
    assert done.returncode == 0, done.stderr
    assert nb.read(tmp_path / "x.ipynb").cells
    done = command(small_site, "wheel", "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("pebble-*.whl"))


def test_before_the_first_run_the_command_says_what_to_run(small_course, command):
    done = command(small_course, "site")
    assert done.returncode == 1
    assert "fix: chapterhouse run 01_line" in done.stderr
    assert not (small_course.build / "html").exists()
