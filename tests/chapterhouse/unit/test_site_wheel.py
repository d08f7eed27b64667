"""The wheel is named after its source, and equal sources give equal bytes."""

import subprocess
import zipfile

import pytest

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import wheel

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "small-stone"
version = "1.2.0"
requires-python = ">=3.11"
readme = "README.md"
[tool.hatch.build.targets.wheel]
packages = ["lib/small_stone"]
[tool.chapterhouse]
"""


@pytest.fixture
def course(tmp_path):
    (tmp_path / "lib/small_stone").mkdir(parents=True)
    (tmp_path / "lib/small_stone/__init__.py").write_text("ANSWER = 42\n")
    (tmp_path / "README.md").write_text("A stone.\n")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    return Course.find(tmp_path)


def git(course, *arguments):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=course.root, check=True, capture_output=True)


def commit(course):
    git(course, "init", "-q")
    git(course, "add", "pyproject.toml", "README.md", "lib")
    git(course, "commit", "-q", "-m", "x")


def test_a_clean_tree_is_named_after_its_commit(course):
    commit(course)
    assert wheel.describe(course).version.startswith("1.2.0+g")
    assert ".d" not in wheel.describe(course).version
    assert wheel.describe(course).name.startswith("small_stone-1.2.0+g")


def test_a_changed_tree_is_named_after_its_source_too(course):
    commit(course)
    clean = wheel.describe(course)
    (course.root / "lib/small_stone/__init__.py").write_text("ANSWER = 43\n")
    changed = wheel.describe(course)
    assert changed.version.startswith(f"{clean.version}.d")
    assert changed.source_hash != clean.source_hash


def test_without_git_the_source_alone_names_it(course, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert wheel.describe(course).version.startswith("1.2.0+src.d")


def test_the_wheel_holds_the_package_and_its_version(course, tmp_path):
    path = wheel.build(course, wheel.describe(course), tmp_path / "out")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        metadata = archive.read(next(n for n in names if n.endswith("METADATA"))).decode()
    assert "small_stone/__init__.py" in names
    assert f"Version: {wheel.describe(course).version}" in metadata


def test_equal_sources_give_equal_bytes(course, tmp_path):
    made = wheel.describe(course)
    first = wheel.build(course, made, tmp_path / "one").read_bytes()
    (course.build / "site/wheels" / made.source_hash[:16] / made.name).unlink()
    assert wheel.build(course, made, tmp_path / "two").read_bytes() == first


def test_the_tree_itself_is_not_touched(course, tmp_path):
    wheel.build(course, wheel.describe(course), tmp_path / "out")
    assert (course.root / "pyproject.toml").read_text() == PYPROJECT


def test_a_build_that_fails_says_why(course, tmp_path):
    broken = PYPROJECT.replace('packages = ["lib/small_stone"]', 'packages = ["lib/gone"]')
    (course.root / "pyproject.toml").write_text(broken.replace("small-stone", "-bad-"))
    with pytest.raises(SiteError, match="could not be built"):
        wheel.build(course, wheel.describe(course), tmp_path / "out")


def test_a_project_without_a_version_is_refused(course):
    (course.root / "pyproject.toml").write_text("[tool.chapterhouse]\n[project]\nname = 'x'\n")
    with pytest.raises(SiteError, match="version"):
        wheel.describe(course)
