"""The notebook that a student gets: one a chapter, with all that its checks need inside.

Cells are found again by marker comments (``# exercise: ID``), because Colab rewrites ids and
metadata and loses what lies beside a notebook. For the same reason the visible cases, which are
data, stand in the notebook's setup cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nbformat
from nbformat import NotebookNode

from chapterhouse.course import Course
from chapterhouse.errors import ExerciseError
from chapterhouse.exercise import prompt
from chapterhouse.exercise.extract import Wanted
from chapterhouse.exercise.folder import Exercise, load_all
from chapterhouse.install_cell import WheelSource

_SETUP = """\
# @title Set up: run this cell first {{ display-mode: "form" }}
# setup: chapterhouse
# chapter: {chapter}
{imports}

{install}
from chapterhouse.exercise import check

# The visible cases of each exercise, as data: inputs, and what the reference returned for them.
{cases}
print("Ready. Write an answer, run it, then run the check cell below it.")"""

_HAND_IN = """\
# hand in: {chapter}
# Save the notebook (in Colab: File > Download > Download .ipynb), then hand in that one file the
# way your course asks for. To grade it yourself, with all cases and in the sandbox, run this in a
# clone of the course, on Linux:
#     chapterhouse grade {file}"""


def wanted(exercise: Exercise) -> Wanted:
    """What is needed to find an exercise's answer in a submission."""
    return Wanted(
        exercise.id, exercise.chapter, exercise.kind, exercise.names, exercise.starter
    )  # fmt: skip


def file_name(chapter: str) -> str:
    """What a chapter's student notebook is called."""
    return f"{chapter}_exercises.ipynb"


def build(
    course: Course, chapter: str, *, base_url: str = "", wheel: WheelSource | None = None
) -> NotebookNode:
    """The student notebook of one chapter.

    Args:
        course: where the exercises are.
        chapter: the chapter's slug or number.
        base_url: the site's public address, for the link back to the chapter; empty for none.
        wheel: where the library is to be had; without it the setup cell says what to download
            where the library is missing.

    Raises:
        ExerciseError: the chapter has no exercises, or one has no visible cases stored.
    """
    exercises = load_all(course, chapter=chapter)
    slug = exercises[0].chapter
    cells = [_introduction(exercises, slug, base_url), _setup(exercises, slug, wheel)]
    for number, exercise in enumerate(exercises, 1):
        cells += _exercise_cells(exercise, number)
    cells.append(_code(_HAND_IN.format(chapter=slug, file=file_name(slug)), "hand-in"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "chapterhouse": {"file": file_name(slug)}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    return notebook


def _introduction(exercises: Sequence[Exercise], slug: str, base_url: str) -> NotebookNode:
    rows = [
        f"| {number} | {exercise.title} | {'●' * exercise.difficulty} | {exercise.points:g} |"
        for number, exercise in enumerate(exercises, 1)
    ]
    link = f"[chapter {slug[:2]}]({base_url.rstrip('/')}/chapters/{slug}.html)" if base_url else ""
    text = "\n".join(
        [
            f"# Exercises of chapter {slug[:2]}",
            "",
            f"These belong to {link}." if link else f"These belong to the chapter `{slug}`.",
            "Run the first cell. Then, for each exercise: write your answer in its cell, run it, "
            "and run the check cell below it. The check tries a few cases whose inputs you can "
            "see; grading tries more, with other inputs.",
            "",
            "Keep the lines that start with `# exercise:`. They say which answer is which.",
            "",
            "| | exercise | difficulty | points |",
            "|---|---|---|---|",
            *rows,
        ]
    )
    return _text(text, "introduction")


def _setup(exercises: Sequence[Exercise], slug: str, wheel: WheelSource | None) -> NotebookNode:
    loads = [
        f"check.load({exercise.id!r}, r'''{_visible(exercise)}''')"
        for exercise in exercises
        if exercise.kind == "auto"
    ]
    source = wheel or WheelSource("sprat")
    text = _SETUP.format(
        chapter=slug,
        imports=source.imports,
        install=source.code("chapterhouse"),
        cases="\n".join(loads),
    )
    # Colab folds a cell with this away; Jupyter does with the other.
    fold: dict[str, Any] = {"cellView": "form", "jupyter": {"source_hidden": True}}
    return _code(text, "setup", **fold)


def _visible(exercise: Exercise) -> str:
    """The exercise's visible cases as one JSON text, safe between triple quotes."""
    try:
        text = exercise.visible_path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise ExerciseError(
            f"The exercise {exercise.id} has no visible.json.",
            fix=f"chapterhouse exercise expect {exercise.id}",
        ) from None
    # Within JSON an apostrophe can only stand in a string, where its escape means the same.
    return text.replace("'", "\\u0027")


def _exercise_cells(exercise: Exercise, number: int) -> list[NotebookNode]:
    points = f"{exercise.points:g} point" + ("" if exercise.points == 1 else "s")
    body = prompt.plain(exercise.prompt, name=str(exercise.path / "exercise.md"))
    facts = f"{points} · difficulty {exercise.difficulty} of 3"
    if exercise.kind == "auto":
        facts += f" · imports allowed: {', '.join(exercise.imports) or 'none'}"
    head = f"## {number}. {exercise.title}\n\n*{facts}*\n\n"
    marker, identity = f"exercise: {exercise.id}", exercise.id.replace("_", "-")
    cells = [_text(head + body, f"{identity}-prompt")]
    if exercise.kind == "manual":
        answer = f"<!-- {marker} -->\n\n*Write your answer here. A person will read it.*"
        return [*cells, _text(answer, f"{identity}-answer")]
    check = f"# check: {exercise.id}\ncheck({exercise.id!r}, globals())"
    return [
        *cells,
        _code(f"# {marker}\n{exercise.starter.rstrip()}", f"{identity}-answer"),
        _code(check, f"{identity}-check"),
    ]


def _code(source: str, identity: str, **metadata: Any) -> NotebookNode:
    return nbformat.v4.new_code_cell(source.rstrip("\n"), id=identity[:64], metadata=metadata)


def _text(source: str, identity: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(source.rstrip("\n"), id=identity[:64])
