"""An executed chapter as the site sees it: the notebook that ran, and the record of its run.

The run room leaves ``_build/executed/<profile>/<slug>.ipynb`` and a ``.json`` beside it, or, where
a cell stopped the run, ``<slug>.failed.ipynb``. The site reads only these files. `load` refuses
what is not as it should be, for a site that is published; `load_anyhow` takes what there is.
"""

from __future__ import annotations

import json
import os
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, v4

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import NotebookError, SiteError

CLAIM = "application/vnd.sprat.claim+json"
RECORD = "application/vnd.sprat.record+json"


@dataclass(frozen=True)
class Executed:
    """One chapter's source, its executed copy and what its run recorded.

    `wall_s` and `cpu_s` are seconds, `peak_memory_bytes` counts the kernel and its children.
    `cells` has the id and the wall seconds of each code cell, `environment` the version of each
    distribution that was imported, `machine` and `processor` where it ran.

    `state` is ``ran``; ``claims`` when some did not hold; ``stopped`` when the run did not come to
    its end; ``missing`` when there is no run; or ``unreadable`` for the notebook itself. `error`
    says more, and `edited` that the chapter is not the one that ran.
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
    processor: str = ""
    state: str = "ran"
    error: str = ""
    edited: bool = False

    @property
    def is_broken(self) -> bool:
        """Whether its page cannot be published as it is."""
        return self.state != "ran" or self.edited

    @property
    def has_run(self) -> bool:
        """Whether there is any run, whole or not."""
        return self.state not in ("missing", "unreadable")

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
    copy_path, record_path = _paths(course, source_path, profile)
    fix = f"chapterhouse run {source_path.stem}"
    fix += "" if profile == "fast" else f" --profile {profile}"
    if not copy_path.is_file() or not record_path.is_file():
        raise SiteError(f"{source_path} was not executed in the profile {profile!r}.", fix=fix)
    source, copy = nb.read(source_path), nb.read(copy_path)
    if prose_may_differ:
        copy = _with_prose(source, copy)
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        if record.get("status") == "failed":
            raise SiteError(f"{source_path} failed when it was last executed.", fix=fix)
        executed = _executed(source_path, source, copy, record, profile=profile)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SiteError(
            f"{record_path} is not the record of a run ({type(error).__name__}: {error}).",
            fix=f"{fix} --force",
        ) from None
    if _story(source) != _story(copy):
        raise SiteError(f"{source_path} was edited after it was executed.", fix=fix)
    return executed


def load_anyhow(
    course: Course, source_path: Path, *, profile: str, prose_may_differ: bool = False
) -> Executed:
    """The executed copy of one chapter as far as there is one; its `state` says how far.

    A run that failed shows what it had computed, and a chapter that never ran its text and code.
    """
    try:
        return load(course, source_path, profile=profile, prose_may_differ=prose_may_differ)
    except (SiteError, NotebookError) as error:
        refused = error
    try:
        source = nb.read(source_path)
    except NotebookError as error:
        source = _placeholder(source_path)
        told = _local(error.found, course)
        return _without_run(source_path, source, profile, state="unreadable", error=told)
    copy_path, record_path = _paths(course, source_path, profile)
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        failed = record["status"] == "failed"
        if failed and record.get("stopped", True):
            copy_path = copy_path.with_suffix(".failed.ipynb")
        copy = _with_prose(source, nb.read(copy_path))
        executed = _executed(source_path, source, copy, record, profile=profile)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, NotebookError):
        told = _local([*nb.faults(source), refused.found][0], course)
        return _without_run(source_path, nb.strip(source), profile, error=told)
    state = ("stopped" if record.get("stopped", True) else "claims") if failed else "ran"
    return replace(
        executed,
        state=state,
        error=_local(str(record.get("error", "")), course),
        edited=_story(source) != _story(copy),
    )


def _local(text: str, course: Course) -> str:
    """A message for a page, where the author's folders are nobody's business."""
    return text.replace(f"{course.root}{os.sep}", "")


def _paths(course: Course, source_path: Path, profile: str) -> tuple[Path, Path]:
    """Where the executed copy of a chapter and its record lie."""
    folder = course.build / "executed" / profile
    return folder / f"{source_path.stem}.ipynb", folder / f"{source_path.stem}.json"


def _executed(
    source_path: Path,
    source: NotebookNode,
    copy: NotebookNode,
    record: dict[str, Any],
    *,
    profile: str,
) -> Executed:
    return Executed(
        slug=source_path.stem,
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
        processor=str(record.get("processor", "")),
    )


def _without_run(
    source_path: Path,
    source: NotebookNode,
    profile: str,
    *,
    state: str = "missing",
    error: str,
) -> Executed:
    """A chapter of which there is nothing but its text and code."""
    return Executed(
        slug=source_path.stem,
        source_path=source_path,
        source=source,
        notebook=source,
        profile=profile,
        wall_s=0.0,
        cpu_s=0.0,
        peak_memory_bytes=0,
        claims=(),
        values={},
        data=(),
        state=state,
        error=error,
    )


def _placeholder(source_path: Path) -> NotebookNode:
    """What stands for a notebook that cannot be read."""
    title = source_path.stem.partition("_")[2].replace("_", " ") or source_path.stem
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return v4.new_notebook(
        cells=[v4.new_markdown_cell(f"# {title.capitalize()}", id="title")],
        metadata={"kernelspec": kernel},
    )


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
