"""The ``{from-run}`` directive: a picture that a chapter drew, shown on another page.

```` ```{from-run} 04_under_the_hood/loss-plot ```` is the picture of that chapter's cell, taken
from the executed copy when the page is staged. Its alt text is the cell's own; its body is the
caption.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from nbformat import NotebookNode

from chapterhouse.errors import SiteError
from chapterhouse.myst import Directive
from chapterhouse.site.executed import Executed

FOLDER = "book/_from_run"
_SUFFIXES = {"image/png": ".png", "image/svg+xml": ".svg", "image/jpeg": ".jpg"}


def take(block: Directive, runs: Mapping[str, Executed], *, where: str) -> tuple[str, bytes, str]:
    """The picture that a ``{from-run}`` block names.

    Args:
        block: the directive; its argument is ``chapter/cell-id``.
        runs: the executed chapters, by slug.
        where: the page, for errors.

    Returns:
        The picture's path within the staged tree, its content, and the figure that shows it.

    Raises:
        SiteError: there is no such chapter or cell, or the cell drew nothing.
    """
    slug, _, identity = block.argument.partition("/")
    if slug not in runs:
        raise SiteError(
            f"{where}, line {block.line}: {{from-run}} names {block.argument!r}, "
            "which is no cell of an executed chapter.",
            fix="write chapter/cell-id, with one of " + (", ".join(sorted(runs)) or "none yet"),
        )
    drawn = {
        cell.id: found
        for cell in runs[slug].notebook.cells
        if cell.cell_type == "code" and (found := of_cell(cell)) is not None
    }
    if identity not in drawn:
        raise SiteError(
            f"{where}, line {block.line}: {{from-run}} names the cell {identity!r} of {slug}, "
            "which drew no picture.",
            fix="use one of " + (", ".join(drawn) or "another chapter; this one draws none"),
        )
    suffix, content, alt = drawn[identity]
    name = f"{FOLDER}/{slug}-{identity}{suffix}"
    options = {"alt": alt, **block.options}
    lines = [f":{key}: {value}" for key, value in options.items()]
    # No {figure}: its number would be taken from the figures of the chapters.
    figure = "\n".join([f"```{{image}} /{name}", *lines, "```"])
    if block.body:
        figure += f"\n\n:::{{container}} picture-caption\n{block.body}\n:::"
    return name, content, figure


def is_picture(output: NotebookNode) -> bool:
    """Whether an output of a cell is a picture."""
    return any(output.get("data", {}).get(mime) for mime in _SUFFIXES)


def alt_text(cell: NotebookNode) -> str:
    """What a cell says about its picture: for myst-nb, as plain metadata, or in the output."""
    given = cell.metadata.get("mystnb", {}).get("image", {}).get("alt") or cell.metadata.get("alt")
    if given:
        return str(given)
    for output in cell.get("outputs", []):
        for mime in _SUFFIXES:
            own = output.get("metadata", {}).get(mime, {})
            if isinstance(own, dict) and own.get("alt"):
                return str(own["alt"])
    return ""


def of_cell(cell: NotebookNode) -> tuple[str, bytes, str] | None:
    """The last picture that a cell shows: its file's suffix, its content and its alt text."""
    for output in reversed(cell.get("outputs", [])):
        for mime in _SUFFIXES:
            content = output.get("data", {}).get(mime)
            if content:
                text = "".join(content)
                svg = mime == "image/svg+xml"
                data = text.encode() if svg else base64.b64decode(text)
                return _SUFFIXES[mime], data, " ".join(alt_text(cell).split())
    return None
