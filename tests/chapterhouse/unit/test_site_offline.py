"""The zip of the site, and the files for search engines."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chapterhouse.site import offline
from chapterhouse.site.settings import SiteSettings

SITE = SiteSettings(
    title="Out of the Shallows", base_url="", repository_url="", branch="main", colab_prefix="",
    root_page="book/index", pages=("book/index", "chapters/01_a"), bibliography=(),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("index.html", "chapters/01_a.html", "_images/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"what {name} holds " * 40)
    return tmp_path


def test_the_zip_holds_every_file_and_is_equal_every_time(folder: Path) -> None:
    path = offline.pack(folder, SITE)
    assert path == folder / "downloads/out-of-the-shallows.zip"
    first = path.read_bytes()
    with zipfile.ZipFile(path) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == [
            "out-of-the-shallows/_images/x.png",
            "out-of-the-shallows/chapters/01_a.html",
            "out-of-the-shallows/index.html",
        ]
        text = packed.read("out-of-the-shallows/index.html").decode()
        assert text == (folder / "index.html").read_text()
    (folder / "index.html").touch()
    assert offline.pack(folder, SITE).read_bytes() == first, (
        "the zip packs neither itself nor times"
    )


def test_only_a_public_site_has_a_map(folder: Path) -> None:
    offline.add_sitemap(folder, SITE)
    assert not (folder / "sitemap.xml").exists()
    offline.add_sitemap(folder, replace(SITE, base_url="https://ann.example/course/"))
    places = [
        e.text for e in ElementTree.parse(folder / "sitemap.xml").iter() if (e.text or "").strip()
    ]
    assert places == [
        "https://ann.example/course/book/index.html",
        "https://ann.example/course/chapters/01_a.html",
    ]
    assert "https://ann.example/course/sitemap.xml" in (folder / "robots.txt").read_text()
