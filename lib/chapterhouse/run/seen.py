"""What a chapter's own process sees of the course: files opened, folders listed, paths looked at.

This works in any Python: audit hooks tell what Python opens and starts, and where the system cannot
be asked (`chapterhouse.run.tracer`) `os.stat` and its kind are wrapped. Compiled code that opens
files by itself is not seen from here. It needs only the standard library.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chapterhouse.run.ours import Ours, signature

# Event → how many of its first arguments are changed. Removing a tree opens its folders one by one
# and then names files relative to them, so it is caught at its own event.
_CHANGES = {
    "os.remove": 1,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.truncate": 1,
    "os.rename": 2,
    "shutil.rmtree": 1,
}
_MAKES = ("os.link", "os.symlink")  # a second argument
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LOOKS = ("open", "os.listdir", "os.scandir", "sqlite3.connect")
# A child inherits every variable, and what it opens is not seen from here.
_STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.system", "os.posix_spawn", "os.exec")
_STATS = ("stat", "lstat", "access")


class Seen:
    """Files of a course that this process uses. `watch` begins.

    `opened` maps files, and folders whose list was read with a separator at the end, to their
    signature when they were opened first; `looked` has paths whose kind or size was asked for,
    `sought` the modules of the course's libraries that were imported, `children` whether another
    process was started.

    Args:
        root: the course's folder.
        libraries: the folders of its own libraries.
        ours: what may not be changed.
        used: called with each path that is opened.
    """

    def __init__(
        self,
        root: str,
        libraries: list[str],
        ours: Ours,
        *,
        used: Callable[[str], None],
    ) -> None:
        self._prefix = root.rstrip(os.sep) + os.sep
        self._packages = tuple(Path(library).name for library in libraries)
        self._ours = ours
        self._used = used
        self.opened: dict[str, str] = {}
        self.looked: set[str] = set()
        self.sought: set[str] = set()
        self.children = False

    def watch(self) -> None:
        """Note from now on what this process opens and lists, and refuse changes of the course."""
        sys.addaudithook(self._hook)

    def watch_stats(self) -> None:
        """Note what `os.stat` and its kind are asked, which raise no audit event."""
        for name in _STATS:
            wrapped = self._noting(getattr(os, name))
            for table in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                if getattr(os, name) in table:
                    table.add(wrapped)
            setattr(os, name, wrapped)

    def _noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def noting(path: Any, *arguments: Any, **settings: Any) -> Any:
            if isinstance(path, str | os.PathLike) and settings.get("dir_fd") is None:
                full = os.path.abspath(path)  # noqa: PTH100
                if full.startswith(self._prefix):
                    self.looked.add(full)
            return function(path, *arguments, **settings)

        return noting

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        # Called for every open and import: kept quick.
        if event == "open" and arguments[2] & _WRITING:
            self._refuse(arguments[0])
        elif event in _CHANGES:
            for path in arguments[: _CHANGES[event]]:
                self._refuse(path)
        elif event in _MAKES:
            self._refuse(arguments[1])
        elif event in _LOOKS and isinstance(arguments[0], str | os.PathLike):
            path = os.path.abspath(arguments[0])  # noqa: PTH100
            if path.startswith(self._prefix):
                listed = event in ("os.listdir", "os.scandir")
                path = path + os.sep if listed else path
                if path not in self.opened:
                    self.opened[path] = ""  # looking at a folder's list comes here again
                    self.opened[path] = signature(path)
                self._used(path)
        elif event == "import" and arguments[0].partition(".")[0] in self._packages:
            self.sought.add(arguments[0])
        elif event in _STARTS:
            self.children = True

    def _refuse(self, path: Any) -> None:
        if not isinstance(path, str | os.PathLike):
            return
        full = os.path.abspath(path)  # noqa: PTH100
        if self._ours.may_not_change(full):
            raise PermissionError(
                f"{full} is outside of the chapter's folder. Write below the current folder, or "
                "into one that tempfile.mkdtemp() makes"
            )
