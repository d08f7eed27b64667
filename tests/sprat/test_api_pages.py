"""Every public name is shown at work on a page of the book that is executed with it."""

import json
import re
from pathlib import Path

import pytest

import sprat as sp

PAGES = Path(__file__).parents[2] / "book" / "api"
CODE = "\n".join(
    "".join(cell["source"])
    for page in sorted(PAGES.glob("*.ipynb"))
    for cell in json.loads(page.read_text(encoding="utf-8"))["cells"]
    if cell["cell_type"] == "code"
)


@pytest.mark.parametrize("name", [name for name in sp.__all__ if name != "__version__"])
def test_a_public_name_is_used_on_an_api_page(name: str) -> None:
    used = rf"\bsp\.(\w+\.)*{name}\b|\bfrom sprat\.{name}\b|\bfrom sprat import .*\b{name}\b"
    assert re.search(used, CODE), name


@pytest.mark.parametrize("name", sp.models.__all__)
def test_a_model_is_used_on_an_api_page(name: str) -> None:
    assert re.search(rf"\b{name}\(", CODE), name


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
    assert re.search(rf"\.{name}\(", CODE), name
