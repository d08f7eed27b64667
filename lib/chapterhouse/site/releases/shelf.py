"""A folder of releases: sites are added and removed, and what they say of one another is kept true.

The sub-folders that describe themselves as releases are the truth; the files at the root and the
heads of pages follow from them, and every command brings them up to date. What is not ours is never
touched.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from chapterhouse.errors import ReleaseError
from chapterhouse.site import check
from chapterhouse.site.releases import front, marks, versions, work
from chapterhouse.site.releases.marks import Release
from chapterhouse.site.releases.work import Work

# What may lie at the root before the first release: a host's own name, and what git and hosts read.
_HARMLESS = ("CNAME", "LICENSE", "LICENSE.txt", "LICENSE.md", "README.md")


def read(folder: Path) -> list[Release]:
    """The releases in a folder, the newest first; a folder that is not there has none.

    Raises:
        ReleaseError: the folder holds other things than releases, or one that is damaged.
    """
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise ReleaseError(f"{folder} is not a folder.", fix="name a folder for the releases")
    found = [marks.read(path) for path in sorted(folder.iterdir()) if _is_release(path)]
    for release in found:
        if release.folder.name != release.version:
            raise ReleaseError(
                f"{release.folder} holds version {release.version}.",
                fix=f"give the folder the name {release.version}, or take it away",
            )
    _refuse_foreign(folder, found)
    order = versions.newest_first(release.version for release in found)
    return sorted(found, key=lambda release: order.index(release.version))


def strange(folder: Path) -> list[str]:
    """What lies in the folder and is no part of the releases; commands leave it alone."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in front.FILES and not path.name.startswith(".") and not _is_release(path)
    )


def _is_release(path: Path) -> bool:
    # A link such as `latest` is somebody's own way to a release, and no second one.
    hidden = path.name.startswith(".") or path.is_symlink()
    return not hidden and (path / marks.FILE).is_file()


def _refuse_foreign(folder: Path, found: list[Release]) -> None:
    """Refuse to write over what somebody else has put at the root."""
    if _is_ours(folder):
        return
    blocking = [name for name in front.FILES[:-1] if (folder / name).exists()]
    if not found:
        blocking += [name for name in strange(folder) if name not in _HARMLESS]
    if blocking:
        raise ReleaseError(
            f"{folder} is no folder of releases: it holds {blocking[0]}, which this command did "
            "not write.",
            fix="name an empty folder with --releases, or move those files away",
        )


def _is_ours(folder: Path) -> bool:
    try:
        told = json.loads((folder / front.INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("generator") == front.GENERATOR


def is_true(folder: Path, releases: list[Release]) -> bool:
    """Whether the files at the root say what is there; a killed command may leave old ones."""
    return all(
        (folder / name).is_file() and (folder / name).read_bytes() == content
        for name, content in front.files(releases).items()
    )


def add(
    site: Path,
    folder: Path,
    *,
    version: str = "",
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Release:
    """Lay a copy of a built site beside the others; returns the release.

    Args:
        site: the built site.
        folder: of the releases; it is made if it is not there.
        version: what the site must be built for; empty takes what it says itself.
        overwrite: let it take the place of the same version.
        say: is told each step.

    Raises:
        ReleaseError: the site cannot be added to this folder; nothing was changed.
        SiteError: the site lacks what its pages point to.
    """
    offered = marks.read(site)
    if version and versions.named(version) != offered.version:
        raise ReleaseError(
            f"The site in {site} was built for version {offered.version}, not {version}.",
            fix=f"chapterhouse site --version {version}, then add it",
        )
    inner, outer = site.resolve(), folder.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise ReleaseError(
            f"{site} and {folder} lie within one another.",
            fix="keep the releases in a folder beside the built site",
        )
    with work.alone(folder) as task:
        others = [each for each in read(folder) if each.version != offered.version]
        target = folder / offered.version
        _refuse_clash(offered, others, target, overwrite=overwrite)
        say(f"copying the site of version {offered.version}")
        copy = task.stage / "site"
        shutil.copytree(site, copy)
        if marks.read(copy).version != offered.version:
            raise ReleaseError(f"{site} changed while it was copied.", fix="add it again")
        say("checking its links")
        check.check_links(copy)
        added = replace(offered, folder=copy, pages=marks.pages(copy))
        say("telling every version of the others")
        _prepare(task, folder, [*others, added])
        task.place(copy, target)
    return replace(added, folder=target)


def _refuse_clash(
    offered: Release, others: list[Release], target: Path, *, overwrite: bool
) -> None:
    twin = next((r for r in others if versions.is_same(r.version, offered.version)), None)
    if twin:
        raise ReleaseError(
            f"Version {offered.version} is there already, as {twin.version}.",
            fix=f"chapterhouse site --version {twin.version}, or remove {twin.version} first",
        )
    if target.exists() and not (target / marks.FILE).is_file():
        raise ReleaseError(
            f"{target} exists and is no release.", fix="move it away; it is not ours to overwrite"
        )
    if target.exists() and not overwrite:
        raise ReleaseError(
            f"Version {offered.version} is in {target.parent} already.",
            fix="build another version, or overwrite this one with --replace",
        )
    for other in others:
        if other.public_url != offered.public_url:
            raise ReleaseError(
                f"The site was built for {offered.public_url or 'no public address'}, and version "
                f"{other.version} beside it for {other.public_url or 'none'}.",
                fix="set html: baseurl in _config.yml to the folder's address, and build again",
            )


def remove(version: str, folder: Path) -> list[Release]:
    """Take one version away; returns those that are left, the newest first.

    Raises:
        ReleaseError: it is not there.
    """
    name = versions.named(version)
    _refuse_absent(folder)
    with work.alone(folder) as task:
        releases = read(folder)
        left = [each for each in releases if each.version != name]
        if len(left) == len(releases):
            there = ", ".join(each.version for each in releases) or "none"
            raise ReleaseError(
                f"{folder} has no version {name}.", fix=f"name one that is there: {there}"
            )
        _prepare(task, folder, left)
        task.finish()  # first nothing leads to it any more
        (folder / name).rename(task.stage / "removed")
    return left


def refresh(folder: Path) -> list[Release]:
    """Write the root's files and the heads of all pages as the folders ask for.

    Raises:
        ReleaseError: there is no such folder of releases.
    """
    _refuse_absent(folder)
    with work.alone(folder) as task:
        releases = read(folder)
        _prepare(task, folder, releases)
        task.finish()
    return releases


def _refuse_absent(folder: Path) -> None:
    if not folder.is_dir():
        raise ReleaseError(
            f"There is no folder {folder}.",
            fix="chapterhouse release add, or name another one with --releases",
        )


def _prepare(task: Work, folder: Path, releases: list[Release]) -> None:
    """Prepare what the root's files and the heads of pages must say of these releases."""
    if releases:
        for version, blocks in front.heads(releases).items():
            here = next(r.folder for r in releases if r.version == version)
            for page, block in blocks.items():
                path = here / page
                before = path.read_bytes()
                after = marks.with_head(before, block, where=str(path))
                if here.is_relative_to(task.stage):
                    path.write_bytes(after)
                elif after != before:
                    task.put(after, path)
    wanted = front.files(releases)
    for name, content in wanted.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            task.put(content, path)
    task.gone = [folder / name for name in front.FILES if name not in wanted]
