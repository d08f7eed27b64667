"""Where the pages of a rendered site point: labels, terms and documents from Sphinx's inventory,
works from the bibliography, pictures from the source tree.

The Colab edition needs it, because in a notebook that lies elsewhere only absolute addresses work.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.plain_markdown import Link, Links
from chapterhouse.site.settings import SiteSettings


@dataclass
class References:
    """Everything that can be pointed to, by name.

    `labels`, `terms` and `pages` map a name to its words and its path within the site. `pictures`
    collects the files that the notebooks show: path within the site to file on disk.
    """

    settings: SiteSettings
    root: Path
    labels: dict[str, tuple[str, str]] = field(default_factory=dict)
    terms: dict[str, tuple[str, str]] = field(default_factory=dict)
    pages: dict[str, tuple[str, str]] = field(default_factory=dict)
    works: dict[str, Link] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, Path] = field(default_factory=dict)

    def links(self, page: str) -> Links:
        """How a page such as ``chapters/04_under_the_hood`` resolves what it names."""
        return Links(
            page=lambda path: self._page(path, page),
            label=lambda name: self._named(self.labels, name, page, "label"),
            term=lambda name: self._term(name),
            cite=lambda key: self._work(key, page),
            image=lambda path: self._picture(path, page),
        )

    def _url(self, path: str) -> str | None:
        return f"{self.settings.base_url}{path}" if self.settings.base_url else None

    def _page(self, path: str, page: str) -> Link:
        stem, _, anchor = path.partition("#")
        stem = re.sub(r"\.(ipynb|md|html)$", "", stem)
        name = stem.lstrip("/") if stem.startswith("/") else _join(page, stem)
        if name not in self.pages:
            file = self.root / _join(page, path)
            if file.is_file():
                return Link(file.name, self.settings.source_url(_join(page, path)))
            raise SiteError(
                f"{page} points to the page {path!r}, which the site does not have.",
                fix="mend the path, or list the page in _toc.yml",
            )
        title, url = self.pages[name]
        return Link(title, self._url(url + (f"#{anchor}" if anchor else "")))

    def _named(self, table: dict[str, tuple[str, str]], name: str, page: str, kind: str) -> Link:
        found = table.get(name.lower())
        if found is None:
            # A heading's own anchor needs no label: it is on this page or nowhere.
            return Link(name.replace("-", " "), self._url(f"{page}.html#{name}"))
        return Link(found[0], self._url(found[1]))

    def _term(self, name: str) -> Link:
        found = self.terms.get(name.lower())
        return Link(name, self._url(found[1]) if found else None)

    def _work(self, key: str, page: str) -> Link:
        if key not in self.works:
            raise SiteError(
                f"{page} cites {key!r}, which is not in the bibliography.",
                fix=f"add it to {', '.join(self.settings.bibliography) or 'book/references.bib'}",
            )
        return self.works[key]

    def bibliography(self, keys: Iterable[str]) -> str:
        """A list of works as markdown, each once, by author and year."""
        known = {key for key in keys if key in self.works}
        ordered = sorted(known, key=lambda key: self.works[key].text)
        return "\n".join(f"- {self.works[key].markdown()}. {self.titles[key]}." for key in ordered)

    def _picture(self, path: str, page: str) -> str:
        """A published address, or, without one, the picture itself inside the notebook."""
        relative = path.lstrip("/") if path.startswith("/") else _join(page, path)
        file = self.root / relative
        if not file.is_file():
            raise SiteError(f"{page} shows {path!r}, but there is no {file}.", fix="mend the path")
        content = file.read_bytes()
        if not self.settings.base_url:
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            return f"data:{kind};base64,{base64.b64encode(content).decode()}"
        digest = hashlib.sha256(content).hexdigest()[:8]
        published = f"colab/images/{file.stem}-{digest}{file.suffix}"
        self.pictures[published] = file
        return f"{self.settings.base_url}{published}"


def _join(page: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path))


def load(course: Course, settings: SiteSettings, rendered: Path) -> References:
    """The references of a site that Jupyter Book has just rendered.

    Raises:
        SiteError: the bibliography cannot be read.
    """
    from sphinx.util.inventory import InventoryFile

    found = References(settings, course.root)
    inventory = rendered / "objects.inv"
    if inventory.is_file():
        with inventory.open("rb") as stream:
            entries = InventoryFile.load(stream, "", posixpath.join)
        tables = {"std:label": found.labels, "std:term": found.terms, "std:doc": found.pages}
        for kind, table in tables.items():
            for name, (_, _, uri, title) in entries.get(kind, {}).items():
                key = name if kind == "std:doc" else name.lower()
                table[key] = (name if title == "-" else title, uri)
    for path in settings.bibliography:
        for key, (link, title) in _works(course.root / path).items():
            found.works[key], found.titles[key] = link, title
    return found


def _works(path: Path) -> dict[str, tuple[Link, str]]:
    """Each work of a BibTeX file: ``Author and Author, 2013`` with its address, and its title."""
    from pybtex.database import parse_file
    from pybtex.exceptions import PybtexError

    if not path.is_file():
        raise SiteError(
            f"{path} does not exist.", fix="write it, or take it out of bibtex_bibfiles"
        )
    try:
        entries = parse_file(str(path)).entries
    except PybtexError as error:
        raise SiteError(f"{path} is not valid BibTeX: {error}.", fix="mend that entry") from None
    works = {}
    for key, entry in entries.items():
        people = entry.persons.get("author") or entry.persons.get("editor") or []
        names = [" ".join(person.prelast_names + person.last_names) for person in people]
        who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names) or key
        fields = entry.fields
        url = fields.get("url") or (f"https://doi.org/{fields['doi']}" if "doi" in fields else None)
        if url is None and "eprint" in fields:
            url = f"https://arxiv.org/abs/{fields['eprint']}"
        year = fields.get("year", "no year")
        title = re.sub(r"[{}]", "", fields.get("title", "")).rstrip(".")
        works[key] = Link(re.sub(r"[{}]", "", f"{who}, {year}"), url), title
    return works
