"""The whole site as one zip, to be read without a network, and what search engines read.

Equal sites give equal bytes: names in order, one time for all.
"""

from __future__ import annotations

import zipfile
from html import escape
from pathlib import Path

from chapterhouse.site.settings import SiteSettings

_TIME = (2020, 1, 1, 0, 0, 0)
# Already compressed: trying again only costs time.
_STORED = {".png", ".webp", ".jpg", ".woff2", ".zip", ".whl"}


def zip_path(settings: SiteSettings) -> str:
    """Where the zip is within the site."""
    version = f"-{settings.version}" if settings.version else ""
    return f"downloads/{settings.slug}{version}.zip"


def pack(folder: Path, settings: SiteSettings) -> Path:
    """Put every file of the site into one zip within it, below a folder of the book's name.

    Args:
        folder: the finished site.
        settings: its title.
    """
    target = folder / zip_path(settings)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.parent != target.parent)
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as packed:
        for path in files:
            name = f"{target.stem}/{path.relative_to(folder).as_posix()}"
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = 0o644 << 16
            stored = path.suffix in _STORED
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())
    return target


def add_sitemap(folder: Path, settings: SiteSettings) -> None:
    """Write ``sitemap.xml`` and ``robots.txt``; a site without a public address needs neither.

    A version's own folder is no place where anybody looks for the latter.

    The format is that of https://www.sitemaps.org/protocol.html.
    """
    if not settings.base_url:
        return
    urls = "".join(
        f"  <url><loc>{escape(settings.base_url)}{page}.html</loc></url>\n"
        for page in settings.pages
    )
    (folder / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n',
        encoding="utf-8",
    )
    if settings.version:
        return
    (folder / "robots.txt").write_text(
        f"User-agent: *\nAllow: /\nSitemap: {settings.base_url}sitemap.xml\n", encoding="utf-8"
    )
