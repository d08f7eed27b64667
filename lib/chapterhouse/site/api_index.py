"""A Sphinx extension that puts the names of a library into the index.

``chapterhouse_api`` in ``_config.yml`` maps a library to the folder of the pages that show it. What
the code on such a page takes from the library (``sp.Learner``, ``sp.models.resnet``) stands in the
index, with a link to the section that shows it first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


def names(code: str, library: str) -> Iterator[str]:
    """The public names that some code takes from a library, modules as ``module.name``.

    Args:
        code: Python source.
        library: the package's name.
    """
    imported = re.search(rf"^import {re.escape(library)}(?: as (\w+))?$", code, re.MULTILINE)
    alias = (imported[1] or library) if imported else library
    for match in re.finditer(
        rf"(?<![\w.]){re.escape(alias)}\.([A-Za-z]\w*)(?:\.([A-Za-z]\w*))?", code
    ):
        first, second = match.groups()
        # A class's own attributes and methods belong to its entry.
        yield first if second is None or not first.islower() else f"{first}.{second}"
    for match in re.finditer(rf"^from {re.escape(library)} import ([\w, ]+)$", code, re.MULTILINE):
        yield from (name.strip() for name in match[1].split(",") if name.strip())


class ApiIndex(SphinxTransform):
    """Put an index entry at the section in which a page first uses a name of the library."""

    default_priority = 500  # before domains collect a page's entries

    def apply(self, **_: Any) -> None:
        """Change the page's tree."""
        for library, folder in self.config.chapterhouse_api.items():
            if self.env.docname.startswith(folder):
                self._add(library)

    def _add(self, library: str) -> None:
        blocks = [
            block
            for block in self.document.findall(nodes.literal_block)
            if "python" in str(block.get("language", ""))
        ]
        # An import in the first cell holds for the whole page.
        imports = "\n".join(
            line
            for block in blocks
            for line in block.astext().splitlines()
            if line.startswith("import ")
        )
        seen = set()
        for block in blocks:
            section = _section(block)
            if section is None:
                continue
            for name in names(f"{imports}\n{block.astext()}", library):
                if name in seen:
                    continue
                seen.add(name)
                entry = ("single", f"{name} ({library})", section["ids"][0], "", None)
                section.insert(1, addnodes.index(entries=[entry]))


def _section(node: nodes.Node) -> nodes.section | None:
    """The innermost section that a node stands in and that has a name to link to."""
    parent = node.parent
    while parent is not None and not (isinstance(parent, nodes.section) and parent["ids"]):
        parent = parent.parent
    return parent


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_config_value("chapterhouse_api", {}, "env", [dict])
    app.add_transform(ApiIndex)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
