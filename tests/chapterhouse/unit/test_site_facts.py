"""The box and the table that say how a chapter ran."""

from pathlib import Path

import nbformat
import pytest

from chapterhouse.site import facts
from chapterhouse.site.check import read_page
from chapterhouse.site.executed import Executed
from chapterhouse.site.settings import SiteSettings


def settings(base_url: str = "", repository_url: str = "") -> SiteSettings:
    return SiteSettings(
        title="T", base_url=base_url, repository_url=repository_url, branch="main",
        colab_prefix="", root_page="book/index", pages=("chapters/04_x",), bibliography=(),
    )  # fmt: skip


def run(**changes) -> Executed:
    empty = nbformat.v4.new_notebook()
    claims = (
        {"text": "a < b & c", "held": True, "value": 0.123456, "name": None},
        {"text": "all is well", "held": False, "value": None, "name": None},
    )
    given = {
        "slug": "04_x", "source_path": Path("chapters/04_x.ipynb"), "source": empty,
        "notebook": empty, "profile": "fast", "wall_s": 83.4, "cpu_s": 70.0,
        "peak_memory_bytes": 512 * 1024**2, "claims": claims, "values": {}, "data": ("digits",),
    }  # fmt: skip
    return Executed(**{**given, **changes})


def test_the_box_says_what_the_run_was():
    box = facts.box(run(), settings(), page="chapters/04_x")
    for words in ("1 min 23 s", "512 MB", "digits", "1 of 2 held", "(fast)"):
        assert words in box
    assert "\n\n" not in box, "an empty line would end the HTML block"


def test_without_an_address_the_box_offers_the_download_and_says_how_to_use_it():
    box = facts.box(run(), settings(), page="chapters/04_x")
    assert "Open in Colab" not in box
    assert facts.COLAB_HELP in box
    assert read_page(box).links == ["#claims", "../colab/04_x.ipynb"]


def test_with_addresses_the_box_links_colab_and_the_source():
    known = settings("https://ann.github.io/course/", "https://github.com/ann/course/")
    links = read_page(facts.box(run(), known, page="chapters/04_x")).links
    assert any(link.startswith("https://colab.research.google.com/github/ann") for link in links)
    assert "https://github.com/ann/course/blob/main/chapters/04_x.ipynb" in links


def test_the_table_lists_every_claim_and_escapes_it():
    table = facts.claims_table(run())
    assert "a &lt; b &amp; c" in table
    assert "0.1235" in table
    assert table.count("<tr>") == 3
    assert "✗ no" in table
    assert "\n\n" not in table


def test_a_chapter_without_claims_has_no_table_and_no_link_to_one():
    assert facts.claims_table(run(claims=())) == ""
    assert "#claims" not in facts.box(run(claims=()), settings(), page="chapters/04_x")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59.4, "59 s"), (60, "1 min"), (125, "2 min 5 s"), (3780, "1 h 3 min")],
)
def test_times_read_as_people_say_them(seconds, words):
    assert facts.duration(seconds) == words


def test_addresses_are_relative_to_the_page():
    assert facts.from_page("chapters/04_x", "colab/04_x.ipynb") == "../colab/04_x.ipynb"
    assert facts.from_page("index", "colab/04_x.ipynb") == "colab/04_x.ipynb"


def test_kaggle_opens_the_published_notebook_by_its_address():
    found = settings(base_url="https://ann.example/my course/")
    box = facts.box(run(), found, page="chapters/04_x")
    address = (
        "https://www.kaggle.com/kernels/welcome?src="
        "https%3A%2F%2Fann.example%2Fmy%20course%2Fcolab%2F04_x.ipynb"
    )
    assert f'href="{address}">Open in Kaggle' in box
    assert "Kaggle" not in facts.box(run(), settings(), page="chapters/04_x")
