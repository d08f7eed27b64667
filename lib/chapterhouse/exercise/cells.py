"""A submission as a list of cells, read leniently from an ``.ipynb`` or a ``.py`` file.

The file comes from a stranger. Its JSON is read as plain data, never validated as a whole: a
notebook that some tool left half right is still a student's work. What isn't a notebook at all gets
one message with its fix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapterhouse.errors import ExerciseError

MAX_FILE_BYTES = 20 * 1024**2
MAX_CELLS = 5_000
_PERCENT = re.compile(r"^# %%(.*)$")


@dataclass(frozen=True)
class Cell:
    """One cell: its number in the file from 1, ``code`` or ``text``, and its source."""

    number: int
    kind: str
    source: str


def read_bytes(path: Path) -> bytes:
    """The bytes of one submission.

    Raises:
        ExerciseError: it is missing, not a plain file, empty, or too large.
    """
    try:
        if path.is_dir():
            raise ExerciseError(
                f"{path} is a folder without a notebook or script.", fix="name the notebook in it"
            )
        if not path.exists():
            raise ExerciseError(f"{path} does not exist.", fix="check the name")
        if not path.is_file():
            raise ExerciseError(f"{path} is not a plain file.", fix="hand in a .ipynb or .py file")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ExerciseError(
                f"{path} has {size / 1024**2:.0f} MB; at most {MAX_FILE_BYTES // 1024**2} are "
                "read.",
                fix="clear the outputs (Edit > Clear all outputs) and save again",
            )
        data = path.read_bytes()
    except OSError as error:
        raise ExerciseError(
            f"{path} cannot be read: {error.strerror or error}.", fix="check its permissions"
        ) from None
    if not data.strip():
        raise ExerciseError(
            f"{path} is empty.", fix="save the notebook again and hand in that file"
        )
    return data


def parse(data: bytes, *, name: str) -> list[Cell]:
    """The cells of one submission; `name` decides by its ending, and is what errors call it.

    Raises:
        ExerciseError: the bytes are not UTF-8 text, or not a notebook.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ExerciseError(
            f"{name} is not UTF-8 text, so it is no notebook.", fix="hand in the .ipynb file itself"
        ) from None
    if name.lower().endswith(".py"):
        return _python_cells(text.replace("\r\n", "\n"))
    if not name.lower().endswith(".ipynb"):
        raise ExerciseError(
            f"{name} is neither .ipynb nor .py.", fix="download the notebook (File > Download)"
        )
    return _notebook_cells(text, name=name)


def _python_cells(text: str) -> list[Cell]:
    """The cells of a script: cut at ``# %%`` lines, as editors do; else it is one cell."""
    pieces: list[tuple[str, list[str]]] = [("code", [])]
    for line in text.split("\n"):
        if match := _PERCENT.match(line):
            pieces.append(("text" if "[markdown]" in match.group(1) else "code", []))
        else:
            pieces[-1][1].append(line)
    return [
        Cell(number, kind, "\n".join(lines))
        for number, (kind, lines) in enumerate(pieces, 1)
        if any(line.strip() for line in lines)
    ]


def _notebook_cells(text: str, *, name: str) -> list[Cell]:
    fix = "open it in Jupyter or Colab, save it, and hand in the .ipynb file"
    try:
        data = json.loads(text)
    except RecursionError:
        raise ExerciseError(f"{name} is nested too deeply to be a notebook.", fix=fix) from None
    except ValueError as error:
        raise ExerciseError(f"{name} is not a notebook: {error}.", fix=fix) from None
    raw = data.get("cells") if isinstance(data, dict) else None
    if raw is None and isinstance(data, dict):
        raw = _old_cells(data)
    if not isinstance(raw, list):
        raise ExerciseError(f"{name} is not a notebook: it has no list of cells.", fix=fix)
    if len(raw) > MAX_CELLS:
        raise ExerciseError(
            f"{name} has {len(raw):,} cells; at most {MAX_CELLS:,} are read.",
            fix="hand in the notebook of the exercises, with your answers in it",
        )
    cells = []
    for number, cell in enumerate(raw, 1):
        if isinstance(cell, dict):
            kind = "code" if cell.get("cell_type") == "code" else "text"
            cells.append(Cell(number, kind, _source(cell)))
    return cells


def _old_cells(data: dict[str, Any]) -> list[Any] | None:
    """The cells of notebook format 3, which keeps them in worksheets."""
    sheets = data.get("worksheets")
    if not isinstance(sheets, list):
        return None
    return [cell for sheet in sheets if isinstance(sheet, dict) for cell in _listed(sheet, "cells")]


def _listed(data: dict[str, Any], key: str) -> Iterable[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _source(cell: dict[str, Any]) -> str:
    """A cell's text, which the format stores as one string or as a list of lines."""
    value = cell.get("source", cell.get("input", ""))
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    if not isinstance(value, str):
        return ""
    # Lone surrogates are legal in JSON and cannot be written as UTF-8 later.
    return value.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")
