"""A prompt's text: MyST for the book, plain markdown for the notebook that a student gets.

Both forms come from the same words. `check` finds out when the exercise is loaded whether a
notebook could show them, not when a student opens one.
"""

from __future__ import annotations

import re

from chapterhouse.errors import ExerciseError, NotebookError
from chapterhouse.plain_markdown import Converter

_IMAGE = re.compile(r"!\[[^\]]*\]\((?!https?://)[^)]*\)|```\{figure\}|:::\{figure\}")


def check(text: str, *, name: str) -> None:
    """Refuse a prompt that a notebook could not show.

    Raises:
        ExerciseError: it is empty, has MyST without a plain form, or an image beside the file.
    """
    if not text.strip():
        raise ExerciseError(f"{name} has no prompt.", fix="say below the front matter what to do")
    if image := _IMAGE.search(text):
        raise ExerciseError(
            f"{name} shows the image {image.group()!r}, which a notebook elsewhere cannot find.",
            fix="draw the picture in the chapter and link to it",
        )
    plain(text, name=name)


def plain(text: str, *, name: str) -> str:
    """The prompt as plain markdown, as Jupyter and Colab show it.

    Raises:
        ExerciseError: a directive or role has no plain form.
    """
    try:
        return Converter(name=name).convert(text).strip() + "\n"
    except NotebookError as error:
        raise ExerciseError(error.found, fix=error.fix) from None
