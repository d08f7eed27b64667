"""One page's head, scripts and pictures, rewritten to be light."""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path

from chapterhouse.site.mathematics import font_characters

_SHEET = re.compile(r"[ \t]*<link\b[^>]*\brel=\"stylesheet\"[^>]*>\n?")
_PRELOAD = re.compile(r"[ \t]*<link\b[^>]*\brel=\"preload\"[^>]*\bas=\"script\"[^>]*>\n?")
# Sphinx writes one of its own when the site has an address.
_CANONICAL = re.compile(r"[ \t]*<link rel=\"canonical\"[^>]*>\n?")
_HREF = re.compile(r"\bhref=\"([^\"?]*)")
_SCRIPT = re.compile(r"[ \t]*<script\b(?P<attributes>[^>]*)>(?P<body>.*?)</script>\n?", re.DOTALL)
_SRC = re.compile(r"\bsrc=\"([^\"?]*)")
_IMG = re.compile(r"<img\b(?P<attributes>(?:[^>\"']|\"[^\"]*\"|'[^']*')*?)\s*/?>")
_DATA = re.compile(r"data:image/(?P<kind>png|webp|jpeg);base64,(?P<data>[A-Za-z0-9+/=]{4096,})")
_VIEWPORT = re.compile(r"<meta name=\"viewport\"[^>]*>")
_PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
# The search's own files, which every page would load though only the page of results needs them.
_SEARCH = ("searchtools.js", "language_data.js", "searchindex.js")
# Roles that ARIA has withdrawn, or that promise list items where there are none.
_ROLES = re.compile(r' role="doc-biblioentry"|(?<=<div) role="list"(?= class="citation-list")')
_DESCRIPTION = 160
_TEXT_OUTPUT = re.compile(
    r"<div class=\"output (?P<classes>(?:text_plain|stream|error|traceback)\b[^\"]*)\""
    r"(?P<rest>[^>]*><div class=\"highlight\"><pre\b[^>]*>(?P<text>.*?)</pre>)",
    re.DOTALL,
)
#: Letters of a line of output up to which it keeps its shape. Beyond, no page has room for it.
LONG_LINE = 110


@dataclass
class Page:
    """A page, its path within the site, and what it loads.

    `scripts` are the theme's: addresses within the site, or the text of inline ones after ``=``.
    """

    path: str
    html: str
    sheets: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)

    def at(self, address: str) -> str:
        """The path within the site of an address on this page."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.path), address))

    def to(self, path: str) -> str:
        """The address on this page of a path within the site."""
        return posixpath.relpath(path, posixpath.dirname(self.path) or ".")


def read(path: str, html: str) -> Page:
    """Take a page's style sheets and the theme's scripts out of it."""
    page = Page(path, html)

    def take_sheet(match: re.Match[str]) -> str:
        found = _HREF.search(match[0])
        if found:
            page.sheets.append(page.at(found[1]))
        return ""

    def take_script(match: re.Match[str]) -> str:
        attributes, body = match["attributes"], match["body"]
        source = _SRC.search(attributes)
        if "data-cfasync" in attributes or "prefers-color-scheme" in body:
            return match[0]  # these choose the colours before anything is drawn
        if "thebe" in attributes or body.strip().startswith("kernelName"):
            return ""
        if source is None and "DOCUMENTATION_OPTIONS.pagename" in body:
            return ""
        if source and source[1].rpartition("/")[2] in _SEARCH:
            name = page.at(source[1])
            if path == "search.html":
                page.scripts.append(name)
            return ""
        page.scripts.append(page.at(source[1]) if source else f"={body.strip()}")
        return ""

    begin, end = html.find("<article"), html.rfind("</article>")
    if begin < 0 or end < begin:
        begin = end = len(html)
    parts = [html[:begin], html[begin:end], html[end:]]
    for i in (0, 2):  # what stands in the article is the author's
        parts[i] = _PRELOAD.sub("", _SHEET.sub(take_sheet, parts[i]))
        parts[i] = _SCRIPT.sub(take_script, parts[i])
    parts[0] = _CANONICAL.sub("", parts[0])
    first, *_ = _VIEWPORT.findall(parts[0]) or [""]
    parts[0] = _VIEWPORT.sub("", parts[0])
    parts[0] = parts[0].replace('<meta charset="utf-8" />', f'<meta charset="utf-8">\n    {first}')
    page.html = with_long_lines_continued(_mended("".join(parts)))
    return page


def _mended(html: str) -> str:
    """The page with the theme's own faults mended: withdrawn roles, doubled ids, missing marks."""
    html = _ROLES.sub("", html).replace('<section id="exercise-content">', "<section>")
    # The name of a button must hold the words on it, for those who speak to their computer.
    html = re.sub(
        r'(<button class="[^"]*search-button-field[^>]*?) aria-label="[^"]*"', r"\1", html
    )
    return re.sub(
        r'(<(?:div|dialog)\b[^>]*\bclass="bd-sidebar-primary[^>]*?)>',
        r'\1 role="region" aria-label="Book">',
        html,
    )


