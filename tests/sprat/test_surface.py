"""What sprat offers to the outside, and what importing it brings along."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import sprat as sp

ROOT = Path(__file__).parents[2] / "lib" / "sprat"

#: The public names, listed here so that a change of them is seen in a diff.
NAMES = {
    "Accumulate", "Checkpoint", "EMA", "EarlyStopping",
    "DiffusionPhase", "FixMatchPhase", "GANPhase", "MeanTeacherPhase", "PredictPhase",
    "RolloutPhase", "VAEPhase", "CutMix", "MixUp", "RandAugment",
    "Arranged", "Augment", "Batch", "Block", "Callback", "Cancel", "Continuous", "Data", "Encoding",
    "GradientClip", "Graph", "GraphBatch", "Grid", "Guess", "History", "Image", "ImageTensor",
    "Keypoints", "Label", "Labels", "Learner", "Loader", "Mask", "Metric", "Normalize",
    "OneHot", "OneHotEncode", "Phase", "Rows", "ScalePoints", "Schedule", "Splits",
    "SpratError", "Table",
    "TableRow", "Task", "Text", "ToFloat", "Tokens", "TrainPhase", "Trajectory", "ValidPhase",
    "claim", "load", "loss_for", "metrics_for", "publish", "record", "save", "save_onnx", "scrub",
}  # fmt: skip
MODULES = {
    "augment", "blocks", "callbacks", "data", "datasets", "diffusion", "distributed",
    "encodings", "errors",
    "graphs", "interpret", "loggers", "losses", "metrics", "models", "optim", "phases", "physics",
    "recipes", "schedule", "show", "tabular", "text",
}  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert set(sp.__all__) == NAMES | MODULES | {"__version__"}
    assert len(sp.__all__) == len(set(sp.__all__)) <= 120
    assert dir(sp) == sorted(sp.__all__)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_can_be_had_and_is_documented(name: str) -> None:
    value = getattr(sp, name)
    assert getattr(sp, name) is value
    documentation = inspect.getdoc(value)
    assert documentation
    assert len(documentation) > 20


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_can_be_had(name: str) -> None:
    assert isinstance(getattr(sp, name), ModuleType)


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no 'Lerner'"):
        _ = sp.Lerner  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no 'GPT9'"):
        _ = sp.models.GPT9  # type: ignore[attr-defined]


def test_static_and_real_names_agree() -> None:
    """Editors read the imports under TYPE_CHECKING; they must be the real ones."""
    tree = ast.parse((ROOT / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == NAMES | MODULES


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh Python has loaded after running some code."""
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


HEAVY = {
    "matplotlib", "IPython", "ipywidgets", "tqdm", "pandas", "scipy", "sklearn", "torchvision",
    "PIL", "nbformat", "jaxtyping", "beartype", "rich", "chapterhouse",
}  # fmt: skip


def test_importing_sprat_brings_nothing_heavy() -> None:
    assert not loaded_by("import sprat") & HEAVY


def test_training_brings_nothing_heavy() -> None:
    # jaxtyping is used for signatures wherever it is installed, and torch brings what it brings.
    torchs = loaded_by("import torch; torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])") | {
        "jaxtyping"
    }
    code = (
        "import os; os.environ['SPRAT_PROGRESS'] = 'off'\n"
        "import sprat as sp, torch\n"
        "data = sp.Data(torch.zeros(8, 1, 4, 4), torch.arange(8) % 2)\n"
        "task = sp.Task(sp.Image(1), sp.Label(['a', 'b']))\n"
        "learn = sp.Learner(task, data.split(0.5), model=sp.models.MLP(16, 2))\n"
        "learn.fit(1); learn.show_results(backend='text')"
    )
    loaded = loaded_by(code)
    assert not (loaded & HEAVY) - torchs
    assert not loaded & {"sprat.datasets", "sprat.sliders", "sprat.augment", "sprat.export"}


def test_no_file_is_too_long_to_read() -> None:
    for path in ROOT.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.end_lineno:
                # What is to be followed: neither the signature nor the docstring counts.
                first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
                assert node.end_lineno - first.lineno < 50, (path, node.name)


def test_sprat_never_names_the_platform() -> None:
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert not any(name.split(".")[0] in ("chapterhouse", "lib") for name in names), path
