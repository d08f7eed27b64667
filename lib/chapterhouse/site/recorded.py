"""Numbers in prose: the role ``{run}`name:.1%``` becomes what the run recorded under that name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chapterhouse import myst
from chapterhouse.errors import ChapterhouseError, SiteError
from chapterhouse.site.executed import Executed


def values(executed: Executed) -> dict[str, Any]:
    """Every named value of a run: what it recorded, and the value of each named claim."""
    named = {c["name"]: c["value"] for c in executed.claims if c.get("name") is not None}
    return {**{k: v for k, v in named.items() if v is not None}, **executed.values}


def refuse(error: ChapterhouseError, _: str) -> str:
    """Let a number that is missing stop whoever needs it."""
    raise error


def fill(
    text: str,
    runs: Mapping[str, Mapping[str, Any]],
    *,
    slug: str | None,
    where: str,
    absent: Callable[[ChapterhouseError, str], str] = refuse,
) -> str:
    """The text with each ``{run}`` replaced by its value.

    Args:
        text: MyST markdown.
        runs: the recorded values of every chapter, by slug.
        slug: the chapter that the text is part of; None for a page that is no chapter, where a
            name is written ``chapter/name``.
        where: file and cell, for errors.
        absent: is given what is wrong with a role and the chapter that it names, and gives what
            stands in its place; by default it raises.

    Raises:
        SiteError: a name was not recorded, or a format does not fit its value.
    """

    def change(role: myst.Role) -> str | None:
        if role.name != "run":
            return None
        name, _, spec = role.body.partition(":")
        chapter, _, key = name.strip().rpartition("/")
        chapter = chapter or slug or ""
        try:
            return _value(runs.get(chapter), key, spec, role=f"{where}: {role.text}", runs=runs)
        except SiteError as error:
            return absent(error, chapter)

    return myst.rewrite(text, role=change)


def _value(
    known: Mapping[str, Any] | None, key: str, spec: str, *, role: str, runs: Mapping[str, Any]
) -> str:
    """One value of a chapter in the format that its role asks for."""
    if known is None:
        raise SiteError(
            f"{role} names no executed chapter.",
            fix="write {run}`chapter/name`, with one of " + _listed(runs),
        )
    if key not in known:
        raise SiteError(
            f"{role} names {key!r}, which the run did not record.",
            fix=f"record it with sp.record({key}=…), or use one of {_listed(known)}",
        )
    try:
        return format(known[key], spec)
    except (ValueError, TypeError) as error:
        raise SiteError(
            f"{role} cannot format {known[key]!r}: {error}.",
            fix="use a format such as .1% or .3f for numbers, and none for text",
        ) from None


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none yet"
