"""Which chapters ran beside one: also where one chapter runs several times at once."""

from __future__ import annotations

from types import SimpleNamespace

from chapterhouse.run import tree


def test_a_chapter_knows_those_that_ran_beside_it(tmp_path) -> None:
    course = SimpleNamespace(root=tmp_path)
    with tree.beside(course, "01_a") as first:
        with tree.beside(course, "02_b") as second:
            assert second == {"01_a"}
        assert first == {"02_b"}
    with tree.beside(course, "01_a") as alone:
        assert alone == set()


def test_one_chapter_may_run_twice_at_once(tmp_path) -> None:
    """As `chapterhouse robust` does, with another seed in each."""
    course = SimpleNamespace(root=tmp_path)
    one, other = tree.beside(course, "01_a"), tree.beside(course, "01_a")
    with one, other as seen:
        assert seen == {"01_a"}
    with tree.beside(course, "02_b") as after:
        assert after == set()
