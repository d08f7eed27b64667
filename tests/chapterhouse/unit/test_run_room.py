"""Rooms: many made at once stay, and what a killed run left behind goes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from chapterhouse.run.kernel import environment, room
from chapterhouse.testing import make_course


def test_rooms_made_at_the_same_moment_all_stay(tmp_path: Path) -> None:
    course = make_course(tmp_path, {})
    ready, seen = threading.Barrier(8), []

    def use() -> None:
        for _ in range(10):
            ready.wait()
            with room(course) as mine:
                seen.append(mine.cwd.is_dir() and (mine.folder / "sockets").exists())

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 80


def test_what_a_killed_run_left_behind_is_swept_up(tmp_path: Path) -> None:
    course = make_course(tmp_path, {})
    with room(course) as held:
        left = held.folder.parent / "left"
        left.mkdir()
        (left / "lock").touch()
        with room(course):
            assert not left.exists()
            assert held.folder.exists()


def test_a_program_that_has_imported_scikit_learn_gives_chapters_what_the_command_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Importing it sets variables; unless hidden, all that was executed would count as stale there.
    import sklearn.ensemble  # noqa: F401

    course = make_course(tmp_path, {})
    for name in ("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"):
        assert name in os.environ
    with room(course) as mine:
        here = environment(course, mine)
        monkeypatch.delenv("KMP_DUPLICATE_LIB_OK")
        monkeypatch.delenv("KMP_INIT_AT_FORK")
        assert environment(course, mine) == here
