"""What a folder of releases holds at its root, and what each page's head says of its version.

All of it follows from the versions that are there. The root leads to the newest without a script.
``versions.json`` is for programs; ``versions.js`` says the same to pages, because a page that was
opened from a folder may run a script that lies there but may not read a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from chapterhouse.errors import ReleaseError
from chapterhouse.site.releases import marks, versions
from chapterhouse.site.releases.marks import Release

INDEX = "versions.json"
GENERATOR = "chapterhouse release"
# Everything that is ours at the root. GitHub's pages hide folders such as _static unless told not
# to: https://docs.github.com/en/pages/getting-started-with-github-pages/what-is-github-pages
FILES = ("index.html", INDEX, marks.SCRIPT, "sitemap.xml", "robots.txt", ".nojekyll")
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={target}">
{head}<title>{title}</title>
</head>
<body>
<p><a href="{target}">{title}, version {newest}</a></p>
<ul>
{rows}
</ul>
</body>
</html>
"""


def files(releases: Sequence[Release]) -> dict[str, bytes]:
    """The files of the root, by name; none for a folder without releases.

    Args:
        releases: every release in the folder, in any order.

    Raises:
        ReleaseError: the newest lacks the sitemap that its address asks for.
    """
    if not releases:
        return {}
    told = index(releases)
    by_version = {release.version: release for release in releases}
    newest = by_version[told["default"]]
    text, short = json.dumps(told, indent=1), json.dumps(told, separators=(",", ":"))
    made = {
        "index.html": _front_door(newest, told).encode(),
        INDEX: f"{text}\n".encode(),
        marks.SCRIPT: f"window.bookVersions = {short};\n".encode(),
        ".nojekyll": b"",
    }
    if newest.public_url:
        made["sitemap.xml"] = _sitemap(newest)
        made["robots.txt"] = (
            f"User-agent: *\nAllow: /\nSitemap: {newest.public_url}sitemap.xml\n".encode()
        )
    return made


def index(releases: Sequence[Release]) -> dict[str, Any]:
    """All versions, the newest first, with the pages of each."""
    by_version = {release.version: release for release in releases}
    newest = versions.newest(by_version)
    listed = [
        {
            "version": version,
            "url": f"{version}/",
            "root": by_version[version].root_page,
            "released": versions.is_released(version),
            "pages": list(by_version[version].pages),
        }
        for version in versions.newest_first(by_version)
    ]
    return {
        "generator": GENERATOR,
        "title": by_version[newest].title,
        "default": newest,
        "versions": listed,
    }


def heads(releases: Sequence[Release]) -> Mapping[str, dict[str, str]]:
    """The block of each page's head, by version and page.

    A page that the newest version has as well names that one as canonical; one that it lacks names
    itself, unless it was never released: then search engines leave it out.
    """
    newest = next(r for r in releases if r.version == versions.newest(r.version for r in releases))
    return {release.version: _heads(release, newest) for release in releases}


def _heads(release: Release, newest: Release) -> dict[str, str]:
    made = {}
    shared = set(newest.pages)
    for page in release.pages:
        hidden = page not in shared and not versions.is_released(release.version)
        url = newest.url if page in shared else release.url
        made[page] = marks.head(
            canonical=f"{url}{page}" if url and not hidden else "",
            script=marks.script_for(page),
            hidden=hidden,
        )
    return made


def _front_door(newest: Release, told: dict[str, Any]) -> str:
    head = ""
    if newest.url:
        head += f'<link rel="canonical" href="{escape(newest.url + newest.root_page)}">\n'
    if newest.icon:
        # Without an icon of its own a browser would ask for one that isn't there.
        head += f'<link rel="icon" href="{escape(f"{newest.version}/{newest.icon}")}">\n'
    rows = "\n".join(
        f'<li><a href="{escape(each["url"] + each["root"])}">{each["version"]}</a></li>'
        for each in told["versions"]
    )
    return _PAGE.format(
        target=escape(f"{newest.version}/{newest.root_page}"),
        title=escape(newest.title),
        newest=newest.version,
        head=head,
        rows=rows,
    )


def _sitemap(newest: Release) -> bytes:
    """The newest version's own map: its addresses stand below its version already."""
    try:
        return (newest.folder / "sitemap.xml").read_bytes()
    except OSError:
        raise ReleaseError(
            f"Version {newest.version} has no sitemap.xml, though it has a public address.",
            fix=f"chapterhouse site --version {newest.version}, then add it with --replace",
        ) from None
