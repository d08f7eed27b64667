"""The Colab edition: each chapter as a notebook that runs anywhere, made from the same source.

Colab shows directives and roles as raw text, cannot find pictures beside a notebook, and keeps
its own torch and numpy. So the text becomes plain markdown, addresses become absolute, a first
cell installs the wheel of the same commit without its dependencies, and outputs are left out.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nbformat import NotebookNode, v4

from chapterhouse import myst
from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import ChapterhouseError, SiteError
from chapterhouse.install_cell import WheelSource
from chapterhouse.myst import Directive
from chapterhouse.plain_markdown import Converter
from chapterhouse.site import citations, facts, graded, live, recorded
from chapterhouse.site.executed import Executed
from chapterhouse.site.references import References
from chapterhouse.site.settings import SiteSettings
from chapterhouse.site.wheel import Wheel

_INSTALL = """\
# @title Install {library}: run this cell first {{ display-mode: "form" }}
# The library of this book, built from the same source as this chapter. Nothing else is installed:
# torch, numpy and the rest stay as they are here.
{imports}

{install}"""


def wheel_source(settings: SiteSettings, wheel: Wheel, content: bytes | None) -> WheelSource:
    """Where the notebooks of this site get the library: by address, or else from themselves."""
    address = f"{settings.base_url}wheels/{wheel.name}" if settings.base_url else ""
    return WheelSource(wheel.distribution, wheel.name, address, content)


def install_source(source: WheelSource) -> str:
    """The source of the first cell. It installs a missing library, and leaves another alone."""
    return _INSTALL.format(
        library=source.distribution,
        imports=source.imports,
        install=source.code(source.distribution),
    )


def edition(
    course: Course,
    settings: SiteSettings,
    run: Executed,
    runs: Mapping[str, Mapping[str, Any]],
    *,
    page: str,
    references: References,
    wheel: WheelSource,
    absent: Callable[[ChapterhouseError, str], str] = recorded.refuse,
) -> NotebookNode:
    """One chapter as Colab runs it.

    Args:
        course: for its exercises.
        settings: of the site.
        run: the executed chapter.
        runs: the recorded values of every chapter, by slug.
        page: the chapter's page.
        references: what its text may point to.
        wheel: where the first cell gets the library from.
        absent: what stands in place of a number that no run recorded; see `recorded.fill`.

    Raises:
        SiteError: a name leads nowhere, or raw MyST would be left.
        NotebookError: a directive or role has no plain form.
    """
    made = v4.new_notebook(metadata=_metadata(run, settings))
    made.cells.append(_intro(run, settings, page=page))
    # Colab folds a cell with this away, and Jupyter one with the other.
    folded = {"tags": [], "cellView": "form", "jupyter": {"source_hidden": True}}
    made.cells.append(v4.new_code_cell(install_source(wheel), id="install", metadata=folded))
    cited = citations.cited(run.source)
    for number, source_cell in enumerate(run.source.cells, start=1):
        where = f"{run.source_path}, cell {number}"
        cell = copy.deepcopy(source_cell)
        cell.metadata = NotebookNode({"tags": nb.tags(cell)} if nb.tags(cell) else {})
        if cell.cell_type == "markdown":

            def exercise(block: Directive, where: str = where) -> str:
                return _exercise(course, settings, block, slug=run.slug, where=where)

            text = recorded.fill(cell.source, runs, slug=run.slug, where=where, absent=absent)
            plain = Converter(references.links(page), name=where)
            own: dict[str, Callable[[Directive], str]] = {
                "graded": exercise,
                "bibliography": lambda _: references.bibliography(cited),
                "live": partial(live.in_words, url=settings.page_url(page), convert=plain.convert),
            }
            converter = Converter(references.links(page), own, name=where)
            cell.source = converter.convert(text)
            cell.pop("attachments", None)
        elif cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        made.cells.append(cell)
        if "parameters" in nb.tags(source_cell):
            made.cells.extend(_full_profile(run))
    if cited and not citations.has_list(run.source):
        works = f"{citations.HEADING}\n\n{references.bibliography(cited)}"
        made.cells.append(v4.new_markdown_cell(works, id="own-references"))
    check(made, name=f"the Colab edition of {run.slug}")
    return made


def _metadata(run: Executed, settings: SiteSettings) -> NotebookNode:
    metadata = NotebookNode(
        kernelspec=NotebookNode(display_name="Python 3", language="python", name="python3"),
        language_info=NotebookNode(name="python"),
        colab=NotebookNode(name=f"{run.slug}.ipynb", provenance=[], toc_visible=True),
    )
    # Both lend GPUs sparingly: ask only where the chapter is meant for one.
    gpu = run.settings.get("gpu") in ("recommended", "required")
    if gpu:
        metadata.accelerator = "GPU"
        metadata.colab.gpuType = "T4"
    # What Kaggle's own exports carry. Without the network the first cell could not get the wheel.
    metadata.kaggle = NotebookNode(
        accelerator="nvidiaTeslaT4" if gpu else "none",
        dataSources=[],
        isGpuEnabled=gpu,
        isInternetEnabled=True,
        language="python",
        sourceType="notebook",
    )
    return metadata


def _intro(run: Executed, settings: SiteSettings, *, page: str) -> NotebookNode:
    url = settings.page_url(page)
    chapter = f"chapter {run.number} of *{settings.title}*"
    where = f"[{chapter}]({url})" if url else chapter
    text = (
        f"> This notebook is {where}, made to run on its own. The numbers in its text come from a "
        f"run in the {run.profile} profile. Run the next cell first: it installs the library."
    )
    if run.is_broken:
        text += " **That run failed:** do not rely on what stands here before you have run it."
    return v4.new_markdown_cell(text, id="about-this-notebook")


def _full_profile(run: Executed) -> list[NotebookNode]:
    """The values of the full profile, ready to be uncommented."""
    values = nb.profile_parameters(run.source, "full")
    if not values:
        return []
    lines = "\n".join(f"# {name} = {value!r}" for name, value in values.items())
    source = (
        "# The full profile, meant for one GPU (Runtime > Change runtime type).\n"
        f"# To use it, remove the # before each line below, then run this cell.\n{lines}"
    )
    return [v4.new_code_cell(source, id="full-profile")]


def _exercise(
    course: Course, settings: SiteSettings, block: Directive, *, slug: str, where: str
) -> str:
    """An exercise as a quotation that says where it is solved."""
    found = graded.find(course, block, where=where)
    path = facts.exercises_path(slug)
    address = settings.colab_url(path) or (settings.base_url and f"{settings.base_url}{path}")
    solve = (
        f"[Solve it in the exercise notebook]({address})."
        if address
        else f"Solve it in the exercise notebook, `{path.rpartition('/')[2]}`."
    )
    prompt = Converter(name=f"{where}, {found.id}").convert(found.prompt)
    body = f"**Exercise: {found.title}** ({graded.summary(found)})\n\n{prompt}\n\n{solve}"
    return "\n".join(f"> {line}" if line else ">" for line in body.split("\n"))


def check(notebook: NotebookNode, *, name: str) -> None:
    """Refuse a notebook in which Colab would show raw MyST or a missing picture.

    Raises:
        SiteError: a directive, a role or a relative picture is left.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "markdown":
            continue
        left = [item.text.split("\n")[0] for item in myst.walk(cell.source)]
        hidden, _ = myst.protect_code(_without_fences(cell.source))
        pictures = [
            *re.findall(r"!\[[^\]]*\]\(([^)\s]+)", hidden),
            *re.findall(r"<img[^>]*\bsrc=[\"']([^\"']+)", hidden),
        ]
        left += [p for p in pictures if not re.match(r"^(https?:|data:)", p)]
        if left:
            raise SiteError(
                f"{name}, cell {number}, still holds {left[0]!r}, which Colab cannot show.",
                fix="write it in a form that chapterhouse.plain_markdown knows",
            )


def _without_fences(text: str) -> str:
    return "\n".join(block.text for block in myst.blocks(text) if isinstance(block, myst.Prose))
