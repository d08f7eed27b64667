"""What of the disk a chapter may change: its own room, and whatever is not the course's.

This module is imported in the chapter's own process: it needs only the standard library.
"""

from __future__ import annotations

import os
from pathlib import Path

_stat = os.stat  # the system's own, whatever wraps it later


def listing(path: str) -> list[str]:
    """The names in a folder, sorted, but for the one that importing makes.

    Raises:
        OSError: there is no such folder.
    """
    return sorted(name for name in os.listdir(path) if name != "__pycache__")  # noqa: PTH208


def signature(path: str) -> str:
    """What tells that a file was changed: size, times and number; of a folder, its list.

    Empty when it is not there. A folder's path ends with a separator.
    """
    try:
        if path.endswith(os.sep):
            return "/".join(listing(path))
        now = _stat(path)
    except OSError:
        return ""
    return f"{now.st_size} {now.st_mtime_ns} {now.st_ctime_ns} {now.st_ino}"


class Ours:
    """The course's files, but for a chapter's own room.

    What is hidden below the course belongs to tools (caches, checkpoints, a repository), as does
    bytecode: it may change, save for the build folder, where results are kept.

    Args:
        root: the course's folder.
        build: its build folder.
        room: the chapter's own folder.
    """

    def __init__(self, root: os.PathLike[str] | str, build: object, room: object) -> None:
        self._root = f"{root}".rstrip(os.sep) + os.sep
        self._build = f"{build}".rstrip(os.sep) + os.sep
        self._room = f"{room}".rstrip(os.sep) + os.sep

    def may_not_change(self, path: str) -> bool:
        """Whether an absolute path is the course's."""
        here = path + os.sep
        if not path.startswith(self._root) or here.startswith(self._room):
            return False
        if here.startswith(self._build):
            return True
        parts = Path(path[len(self._root) :]).parts
        return not any(part == "__pycache__" or part[0] == "." for part in parts)
