"""The book as a PDF, printed by Chromium and read back."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from pypdf import PageObject, PdfReader
from pypdf.generic import ContentStream, StreamObject

from chapterhouse.errors import SiteError
from chapterhouse.site import pdf, settings

WHERE = ["Small course", "A line through points", "Under the hood", "Glossary"]
MM = 72 / 25.4
LEFT, RIGHT = 18 * MM, (210 - 18) * MM
WIDE_FORMULA = (
    '<div class="math notranslate nohighlight math-display"><math display="block"><mrow>'
    + "<mi>y</mi><mo>=</mo>" * 40
    + "<mi>y</mi></mrow></math></div>"
)
WIDE_TABLE = "<table><tr>" + "<td>unbreakable</td>" * 14 + "</tr></table>"
SLIDER = (
    '<figure class="sprat-scrub"><div role="img" aria-label="red" style="width:100%;'
    'aspect-ratio:400/256;background-image:url(../_images/a%20red.png)"></div></figure>'
)
BOOK = "Out of the Shallows"
TITLES = [
    "Small course", "A line through points", "Under the hood", "Glossary", "What pebble offers",
    "Claims", "Run times",
]  # fmt: skip
LONG = "total = " + " + ".join(f"number_{i:03d}" for i in range(60)) + "  # the_very_end"


@pytest.fixture(scope="module")
def printed(small_site, tmp_path_factory):
    """The PDF of the small course, of which one chapter has things far wider than paper."""
    folder = tmp_path_factory.mktemp("pdf")
    shutil.copytree(small_site.build / "html", folder / "html")
    chapter = folder / "html/chapters/04_under_the_hood.html"
    text = chapter.read_text()
    code = f'<div class="highlight-python"><div class="highlight"><pre>{LONG}</pre></div></div>'
    more = f"{code}{WIDE_FORMULA}{WIDE_TABLE}{SLIDER}"
    chapter.write_text(text.replace("</article>", f"{more}</article>"))
    Image.new("RGB", (13, 11), "red").save(folder / "html/_images/a red.png")
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


class Run(NamedTuple):
    """A piece of text on a sheet: where it begins and ends, in points, how large, in which font."""

    begin: float
    end: float
    size: float
    font: str


def widths(font) -> dict[int, float]:
    """The width of each glyph of a font whose codes have two bytes, in thousandths of its size."""
    inner = font["/DescendantFonts"][0].get_object()
    listed, found = list(inner.get("/W", [])), {}
    while listed:
        first, second = int(listed.pop(0)), listed.pop(0)
        if isinstance(second, list):
            found |= {first + i: float(each) for i, each in enumerate(second)}
        else:
            found |= dict.fromkeys(range(first, int(second) + 1), float(listed.pop(0)))
    return found


def runs(sheet: PageObject, reader: PdfReader) -> Iterator[Run]:
    """Every piece of text of a sheet. Chromium turns no text, so two numbers are a matrix."""
    fonts = {name: font.get_object() for name, font in sheet["/Resources"]["/Font"].items()}
    scale, shift, kept, at, name, size = 1.0, 0.0, [], 0.0, "", 0.0
    for operands, operator in ContentStream(sheet.get_contents(), reader).operations:
        if operator == b"q":
            kept.append((scale, shift))
        elif operator == b"Q":
            scale, shift = kept.pop()
        elif operator == b"cm":
            a, _, _, _, e, _ = map(float, operands)
            scale, shift = scale * a, shift + scale * e
        elif operator == b"Tf":
            name, size = operands[0], float(operands[1])
        elif operator == b"Tm":
            at = float(operands[4])
        elif operator == b"Td":
            at += float(operands[0])
        elif operator == b"Tj":
            codes = operands[0].original_bytes
            font = fonts[name]
            assert font["/Subtype"] == "/Type0"
            wide = widths(font)
            pairs = [int.from_bytes(codes[i : i + 2]) for i in range(0, len(codes), 2)]
            advance = size / 1000 * sum(wide.get(code, 0.0) for code in pairs)
            begin, end = shift + scale * at, shift + scale * (at + advance)
            yield Run(begin, end, scale * size, str(font["/BaseFont"]))


def test_nothing_stands_outside_the_paper_or_its_margins(printed):
    seen = 0
    for number, sheet in enumerate(printed.pages, 1):
        for run in runs(sheet, printed):
            assert run.begin > LEFT - 1, (number, run)
            assert run.end < RIGHT + 1, (number, run)
            seen += 1
    assert seen > 300


def test_a_wide_formula_and_a_wide_table_are_made_smaller_and_not_cut(printed):
    (number,) = page_of(printed, "number_000")
    after = [run for n in (number - 1, number) for run in runs(printed.pages[n], printed)]
    text = "".join(plain(printed.pages[n]) for n in (number - 1, number))
    assert text.count("unbreakable") == 14
    (first,) = page_of(printed, "With ^")
    usual = [run for run in runs(printed.pages[first - 1], printed) if "OTS-" in run.font]
    formula = [run for run in after if run.font == usual[0].font]
    assert max(run.size for run in formula) < 0.7 * max(run.size for run in usual)
    line = max(run.end for run in formula) - min(run.begin for run in formula)
    assert line > 0.9 * (RIGHT - LEFT)


def test_the_picture_of_a_slider_is_printed(printed):
    # A background is no picture of its sheet but a pattern, so all of the file is searched.
    objects = [printed.get_object(number) for number in range(1, printed.trailer["/Size"])]
    pictures = [one for one in objects if isinstance(one, StreamObject) and "/Width" in one]
    (red,) = [one for one in pictures if (one["/Width"], one["/Height"]) == (13, 11)]
    assert red.get_data()[:3] == b"\xff\x00\x00"


def test_each_sheet_says_what_it_belongs_to(printed):
    assert plain(printed.pages[0]) == BOOK
    (hood,) = page_of(printed, "number_000")
    assert plain(printed.pages[hood - 1]).startswith(f"{BOOK} Under the hood {hood} ")
    for number, sheet in enumerate(printed.pages[2:], 3):
        head = plain(sheet).removeprefix(f"{BOOK} ").partition(f" {number} ")[0]
        assert head in TITLES, (number, plain(sheet)[:80])


def test_a_link_of_the_contents_leads_to_the_sheet_that_it_names(printed):
    sheet, known, followed = printed.pages[1], printed.named_destinations, []
    for note in sheet["/Annots"]:
        link = note.get_object()
        target = link.get("/Dest") or link["/A"]["/D"]
        followed.append(printed.get_destination_page_number(known[target]) + 1)
    own, *numbers = [int(word) for word in plain(sheet).split() if word.isdecimal()]
    assert own == 2
    assert numbers == followed
    for title, number in zip(TITLES, followed, strict=True):
        # Below the running head the page's own title comes first.
        assert plain(printed.pages[number - 1]).startswith(f"{BOOK} {title} {number} {title}")


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


def test_run_times_of_single_cells_stay_on_the_website_with_their_headings(printed):
    (number,) = [n for n in page_of(printed, "Run time and memory") if n > 2]
    text = plain(printed.pages[number - 1])
    assert "Begins with" not in "".join(map(plain, printed.pages))
    # The chapter stands in the table, and has no heading without anything below it.
    assert text.count("Under the hood") == 1


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
