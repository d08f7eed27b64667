"""A prompt's text: the part of MyST that the book, Jupyter and Colab can all show.

Colab shows directives and roles as raw text, so a prompt may use plain markdown, mathematics in
dollars, and one directive, ``{hint}``, which the book folds away and a notebook shows as
``<details>``. `check` refuses the rest when the exercise is loaded, so nothing is found out late.
"""

from __future__ import annotations

import re

from chapterhouse.errors import ExerciseError

_FENCE = re.compile(r"^(?P<ticks>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}(?P<rest>.*)$")
_ROLE = re.compile(r"\{[a-zA-Z][\w:-]*\}`[^`]*`")
_IMAGE = re.compile(r"!\[[^\]]*\]\((?!https?://)[^)]*\)")


def check(text: str, *, name: str) -> None:
    """Refuse a prompt that a notebook could not show.

    Raises:
        ExerciseError: a directive other than ``{hint}``, a role, or an image beside the file.
    """
    if not text.strip():
        raise ExerciseError(f"{name} has no prompt.", fix="say below the front matter what to do")
    for line in text.splitlines():
        fence = _FENCE.match(line.strip())
        if fence and fence["name"] != "hint":
            raise ExerciseError(
                f"{name} uses the directive {{{fence['name']}}}, which Colab shows as raw text.",
                fix="write plain markdown, or use the one directive {hint}",
            )
        if role := _ROLE.search(line):
            raise ExerciseError(
                f"{name} uses the role {role.group()}, which Colab shows as raw text.",
                fix="write $…$ for mathematics and [text](address) for links",
            )
        if image := _IMAGE.search(line):
            raise ExerciseError(
                f"{name} shows the image {image.group()}, which a notebook elsewhere cannot find.",
                fix="draw the picture in the chapter and link to it",
            )


def plain(text: str) -> str:
    """The prompt as plain markdown: ``{hint}`` becomes a folded ``<details>``."""
    lines: list[str] = []
    closing: str | None = None
    for line in text.splitlines():
        fence = _FENCE.match(line.strip())
        if closing is None and fence:
            closing = fence["ticks"]
            summary = fence["rest"].strip() or "Hint"
            lines.extend([f"<details><summary>{summary}</summary>", ""])
        elif closing is not None and line.strip() == closing:
            lines.extend(["", "</details>"])
            closing = None
        else:
            lines.append(line)
    return "\n".join(lines).strip() + "\n"
