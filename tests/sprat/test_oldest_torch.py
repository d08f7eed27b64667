"""No name of torch that the oldest torch on Colab lacks: 2.8, whose names are listed beside this.

The list is made by ``scripts/torch_names.py`` from the wheel of that version. Names of modules are
checked, through any import and alias; methods of tensors and modules are not, since nobody can tell
from the text of a program what a variable is.
"""

import ast
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("torch_names.txt.gz")


@pytest.fixture(scope="module")
def offered() -> dict[str, set[str]]:
    first, *lines = gzip.decompress(LIST.read_bytes()).decode().splitlines()
    assert first == "# torch 2.8.0"
    return {module: set(names) for module, *names in map(str.split, lines)}


def used(source: str) -> Iterator[str]:
    """Every dotted name of torch in a program, such as ``torch.nn.functional.relu``."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    tree = ast.parse("\n".join(lines))
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "torch":
                    yield alias.name
                    aliases[alias.asname or "torch"] = alias.name if alias.asname else "torch"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full
                aliases[alias.asname or alias.name] = full
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            parts = [node.attr]
            inner = node.value
            while isinstance(inner, ast.Attribute):
                parts.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name) and inner.id in aliases:
                yield ".".join([aliases[inner.id], *reversed(parts)])


def missing(name: str, offered: dict[str, set[str]]) -> str:
    """The part of a name that the list lacks, or nothing."""
    module = "torch"
    for part in name.split(".")[1:]:
        if part not in offered[module]:
            return f"{module}.{part}"
        module = f"{module}.{part}"
        if module not in offered:  # a function or a class: what it has is its own affair
            return ""
    return ""


def programs() -> Iterator[tuple[str, str]]:
    """The library's files, and the code of each notebook as one program."""
    for path in sorted((ROOT / "lib/sprat").rglob("*.py")):
        yield str(path.relative_to(ROOT)), path.read_text()
    for folder in ("chapters", "book/api"):
        for path in sorted((ROOT / folder).glob("*.ipynb")):
            cells = json.loads(path.read_text())["cells"]
            code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
            yield (
                str(path.relative_to(ROOT)),
                "import torch\nfrom torch import nn\n" + "\n".join(code),
            )


def test_no_name_is_newer_than_the_oldest_torch_on_colab(offered):
    found, count = set(), 0
    for place, source in programs():
        for name in used(source):
            count += 1
            if lacking := missing(name, offered):
                found.add(f"{place}: {lacking}")
    assert count > 1000, "the names were not found at all"
    assert sorted(found) == []


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.not_there_yet(1)",
        "import torch.nn.functional as F\nF.not_there_yet",
        "from torch import nn\nnn.NotThereYet()",
        "from torch.nn import NotThereYet",
        "from torch.optim import lr_scheduler as s\ns.NotThereYet",
        "import torch.not_there_yet",
        # Muon came with torch 2.9.
        "import torch\ntorch.optim.Muon",
    ],
)
def test_a_newer_name_is_found_through_every_kind_of_import(offered, source):
    assert any(missing(name, offered) for name in used(source))


def test_old_names_pass(offered):
    source = (
        "import torch\nfrom torch import nn\ntorch.nn.functional.relu\nnn.Linear\ntorch.float32"
    )
    assert not any(missing(name, offered) for name in used(source))
