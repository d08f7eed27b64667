"""One run of Jupyter Book over the staged tree, in a process of its own.

Its warnings come back as `Complaint`s that name the author's file and cell, not the staged copy.

Only pages that changed are read again, but every page is written again: a label, a term or a work
that is gone is then missed on the pages that still point to it. A page that was complained about is
forgotten, because Sphinx would take it for done and keep silent the next time.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import citations
from chapterhouse.site.stage import Staged

_COMPLAINT = re.compile(r"^(?P<place>.*?)(?::\s*)?(?P<level>WARNING|ERROR|CRITICAL): (?P<text>.*)$")
_PLACE = re.compile(r"^(?P<path>.*?)(?::(?P<line>\d+))?$")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# What the command `jupyter-book build -W --keep-going` calls, and in addition `force_all`, for
# which the command has no option.
_JUPYTER_BOOK = """
import sys
from pathlib import Path
from jupyter_book.sphinx import build_sphinx
source, target, fresh = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "fresh"
result = build_sphinx(
    source, target, noconfig=True, path_config=source / "_config.yml",
    confoverrides={"external_toc_path": str(source / "_toc.yml"), "latex_individualpages": False},
    warningiserror=True, keep_going=True, freshenv=fresh, force_all=True, quiet=True,
)
sys.exit(result if isinstance(result, int) else 1)
"""
# myst-nb numbers the lines of cell n (from 1) from n × 10,000.
_CELL = 10_000


@dataclass(frozen=True)
class Complaint:
    """One warning of Sphinx: where the author finds its cause, and what it says."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


def output_folder(course: Course) -> Path:
    """Where Jupyter Book leaves its pages."""
    return course.build / "site" / "_build" / "html"


def render(course: Course, staged: Staged, *, fresh: bool = False) -> Path:
    """Render the staged tree and return the folder of pages.

    Args:
        course: whose site it is.
        staged: the tree to read.
        fresh: read every page again, also those that did not change.

    Raises:
        SiteError: Jupyter Book is not installed or stopped; in a strict build also if it warned.
            Every warning is named.
    """
    _drop_waiting(course)
    command = [
        sys.executable, "-W", "ignore", "-c", _JUPYTER_BOOK,
        str(staged.folder), str(output_folder(course)), "fresh" if fresh else "changed",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            cwd=course.root,
            capture_output=True,
            text=True,
            env={**os.environ, "NO_COLOR": "1", "PYTHONHASHSEED": "0"},
            check=False,
        )
    except OSError as error:
        raise SiteError(f"Jupyter Book could not be started: {error}.", fix="make book") from None
    log = _ANSI.sub("", done.stderr + "\n" + done.stdout)
    complaints = read_complaints(log, staged.folder, course.root)
    _waiting(course).unlink(missing_ok=True)
    if done.returncode == 0 and not complaints:
        return output_folder(course)
    _forget(course, complaints)
    if "No module named" in log and not complaints:
        missing = log.rpartition("No module named ")[2].split()[0]
        raise SiteError(
            f"The site cannot be built: {missing} is not installed.", fix="pip install -e .[book]"
        )
    if not complaints:
        tail = "\n    ".join(line for line in log.splitlines()[-12:] if line.strip())
        raise SiteError(f"Jupyter Book stopped:\n    {tail}", fix="mend what the last lines name")
    listed = "\n    ".join(map(str, complaints))
    warned = SiteError(
        f"The site has {len(complaints)} warning{'s' if len(complaints) > 1 else ''}, "
        f"and none is let through:\n    {listed}",
        fix="mend the lines named, then run chapterhouse site again",
    )
    staged.gaps.note(warned)
    return output_folder(course)


def read_again(course: Course, pages: list[str]) -> None:
    """Let the next run read these pages even if Sphinx has read them as they are."""
    path = _waiting(course)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{page}\n" for page in pages)


def _drop_waiting(course: Course) -> None:
    """Drop what Sphinx kept of the pages that wait; they do until a run has ended."""
    path = _waiting(course)
    named = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
    for page in filter(None, named):
        _doctree(course, page).unlink(missing_ok=True)


def _waiting(course: Course) -> Path:
    """Names the pages that the next run must read, one a line."""
    return output_folder(course).parent / "read-again"


def _doctree(course: Course, page: str) -> Path:
    return output_folder(course).parent / ".doctrees" / f"{page}.doctree"


def _forget(course: Course, complaints: list[Complaint]) -> None:
    """Drop what Sphinx kept of the pages that have faults; of all pages where that is not known."""
    kept = output_folder(course).parent / ".doctrees"
    pages = {re.sub(r"(\.ipynb|\.md)\b.*$", "", complaint.place) for complaint in complaints}
    trees = [_doctree(course, page) for page in sorted(pages) if page]
    if trees and len(trees) == len(pages) and all(tree.is_file() for tree in trees):
        for tree in trees:
            tree.unlink()
    else:
        shutil.rmtree(kept, ignore_errors=True)


def read_complaints(log: str, folder: Path, root: Path) -> list[Complaint]:
    """The warnings and errors in a log, each once, with places that the author knows."""
    found: dict[Complaint, None] = {}
    for line in log.splitlines():
        match = _COMPLAINT.match(line.strip())
        if match:
            text = match["text"].strip().replace(f"{folder}{os.sep}", "")
            text = citations.without_prefix(text)
            found[Complaint(_place(match["place"], folder, root), text)] = None
    return list(found)


def _place(place: str, folder: Path, root: Path) -> str:
    """``<staged>/chapters/04.ipynb:120003`` as ``chapters/04.ipynb, cell 12, line 3``."""
    match = _PLACE.match(place.strip())
    if match is None:
        return place
    path = match["path"].replace(str(folder) + os.sep, "").replace(str(root) + os.sep, "")
    if match["line"] is None:
        return path
    line = int(match["line"])
    if path.endswith(".ipynb") and line >= _CELL:
        return f"{path}, cell {line // _CELL}, line {line % _CELL}"
    return f"{path}:{line}"
