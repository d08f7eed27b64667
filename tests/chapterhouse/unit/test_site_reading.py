"""What pages carry for their readers, and the names in the index."""

import json

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx

from chapterhouse.site import reading
from chapterhouse.site.api_index import names

GLOSSARY = (
    '<dl class="simple glossary"><dt id="term-a">a</dt><dt id="term-b">b</dt>'
    '<dd><p>One <em>word</em>, "quoted" &amp; more.</p></dd>'
    '<dt id="term-c">c</dt><dd><p>Two.</p></dd></dl>'
)


def test_definitions_are_plain_text_and_shared_by_terms_that_stand_together():
    both = 'One word, "quoted" & more.'
    assert reading.definitions(GLOSSARY) == {"term-a": both, "term-b": both, "term-c": "Two."}


def test_boxes_that_fold_are_native_also_with_boxes_inside():
    box = (
        '<div class="{0}"{1}>\n<p class="admonition-title">Why <code>x</code>?</p>'
        '<div class="note admonition"><p class="admonition-title">N</p><div>deep</div></div>'
        "<p>End.</p></div><p>after</p>"
    )
    for classes in ("dropdown admonition", "admonition dropdown", "note dropdown admonition"):
        made = BeautifulSoup(reading.folded(box.format(classes, ' id="q"')), "html.parser")
        details = made.select_one("details#q")
        assert details.summary.decode_contents() == "Why <code>x</code>?"
        assert details.find_all("p")[-1].text == "End."
        assert details.select_one("div.note div").text == "deep"
        assert made.select_one("details > p:last-child").text == "End."
        assert details.find_next_sibling("p").text == "after"
    plain = box.format("note admonition", "")
    assert reading.folded(plain) == plain


def test_a_box_within_a_box_folds_too():
    inner = '<div class="dropdown admonition"><p class="admonition-title">I</p><p>i</p></div>'
    outer = f'<div class="dropdown admonition"><p class="admonition-title">O</p>{inner}</div>'
    made = BeautifulSoup(reading.folded(outer), "html.parser")
    assert [s.text for s in made.select("details > details > summary")] == ["I"]
    assert not made.select("div")


def test_the_list_of_progress_escapes_titles():
    chapter = reading.Chapter("chapters/01_a", "<A> & B", (("01_x", "Do <it>"),))
    made = BeautifulSoup(reading.listed([chapter]), "html.parser")
    assert [a["href"] for a in made.select("a")] == [
        "chapters/01_a.html", "chapters/01_a.html#exercise-01_x",
    ]  # fmt: skip
    assert [a.text for a in made.select("a")] == ["<A> & B", "Do <it>"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import sprat as sp\nsp.Learner(sp.Task(x))", ["Learner", "Task"]),
        ("import sprat as sp\nsp.models.resnet(3)", ["models.resnet"]),
        ("import sprat\nsprat.Learner.fit(x)", ["Learner"]),
        ("from sprat import Image, Label", ["Image", "Label"]),
        ("import numpy as sp\nsp.array", []),
        ("import sprat as sp\nmy.sp.x; wasp.y; sp._hidden", []),
    ],
)
def test_names_of_a_library_are_found_in_code(code, expected):
    assert list(names(code, "sprat")) == expected


def test_the_index_leads_to_the_section_that_shows_a_name_first(tmp_path):
    source = tmp_path / "source"
    (source / "api").mkdir(parents=True)
    code = "```{{code-block}} python\n{}\n```\n"
    page = (
        "# Title\n\n## One\n\n" + code.format("import sprat as sp\nsp.Learner")
        + "\n## Two\n\n" + code.format("sp.Learner\nsp.models.gpt")
    )  # fmt: skip
    (source / "api/page.md").write_text(page)
    (source / "other.md").write_text(page)
    (source / "index.md").write_text("# Start\n\n```{toctree}\napi/page\nother\n```\n")
    settings = {
        "extensions": ["myst_parser", "chapterhouse.site.api_index"],
        "chapterhouse_api": {"sprat": "api/"},
    }
    app = Sphinx(
        source, None, tmp_path / "out", tmp_path / "trees", "html", settings, status=None,
        warning=None, freshenv=True,
    )  # fmt: skip
    app.build()
    index = BeautifulSoup((tmp_path / "out/genindex.html").read_text(), "html.parser")
    found = {a.text: a["href"] for a in index.select(".genindextable a")}
    assert found == {
        "Learner (sprat)": "api/page.html#one", "models.gpt (sprat)": "api/page.html#two",
    }, json.dumps(found)  # fmt: skip
