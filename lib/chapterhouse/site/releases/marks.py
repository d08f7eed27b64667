"""What a site that is built for a version carries: its name, and a place in each page's head.

``release.json`` says which version the folder is. Each page names it in its sidebar, where
``releases.js`` makes a menu of it once other versions are known. In each head stands one block
between two comments; it holds what a newer version changes (the canonical link), and, once the site
stands in a folder of releases, the script that names them all. A site that stands alone asks for no
such script. Nothing outside the block is ever changed.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

from chapterhouse.errors import ReleaseError
from chapterhouse.site.releases import versions
from chapterhouse.site.settings import SiteSettings

FILE = "release.json"
FORMAT = 1
SCRIPT = "versions.js"
_BEGIN, _END = "<!-- release -->", "<!-- /release -->"
_BLOCK = re.compile(rb"<!-- release -->.*?<!-- /release -->", re.DOTALL)
_CONTENTS = re.compile(r'<div class="sidebar-primary-item"><nav class="bd-links bd-docs-nav"')


@dataclass(frozen=True)
class Release:
    """A site that was built for a version, and where it stands.

    `public_url` is the address of the folder of releases, with a slash at its end, or empty;
    `root_page` and `icon` are paths within the site; `pages` are those of its HTML files.
    """

    folder: Path
    version: str
    title: str
    public_url: str
    root_page: str
    icon: str
    pages: tuple[str, ...]

    @property
    def url(self) -> str:
        """The public address of this version, or nothing."""
        return f"{self.public_url}{self.version}/" if self.public_url else ""


def describe(folder: Path, settings: SiteSettings) -> None:
    """Write which version the site in `folder` is built for; one without a version says nothing."""
    if not settings.version:
        return
    icon = settings.favicon.rpartition("/")[2]
    told = {
        "format": FORMAT,
        "version": settings.version,
        "title": settings.title,
        "public_url": settings.public_url,
        "root_page": f"{settings.root_page}.html",
        "icon": f"_static/{icon}" if icon else "",
    }
    (folder / FILE).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def read(folder: Path) -> Release:
    """The release in a folder.

    Raises:
        ReleaseError: there is no site, it was built without a version, or its description is
            not one.
    """
    if not (folder / "index.html").is_file():
        raise ReleaseError(
            f"{folder} holds no site.", fix="build one: chapterhouse site --version VERSION"
        )
    path = folder / FILE
    if not path.is_file():
        raise ReleaseError(
            f"The site in {folder} was built without a version.",
            fix="build it again: chapterhouse site --version VERSION",
        )
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT or versions.named(told["version"]) != told["version"]:
            raise ValueError
        texts = {name: str(told[name]) for name in ("title", "public_url", "root_page", "icon")}
    except (ValueError, KeyError, TypeError, ReleaseError):
        raise ReleaseError(
            f"{path} does not describe a release as this chapterhouse writes it.",
            fix="build the site again: chapterhouse site --version VERSION",
        ) from None
    return Release(folder, told["version"], pages=pages(folder), **texts)


def version_of(folder: Path) -> str:
    """The version that the site in a folder was built for; nothing for a site without one."""
    return read(folder).version if (folder / FILE).is_file() else ""


def pages(folder: Path) -> tuple[str, ...]:
    """The pages of a site, as paths within it; the front door is none."""
    names = (path.relative_to(folder) for path in folder.rglob("*.html"))
    return tuple(
        sorted(
            name.as_posix()
            for name in names
            if "_static" not in name.parts and name.as_posix() != "index.html"
        )
    )


def dress(folder: Path, settings: SiteSettings) -> None:
    """Name the version in the sidebar of every page.

    Raises:
        SiteError: a page has no sidebar to name it in.
    """
    if not settings.version:
        return
    shown = f'<div class="sidebar-primary-item book-version" data-version="{settings.version}">'
    shown += f"<p>Version {settings.version}</p></div>\n        "
    for name in pages(folder):
        path = folder / name
        text = path.read_text(encoding="utf-8")
        text, number = _CONTENTS.subn(lambda found: shown + found[0], text, count=1)
        if not number:
            raise ReleaseError(
                f"{name} has no contents at its side, above which the version would stand.",
                fix="list the page in _toc.yml, or build without --version",
            )
        path.write_text(text, encoding="utf-8")


def head(*, canonical: str = "", script: str = "", hidden: bool = False) -> str:
    """The block of a page's head.

    Args:
        canonical: the address that search engines should take for this page, or nothing.
        script: where this page finds the script that names all versions; nothing for a site alone.
        hidden: whether search engines should leave the page out.
    """
    lines = [_BEGIN]
    if canonical:
        lines.append(f'<link rel="canonical" href="{escape(canonical)}">')
    if hidden:
        lines.append('<meta name="robots" content="noindex">')
    if script:
        lines.append(f'<script defer src="{escape(script)}"></script>')
    return "\n  ".join([*lines, _END])


def script_for(page: str) -> str:
    """The address of the script from a page of a version: one folder above its site."""
    return posixpath.relpath(SCRIPT, posixpath.join("version", posixpath.dirname(page)))


def with_head(html: bytes, block: str, *, where: str) -> bytes:
    """The page with another block in its head, and every other byte as it was.

    Raises:
        ReleaseError: the head does not hold exactly one block.
    """
    end = html.find(b"</head>")
    found = list(_BLOCK.finditer(html, 0, max(end, 0)))
    if len(found) != 1:
        raise ReleaseError(
            f"{where} has {len(found)} places for its version in its head; one was expected.",
            fix="build that version again, then: chapterhouse release add --replace",
        )
    return html[: found[0].start()] + block.encode() + html[found[0].end() :]
