"""Which versions there are, in which order, and which of them is the newest.

Versions are those of PEP 440 (https://peps.python.org/pep-0440/), read and ordered by `packaging`.
One word more is allowed: ``dev``, for the site of what is not released yet.
"""

from __future__ import annotations

from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

from chapterhouse.errors import ReleaseError

DEV = "dev"


def named(text: str) -> str:
    """The normal form of a version, which is also the name of its folder: ``v1.2`` is ``1.2``.

    Raises:
        ReleaseError: it is no version, or one that only a single machine knows (``1.2+local``).
    """
    if text.strip() == DEV:
        return DEV
    try:
        found = Version(text)
    except InvalidVersion:
        raise ReleaseError(
            f"{text!r} is no version.", fix=f"write one such as 1.2, 1.3rc1 or {DEV} (PEP 440)"
        ) from None
    if found.local:
        raise ReleaseError(
            f"{text!r} has a local part, which no published version has.",
            fix=f"write {found.public}",
        )
    return str(found)


def _rank(version: str) -> tuple[bool, Version]:
    """Where a version stands in the order; ``dev`` is ahead of them all."""
    return version == DEV, Version("0" if version == DEV else version)


def is_same(one: str, other: str) -> bool:
    """Whether two normal forms name one version, as ``1.2`` and ``1.2.0`` do."""
    return _rank(one) == _rank(other)


def is_released(version: str) -> bool:
    """Whether it is a final release: not ``dev``, no pre-release, no development release."""
    return version != DEV and not Version(version).is_prerelease


def newest_first(versions: Iterable[str]) -> list[str]:
    """The versions in their order, the newest before the others."""
    return sorted(versions, key=_rank, reverse=True)


def newest(versions: Iterable[str]) -> str:
    """The version that readers are led to: the newest final release.

    Only where there is none it is the newest pre-release, and only then ``dev``.
    """
    return max(versions, key=lambda each: (is_released(each), each != DEV, _rank(each)))
