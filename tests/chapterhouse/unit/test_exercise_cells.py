"""Files from strangers: each that isn't a submission gets one message with its fix."""

import json
import os

import pytest

from chapterhouse.errors import ExerciseError
from chapterhouse.exercise import cells
from chapterhouse.exercise.cells import parse, read_bytes
from chapterhouse.exercise.extract import Wanted
from chapterhouse.exercise.reading import Reader

WANTED = [Wanted("04_area", "04_shapes", names=("area",), starter="def area(r):\n    ...\n")]


def notebook(*sources, **extra):
    rows = [{"cell_type": "code", "source": source} for source in sources]
    return json.dumps({"cells": rows, "nbformat": 4, **extra}).encode()


HOSTILE = {
    "empty": b"",
    "blank": b" \n ",
    "text": b"hello",
    "html": b"<html><body>Sign in</body></html>",
    "binary": b"\x89PNG\r\n\x1a\n\xff\xfe",
    "list": b"[]",
    "number": b"3",
    "no_cells": b"{}",
    "cells_number": b'{"cells": 3}',
    "cells_object": b'{"cells": {"0": {}}}',
    "cut_short": notebook("x = 1")[:-5],
    "deep": b'{"cells": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep_objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "huge_number": b'{"cells": ' + b"9" * 1_000_000 + b"}",
    "many_cells": b'{"cells": [' + b"{}," * 20_000 + b"{}]}",
}
STRANGE = {
    "cells_of_wrong_types": b'{"cells": [1, null, "x", [], {"cell_type": 5}, {"source": {}}]}',
    "source_of_wrong_types": b'{"cells": [{"cell_type": "code", "source": [1, null, ["x"]]}]}',
    "nan": b'{"cells": [{"cell_type": "code", "source": "x", "metadata": NaN}]}',
    "lone_surrogate": b'{"cells": [{"cell_type": "code", "source": "\\ud800 = 1"}]}',
    "nul": b'{"cells": [{"cell_type": "code", "source": "x\\u0000y"}]}',
    "old_format": b'{"worksheets": [{"cells": [{"cell_type": "code", "input": "x = 1"}]}]}',
    "byte_order_mark": b"\xef\xbb\xbf" + notebook("x = 1"),
    "no_cell": b'{"cells": []}',
    "marker_of_spaces": notebook("# exercise: " + " " * 100_000 + "x\n" * 1000),
    "open_fences": notebook("```\n" * 20_000),
    "nested_brackets": notebook("(" * 100_000),
    "long_sum": notebook("x = " + "1+" * 90_000 + "1"),
    "long_minus": notebook("x = " + "-" * 150_000 + "1"),
    "many_names": notebook(*[f"def f{i}():\n    return f{i + 1}()" for i in range(2000)]),
}


@pytest.fixture(scope="module")
def reader():
    with Reader(WANTED) as reader:
        yield reader


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_a_notebook_gets_one_message(name, reader, tmp_path):
    path = tmp_path / f"{name}.ipynb"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ExerciseError) as caught:
        reader.read(path)
    assert path.name in caught.value.found
    assert caught.value.fix
    assert len(caught.value.found) < 600


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_notebook_is_read_as_far_as_it_goes(name, reader, tmp_path):
    path = tmp_path / f"{name}.ipynb"
    path.write_bytes(STRANGE[name])
    assert reader.read(path).answers == ()


def test_a_reader_goes_on_after_a_bad_file(reader, tmp_path):
    good = tmp_path / "good.ipynb"
    good.write_bytes(notebook("# exercise: 04_area\ndef area(r):\n    return 3 * r * r"))
    assert reader.read(good).answers[0].source is not None


def test_what_hangs_is_ended_and_the_next_file_is_read(tmp_path, monkeypatch):
    good = tmp_path / "good.ipynb"
    good.write_bytes(notebook("# exercise: 04_area\ndef area(r):\n    return 3 * r * r"))
    with (
        Reader(WANTED, timeout_s=0.0) as reader,
        pytest.raises(ExerciseError, match="could not be"),
    ):
        reader.read(good)
    with Reader(WANTED) as reader:
        reader._child.kill()
        with pytest.raises(ExerciseError, match="could not be read"):
            reader.read(good)
        assert reader.read(good).answers[0].source is not None


def test_a_module_beside_the_notebook_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('imported a stranger')")
    monkeypatch.chdir(tmp_path)
    good = tmp_path / "good.ipynb"
    good.write_bytes(notebook("# exercise: 04_area\ndef area(r):\n    return 3"))
    with Reader(WANTED) as reader:
        assert reader.read(good).answers[0].source is not None


def test_other_things_than_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.ipynb")
    for path, words in (
        (tmp_path / "none.ipynb", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe.ipynb", "is not a plain file"),
    ):
        with pytest.raises(ExerciseError, match=words):
            read_bytes(path)


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "MAX_FILE_BYTES", 1024**2)
    path = tmp_path / "huge.ipynb"
    with path.open("wb") as file:
        file.truncate(2 * 1024**2)
    with pytest.raises(ExerciseError, match="clear the outputs"):
        read_bytes(path)


def test_another_ending_is_refused():
    with pytest.raises(ExerciseError, match=r"neither \.ipynb nor \.py"):
        parse(b"x = 1", name="answer.txt")


def test_a_script_is_cut_at_percent_lines():
    text = b"# %%\nx = 1\n# %% [markdown]\n# words\n# %%\r\ny = 2\n"
    assert [(cell.kind, cell.source.strip()) for cell in parse(text, name="a.py")] == [
        ("code", "x = 1"),
        ("text", "# words"),
        ("code", "y = 2"),
    ]
