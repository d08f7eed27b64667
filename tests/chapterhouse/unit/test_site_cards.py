"""The pictures that links to pages bring along where people share them."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from chapterhouse.site import cards
from chapterhouse.site.settings import SiteSettings
from chapterhouse.site.slim import slim

PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8" /><title>T</title></head><body>'
    '<article class="bd-article"><h1>{title}<a class="headerlink" href="#t">#</a></h1></article>'
    "</body></html>"
)


def settings(base_url: str) -> SiteSettings:
    return SiteSettings(
        title="Book", base_url=base_url, repository_url="", branch="main", colab_prefix="",
        root_page="a", pages=("a", "b"), bibliography=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    "title",
    ["A", "Convolution and & <attention>", "word " * 60, "Donaudampfschifffahrtsgesellschaft" * 3],
)
def test_a_card_has_its_size_and_the_same_bytes_each_time(title):
    content = cards.card(title, "Book")
    assert content == cards.card(title, "Book")
    assert content != cards.card(title + "x", "Book") or len(title) > 80
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.size == (1200, 630)
        ink = picture.convert("L").crop((0, 0, 1200, 400)).getextrema()
    assert ink[1] - ink[0] > 150, "nothing is written on it"
    assert len(content) < 60_000


def test_pages_name_their_card_by_its_public_address(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.html").write_text(PAGE.format(title=f"Page {name} &amp; more"))
    slim(tmp_path, settings("https://example.org/book/"), tmp_path / "kept")
    found = set()
    for name in ("a", "b"):
        html = (tmp_path / f"{name}.html").read_text()
        (address,) = re.findall(r'og:image" content="https://example.org/book/([^"]+)"', html)
        assert (tmp_path / address).read_bytes() == cards.card(f"Page {name} & more", "Book")
        found.add(address)
    assert len(found) == 2


def test_without_a_public_address_there_are_none(tmp_path: Path):
    (tmp_path / "a.html").write_text(PAGE.format(title="Page"))
    slim(tmp_path, settings(""), tmp_path / "kept")
    assert "og:image" not in (tmp_path / "a.html").read_text()
    assert not list(tmp_path.rglob("card-*"))


def test_a_page_without_a_title_has_none(tmp_path: Path):
    assert cards.store(tmp_path, "<p>nothing</p>", "Book") is None
