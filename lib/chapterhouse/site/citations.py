"""Each chapter gets a list of works of its own, to which its citations lead.

sphinxcontrib-bibtex knows one list a work in the whole book. A prefix that stands for the chapter
makes the keys of two chapters differ, so that a reader of one is never sent to another.
"""

from __future__ import annotations

import re

from nbformat import NotebookNode

from chapterhouse import myst

HEADING = "## References"
_SEPARATOR = "--"


def prefix(slug: str) -> str:
    """What stands before the keys of one chapter."""
    return f"{slug}{_SEPARATOR}"


def without_prefix(text: str) -> str:
    """A message of Sphinx with the keys as the author wrote them."""
    return re.sub(rf'(key "?)\w+{_SEPARATOR}', r"\1", text)


def cited(notebook: NotebookNode) -> list[str]:
    """The key of every work that a chapter cites, in order."""
    keys: dict[str, None] = {}
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for item in myst.walk(cell.source):
            if isinstance(item, myst.Role) and item.name.startswith("cite"):
                keys.update(dict.fromkeys(key.strip() for key in item.body.split(",")))
    return list(keys)


def has_list(notebook: NotebookNode) -> bool:
    """Whether the author put a ``{bibliography}`` somewhere."""
    return any(
        isinstance(item, myst.Directive) and item.name == "bibliography"
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for item in myst.walk(cell.source)
    )


def make_own(notebook: NotebookNode, slug: str) -> None:
    """Give the citations and the list of works of one staged chapter its prefix.

    A chapter that cites but has no ``{bibliography}`` gets one at its end.
    """
    if not cited(notebook):
        return
    listed = has_list(notebook)
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        cell.source = myst.rewrite(
            cell.source,
            role=lambda role: _prefixed(role, slug),
            directive=lambda block: _list(slug) if block.name == "bibliography" else None,
        )
    if not listed:
        notebook.cells.append(
            NotebookNode(
                cell_type="markdown",
                id="own-references",
                metadata={},
                source=f"{HEADING}\n\n{_list(slug)}",
            )
        )


def _prefixed(role: myst.Role, slug: str) -> str | None:
    if not role.name.startswith("cite"):
        return None
    keys = ",".join(f"{prefix(slug)}{key.strip()}" for key in role.body.split(","))
    return f"{{{role.name}}}`{keys}`"


def _list(slug: str) -> str:
    return f"```{{bibliography}}\n:keyprefix: {prefix(slug)}\n:filter: docname in docnames\n```"
