"""The tree that Jupyter Book reads: executed chapters and pages, with what the run filled in.

Nothing is ever written into ``chapters/``. A file whose content did not change keeps its time of
modification, so that Sphinx renders only what changed. Cells keep their numbers, so that a warning
can name the cell that the author sees.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, v4

from chapterhouse import myst
from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import ExerciseError, SiteError
from chapterhouse.site import (
    banner,
    citations,
    facts,
    graded,
    live,
    measured,
    pictures,
    recorded,
    typed,
    typed_pages,
)
from chapterhouse.site import executed as ex
from chapterhouse.site.executed import Executed
from chapterhouse.site.gaps import EXERCISE, FIGURE, NUMBER, Gaps
from chapterhouse.site.settings import SiteSettings

SKIPPED = {"__pycache__", ".ipynb_checkpoints", ".DS_Store"}


@dataclass
class Staged:
    """The staged tree: its folder, its files with their hashes, and the chapters in it.

    `pages` are notebooks of the book that are no chapters, such as those of the library's API.
    `written` are the files that were not there yet or had another content. `gaps` is what stands
    where a run left nothing.
    """

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    chapters: list[Executed] = field(default_factory=list)
    pages: list[Executed] = field(default_factory=list)
    exercise_chapters: set[str] = field(default_factory=set)
    written: list[str] = field(default_factory=list)
    gaps: Gaps = field(default_factory=Gaps)

    @property
    def runs(self) -> dict[str, Executed]:
        """All executed notebooks, by slug."""
        return {run.slug: run for run in (*self.chapters, *self.pages)}

    @property
    def broken(self) -> list[Executed]:
        """Those whose run is not as it should be."""
        return [run for run in self.runs.values() if run.is_broken]


def stage(
    course: Course,
    settings: SiteSettings,
    *,
    profile: str = "fast",
    prose_may_differ: bool = False,
    strict: bool = True,
) -> Staged:
    """Write the tree, or bring it up to date.

    Args:
        course: whose chapters and pages to stage.
        settings: of its site.
        profile: which executed copies to take.
        prose_may_differ: take a copy also if the chapter's text was edited since, and let typed
            results pass: a preview of what is being written.
        strict: refuse what should not be published. Otherwise a run that is not as it should be is
            shown as far as it came, with a mark where something is missing.

    Raises:
        SiteError: a page is missing, or nothing was executed; in a strict build also if a chapter
            was not, or failed, its prose names no value, or it holds a result that was typed by
            hand.
    """
    staged = Staged(course.build / "site-source", gaps=Gaps(strict))
    notebooks = _notebooks(
        course, settings, profile=profile, prose_may_differ=prose_may_differ, strict=strict
    )
    for run in notebooks.values():
        (staged.chapters if run.is_chapter else staged.pages).append(run)
    staged.gaps.broken.update(run.slug for run in staged.broken)
    if not prose_may_differ:
        _refuse_typed(course, settings, notebooks.values(), staged.gaps)
    runs = {run.slug: recorded.values(run) for run in notebooks.values()}
    for page, run in notebooks.items():
        dressed = _dress(course, settings, run, runs, page=page, staged=staged)
        _put(staged, f"{page}.ipynb", nb.dumps(dressed).encode())
    for name in ("_config.yml", "_toc.yml"):
        _put(staged, name, (course.root / name).read_bytes())
    _copy_folder(course, staged, course.book, runs)
    _copy_folder(course, staged, course.chapters, runs)
    for path in sorted(staged.folder.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(staged.folder).as_posix() not in staged.files:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return staged


def _refuse_typed(
    course: Course, settings: SiteSettings, runs: Iterable[Executed], gaps: Gaps
) -> None:
    """Refuse prose in which a result of the run stands as a number that no run keeps true."""
    runs = list(runs)
    found = [finding for run in runs for finding in typed.findings(run)]
    figures = list(typed_pages.of_runs(runs))
    for path in (course.root / f"{page}.md" for page in settings.pages):
        if path.is_file():
            text, where = path.read_text(encoding="utf-8", errors="replace"), str(path)
            found += typed_pages.findings(text, figures, where=where)
    if found:
        listed = "\n    ".join(found)
        typed_by_hand = SiteError(
            f"Results of the run are typed into the prose:\n    {listed}",
            fix="write {run}`name`, or, for a number that only happens to agree, put it into the "
            'metadata of its cell, "given": ["2.30"], or on its page, % given: 2.30',
        )
        gaps.note(typed_by_hand)


def _notebooks(
    course: Course, settings: SiteSettings, *, profile: str, prose_may_differ: bool, strict: bool
) -> dict[str, Executed]:
    """The executed notebooks of the table of contents, by page; every page is known to exist."""
    found: dict[str, Executed] = {}
    load = ex.load if strict else ex.load_anyhow
    for page in settings.pages:
        stem = course.root / page
        notebook = stem.with_name(stem.name + ".ipynb")
        if notebook.is_file():
            found[page] = load(course, notebook, profile=profile, prose_may_differ=prose_may_differ)
        elif notebook.parent == course.chapters:
            raise SiteError(
                f"_toc.yml lists {page}, but there is no {notebook}.",
                fix="write the chapter, or take the line out of _toc.yml",
            )
        elif not stem.with_name(stem.name + ".md").is_file():
            raise SiteError(
                f"_toc.yml lists {page}, but there is no {page}.md.",
                fix="write the page, or take the line out of _toc.yml",
            )
    if found and not any(run.has_run for run in found.values()):
        first = next(iter(found.values()))
        ex.load(course, first.source_path, profile=profile)  # which says what to run
    return found


def _dress(
    course: Course,
    settings: SiteSettings,
    run: Executed,
    runs: Mapping[str, Mapping[str, Any]],
    *,
    page: str,
    staged: Staged,
) -> NotebookNode:
    """A copy of an executed chapter as its page shows it."""
    dressed = copy.deepcopy(run.notebook)
    dressed.metadata = NotebookNode(
        {k: v for k, v in dressed.metadata.items() if k in ("kernelspec", "language_info")}
    )
    figures: list[live.Figure] = []
    measured.mark_claims(dressed)
    for number, cell in enumerate(dressed.cells, start=1):
        where = f"{run.source_path}, cell {number}"
        if cell.cell_type == "markdown":
            text = recorded.fill(
                cell.source, runs, slug=run.slug, where=where, absent=staged.gaps.number(NUMBER)
            )

            def expand(block: myst.Directive, where: str = where) -> str | None:
                if block.name == "live":
                    return _live(block, staged, figures, slug=run.slug, page=page, where=where)
                if block.name != "graded":
                    return None
                try:
                    exercise = graded.find(course, block, where=where)
                except (SiteError, ExerciseError) as error:
                    staged.gaps.note(error)
                    return EXERCISE
                staged.exercise_chapters.add(run.slug)
                return graded.expand(exercise, settings, page=page, slug=run.slug)

            cell.source = myst.rewrite(text, directive=expand)
        elif cell.cell_type == "code":
            _tidy_code_cell(cell)
    for figure in figures:
        _move_picture(dressed, figure, slug=run.slug)
    banner.mark_stop(dressed, run)
    boxes = [banner.banner(course, run), facts.box(run, settings, page=page)]
    _insert_box(dressed, "\n\n".join(filter(None, boxes)), staged, name=str(run.source_path))
    citations.make_own(dressed, run.slug)
    table = facts.claims_table(run)
    if table:
        # A cell at the end, so that no cell before it changes its number.
        dressed.cells.append(
            NotebookNode(cell_type="markdown", id="own-claims", metadata={}, source=table)
        )
    return dressed


def _live(
    block: myst.Directive,
    staged: Staged,
    figures: list[live.Figure],
    *,
    slug: str | None,
    page: str,
    where: str,
) -> str:
    """The text of a live figure, which joins `figures`; its picture and scripts are staged."""
    try:
        figure = live.expand(block, staged.runs, slug=slug, page=page, where=where)
    except SiteError as error:
        chapter = block.options.get("model", "").rpartition("/")[0] or slug or ""
        return staged.gaps.fill(error, of=chapter, mark=FIGURE)
    for name, content in figure.files.items():
        _put(staged, name, content)
    figures.append(figure)
    return figure.markdown


def _move_picture(notebook: NotebookNode, figure: live.Figure, *, slug: str) -> None:
    """Take the picture that a live figure shows out of its cell, where it would stand twice."""
    for cell in notebook.cells:
        if figure.slug == slug and cell.get("id") == figure.cell.id:
            shown = [out for out in cell.get("outputs", []) if pictures.is_picture(out)]
            cell.outputs = [out for out in cell.get("outputs", []) if out not in shown[-1:]]


def _tidy_code_cell(cell: NotebookNode) -> None:
    """Leave only what a page shows: no records, no private mime types, alt text where it is due."""
    private = {ex.RECORD, live.LIVE}
    cell.outputs = [out for out in cell.outputs if not private & set(out.get("data", {}))]
    for output in cell.outputs:
        output.get("data", {}).pop(ex.CLAIM, None)
    kept = {k: v for k, v in cell.metadata.items() if k in ("tags", "mystnb")}
    alt = pictures.alt_text(cell)
    if alt:
        render = dict(kept.get("mystnb", {}))
        render["image"] = {"alt": alt, **render.get("image", {})}
        kept["mystnb"] = render
    cell.metadata = NotebookNode(kept)


def _insert_box(notebook: NotebookNode, box: str, staged: Staged, *, name: str) -> None:
    """Put the box below the title, inside the title's own cell."""
    cell = notebook.cells[0] if notebook.cells else v4.new_code_cell()
    first, *rest = cell.source.lstrip("\n").split("\n")
    while first.startswith("(") and first.rstrip().endswith(")=") and rest:
        # A label above the title stays above it.
        target, (first, *rest) = first, rest
        first = f"{target}\n{first}"
    if cell.cell_type != "markdown" or not first.split("\n")[-1].startswith("# "):
        untitled = SiteError(
            f"{name}: the first cell is not a title.",
            fix="begin the chapter with a markdown cell `# Title`",
        )
        staged.gaps.note(untitled)
        slug = name.rpartition("/")[2].partition(".")[0]
        notebook.cells.insert(0, v4.new_markdown_cell(f"# {slug}\n\n{box}", id="own-title"))
        return
    cell.source = "\n".join([first, "", box, "", *rest]).rstrip("\n")


