"""The whole book as one PDF, printed by Chromium from the pages of the built site.

The articles of all pages become one page, in the order of the contents. Links between pages become
links within it, folded answers stand open, long lines of code are wrapped. It is printed twice: the
first time to learn on which sheet each chapter begins, the second time with these numbers in the
contents.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from html import escape, unescape
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from chapterhouse.errors import SiteError
from chapterhouse.site import paper
from chapterhouse.site.settings import SiteSettings

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: Seconds that one print may take. A book of thirty chapters takes about twenty.
TIMEOUT_S = 300
_ARTICLE = re.compile(r"<article\b[^>]*>(.*)</article>", re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z](?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_ATTRIBUTE = re.compile(
    r"(?<=\s)(?P<name>id|for|name|aria-[\w]+|href|src|style)=\"(?P<value>[^\"]*)\""
)
_LISTED = {"for", "aria-labelledby", "aria-describedby", "aria-controls"}
_H1 = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
# What only works on a page that a browser shows; and the run times of single cells with the lists
# of what was imported, which would fill a tenth of the book with numbers of one day.
_NEEDLESS = re.compile(
    r"<script\b.*?</script>|<a class=\"headerlink\".*?</a>|<p class=\"facts-links\">.*?</p>"
    r"|<input\b[^>]*>|<button\b.*?</button>|<details class=\"measured\">.*?</details>",
    re.DOTALL,
)
# A section of which nothing but its heading is left.
_EMPTY = re.compile(r"<section\b[^>]*>\s*<h2>(?:(?!</h2>).)*</h2>\s*</section>", re.DOTALL)
_STYLE_URL = re.compile(r"url\((?!data:|&quot;|[\"'#])(?P<address>[^):]+)\)")


def make(folder: Path, settings: SiteSettings, target: Path, *, say: Callable[[str], None]) -> int:
    """Print the site in `folder` into the file `target`; returns the number of its sheets.

    Args:
        folder: the built site.
        settings: its title, and its pages in order.
        target: the PDF to write.
        say: is told each step.

    Raises:
        SiteError: there is no site, no Chromium or no pypdf, or Chromium could not print.
    """
    if not (folder / "index.html").is_file():
        raise SiteError(f"{folder} holds no site to print.", fix="chapterhouse site")
    browser = find_browser()
    try:
        from pypdf import PdfReader
    except ModuleNotFoundError:
        raise SiteError(
            "The page numbers of the contents need pypdf, which is not installed.",
            fix="pip install pypdf",
        ) from None
    with tempfile.TemporaryDirectory(prefix="chapterhouse-pdf-") as place:
        source, printed = Path(place) / "book.html", Path(place) / "book.pdf"
        numbers: dict[str, int] = {}
        for step in ("printing the pages", "printing them again, with the contents' numbers"):
            say(step)
            source.write_text(one_page(folder, settings, numbers), encoding="utf-8")
            _print(browser, source, printed, Path(place) / "profile")
            reader = PdfReader(printed)
            numbers = {
                name.removeprefix("/"): (reader.get_destination_page_number(there) or 0) + 1
                for name, there in reader.named_destinations.items()
            }
        sheets = len(reader.pages)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        shutil.copyfile(printed, partial)
        partial.replace(target)
    return sheets


def find_browser() -> str:
    """The path of Chromium or Chrome: that of $CHROMIUM, or one that is installed.

    Raises:
        SiteError: there is none.
    """
    named = os.environ.get("CHROMIUM")
    for name in [named] if named else BROWSERS:
        if found := shutil.which(name):
            return found
    if named:
        raise SiteError(
            f"CHROMIUM is {named!r}, which cannot be run.", fix="set it to the path of Chromium"
        )
    raise SiteError(
        f"A PDF is printed by Chromium, and none of {', '.join(BROWSERS)} is installed.",
        fix="install it (on Debian: apt install chromium), or set CHROMIUM to its path",
    )


def _print(browser: str, source: Path, target: Path, profile: Path) -> None:
    target.unlink(missing_ok=True)
    command = [
        browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions",
        "--disable-background-networking", "--allow-file-access-from-files",
        f"--user-data-dir={profile}", "--no-pdf-header-footer", "--generate-pdf-document-outline",
        f"--print-to-pdf={target}", source.as_uri(),
    ]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # Chromium refuses to sandbox what root starts
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SiteError(
            f"Chromium did not finish printing within {TIMEOUT_S} s.", fix="try again later"
        ) from None
    except OSError as error:
        raise SiteError(f"{browser} could not be started: {error}.", fix="set CHROMIUM") from None
    if not target.is_file():
        last = " ".join((done.stderr.strip().splitlines() or ["it said nothing"])[-1].split())
        raise SiteError(f"Chromium printed nothing: {last}", fix=f"run {browser} by hand")


def one_page(folder: Path, settings: SiteSettings, numbers: Mapping[str, int]) -> str:
    """All pages as one, with a title page and contents.

    Args:
        folder: the built site.
        settings: its title, and its pages in order.
        numbers: the sheet on which each place begins, as far as known.
    """
    sheets = [_sheet(folder, settings.pages, number) for number in range(len(settings.pages))]
    rows = "".join(
        f'<li><a href="#{place(number)}">{escape(_title(sheet))}</a>'
        f"<span>{numbers.get(place(number), '')}</span></li>"
        for number, sheet in enumerate(sheets)
    )
    styles = "".join(
        f'<link rel="stylesheet" href="{path.as_uri()}">'
        for path in sorted((folder / "_static").glob("book.*.css"))
    )
    titles = [_title(sheet) for sheet in sheets]
    heads = paper.running_heads(settings.title, titles, [place(n) for n in range(len(sheets))])
    logo = folder / "_static" / "logo-light.svg"
    picture = f'<img src="{logo.as_uri()}" alt="">' if logo.is_file() else ""
    version = f"<p>Version {escape(settings.version)}</p>" if settings.version else ""
    return (
        '<!DOCTYPE html>\n<html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{escape(settings.title)}</title>{styles}<style>{paper.STYLE}{heads}</style></head><body>"
        f'<section class="front">{picture}<h1>{escape(settings.title)}</h1>{version}</section>'
        f'<section class="sheet bd-article contents"><h1>Contents</h1><ol>{rows}</ol></section>'
        + "".join(
            f'<section class="sheet bd-article" id="{place(number)}">{sheet}</section>'
            for number, sheet in enumerate(sheets)
        )
        + f"<script>{paper.FIT}</script></body></html>\n"
    )


def place(number: int) -> str:
    """The name of the place where the page of this number, from 0, begins."""
    return f"page-{number}"


def _title(sheet: str) -> str:
    found = _H1.search(sheet)
    return " ".join(unescape(re.sub(r"<[^>]+>", "", found[1])).split()) if found else ""


def _sheet(folder: Path, pages: Sequence[str], number: int) -> str:
    """The article of one page, with its links and names made those of the one page."""
    page = pages[number]
    path = folder / f"{page}.html"
    article = _ARTICLE.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    if article is None:
        raise SiteError(
            f"The built site lacks {page}, which _toc.yml lists.", fix="chapterhouse site"
        )

    def local(address: str) -> str:
        name = posixpath.normpath(posixpath.join(posixpath.dirname(page), address))
        return (folder / unquote(name)).resolve().as_uri()

    def attribute(match: re.Match[str]) -> str:
        name, value = match["name"], unescape(match["value"])
        if name in ("id", "name"):
            value = f"{place(number)}-{value}"
        elif name in _LISTED:
            value = " ".join(f"{place(number)}-{each}" for each in value.split())
        elif name == "style":
            value = _STYLE_URL.sub(lambda found: f"url('{local(found['address'])}')", value)
        elif name == "src":
            value = value if urlsplit(value).scheme else local(value)
        elif name == "href":
            there = _there(page, value, pages)
            if there is None:
                return ""
            value = there
        return f'{name}="{escape(value)}"'

    def tag(match: re.Match[str]) -> str:
        text = _ATTRIBUTE.sub(attribute, match[0])
        # Pictures that wait for a reader to come near would stay white.
        text = text.replace(' loading="lazy"', "")
        return text.replace("<details", "<details open", 1) if " open" not in text else text

    return _TAG.sub(tag, _EMPTY.sub("", _NEEDLESS.sub("", article[1])))


def _there(page: str, address: str, pages: Sequence[str]) -> str | None:
    """Where a link of `page` leads within the one page; None if paper has no such place."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return address
    name = page
    if parts.path:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(parts.path)))
        name = path.removesuffix(".html")
    if name not in pages:
        return None
    start = place(pages.index(name))
    return f"#{start}-{quote(unquote(parts.fragment))}" if parts.fragment else f"#{start}"
