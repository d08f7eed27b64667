r"""Outputs without what differs between two equal runs: addresses, process numbers, stream chunks.

What is left is what the cell said, so that equal runs are equal files and a diff shows a change.
Progress bars keep their last state: text before a carriage return, or under a backspace, is
dropped as a terminal would. Colours stay; commands that move the cursor go.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_CURSOR = re.compile(r"\x1b\[[0-9;?]*[A-HJKSTfhlnsu]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,16}\b")
# Every pattern here starts with a fixed text: outputs can be megabytes on one line.
_CELL_FILE = re.compile(re.escape(tempfile.gettempdir()) + r"/ipykernel_\d+/\d+\.py")
_WALL_TIME = re.compile(r"^(?:CPU times: user|Wall time:|CPU time:).*\n?", re.MULTILINE)
_TEXT_MIMES = ("text/plain", "text/html", "text/markdown", "text/latex", "image/svg+xml")


def strip_ansi(text: str) -> str:
    """Text without colours and cursor commands, for a place that shows them raw."""
    return _COLOUR.sub("", _CURSOR.sub("", text))


def clean_text(text: str, folders: Mapping[str, str]) -> str:
    """Text with each of `folders` renamed, and addresses and cell file names made equal."""
    for folder, name in folders.items():
        text = text.replace(folder, name)
    text = _CELL_FILE.sub("cell.py", text)
    return _ADDRESS.sub("at 0x…", text)


def clean_stream(text: str, folders: Mapping[str, str]) -> str:
    """What a terminal would show at the end of a stream, without ``%%time`` lines."""
    before = None
    while text != before:  # a backspace can join what is left into one more cursor command
        before = text
        lines = _CURSOR.sub("", text).replace("\r\n", "\n").split("\n")
        text = "\n".join(_last_state(line) for line in lines)
    return clean_text(_WALL_TIME.sub("", text), folders)


def _last_state(line: str) -> str:
    """What is left of a line that was written over by carriage returns and backspaces."""
    states = [state for state in line.split("\r") if state]
    last = states[-1] if states else ""
    if "\b" not in last:
        return last
    kept: list[str] = []
    for character in last:
        if character != "\b":
            kept.append(character)
        elif kept:
            kept.pop()
    return "".join(kept)


def clean_outputs(
    outputs: Iterable[Mapping[str, Any]], folders: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The outputs of one cell, normalised.

    Args:
        outputs: as the kernel sent them (nbformat 4).
        folders: temporary folder → the name it gets in every run.
    """
    cleaned: list[dict[str, Any]] = []
    for output in _merge_streams(outputs):
        kind = output["output_type"]
        if kind == "stream":
            output["text"] = clean_stream(output["text"], folders)
            if not output["text"]:
                continue
        elif kind == "error":
            output["traceback"] = [clean_text(line, folders) for line in output["traceback"]]
            output["evalue"] = clean_text(output["evalue"], folders)
        else:
            output["data"] = {
                mime: clean_text(data, folders)
                if mime in _TEXT_MIMES and isinstance(data, str)
                else data
                for mime, data in sorted(output["data"].items())
            }
            if not any(output["data"].values()):
                continue  # a progress bar that was wiped away; an equal run may not have had one
        cleaned.append(output)
    return cleaned


def _merge_streams(outputs: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """Outputs with neighbouring stream chunks merged, stdout before stderr.

    The kernel flushes the two streams on a timer, so how they interleave says nothing.
    """
    pending: dict[str, str] = {}

    def flush() -> Iterable[dict[str, Any]]:
        for name in sorted(pending, key=lambda name: (name != "stdout", name)):
            yield {"output_type": "stream", "name": name, "text": pending[name]}
        pending.clear()

    for output in outputs:
        if output["output_type"] == "stream":
            pending[output["name"]] = pending.get(output["name"], "") + output["text"]
        else:
            yield from flush()
            yield dict(output)
    yield from flush()


def temporary_folders(cwd: Path, folder: Path) -> dict[str, str]:
    """The names that a chapter's temporary folders get in stored outputs, longest path first."""
    return {str(cwd): ".", str(folder): "…"}