def _copy_folder(
    course: Course, staged: Staged, folder: Path, runs: Mapping[str, Mapping[str, Any]]
) -> None:
    """Copy pages, pictures and styles; numbers in pages are filled in."""
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(course.root)
        if not path.is_file() or path.suffix == ".ipynb" or SKIPPED & set(relative.parts):
            continue
        if path.is_relative_to(course.robust):
            continue  # the page of claims shows what is stored there
        content = path.read_bytes()
        if path.suffix == ".md":
            try:
                text = content.decode()
            except UnicodeDecodeError:
                raise SiteError(f"{path} is not UTF-8 text.", fix="save it as UTF-8") from None
            mark = staged.gaps.number(NUMBER)
            text = recorded.fill(text, runs, slug=None, where=str(path), absent=mark)
            page = relative.with_suffix("").as_posix()
            content = _with_runs(text, course, staged, page=page, where=str(path)).encode()
        _put(staged, relative.as_posix(), content)


def _with_runs(text: str, course: Course, staged: Staged, *, page: str, where: str) -> str:
    """A page with the tables and pictures of runs; pictures are staged beside it."""

    def show(block: myst.Directive) -> str | None:
        if block.name == "live":
            return _live(block, staged, [], slug=None, page=page, where=where)
        if block.name != "from-run":
            return measured.expand(block.name, course, staged.runs.values(), page=page)
        try:
            name, content, figure = pictures.take(block, staged.runs, where=where)
        except SiteError as error:
            of = block.argument.partition("/")[0]
            return staged.gaps.fill(error, of=of, mark=FIGURE)
        _put(staged, name, content)
        return figure

    return myst.rewrite(text, directive=show)


def _put(staged: Staged, name: str, content: bytes) -> None:
    """Write one file, unless it already holds this."""
    staged.files[name] = hashlib.sha256(content).hexdigest()
    path = staged.folder / name
    if path.is_file() and path.read_bytes() == content:
        return
    staged.written.append(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(content)
    partial.replace(path)
