"""Where a run took place."""

from __future__ import annotations

import subprocess

import pytest

from chapterhouse.course import Course
from chapterhouse.run import origin
from chapterhouse.testing import make_course, make_notebook


@pytest.fixture
def course(tmp_path) -> Course:
    return make_course(tmp_path, {"01_one": make_notebook(["print(1)"])})


def git(course: Course, *arguments: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=course.root, check=True, capture_output=True)


def test_a_course_without_a_commit_has_none(course) -> None:
    assert origin.commit(course) == ""


def test_a_commit_says_whether_there_are_changes(course) -> None:
    git(course, "init")
    git(course, "add", ".")
    git(course, "commit", "-m", "first")
    git(course, "tag", "v1")
    clean = origin.commit(course)
    assert len(clean) >= 7
    assert int(clean, 16) >= 0
    (course.root / "pyproject.toml").write_text("[tool.chapterhouse]\ntitle = 'Other'\n")
    assert origin.commit(course) == f"{clean}-dirty"


def test_without_git_there_is_no_commit(course, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(course.root))
    assert origin.commit(course) == ""


def test_a_processor_has_a_name_and_says_what_it_may_not_use(monkeypatch) -> None:
    for name in ("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    plain = origin.processor()
    assert plain
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert origin.processor() == f"{plain}, ATEN_CPU_CAPABILITY=avx2"
