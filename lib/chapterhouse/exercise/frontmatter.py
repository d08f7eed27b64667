"""The block of settings at the top of ``exercise.md``, read strictly, with the line in each error.

The format is the small part of YAML that an exercise needs: ``key: value``, one nested table
(``limits:`` and indented lines below it), and lists in square brackets. Reading it ourselves keeps
the base install free of a YAML library, and lets a mistake name its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from chapterhouse.errors import ExerciseError

_KEY = re.compile(r"^( *)([A-Za-z_][A-Za-z0-9_]*):(?: +(.*))?$")
_NUMBER = re.compile(r"^[+-]?[0-9][0-9_]*(\.[0-9]*)?([eE][+-]?[0-9]+)?$")


@dataclass(frozen=True)
class FrontMatter:
    """The settings, the line that each stands on, and the text below them."""

    values: dict[str, Any]
    lines: dict[str, int]
    body: str


def parse(text: str, *, name: str) -> FrontMatter:
    """The front matter and the body of one file; `name` is what errors call it.

    Raises:
        ExerciseError: the block is missing, is not closed, or has a line that cannot be read.
    """
    rows = text.split("\n")
    if not rows or rows[0].strip() != "---":
        raise ExerciseError(
            f"{name}:1 does not start with front matter.",
            fix="start the file with a line `---`, the settings, and another line `---`",
        )
    try:
        end = next(i for i, row in enumerate(rows[1:], 1) if row.strip() == "---")
    except StopIteration:
        raise ExerciseError(
            f"{name}:1 opens front matter that is never closed.",
            fix="put a line `---` below the last setting",
        ) from None
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    table: str | None = None
    for number, row in enumerate(rows[1:end], 2):
        if not row.strip() or row.lstrip().startswith("#"):
            continue
        table = _read_row(row, table, values, lines, where=f"{name}:{number}", number=number)
    return FrontMatter(values, lines, "\n".join(rows[end + 1 :]).strip() + "\n")


def _read_row(
    row: str,
    table: str | None,
    values: dict[str, Any],
    lines: dict[str, int],
    *,
    where: str,
    number: int,
) -> str | None:
    """Read one row into `values`; returns the table that the next indented row belongs to."""
    match = _KEY.match(row.rstrip())
    if match is None:
        raise ExerciseError(
            f"{where} is not `key: value`: {row.strip()[:60]!r}.",
            fix="write one setting a line, with a space after the colon and no tabs",
        )
    indent, key, rest = match.groups()
    if indent and table is None:
        raise ExerciseError(
            f"{where} is indented but belongs to no table.", fix="remove the spaces before the key"
        )
    path = f"{table}.{key}" if indent else key
    if path in lines:
        raise ExerciseError(
            f"{where} sets {path!r} again; line {lines[path]} already does.", fix="keep one of them"
        )
    lines[path] = number
    if indent:
        assert table is not None
        values[table][key] = _scalar(rest or "", where=where)
        return table
    if not rest:
        values[key] = {}
        return key
    values[key] = _value(rest, where=where)
    return None


def _value(text: str, *, where: str) -> Any:
    """A scalar, or a list of scalars in square brackets."""
    text = text.strip()
    if text.startswith("["):
        if not text.endswith("]"):
            raise ExerciseError(f"{where} opens a list that is not closed.", fix="end it with `]`")
        inner = text[1:-1].strip()
        return [_scalar(part, where=where) for part in inner.split(",")] if inner else []
    return _scalar(text, where=where)


def _scalar(text: str, *, where: str) -> Any:
    """A quoted string, a number, true or false, or else the text as it stands."""
    text = text.strip()
    if not text:
        raise ExerciseError(f"{where} has no value.", fix="write one after the colon or comma")
    if text[0] in "\"'":
        if len(text) < 2 or text[-1] != text[0]:
            raise ExerciseError(f"{where} opens a quote that is not closed.", fix="close it")
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.match(text):
        # `04` is a chapter's number and keeps its nought: it is text, as a reader would expect.
        if re.match(r"^0[0-9]", text):
            return text
        return float(text) if re.search(r"[.eE]", text) else int(text)
    return text
