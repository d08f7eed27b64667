"""What a finished site must keep: pages with content, links that lead somewhere, no other host.

A page that is loaded must be answered by the site alone. A link that a reader clicks may lead
elsewhere; a script, style, font, picture or frame that the browser fetches by itself may not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from chapterhouse.errors import SiteError
from chapterhouse.site.settings import SiteSettings

# Attributes by which a browser loads something without being asked.
_LOADING = {"src", "poster", "data", "background"}
_LOADING_LINKS = {
    "stylesheet", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "icon",
    "shortcut", "apple-touch-icon", "manifest",
}  # fmt: skip
_CSS = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)
_JS = re.compile(
    r"(?:\bimport\s*\(\s*|\bimport\s+(?:[\w{},*\s]+\s+from\s+)?|\bfetch\s*\(\s*|importScripts\s*\(\s*"
    r"|\bnew\s+(?:Worker|WebSocket|EventSource)\s*\(\s*|\.src\s*=\s*)"
    r"['\"`]((?:https?:|wss?:)?//[^'\"`\s]+)"
)
MINIMUM_WORDS = 20


class _Page(HTMLParser):
    """One page's links, anchors, words, and what it makes the browser load."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.words = 0
        self.title = ""
        self.pictures_without_alt: list[str] = []
        self._inside: list[str] = []
        self._main = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        if tag == "article":
            self._main += 1
        if tag in ("script", "style", "title"):
            self._inside.append(tag)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and _LOADING_LINKS & set(given.get("rel", "").lower().split()):
            self.loads.append(given.get("href", ""))
        self.loads.extend(given[name] for name in _LOADING & given.keys())
        choices = given.get("srcset", "").split(",")
        self.loads.extend(choice.split()[0] for choice in choices if choice.strip())
        self.loads.extend(_CSS.findall(given.get("style", "")))
        if tag == "img" and not given.get("alt", "").strip() and self._main:
            self.pictures_without_alt.append(given.get("src", "")[:80])

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._main -= 1
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        inside = self._inside[-1] if self._inside else ""
        if inside == "style":
            self.loads.extend(_CSS.findall(data))
        elif inside == "script":
            self.loads.extend(_JS.findall(data))
        elif inside == "title":
            self.title += data
        elif self._main:
            self.words += len(data.split())


def read_page(text: str) -> _Page:
    """Parse one page of HTML."""
    page = _Page()
    page.feed(text)
    page.close()
    return page


def is_foreign(address: str, base_url: str = "") -> bool:
    """Whether loading `address` would ask another host."""
    if base_url and address.startswith(base_url):
        return False
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ws", "wss", "ftp")


def check(folder: Path, settings: SiteSettings) -> None:
    """Refuse a site that is not as promised.

    Raises:
        SiteError: a page is missing or empty, a local link leads nowhere, or something would be
            loaded from another host. All findings are listed.
    """
    pages = _read_pages(folder)
    findings = [
        *_empty(pages, settings),
        *_foreign(folder, pages, settings),
        *_dangling(folder, pages),
        *_without_alt(pages),
    ]
    if findings:
        listed = "\n    ".join(findings[:40])
        more = f"\n    and {len(findings) - 40} more" if len(findings) > 40 else ""
        raise SiteError(
            f"The built site is not as promised:\n    {listed}{more}",
            fix="mend what is named in chapters/ or book/; the published site was left as it was",
        )


def check_links(folder: Path) -> None:
    """Refuse a folder in which a page points to, or would load, what the folder does not have.

    Raises:
        SiteError: it does; all such links are listed.
    """
    if findings := list(_dangling(folder, _read_pages(folder))):
        listed = "\n    ".join(findings[:40])
        more = f"\n    and {len(findings) - 40} more" if len(findings) > 40 else ""
        raise SiteError(
            f"The site in {folder} is not whole:\n    {listed}{more}", fix="build it again"
        )


def _read_pages(folder: Path) -> dict[str, _Page]:
    return {
        path.relative_to(folder).as_posix(): read_page(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.relative_to(folder).parts
    }


def _empty(pages: dict[str, _Page], settings: SiteSettings) -> Iterable[str]:
    for name in settings.pages:
        page = pages.get(f"{name}.html")
        if page is None:
            yield f"{name}.html is missing, though _toc.yml lists it"
        elif page.words < MINIMUM_WORDS:
            yield f"{name}.html is all but empty: it has {page.words} words"


def _foreign(folder: Path, pages: dict[str, _Page], settings: SiteSettings) -> Iterable[str]:
    for name, page in pages.items():
        for address in dict.fromkeys(page.loads):
            if is_foreign(address, settings.base_url):
                yield f"{name} would load {address} from another host"
    for path in sorted(folder.rglob("*")):
        pattern = {".css": _CSS, ".js": _JS, ".mjs": _JS, ".svg": _CSS}.get(path.suffix)
        if pattern is None or not path.is_file():
            continue
        for address in dict.fromkeys(pattern.findall(path.read_text(encoding="utf-8"))):
            if is_foreign(address, settings.base_url):
                yield f"{path.relative_to(folder)} would load {address} from another host"


def _dangling(folder: Path, pages: dict[str, _Page]) -> Iterable[str]:
    for name, page in pages.items():
        for address in dict.fromkeys([*page.links, *page.loads]):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or address.startswith("data:"):
                continue
            target = (folder / name).parent / unquote(parts.path) if parts.path else folder / name
            if not target.exists():
                yield f"{name} points to {address}, which the site does not have"
                continue
            anchors = pages.get(target.resolve().relative_to(folder.resolve()).as_posix())
            if parts.fragment and anchors and unquote(parts.fragment) not in anchors.anchors:
                yield f"{name} points to {address}, but that page has no such place"


def _without_alt(pages: dict[str, _Page]) -> Iterable[str]:
    for name, page in pages.items():
        for source in page.pictures_without_alt:
            yield f"{name} shows the picture {source} without a text for those who cannot see it"
