"""The measures of the house, on two small packages whose measures can be counted by hand."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
FILES = {
    "lib/sprat/__init__.py": "",
    "lib/sprat/learner.py": (
        "from sprat.training import loop\nfrom sprat.data.columns import Column\n"
        "\n\ndef fit() -> Column:\n    return loop.run()\n"
    ),
    "lib/sprat/training/__init__.py": "",
    "lib/sprat/training/loop.py": (
        "from typing import TYPE_CHECKING, Any\n\nif TYPE_CHECKING:\n"
        "    from sprat.learner import Learner\n\n\n"
        "def run(learn: 'Learner') -> Any:\n    from sprat.data import columns\n\n"
        "    value: Any = columns\n    return value\n"
    ),
    "lib/sprat/data/__init__.py": "",
    "lib/sprat/data/columns.py": "class Column:\n    pass\n",
    "lib/sprat/display/__init__.py": "from ..data import columns\n",
    "lib/chapterhouse/__init__.py": "",
    "lib/chapterhouse/long.py": "def long(x):\n" + '    """Say."""\n' + "    x += 1\n" * 51,
    "lib/chapterhouse/short.py": "async def short(x):\n" + "    x += 1\n" * 50,
    "tests/sprat/test_learner.py": "",
    "tests/chapterhouse/unit/test_long.py": "",
    "pyproject.toml": (
        '[tool.importlinter]\n[[tool.importlinter.contracts]]\ntype = "independence"\n'
        '[[tool.importlinter.contracts]]\ntype = "layers"\ncontainers = ["sprat"]\n'
        'layers = ["learner", "training", "data | display"]\n'
        '[[tool.importlinter.contracts]]\ntype = "layers"\n'
        'layers = ["chapterhouse.long : chapterhouse.short"]\n'
    ),
}


@pytest.fixture(scope="module")
def house() -> ModuleType:
    spec = importlib.util.spec_from_file_location("house", ROOT / "scripts" / "house.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_measure_is_what_a_hand_counts(house: ModuleType, root: Path) -> None:
    sprat = house.measure(root, "sprat")
    assert (sprat.files, sprat.lines, sprat.median, sprat.longest) == (7, 20, 1, 11)
    assert sprat.longest_file == "sprat.training.loop"
    assert sprat.circles == [["sprat.learner", "sprat.training.loop"]]
    assert sprat.upward == [
        "sprat.display → sprat.data.columns",  # neighbours that stand apart
        "sprat.training.loop → sprat.learner",  # though only for its type
    ]
    assert sprat.arrows == 5
    assert (sprat.any_count, sprat.inner_imports) == (2, 1)
    assert (sprat.tested, sprat.untested) == (1, ["sprat.data.columns", "sprat.training.loop"])


def test_signature_and_docstring_make_no_function_long(house: ModuleType, root: Path) -> None:
    found = house.measure(root, "chapterhouse")
    assert found.long_functions == ["chapterhouse.long.long"]
    assert found.upward == []
    assert found.circles == []


def test_it_prints_a_table_and_all_that_was_found(
    house: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert house.main(["--root", str(root)]) == 0
    table = capsys.readouterr().out
    assert "circles, types included" in table
    assert "1 (2 files)" in table
    assert house.main(["--root", str(root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"sprat", "chapterhouse"}
    assert found["chapterhouse"]["untested"] == ["chapterhouse.short"]


def test_of_this_house_every_layer_is_known(house: ModuleType) -> None:
    for package in house.PACKAGES:
        depths = house.layers(ROOT / "pyproject.toml", package)
        assert len(depths) > 3
        assert house.measure(ROOT, package).files > 100
