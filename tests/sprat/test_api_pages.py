"""Every public name is shown at work on a page of the book that is executed with it.

What is public is found, not listed: the names of `sprat` itself; of each module that it names,
those in its ``__all__``, or where it has none what it defines without an underscore; of the rooms
whose files a reader imports from, what every file defines; and the classes that any of these hand
back. A name counts as shown where the code of a page, not its prose and not an import alone, uses
it.
"""

import ast
import contextlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import sprat as sp

PAGES = sorted((Path(__file__).parents[2] / "book" / "api").glob("*.ipynb"))

#: Rooms whose files are each a door: ``from sprat.models.language import sharpen``.
OPEN = ("sprat.models", "sprat.phases", "sprat.physics")

#: What has no underscore though no reader calls it, since files of the library share it, and why.
SHARED = {
    "sprat.data": (
        "Column count head moved rows take",
        "what columns of any kind have in common, for Data, Loader and the blocks",
    ),
    "sprat.optim": (
        "keep_up descend given keep_ratios make_room move prepare rate set_lr spread_lr",
        "what a learner does with its optimisers in a step and before a fit",
    ),
    "sprat.models.bodies": (
        "check_pictures choose first_channels mocking part",
        "how the models refuse bad arguments and take each other's bodies",
    ),
    "sprat.models.sizes": ("check_counts check_lists", "how the models refuse bad sizes"),
    "sprat.models.language": ("look_up", "how language models refuse a token they don't have"),
    "sprat.models.resnet": ("split stack stage_depths", "how ResNet and XResNet are put together"),
    "sprat.models.unet": ("cut", "how UNet finds where a body halves; tested by itself"),
    "sprat.phases.parts": ("part", "how phases name the part of the data that they take"),
}
INTERNAL = {f"{room}.{n}": why for room, (names, why) in SHARED.items() for n in names.split()}


def defined(module: ModuleType) -> dict[str, Any]:
    """The functions and classes that a module defines without an underscore."""
    return {
        name: value
        for name, value in vars(module).items()
        if name[0] != "_"
        and isinstance(value, (type, FunctionType))
        and value.__module__ == module.__name__
    }


def offered() -> dict[str, Any]:
    """Every public function and class, by ``module.name``."""
    found: dict[str, Any] = {}
    for name in sp.__all__:
        value = getattr(sp, name)
        if isinstance(value, ModuleType):
            names = getattr(value, "__all__", None) or defined(value)
            found |= {f"{value.__name__}.{each}": getattr(value, each) for each in names}
        else:
            found[f"sprat.{name}"] = value
    for room in OPEN:
        for file in pkgutil.iter_modules(import_module(room).__path__, f"{room}."):
            module = import_module(file.name)
            found |= {f"{file.name}.{each}": value for each, value in defined(module).items()}
    return {name: v for name, v in found.items() if isinstance(v, (type, FunctionType))}


def handed_back(values: Iterable[Any]) -> Iterator[type]:
    """The library's classes in what functions, and methods of classes, say that they return."""
    kinds = {
        name: value
        for file in pkgutil.walk_packages(sp.__path__, "sprat.")
        if not file.name.endswith("__main__")
        for name, value in defined(import_module(file.name)).items()
        if isinstance(value, type)
    }
    for value in values:
        members = [value]
        if isinstance(value, type):
            members = [member for name, member in vars(value).items() if name[0] != "_"]
        for member in members:
            function = inspect.unwrap(getattr(member, "fget", getattr(member, "__func__", member)))
            returned = getattr(function, "__annotations__", {}).get("return", "")
            for word in re.findall(r"\w+", inspect.formatannotation(returned)):
                if word in kinds:
                    yield kinds[word]


@cache
def public() -> dict[str, Any]:
    """What has to stand on a page, one name for each, without what is internal."""
    found = offered()
    found |= {
        f"{kind.__module__}.{kind.__qualname__}": kind for kind in handed_back(found.values())
    }
    named = {value: name for name, value in reversed(found.items())}
    return {name: value for value, name in named.items() if name not in INTERNAL}


@cache
def used() -> frozenset[Any]:
    """Every function and class of sprat that the code of some page uses."""
    found: set[Any] = set()
    for page in PAGES:
        cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        tree = ast.parse("\n".join("".join(cell["source"]) for cell in code))
        names = imported(tree)
        for node in ast.walk(tree):
            if isinstance(node, (ast.Name, ast.Attribute)):
                value = meant(node, names)
                if isinstance(value, (type, FunctionType)):
                    found.add(value)
    return frozenset(found)


def imported(tree: ast.Module) -> dict[str, Any]:
    """What the names mean that a page imports from sprat."""
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            here = [alias for alias in node.names if alias.name == "sprat"]
            names |= {alias.asname or alias.name: sp for alias in here}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sprat":
            assert node.module is not None
            for alias in node.names:
                names[alias.asname or alias.name] = _get(import_module(node.module), alias.name)
    return names


def _get(module: ModuleType, name: str) -> Any:
    """A name or a file of a module; None for what is gone, which the page's own run tells of."""
    if not hasattr(module, name):
        with contextlib.suppress(ImportError):
            return import_module(f"{module.__name__}.{name}")
    return getattr(module, name, None)


def meant(node: ast.expr, names: dict[str, Any]) -> Any:
    """What a dotted name of a page stands for, or None if it is none of sprat's."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        value = meant(node.value, names)
        return None if value is None else getattr(value, node.attr, None)
    return None


def test_the_pages_and_the_public_names_are_found() -> None:
    assert len(PAGES) >= 15
    names = public()
    for name in ("sprat.interpret.LabelsConfusion", "sprat.diffusion.sample_ddpm"):
        assert name in names
    assert "sprat.lr_find.LRFind" in names  # only handed back
    assert "sprat.models.gpt.CausalAttention" in names  # in a file of an open room


@pytest.mark.parametrize("name", sorted(public()))
def test_a_public_name_is_at_work_on_a_page(name: str) -> None:
    assert public()[name] in used(), f"show {name} in a code cell of a page in book/api"


@pytest.mark.parametrize("name", sorted(INTERNAL))
def test_what_is_internal_is_there_and_its_reason_is_given(name: str) -> None:
    assert name in offered(), "an exception for what is gone"
    assert len(INTERNAL[name]) > 10


def test_an_import_and_a_mention_are_no_use() -> None:
    tree = ast.parse("from sprat.models.gpt import GPT\nimport sprat as sp\n# sp.Learner\n'GPT'")
    names = imported(tree)
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Name, ast.Attribute))]
    assert [meant(node, names) for node in nodes] == []
    (line,) = ast.parse("GPT(3)").body
    assert isinstance(line, ast.Expr)
    assert isinstance(line.value, ast.Call)
    assert meant(line.value.func, names) is sp.models.GPT


@pytest.mark.parametrize(
    "name",
    [
        "fit", "fit_one_cycle", "fit_flat_cos", "fine_tune", "freeze", "unfreeze", "lr_find",
        "resume", "dry_run", "predict", "predictions", "evaluate", "show_batch", "show_results",
        "export",
    ],
)  # fmt: skip
def test_what_a_learner_does_is_used_on_an_api_page(name: str) -> None:
    assert callable(getattr(sp.Learner, name))
    calls = rf"\.{name}\("
    assert any(re.search(calls, page.read_text(encoding="utf-8")) for page in PAGES), name
