"""``chapterhouse notebook``: clean does it once, check says what is wrong, bad files get a fix."""

from __future__ import annotations

import subprocess
import sys

import nbformat
import pytest

from chapterhouse import cli
from chapterhouse import notebook as nb
from chapterhouse.testing import make_notebook


@pytest.fixture
def used(tmp_path):
    """A notebook as an author leaves it after running it."""
    notebook = make_notebook(["print(1)"], settings={"timeout_s": 90})
    notebook.metadata.widgets = {"state": {}}
    cell = notebook.cells[-1]
    cell.execution_count = 7
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="1\n")]
    cell.metadata.update(tags=["hide-input"], collapsed=True)
    path = tmp_path / "01_used.ipynb"
    nb.write(notebook, path)
    return path


def test_clean_keeps_what_the_author_set_and_drops_the_rest(used, capsys) -> None:
    assert cli.main(["notebook", "clean", str(used)]) == 0
    cleaned = nb.read(used)
    assert nb.faults(cleaned) == []
    assert cleaned.metadata.chapterhouse == {"timeout_s": 90}
    assert "widgets" not in cleaned.metadata
    assert cleaned.cells[-1].metadata == {"tags": ["hide-input"]}
    assert "cleaned" in capsys.readouterr().out


def test_clean_leaves_a_clean_file_alone(used, capsys) -> None:
    cli.main(["notebook", "clean", str(used)])
    before = used.stat().st_mtime_ns
    capsys.readouterr()
    assert cli.main(["notebook", "clean", str(used)]) == 0
    assert used.stat().st_mtime_ns == before
    assert "was clean" in capsys.readouterr().out


def test_check_says_which_rules_are_broken(used, capsys) -> None:
    assert cli.main(["notebook", "check", str(used)]) == 1
    assert "01_used.ipynb is stored with outputs (cell 2)" in capsys.readouterr().out
    cli.main(["notebook", "clean", str(used)])
    assert cli.main(["notebook", "check", str(used)]) == 0


@pytest.mark.parametrize("verb", ["clean", "check"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe", b"[]", b"[" * 100_000])
def test_what_is_no_notebook_gets_one_message_and_is_not_touched(
    tmp_path, capsys, verb, content
) -> None:
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["notebook", verb, str(path)]) == 2
    told = capsys.readouterr().err
    assert "x.ipynb" in told
    assert "fix:" in told
    assert content is None or path.read_bytes() == content


def test_reading_notebooks_does_not_compile_a_grammar_of_addresses() -> None:
    program = (
        "import sys, chapterhouse.notebook\n"
        "assert 'rfc3987_syntax' not in sys.modules\n"
        "import importlib.util\n"
        "importlib.util.find_spec('rfc3987_syntax')  # and whoever wants it may still have it"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_one_broken_file_does_not_keep_the_others_from_being_checked(tmp_path, capsys) -> None:
    (tmp_path / "a.ipynb").write_text("{")
    (tmp_path / "b.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    assert cli.main(["notebook", "check", *(str(tmp_path / f"{n}.ipynb") for n in "ab")]) == 2
    told = capsys.readouterr()
    assert "a.ipynb is not a notebook" in told.err
    assert "b.ipynb does not name the kernel python3" in told.out
