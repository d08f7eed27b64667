"""What the search page shows of the pages that it finds, without asking for them.

Sphinx's search loads every page it has found to show some of its words. A folder that is opened
without a server lets no script load a page, so there only titles would be seen. Here the words of
each page stand in a script, which may be loaded there too. The search page alone loads it, and only
when a result comes into view; and a result leads to the section that has the words.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from chapterhouse.errors import SiteError

PAGE = "search.html"
TEXTS, SCRIPT = "_static/texts", "_static/search.js"
_INDEX = re.compile(r"[ \t]*<script [^>]*\bsrc=\"(?P<up>[^\"]*)searchindex\.js[^\"]*\"[^>]*>")
_SKIPPED = frozenset(("script", "style", "svg", "annotation", "button", "noscript"))
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_BREAKS = _HEADINGS | frozenset(
    ("p", "div", "li", "dt", "dd", "td", "th", "tr", "pre", "br", "section", "figure", "summary")
)


class _Sections(HTMLParser):
    """The words of a page's article, section by section: anchor, heading, and the rest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, list[str], list[str]]] = []
        self._article = 0
        self._open: list[int] = []  # the sections that a place is in, by their number
        self._skipping: list[str] = []
        self._heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "article":
            self._article += 1
        if not self._article:
            return
        if self._skipping:
            if tag == self._skipping[-1]:
                self._skipping.append(tag)
        elif tag in _SKIPPED or (tag == "a" and "headerlink" in given.get("class", "").split()):
            self._skipping.append(tag)
        elif tag == "section":
            self._open.append(len(self.found))
            self.found.append((given.get("id", ""), [], []))
        elif tag in _HEADINGS:
            self._heading = True
        self._add(" " if tag in _BREAKS else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._article -= 1
        if self._skipping:
            if tag == self._skipping[-1]:
                self._skipping.pop()
            return
        if tag == "section" and self._open:
            self._open.pop()
        elif tag in _HEADINGS:
            self._heading = False
        self._add(" " if tag in _BREAKS else "")

    def handle_data(self, data: str) -> None:
        self._add(data)

    def _add(self, text: str) -> None:
        if not text or not self._article or self._skipping:
            return
        if not self._open:  # words that stand before any section
            self._open.append(len(self.found))
            self.found.append(("", [], []))
        _, title, words = self.found[self._open[-1]]
        (title if self._heading else words).append(text)


def sections(html: str) -> list[tuple[str, str, str]]:
    """The sections of a page's article, in order: anchor, heading and words.

    Code, outputs and formulas count as words; what scripts and drawings say does not.
    """
    parser = _Sections()
    parser.feed(html)
    parser.close()
    made = [
        (anchor, " ".join("".join(title).split()), " ".join("".join(words).split()))
        for anchor, title, words in parser.found
    ]
    return [section for section in made if section[1] or section[2]]


def add(folder: Path) -> None:
    """Store the words of all pages, and let the search page show them.

    Args:
        folder: the site that is being put together; one without a search stays as it is.

    Raises:
        SiteError: the search page loads no index, so it was made by a tool that is not known.
    """
    page = folder / PAGE
    if not page.is_file():
        return
    html = page.read_text(encoding="utf-8")
    found = _INDEX.search(html)
    if found is None:
        raise SiteError(
            f"{PAGE} loads no searchindex.js, and the search would find nothing.",
            fix="install the versions of sphinx and sphinx-book-theme that pyproject.toml names",
        )
    for path in sorted(folder.rglob("*.html")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if not name.startswith("_static/") and path != page:
            _store(folder / TEXTS / f"{name}.js", name, sections(path.read_text("utf-8")))
    own = Path(__file__).with_name("search.js").read_text(encoding="utf-8")
    (folder / SCRIPT).write_text(own, encoding="utf-8")
    # Before the index: as soon as that is there, the search begins.
    line = f'<script src="{found["up"]}{SCRIPT}"></script>\n'
    page.write_text(html[: found.start()] + line + html[found.start() :], encoding="utf-8")


def _store(path: Path, name: str, found: list[tuple[str, str, str]]) -> None:
    """Write the script that tells the search page the words of one page."""
    if not found:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    told = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    path.write_text(f"bookText({json.dumps(name)}, {told});\n", encoding="utf-8")
