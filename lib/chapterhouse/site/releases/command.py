"""``chapterhouse release add``, ``list``, ``remove`` and ``refresh``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from chapterhouse.course import Course


def add_command(subparsers: argparse._SubParsersAction) -> None:
    """Add ``release`` with its four commands."""
    release = subparsers.add_parser(
        "release",
        help="lay versions of the site side by side in one folder",
        description="Keep a folder of releases that can be published as it is: one site a version, "
        "a menu of versions on every page, and a root that leads to the newest.",
    )
    commands = release.add_subparsers(title="commands", metavar="COMMAND", required=True)

    add = commands.add_parser(
        "add",
        help="lay a built site beside the others",
        description="Copy a site that was built with `chapterhouse site --version` into the folder "
        "of releases, and tell the other versions of it.",
    )
    add.add_argument(
        "version", nargs="?", default="", help="what the site must be built for (default: any)"
    )
    add.add_argument(
        "--site", type=Path, metavar="FOLDER", help="the built site (default: _build/html)"
    )
    add.add_argument(
        "--replace", action="store_true", help="overwrite the same version if it is there"
    )
    _add_folder(add)
    add.set_defaults(action=_add)

    listed = commands.add_parser(
        "list",
        help="list the versions, the newest first",
        description="List the versions in the folder of releases, and say where readers are led.",
    )
    listed.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    _add_folder(listed)
    listed.set_defaults(action=_list)

    remove = commands.add_parser(
        "remove",
        help="take a version away",
        description="Take one version out of the folder of releases, and tell the others.",
    )
    remove.add_argument("version", help="the version to take away")
    _add_folder(remove)
    remove.set_defaults(action=_remove)

    refresh = commands.add_parser(
        "refresh",
        help="make the folder agree with the versions in it",
        description="Write the files at the root and the heads of all pages again, after versions "
        "were moved by hand or a command was killed.",
    )
    _add_folder(refresh)
    refresh.set_defaults(action=_refresh)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--releases",
        type=Path,
        metavar="FOLDER",
        help="the folder of releases (default: _build/releases)",
    )


def _folder(arguments: argparse.Namespace) -> Path:
    return arguments.releases or Course.find(arguments.course).build / "releases"


def _say(step: str) -> None:
    print(f"  {step}", file=sys.stderr, flush=True)


def _add(arguments: argparse.Namespace) -> int:
    from chapterhouse.site import build
    from chapterhouse.site.releases import shelf

    folder = _folder(arguments)
    options = {"version": arguments.version, "overwrite": arguments.replace, "say": _say}
    if arguments.site:
        added = shelf.add(arguments.site, folder, **options)
    else:
        course = Course.find(arguments.course)
        with build.alone(course, _say):  # a build would swap the site while it is copied
            added = shelf.add(course.build / "html", folder, **options)
    print(f"{added.folder}: version {added.version}, {len(added.pages)} pages")
    return _show(folder)


def _list(arguments: argparse.Namespace) -> int:
    from chapterhouse.site.releases import front, shelf

    folder = _folder(arguments)
    if not arguments.json:
        return _show(folder)
    releases = shelf.read(folder)
    told = front.index(releases) if releases else {"default": None, "versions": []}
    found = {
        "folder": str(folder),
        "default": told["default"],
        "versions": [
            {"version": v["version"], "released": v["released"], "pages": len(v["pages"])}
            for v in told["versions"]
        ],
        "others": shelf.strange(folder) if folder.exists() else [],
        "up_to_date": shelf.is_true(folder, releases),
    }
    print(json.dumps(found))
    return 0


def _show(folder: Path) -> int:
    """Print the versions in a folder, and what needs the author's eye."""
    from chapterhouse.site.releases import shelf, versions

    releases = shelf.read(folder)
    if not releases:
        print(f"{folder} has no versions yet.")
        return 0
    newest = versions.newest(release.version for release in releases)
    width = max(len(release.version) for release in releases)
    for release in releases:
        note = "not a final release" if not versions.is_released(release.version) else ""
        if release.version == newest:
            note = "readers are led here" + (f" ({note})" if note else "")
        print(f"  {release.version:<{width}}  {len(release.pages):>3} pages  {note}".rstrip())
    if others := shelf.strange(folder):
        print(f"  left alone: {', '.join(others)}")
    if not shelf.is_true(folder, releases):
        print("  the files at the root are older than these: chapterhouse release refresh")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    from chapterhouse.site.releases import shelf

    folder = _folder(arguments)
    shelf.remove(arguments.version, folder)
    return _show(folder) if folder.exists() else 0


def _refresh(arguments: argparse.Namespace) -> int:
    from chapterhouse.site.releases import shelf

    folder = _folder(arguments)
    shelf.refresh(folder)
    return _show(folder)
