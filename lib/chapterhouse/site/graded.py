"""The ``{graded}`` directive: one line in a chapter, a whole exercise on its page.

```` ```{graded} 04_sgd_step ```` becomes a numbered ``{exercise}`` with the prompt, its points and
difficulty, and the link to the notebook in which the exercise is solved.
"""

from __future__ import annotations

import re
from html import escape

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.exercise import folder
from chapterhouse.exercise.folder import Exercise
from chapterhouse.myst import Directive
from chapterhouse.site import facts
from chapterhouse.site.settings import SiteSettings

DIFFICULTY = {1: "easy", 2: "medium", 3: "hard"}


def find(course: Course, block: Directive, *, where: str) -> Exercise:
    """The exercise that a ``{graded}`` block names.

    Raises:
        SiteError: there is no such folder.
        ExerciseError: the folder is not as it should be.
    """
    path = course.exercises / block.argument
    if not block.argument or not (path / "exercise.md").is_file():
        known = [p.name for p in course.exercise_paths()]
        raise SiteError(
            f"{where}: {{graded}} names {block.argument!r}, which is no folder of exercises/.",
            fix="use one of " + (", ".join(known) or "none yet"),
        )
    return folder.load(path)


def summary(exercise: Exercise) -> str:
    """Points, difficulty and what an answer may import, in words."""
    points = f"{exercise.points:g} point" + ("" if exercise.points == 1 else "s")
    marked = ", marked by a person" if exercise.kind == "manual" else ""
    imports = f"may import {', '.join(exercise.imports) or 'nothing'}"
    return f"{points}, {DIFFICULTY[exercise.difficulty]}{marked} · {imports}"


def expand(exercise: Exercise, settings: SiteSettings, *, page: str, slug: str) -> str:
    """The exercise as a sphinx-exercise block.

    Args:
        exercise: what to show.
        settings: for the Colab link.
        page: the page that shows it.
        slug: the chapter whose exercise notebook holds it.
    """
    path = facts.exercises_path(slug)
    download = escape(facts.from_page(page, path))
    links = [f'<a href="{download}" download>download the exercise notebook</a>']
    colab = settings.colab_url(path)
    if colab:
        links.append(f'<a href="{escape(colab)}">open it in Colab</a>')
    meta = (
        f'<p class="exercise-meta"><code>{escape(exercise.id)}</code> · '
        f"{escape(summary(exercise))} · {' · '.join(links)}</p>"
    )
    # The fence must be longer than any fence in the prompt.
    fence = "`" * (max([3, *(len(run) for run in re.findall(r"`{3,}", exercise.prompt))]) + 1)
    return (
        f"{fence}{{exercise}} {exercise.title}\n:label: exercise-{exercise.id}\n:class: graded\n\n"
        f"{meta}\n\n{exercise.prompt.strip()}\n{fence}"
    )