def with_head(page: Page, lines: list[str]) -> None:
    """Put lines at the end of a page's head."""
    page.html = page.html.replace("</head>", "".join(f"  {line}\n" for line in lines) + "</head>")


def without_inline_pictures(page: Page, folder: Path) -> None:
    """Store pictures that stand in a page as text in files of their own."""

    def store(match: re.Match[str]) -> str:
        content = base64.b64decode(match["data"])
        name = f"_images/{hashlib.sha256(content).hexdigest()[:16]}.{match['kind']}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return page.to(name)

    page.html = _DATA.sub(store, page.html)


def with_lazy_pictures(
    page: Page, size: Callable[[str], tuple[int, int] | None], smaller: Callable[[str], str]
) -> None:
    """Let pictures load when they are near, with their place kept, in their smaller form.

    Args:
        page: the page.
        size: path within the site → (width, height) in pixels, if it is a picture's.
        smaller: path within the site → the path of the same picture in fewer bytes.
    """
    seen = 0

    def change(match: re.Match[str]) -> str:
        nonlocal seen
        attributes, source = match["attributes"], _SRC.search(match["attributes"])
        if source is None or re.match(r"[a-z]+:", source[1]):
            return match[0]
        path = page.at(unescape(source[1]))
        found = size(path)
        more = ""
        if found and "width=" not in attributes and "width:" not in attributes:
            more += f' width="{found[0]}" height="{found[1]}"'
        if "loading=" not in attributes:
            # The first picture may be what a reader sees first.
            seen += found is not None
            more += ' decoding="async"' + (' loading="lazy"' if seen > 1 or not found else "")
        better = smaller(path)
        if better != path:
            attributes = attributes.replace(source[0], f'src="{escape(page.to(better))}')
        return f"<img{attributes}{more}>"

    begin = max(page.html.find("<article"), 0)
    page.html = page.html[:begin] + _IMG.sub(change, page.html[begin:])
    # The theme's links to a full-size picture keep the original.


def with_long_lines_continued(html: str) -> str:
    """The page with marks on outputs that have a line for which no screen has room.

    The style sheet breaks these lines; all others keep the columns that they were printed in.
    """

    def mark(match: re.Match[str]) -> str:
        text = unescape(re.sub(r"<[^>]+>", "", match["text"]))
        if max(map(len, text.splitlines()), default=0) <= LONG_LINE:
            return match[0]
        return f'<div class="output long-lines {match["classes"]}"{match["rest"]}'

    return _TEXT_OUTPUT.sub(mark, html)


def description(html: str) -> str:
    """The first sentences of a page's article, as plain text."""
    article = html[max(html.find("<article"), 0) :]
    for paragraph in _PARAGRAPH.findall(article):
        text = " ".join(unescape(re.sub(r"<[^>]+>", "", paragraph)).split())
        if len(text.split()) >= 6:
            return (
                text if len(text) <= _DESCRIPTION else text[:_DESCRIPTION].rsplit(" ", 1)[0] + "…"
            )
    return ""


def formulas(html: str) -> set[str]:
    """The characters of a page's formulas."""
    return font_characters(html)
