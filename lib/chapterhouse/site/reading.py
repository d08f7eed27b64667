"""What pages carry for the reader's comfort, put into them when the site is put together.

A link to a term of the glossary brings the definition along, so that ``reading.js`` can show it
without a request. Questions fold without a script. Every page says which book and page it is, so
that what a reader marks is kept under the right name. The sidebar leads to the page of progress,
the index and the keys.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path

from bs4 import BeautifulSoup

from chapterhouse.site import progress
from chapterhouse.site.settings import SiteSettings

_TERM = re.compile(
    r'<a class="reference internal" href="(?P<page>[^"#]*)#(?P<term>term-[^"]+)">'
    r'(?=<span class="xref std std-term">)'
)
_GLOSSARY = re.compile(r'<dl class="[^"]*\bglossary\b')
_H1 = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
_HEADERLINK = re.compile(r'<a class="headerlink".*?</a>', re.DOTALL)
_EXERCISE = re.compile(
    r'<div class="exercise graded admonition" id="exercise-(?P<name>[^"]+)">\s*'
    r'<p class="admonition-title">(?P<title>.*?)</p>',
    re.DOTALL,
)
_FOLDED = re.compile(
    r'<div class="(?P<classes>[^"]*\bdropdown admonition\b[^"]*|admonition[^"]*\bdropdown\b[^"]*)"'
    r'(?P<id>[^>]*)>\s*<p class="admonition-title">(?P<title>.*?)</p>',
    re.DOTALL,
)
_DIV = re.compile(r"<div\b|</div>")
_END = '<div class="sidebar-primary-items__end sidebar-primary__section">'


@dataclass(frozen=True)
class Chapter:
    """A chapter's page, its title, and the name and title of each graded exercise on it."""

    page: str
    title: str
    exercises: tuple[tuple[str, str], ...]


def dress(folder: Path, settings: SiteSettings, *, chapters: str) -> None:
    """Write definitions, names, the sidebar's tools and the list of progress into the pages.

    Args:
        folder: the site that is being put together.
        settings: its title and pages.
        chapters: the name of the folder of chapters.
    """
    texts = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.relative_to(folder).parts and path != folder / "index.html"
    }
    known = {
        f"{name}#{term}": words
        for name, text in texts.items()
        if _GLOSSARY.search(text)
        for term, words in definitions(text).items()
    }
    found = [
        _chapter(page, texts[f"{page}.html"])
        for page in settings.pages
        if page.startswith(f"{chapters}/") and f"{page}.html" in texts
    ]
    for name, text in texts.items():
        text = _dressed(name, text, settings, known, chapters=chapters)
        if name == f"{progress.PAGE}.html":
            text = text.replace(progress.PLACE, listed(found))
        (folder / name).write_text(text, encoding="utf-8")


def dressed(name: str, text: str, settings: SiteSettings, *, chapters: str, folder: Path) -> str:
    """One page, dressed by itself, with the definitions that the pages in `folder` give."""
    known = {}
    for page in settings.pages:
        path = folder / f"{page}.html"
        if path.is_file() and _GLOSSARY.search(html := path.read_text(encoding="utf-8")):
            found = definitions(html)
            known.update({f"{page}.html#{term}": words for term, words in found.items()})
    return _dressed(name, text, settings, known, chapters=chapters)


def _dressed(
    name: str, text: str, settings: SiteSettings, known: dict[str, str], *, chapters: str
) -> str:
    text = folded(_with_definitions(name, text, known))
    text = text.replace(
        "<body ",
        f'<body data-book="{settings.slug}" data-page="{escape(name.removesuffix(".html"))}" '
        f'data-chapters="{escape(chapters)}/" ',
        1,
    )
    return text.replace(_END, _END + _tools(name), 1)


def definitions(html: str) -> dict[str, str]:
    """The terms of a page's glossaries: anchor to definition, as plain text."""
    found = {}
    for glossary in BeautifulSoup(html, "html.parser").select("dl.glossary"):
        waiting = []
        for entry in glossary.find_all(["dt", "dd"], recursive=False):
            if entry.name == "dt":
                waiting.append(entry.get("id"))
                continue
            words = " ".join(entry.get_text(" ").split())
            words = re.sub(r" (?=[.,;:!?)’])", "", words)
            found.update({str(anchor): words for anchor in waiting if anchor})
            waiting = []
    return found


def _with_definitions(name: str, text: str, known: dict[str, str]) -> str:
    def change(match: re.Match[str]) -> str:
        page = posixpath.normpath(posixpath.join(posixpath.dirname(name), match["page"]))
        words = known.get(f"{page if match['page'] else name}#{match['term']}")
        return f'{match[0][:-1]} data-definition="{escape(words)}">' if words else match[0]

    return _TERM.sub(change, text)


def folded(html: str) -> str:
    """The page with boxes of the class `dropdown` as what browsers fold by themselves.

    Such a box needs no script, is reached by the keyboard, and a search within the page opens it.
    """
    begin = 0
    while match := _FOLDED.search(html, begin):
        depth, end = 1, match.end()
        for mark in _DIV.finditer(html, match.end()):
            depth += 1 if mark[0] != "</div>" else -1
            if depth == 0:
                end = mark.start()
                break
        html = (
            f'{html[: match.start()]}<details class="recall"{match["id"]}>'
            f"<summary>{match['title']}</summary>{html[match.end() : end]}</details>"
            f"{html[end + len('</div>') :]}"
        )
        begin = match.start() + 1
    return html


def _chapter(page: str, html: str) -> Chapter:
    title = _H1.search(html)
    return Chapter(
        page,
        _plain(title[1]) if title else page,
        tuple((match["name"], _plain(match["title"])) for match in _EXERCISE.finditer(html)),
    )


def _plain(html: str) -> str:
    """The words of a heading, without its link to itself."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", _HEADERLINK.sub("", html))).split())


def listed(found: list[Chapter]) -> str:
    """The list of chapters and exercises on the page of progress, at the top of the site."""
    rows = []
    for chapter in found:
        address = f"{escape(chapter.page)}.html"
        inner = "".join(
            f'<li data-exercise="{escape(name)}"><a href="{address}#exercise-{escape(name)}">'
            f"{escape(title)}</a></li>"
            for name, title in chapter.exercises
        )
        exercises = f"<ul>{inner}</ul>" if inner else ""
        rows.append(
            f'<li data-page="{escape(chapter.page)}"><a href="{address}">{escape(chapter.title)}'
            f"</a>{exercises}</li>"
        )
    return f'<ol id="progress-list">{"".join(rows)}</ol>'


def _tools(name: str) -> str:
    """The sidebar's links to what is no page of the contents."""
    up = posixpath.relpath(".", posixpath.dirname(name) or ".")
    up = "" if up == "." else f"{up}/"
    return (
        '\n<nav class="book-tools" aria-label="Tools"><ul>'
        f'<li><a href="{up}{progress.PAGE}.html">{progress.TITLE}</a><span data-progress></span>'
        f'</li><li><a href="{up}genindex.html">Index</a></li>'
        '<li><button type="button" data-help hidden>Keys</button></li></ul></nav>\n'
    )
