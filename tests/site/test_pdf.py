"""The book as a PDF, printed by Chromium and read back."""

import os
import shutil
from pathlib import Path

import pytest
from pypdf import PdfReader

from chapterhouse.errors import SiteError
from chapterhouse.site import pdf, settings

WHERE = ["Small course", "A line through points", "Under the hood", "Glossary"]
LONG = "total = " + " + ".join(f"number_{i:03d}" for i in range(60)) + "  # the_very_end"


@pytest.fixture(scope="module")
def printed(small_site, tmp_path_factory):
    """The PDF of the small course, of which one chapter has a line of code far wider than paper."""
    folder = tmp_path_factory.mktemp("pdf")
    shutil.copytree(small_site.build / "html", folder / "html")
    chapter = folder / "html/chapters/04_under_the_hood.html"
    text = chapter.read_text()
    code = f'<div class="highlight-python"><div class="highlight"><pre>{LONG}</pre></div></div>'
    chapter.write_text(text.replace("</article>", f"{code}</article>"))
    site = settings.load(small_site)
    sheets = pdf.make(folder / "html", site, folder / "out/book.pdf", say=lambda _: None)
    read = PdfReader(folder / "out/book.pdf")
    assert len(read.pages) == sheets
    return read


def page_of(printed, words: str) -> list[int]:
    """The sheets, from 1, on which some words stand."""
    return [n for n, sheet in enumerate(printed.pages, 1) if words in plain(sheet)]


def plain(sheet) -> str:
    """A sheet's text; ligatures as the letters that they join, lines joined."""
    text = sheet.extract_text().replace("\N{LATIN SMALL LIGATURE FF}", "ff")
    return " ".join(text.split())


def test_the_contents_name_the_sheets_on_which_chapters_begin(printed):
    titles = [entry.title for entry in printed.outline if not isinstance(entry, list)]
    contents = plain(printed.pages[1])
    begins = []
    for title in WHERE:
        assert title in titles
        begins.append(int(contents.split(f"{title} ")[1].split()[0]))
        assert begins[-1] in page_of(printed, title)
    assert begins == sorted(set(begins))
    assert [title for title in titles if title in WHERE[1:]] == WHERE[1:]


def test_every_link_within_the_book_leads_to_a_sheet(printed):
    known = printed.named_destinations
    found, outside = [], []
    for sheet in printed.pages:
        for note in sheet.get("/Annots") or []:
            link = note.get_object()
            if link.get("/Subtype") != "/Link":
                continue
            action = link.get("/A")
            if action and action.get("/URI"):
                outside.append(action["/URI"])
            else:
                found.append(link.get("/Dest") or action["/D"])
    assert len(found) > 8
    for target in found:
        if isinstance(target, str):
            assert target in known, f"{target} is nowhere"
            assert printed.get_destination_page_number(known[target]) is not None
    # Nothing of where it was made is in it.
    assert all(address.startswith(("http://", "https://")) for address in outside), outside
    assert any("arxiv.org" in address for address in outside)


def test_no_line_of_code_is_cut(printed):
    sheets = [printed.pages[n - 1] for n in page_of(printed, "number_000")]
    assert len(sheets) == 1
    lines = [line for line in sheets[0].extract_text().splitlines() if "number_" in line]
    # 174 mm of paper hold 98 letters of this size. What was not wrapped would be one line.
    assert len(lines) >= len(LONG) // 98
    assert max(map(len, lines)) <= 98
    # A name may be broken between two lines, but none is missing.
    joined = "".join(sheets[0].extract_text().split())
    assert "".join(LONG.split()) in joined


def test_folded_answers_stand_open_and_pictures_are_there(printed):
    assert page_of(printed, "How steep it is.")
    assert page_of(printed, "a line fits to a tenth")
    (sheet,) = page_of(printed, "The mistake is 0.0")
    after = printed.pages[sheet - 1 : sheet + 2]
    assert any(image.image.size[0] > 200 for page in after for image in page.images)


def test_the_command_writes_where_it_is_told(small_site, command, tmp_path):
    done = command(small_site, "pdf", "-o", str(tmp_path / "new/small.pdf"))
    assert done.returncode == 0, done.stderr
    sheets = len(PdfReader(tmp_path / "new/small.pdf").pages)
    assert done.stdout == f"{tmp_path / 'new/small.pdf'}: {sheets} sheets\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["small.pdf"]


def test_without_chromium_it_says_what_is_missing(small_site, tmp_path, monkeypatch):
    html, site = small_site.build / "html", settings.load(small_site)
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SiteError, match=r"none of chromium.*\n.*apt install chromium"):
        pdf.make(html, site, tmp_path / "a.pdf", say=print)
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    with pytest.raises(SiteError, match="CHROMIUM is 'no-such-browser'"):
        pdf.make(html, site, tmp_path / "a.pdf", say=print)


def test_a_browser_that_fails_is_told_and_leaves_nothing(small_site, tmp_path, monkeypatch):
    html, site = small_site.build / "html", settings.load(small_site)
    bad = tmp_path / "chromium"
    bad.write_text("#!/bin/sh\necho 'no space left' >&2\nexit 7\n")
    bad.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", os.fspath(bad))
    with pytest.raises(SiteError, match="Chromium printed nothing: no space left"):
        pdf.make(html, site, tmp_path / "a.pdf", say=lambda _: None)
    assert not (tmp_path / "a.pdf").exists()


def test_a_site_that_is_not_built_or_older_than_its_contents_is_refused(small_site, tmp_path):
    site = settings.load(small_site)
    with pytest.raises(SiteError, match="holds no site"):
        pdf.make(Path(tmp_path), site, tmp_path / "a.pdf", say=print)
    shutil.copytree(small_site.build / "html", tmp_path / "html")
    (tmp_path / "html/book/glossary.html").unlink()
    with pytest.raises(SiteError, match="lacks book/glossary"):
        pdf.make(tmp_path / "html", site, tmp_path / "a.pdf", say=lambda _: None)
