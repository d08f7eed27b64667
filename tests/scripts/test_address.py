"""The public address: filled in where there is none, and then pages know where notebooks lie."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from chapterhouse.course import Course
from chapterhouse.site import settings

ROOT = Path(__file__).parents[2]
EMPTY = (
    'repository:\n  url: ""\n  branch: main\nhtml:\n  # a remark\n  baseurl:\n  favicon: x.svg\n'
)


@pytest.fixture(scope="module")
def address() -> ModuleType:
    spec = importlib.util.spec_from_file_location("address", ROOT / "scripts" / "address.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_addresses_are_filled_in_and_the_rest_stays(address: ModuleType) -> None:
    assert address.filled(EMPTY, "Somebody/course.one") == (
        'repository:\n  url: "https://github.com/Somebody/course.one"\n  branch: main\n'
        'html:\n  # a remark\n  baseurl: "https://somebody.github.io/course.one/"\n'
        "  favicon: x.svg\n"
    )


def test_a_repository_named_like_its_host_has_the_root(address: ModuleType) -> None:
    assert 'baseurl: "https://somebody.github.io/"' in address.filled(
        EMPTY, "Somebody/somebody.github.io"
    )


def test_an_address_that_is_there_is_kept(address: ModuleType) -> None:
    own = EMPTY.replace("baseurl:", "baseurl: https://example.org/book/")
    made = address.filled(own, "somebody/course")
    assert "  baseurl: https://example.org/book/\n" in made
    assert 'url: "https://github.com/somebody/course"' in made


@pytest.mark.parametrize("name", ["course", "a/b/c", "a b/c", "/c", ""])
def test_what_is_no_repository_is_refused(address: ModuleType, name: str) -> None:
    with pytest.raises(ValueError, match="OWNER/NAME was expected"):
        address.filled(EMPTY, name)


def test_settings_without_the_lines_are_refused(address: ModuleType) -> None:
    with pytest.raises(ValueError, match="no line `  baseurl:`"):
        address.filled('repository:\n  url: ""\n', "somebody/course")


def test_the_command_gives_this_course_links_into_colab(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/address.py", "_config.yml", "_toc.yml", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "scripts/address.py", "somebody/course"]
    subprocess.run(command, cwd=tmp_path, check=True)
    read = settings.load(Course.find(tmp_path))
    assert read.colab_url("colab/01_first_model.ipynb") == (
        "https://colab.research.google.com/github/somebody/course"
        "/blob/gh-pages/colab/01_first_model.ipynb"
    )
    assert read.source_url("README.md") == "https://github.com/somebody/course/blob/main/README.md"
    before = (tmp_path / "_config.yml").read_bytes()
    subprocess.run([*command[:-1], "another/course"], cwd=tmp_path, check=True)
    assert (tmp_path / "_config.yml").read_bytes() == before


def test_a_mistake_ends_with_its_fix() -> None:
    command = [sys.executable, "scripts/address.py", "course"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "fix: python scripts/address.py OWNER/NAME" in done.stderr
