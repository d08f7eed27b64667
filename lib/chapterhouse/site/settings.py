"""What the site needs from ``_config.yml`` and ``_toc.yml``, read and checked.

Jupyter Book reads the same two files; nothing is set twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site.releases import versions

COLAB = "https://colab.research.google.com"
KAGGLE = "https://www.kaggle.com/kernels/welcome?src="
_GITHUB_PAGES = re.compile(r"^https://(?P<owner>[\w-]+)\.github\.io(?:/(?P<name>[\w.-]+))?/?$")
_GITHUB = re.compile(r"^https://github\.com/(?P<owner>[\w-]+)/(?P<name>[\w.-]+?)(?:\.git)?/?$")


@dataclass(frozen=True)
class SiteSettings:
    """Where the site and its source are, and which pages it has.

    `base_url` ends with a slash, or is empty when the site has no public address yet; the same
    goes for `repository_url`. `pages` are the names of the table of contents, without suffix. With
    a `version`, `base_url` ends with that, too: it is the address of this version's own folder.
    """

    title: str
    base_url: str
    repository_url: str
    branch: str
    colab_prefix: str
    root_page: str
    pages: tuple[str, ...]
    bibliography: tuple[str, ...]
    favicon: str = ""
    version: str = ""

    @property
    def slug(self) -> str:
        """The title as a name for files."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "book"

    @property
    def public_url(self) -> str:
        """The address of the whole site, above that of this version."""
        return self.base_url.removesuffix(f"{self.version}/") if self.version else self.base_url

    def page_url(self, page: str) -> str | None:
        """The public address of a page such as ``chapters/04_under_the_hood``, or None."""
        return f"{self.base_url}{page}.html" if self.base_url else None

    def source_url(self, path: str) -> str | None:
        """Where a file of the repository can be read, or None."""
        if not self.repository_url:
            return None
        return f"{self.repository_url}blob/{self.branch}/{quote(path)}"

    def colab_url(self, path: str) -> str | None:
        """The link that opens a published notebook in Colab, or None without a GitHub address.

        Args:
            path: the notebook's path within the site, such as ``colab/04_under_the_hood.ipynb``.
        """
        if self.version:
            path = f"{self.version}/{path}"
        if self.colab_prefix:
            return f"{self.colab_prefix}{quote(path)}"
        pages = _GITHUB_PAGES.match(self.public_url)
        if pages is None:
            return None
        owner = pages["owner"]
        name = pages["name"] or f"{owner}.github.io"
        return f"{COLAB}/github/{owner}/{name}/blob/gh-pages/{quote(path)}"

    def kaggle_url(self, path: str) -> str | None:
        """The link that opens a published notebook in Kaggle, or None without a public address."""
        if not self.base_url:
            return None
        return f"{KAGGLE}{quote(self.base_url + quote(path), safe='')}"


def load(course: Course, version: str = "") -> SiteSettings:
    """The settings of a course's site.

    Args:
        course: whose site it is.
        version: what the site is built for; its addresses are then below the public one.

    Raises:
        ReleaseError: that is no version.
        SiteError: a file is missing or malformed, an address is not one, or the table of contents
            has a page twice or lacks a notebook.
    """
    config_path, toc_path = course.root / "_config.yml", course.root / "_toc.yml"
    config, toc = _read(config_path), _read(toc_path)
    html = _table(config, "html", config_path)
    repository = _table(config, "repository", config_path)
    sphinx = _table(_table(config, "sphinx", config_path), "config", config_path)
    if "root" not in toc:
        raise SiteError(f"{toc_path} has no `root`.", fix="name the landing page: root: book/index")
    pages = _pages(toc)
    if twice := sorted({page for page in pages if pages.count(page) > 1}):
        raise SiteError(
            f"{toc_path} lists {twice[0]} more than once.", fix="take one of the lines out"
        )
    _refuse_forgotten(course, pages, toc_path)
    base_url = _address(html.get("baseurl"), "html: baseurl", config_path)
    version = versions.named(version) if version else ""
    if base_url and version:
        base_url += f"{version}/"
    repository_url = _address(repository.get("url"), "repository: url", config_path)
    if repository_url and not _GITHUB.match(repository_url):
        raise SiteError(
            f"{config_path}: repository: url is {repository_url!r}, not a GitHub repository.",
            fix="write https://github.com/OWNER/NAME, or leave it empty",
        )
    return SiteSettings(
        title=str(config.get("title") or course.title),
        base_url=base_url,
        repository_url=repository_url,
        branch=str(repository.get("branch") or "main"),
        colab_prefix=_address(
            sphinx.get("chapterhouse_colab_prefix"), "chapterhouse_colab_prefix", config_path
        ),
        root_page=str(toc["root"]),
        pages=tuple(pages),
        bibliography=tuple(config.get("bibtex_bibfiles") or ()),
        favicon=str(html.get("favicon") or ""),
        version=version,
    )


def _refuse_forgotten(course: Course, pages: list[str], toc_path: Path) -> None:
    """Every notebook that is executed must be on some page, or nobody would ever see it."""
    chapters = sorted(course.chapters.glob("[0-9]*_*.ipynb"))
    for path in [*chapters, *course.page_paths()]:
        page = path.relative_to(course.root).with_suffix("").as_posix()
        if page not in pages:
            raise SiteError(
                f"{page} is not in {toc_path}.",
                fix=f"add the line `- file: {page}` there, or move the notebook away",
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SiteError(
            f"{path} does not exist.", fix="restore it from git; Jupyter Book needs it"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = " ".join(str(error).split())
        raise SiteError(f"{path} is not valid YAML: {first}.", fix="mend that line") from None
    if not isinstance(loaded, dict):
        raise SiteError(f"{path} holds no settings.", fix="restore it from git")
    return loaded


def _table(config: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = config.get(key) or {}
    if not isinstance(value, dict):
        raise SiteError(
            f"{path}: {key} is not a table of settings.", fix=f"indent what {key} holds"
        )
    return value


def _address(value: object, name: str, path: Path) -> str:
    """An address that ends with one slash, or nothing."""
    text = str(value or "").strip()
    if text and not re.match(r"^https?://[^\s/]+(/\S*)?$", text):
        raise SiteError(
            f"{path}: {name} is {text!r}, which is not an address.",
            fix="write one such as https://OWNER.github.io/NAME/, or leave it empty",
        )
    return text.rstrip("/") + "/" if text else ""


def _pages(entry: object) -> list[str]:
    """Every ``root:`` and ``file:`` below one entry of the table of contents, in order."""
    if isinstance(entry, list):
        return [page for item in entry for page in _pages(item)]
    if not isinstance(entry, dict):
        return []
    own = [str(entry[key]) for key in ("root", "file") if key in entry]
    nested = [_pages(value) for key, value in entry.items() if key not in ("root", "file")]
    return [*own, *(page for pages in nested for page in pages)]
