"""Notebooks among the book's pages: executed with the chapters, and told apart from them."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import CourseError
from chapterhouse.run.executor import select
from chapterhouse.testing import make_course


@pytest.fixture
def course(tmp_path: Path) -> Course:
    made = make_course(tmp_path, {"01_a": nbformat.v4.new_notebook()})
    nb.write(nbformat.v4.new_notebook(), made.book / "api/api_blocks.ipynb")
    nb.write(nbformat.v4.new_notebook(), made.book / "api/.ipynb_checkpoints/api_x.ipynb")
    return made


def test_pages_follow_the_chapters_and_are_none(course: Course) -> None:
    assert [path.stem for path in course.chapter_paths()] == ["01_a"]
    assert [path.stem for path in course.notebook_paths()] == ["01_a", "api_blocks"]
    assert [path.stem for path in select(course, [])] == ["01_a", "api_blocks"]


@pytest.mark.parametrize("name", ["api_blocks", "book/api/api_blocks.ipynb"])
def test_a_page_is_found_by_its_name_or_path(course: Course, name: str) -> None:
    assert course.notebook_path(name) == course.book / "api/api_blocks.ipynb"
    with pytest.raises(CourseError, match="No chapter is called"):
        course.chapter_path(name)


def test_two_notebooks_of_one_name_are_refused(course: Course) -> None:
    nb.write(nbformat.v4.new_notebook(), course.book / "other/api_blocks.ipynb")
    with pytest.raises(CourseError, match="same name"):
        course.notebook_paths()
