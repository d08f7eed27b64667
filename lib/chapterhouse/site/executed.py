"""An executed chapter as the site sees it: the notebook that ran, and the record of its run.

The run room leaves ``_build/executed/<profile>/<slug>.ipynb`` and a ``.json`` beside it. The site
reads only these files, and refuses a copy that is older than its chapter.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import SiteError

CLAIM = "application/vnd.sprat.claim+json"
RECORD = "application/vnd.sprat.record+json"


@dataclass(frozen=True)
class Executed:
    """One chapter's source, its executed copy and what its run recorded.

    `wall_s` and `cpu_s` are seconds, `peak_memory_bytes` counts the kernel and its children.
    `cells` has the id and the wall seconds of each code cell, `environment` the version of each
    distribution that was imported, `machine` where it ran.
    """

    slug: str
    source_path: Path
    source: NotebookNode
    notebook: NotebookNode
    profile: str
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    claims: tuple[dict[str, Any], ...]
    values: dict[str, Any]
    data: tuple[str, ...]
    cells: tuple[tuple[str, float], ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)

    @property
    def is_chapter(self) -> bool:
        """Whether it has a chapter's number; the book's other notebooks have none."""
        return self.slug.split("_", 1)[0].isdigit()

    @property
    def number(self) -> str:
        """The chapter's number without leading zeros; nothing for a page that is no chapter."""
        return (self.slug.split("_", 1)[0].lstrip("0") or "0") if self.is_chapter else ""

    @property
    def settings(self) -> dict[str, Any]:
        """``metadata.chapterhouse`` of the chapter."""
        return dict(self.source.metadata.get("chapterhouse", {}))


def load(
    course: Course, source_path: Path, *, profile: str, prose_may_differ: bool = False
) -> Executed:
    """The executed copy of one chapter.

    With `prose_may_differ` the outputs of a copy whose code is the chapter's own stand in the
    chapter's present text.

    Raises:
        SiteError: it was never executed in this profile, failed, or was edited since.
    """
    slug = source_path.stem
    folder = course.build / "executed" / profile
    copy_path, record_path = folder / f"{slug}.ipynb", folder / f"{slug}.json"
    fix = f"chapterhouse run {slug}" + ("" if profile == "fast" else f" --profile {profile}")
    if not copy_path.is_file() or not record_path.is_file():
        raise SiteError(f"{source_path} was not executed in the profile {profile!r}.", fix=fix)
    source, copy = nb.read(source_path), nb.read(copy_path)
    if prose_may_differ:
        copy = _with_prose(source, copy)
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        if record.get("status") == "failed":
            raise SiteError(f"{source_path} failed when it was last executed.", fix=fix)
        executed = Executed(
            slug=slug,
            source_path=source_path,
            source=source,
            notebook=copy,
            profile=profile,
            wall_s=float(record["wall_s"]),
            cpu_s=float(record["cpu_s"]),
            peak_memory_bytes=int(record["peak_memory_bytes"]),
            claims=tuple(record.get("claims", ())),
            values=dict(record.get("values", {})),
            data=tuple(record.get("data", ())),
            cells=tuple((str(c["id"]), float(c["wall_s"])) for c in record.get("cells", ())),
            environment=dict(record.get("environment", {})),
            machine=dict(record.get("machine", {})),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SiteError(
            f"{record_path} is not the record of a run ({type(error).__name__}: {error}).",
            fix=f"{fix} --force",
        ) from None
    if _story(source) != _story(copy):
        raise SiteError(f"{source_path} was edited after it was executed.", fix=fix)
    return executed


def _with_prose(source: NotebookNode, copy: NotebookNode) -> NotebookNode:
    """The executed copy with the text of its source, if both have the same code."""
    ran = [cell for cell in nb.code_cells(copy) if "injected-parameters" not in nb.tags(cell)]
    own = nb.code_cells(source)
    if [cell.source.strip() for cell in own] != [cell.source.strip() for cell in ran]:
        return copy
    made = deepcopy(source)
    for cell, done in zip(nb.code_cells(made), ran, strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
    made.metadata = copy.metadata
    return made


def _story(notebook: NotebookNode) -> list[tuple[str, str]]:
    """Kind and source of every cell, but for the one that papermill puts in."""
    return [
        (cell.cell_type, cell.source.strip())
        for cell in notebook.cells
        if "injected-parameters" not in nb.tags(cell)
    ]
