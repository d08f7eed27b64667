"""The fakes: a small course made in a folder, and an executor that starts no kernel.

They live in the package because a course's own tests want them too.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.run.chapter import Execution, Progress
from chapterhouse.run.failure import Failure
from chapterhouse.run.plan import Plan
from chapterhouse.run.record import CLAIM
from chapterhouse.run.trace import Hashes, Used


def make_notebook(
    cells: Sequence[str],
    *,
    parameters: str = "epochs = 2",
    prose: str = "# A chapter",
    settings: Mapping[str, Any] | None = None,
) -> NotebookNode:
    """A stored notebook that keeps the house rules: prose, the parameters cell, then `cells`.

    Args:
        cells: source of each code cell; its id is ``code-0``, ``code-1``, …
        parameters: source of the parameters cell.
        prose: source of the first, markdown cell.
        settings: ``metadata.chapterhouse``.
    """
    tagged = nbformat.v4.new_code_cell(parameters, id="parameters")
    tagged.metadata.tags = ["parameters"]
    code = [nbformat.v4.new_code_cell(text, id=f"code-{i}") for i, text in enumerate(cells)]
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(prose, id="prose"), tagged, *code]
    )
    made = nb.strip(made)
    if settings:
        made.metadata.chapterhouse = nbformat.from_dict(dict(settings))
    return made


def make_course(
    root: Path,
    chapters: Mapping[str, NotebookNode],
    *,
    library: Mapping[str, str] | None = None,
    settings: str = "",
) -> Course:
    """A course on disk.

    Args:
        root: an empty folder.
        chapters: slug → notebook.
        library: file name → source of the package ``lib/tiny``.
        settings: more lines for ``[tool.chapterhouse]``.
    """
    (root / "pyproject.toml").write_text(
        f'[tool.chapterhouse]\ntitle = "Test"\nlibraries = ["lib/tiny"]\n{settings}\n'
    )
    (root / "lib" / "tiny").mkdir(parents=True)
    for name, source in (library or {}).items():
        (root / "lib" / "tiny" / name).write_text(source)
    for slug, notebook in chapters.items():
        nb.write(notebook, root / "chapters" / f"{slug}.ipynb")
    return Course.find(root)


@dataclass
class FakeExecute:
    """Stands in for `chapterhouse.run.chapter.execute`: says what a kernel would have said.

    `stdout` maps a slug to what its first code cell prints, `used` to library files it imports,
    `failing` are slugs whose second code cell raises, `claims` maps a slug to the claims that its
    first code cell makes, as their records; `calls` are the slugs asked for so far.
    """

    stdout: dict[str, str] = field(default_factory=dict)
    used: dict[str, list[str]] = field(default_factory=dict)
    data: dict[str, dict[str, str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    claims: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    wall_s: dict[str, float] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def __call__(
        self,
        plan: Plan,
        course: Course,
        *,
        hashes: Hashes,
        progress: Progress,
        stop: threading.Event,
    ) -> Execution:
        """Note the call and answer as scripted."""
        self.calls.append(plan.slug)
        cells = nb.code_cells(plan.notebook)
        progress(len(cells), len(cells))
        outputs: list[list[dict[str, Any]]] = [[] for _ in cells]
        if text := self.stdout.get(plan.slug):
            outputs[0] = [{"output_type": "stream", "name": "stdout", "text": text}]
        for claim in self.claims.get(plan.slug, []):
            data = {CLAIM: claim, "text/plain": claim["text"]}
            outputs[0].append({"output_type": "display_data", "data": data, "metadata": {}})
        files = {name: hashes.of(name) for name in self.used.get(plan.slug, [])}
        return Execution(
            outputs=outputs,
            wall_s=self.wall_s.get(plan.slug, 1.0),
            cpu_s=1.0,
            peak_memory_bytes=1,
            used=Used(libraries=files, data=self.data.get(plan.slug, {})),
            failure=self._failure(plan) if plan.slug in self.failing else None,
        )

    def _failure(self, plan: Plan) -> Failure:
        cell = nb.code_cells(plan.notebook)[1]
        return Failure(
            path=plan.path,
            number=3,
            of=len(plan.notebook.cells),
            cell_id=cell.id,
            source=cell.source,
            output="",
            reason="ValueError: as scripted",
        )
