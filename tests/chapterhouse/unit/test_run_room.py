"""Rooms: many made at once stay, and what a killed run left behind goes."""

from __future__ import annotations

import threading
from pathlib import Path

from chapterhouse.run.kernel import room
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
