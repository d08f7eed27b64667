"""What the code of a chapter published for its live figures, read from the executed copy.

``application/vnd.sprat.live+json`` holds ``name``, ``type`` and, for a ``network``: ``input``,
``steps``, ``weights``, ``classes`` and ``examples`` with their ``inputs`` and ``outputs``; for a
``surface``: ``loss``, ``slopes``, ``extent``, ``start``, ``rates``, ``steps`` and ``paths``. Rows
of numbers are ``{"dtype", "shape", "data"}``, with the data in base64.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from chapterhouse.errors import SiteError
from chapterhouse.site.executed import Executed

LIVE = "application/vnd.sprat.live+json"
_NEEDED = {
    "network": ("input", "steps", "weights", "classes", "examples"),
    "surface": ("loss", "slopes", "extent", "start", "rates", "steps", "paths"),
}


@dataclass(frozen=True)
class Published:
    """One thing that a run published, and the cell that did.

    `number` counts the cells of the executed copy from 1, as the site's messages do.
    """

    slug: str
    name: str
    cell: NotebookNode
    number: int
    content: dict[str, Any]

    @property
    def type(self) -> str:
        """``network`` or ``surface``."""
        return str(self.content["type"])

    @property
    def key(self) -> str:
        """What scripts call it: ``chapter/name``."""
        return f"{self.slug}/{self.name}"

    def script(self) -> bytes:
        """A script that hands the content to the figures of the page that loads it."""
        content = json.dumps(self.content, sort_keys=True, separators=(",", ":"))
        # `</` cannot end a script's element here, but a copy of it in a page it could.
        content = content.replace("</", "<\\/")
        return f"liveFigures.models[{json.dumps(self.key)}] = {content};\n".encode()

    def file_name(self) -> str:
        """A name that changes with the content, so that browsers may keep the file for ever."""
        plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in self.name)
        return f"{self.slug}-{plain}.{hashlib.sha256(self.script()).hexdigest()[:12]}.js"


def published(run: Executed) -> dict[str, Published]:
    """Everything that a run published, by name.

    Raises:
        SiteError: a record is not whole, or a name was published twice.
    """
    found: dict[str, Published] = {}
    for number, cell in enumerate(run.notebook.cells, start=1):
        for output in cell.get("outputs", []):
            content = output.get("data", {}).get(LIVE)
            if content is None:
                continue
            where = f"{run.source_path}, cell {number}"
            one = Published(run.slug, _name(content, where), cell, number, content)
            if one.name in found:
                raise SiteError(
                    f"{where} publishes {one.name!r}, and so does cell {found[one.name].number}.",
                    fix="give each a name of its own in sp.publish",
                )
            found[one.name] = one
    return found


def _name(content: Any, where: str) -> str:
    """The record's name, once it is known to be whole."""
    kind = content.get("type") if isinstance(content, dict) else None
    missing = [key for key in _NEEDED.get(str(kind), ()) if key not in content]
    if kind not in _NEEDED or missing or not content.get("name"):
        raise SiteError(
            f"{where}: what was published is not whole; it lacks {', '.join(missing) or 'a type'}.",
            fix="publish it with sp.publish of this version, and run the chapter again",
        )
    return str(content["name"])
