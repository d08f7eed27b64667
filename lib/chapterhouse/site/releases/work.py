"""How a folder of releases is changed: all is prepared in a hidden folder within, then renamed.

A command that is killed leaves whole files, and the next one finishes its work. The preparing may
fail (a full disk, a damaged page) and then nothing was changed; the renaming takes no space.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chapterhouse.errors import ReleaseError

_HIDDEN = ".chapterhouse-release-"


@dataclass
class Work:
    """What a command has prepared in its hidden folder `stage`.

    `changes` are pairs of a prepared file and its place; `gone` are files to take away.
    """

    stage: Path
    changes: list[tuple[Path, Path]] = field(default_factory=list)
    gone: list[Path] = field(default_factory=list)

    def put(self, content: bytes, target: Path) -> None:
        """Prepare the new content of one file."""
        prepared = self.stage / "files" / str(len(self.changes))
        prepared.parent.mkdir(exist_ok=True)
        prepared.write_bytes(content)
        self.changes.append((prepared, target))

    def place(self, copy: Path, target: Path) -> None:
        """Let a folder of the stage be the release, then let everything say so."""
        if target.exists():
            old = self.stage / "old" / target.name
            old.parent.mkdir()
            target.rename(old)
        copy.rename(target)
        self.finish()

    def finish(self) -> None:
        """Put every prepared file in its place."""
        for prepared, path in self.changes:
            prepared.replace(path)
        for path in self.gone:
            path.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[Work]:
    """A hidden folder for one command's work, while no other command works on these releases.

    Raises:
        ReleaseError: something that is no folder stands there.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ReleaseError(
            f"{folder} is not a folder.", fix="name a folder for the releases"
        ) from None
    # The lock is on the folder itself: a file for it would be published.
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for left in folder.glob(f"{_HIDDEN}*"):  # of a command that was killed
            _rescue(left, folder)
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=_HIDDEN, dir=folder) as stage:
            try:
                yield Work(Path(stage))
            finally:
                _rescue(Path(stage), folder)
    finally:
        os.close(handle)
        for path in made:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def _rescue(left: Path, folder: Path) -> None:
    """Put back a release that was set aside and not replaced when its command ended."""
    for old in (left / "old").glob("*"):
        if not (folder / old.name).exists():
            old.rename(folder / old.name)
