"""Saved models outlive versions: files that older ones wrote are read, newer ones are named."""

import ast
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import sprat as sp
from sprat.errors import ExportError

ROOT = Path(__file__).parents[2]
#: Written by sprat 0.1.0 and never again: its config, its weights, and what it said to four
#: pictures of the training data.
OLD = ROOT / "tests" / "golden" / "export_0.1.0"


def test_a_model_of_the_first_version_says_what_it_said() -> None:
    loaded = sp.load(OLD)
    known = load_file(OLD / "expected.safetensors")
    assert isinstance(loaded.model, sp.models.LeNet)
    assert loaded.task == sp.Task(
        sp.Image(channels=1, size=(9, 9)),
        sp.Label(["top", "middle", "bottom"]),
        encodings=[sp.ToFloat(), sp.Normalize((0.35021182894706726,), (0.29525741934776306,))],
    )
    with torch.no_grad():
        y_hat = loaded.model(loaded.task.encode(sp.Batch(known["x"])).x)
    assert torch.allclose(y_hat, known["y_hat"], atol=1e-5)
    names = [guess.name for guess in loaded.predict(known["x"])]
    assert names == [loaded.task.target.classes[i] for i in known["y_hat"].argmax(1).tolist()]


def test_a_model_of_the_first_version_can_be_saved_again(tmp_path: Path) -> None:
    loaded = sp.load(OLD)
    known = load_file(OLD / "expected.safetensors")
    data = sp.Data(known["x"], torch.tensor([0, 1, 2, 0]))
    learn = sp.Learner(loaded.task, (data,), model=loaded.model, device="cpu")
    again = sp.load(learn.export(tmp_path))
    assert again.task == loaded.task
    assert again.predict(known["x"]) == loaded.predict(known["x"])


def test_a_newer_format_names_the_version_to_install(learn: sp.Learner, tmp_path: Path) -> None:
    folder = learn.export(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    assert config["sprat"] == sp.__version__
    newer = config | {"format": config["format"] + 1, "sprat": "7.3.0"}
    (folder / "config.json").write_text(json.dumps(newer))
    with pytest.raises(ExportError, match=r"written by sprat 7.3.0") as caught:
        sp.load(folder)
    assert "sprat>=7.3.0" in caught.value.fix


@pytest.mark.parametrize("odd", [None, 0, -1, "1", 1.5, True, [1]])
def test_a_format_that_is_none_is_no_traceback(
    learn: sp.Learner, tmp_path: Path, odd: object
) -> None:
    folder = learn.export(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"format": odd}))
    with pytest.raises(ExportError, match="has format"):
        sp.load(folder)


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_sprat_never_pickles() -> None:
    """No pickle anywhere, and no torch.load that could meet one: code would run from a file."""
    for path in (ROOT / "lib" / "sprat").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            used = {n.split(".")[0] for n in names} & UNSAFE
            assert used <= ({"pickle"} if path.name == "frames.py" else set()), (path, names)
        for call in calls(tree):
            written = ast.unparse(call.func)
            assert written not in ("torch.save", "np.save", "numpy.save"), path
            if written == "torch.load":
                named = {word.arg: ast.unparse(word.value) for word in call.keywords}
                assert named.get("weights_only") == "True", (path, call.lineno)
            if written in ("np.load", "numpy.load"):
                named = {word.arg: ast.unparse(word.value) for word in call.keywords}
                assert named.get("allow_pickle", "False") == "False", (path, call.lineno)


def test_the_one_reader_of_foreign_pickles_runs_nothing_of_theirs() -> None:
    """R's data sets come as pickles of tables; what they may call is a list in that file."""
    tree = ast.parse((ROOT / "lib" / "sprat" / "datasets" / "frames.py").read_text())
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {name for name in used if name.startswith("pickle.")} <= {
        "pickle.Unpickler",
        "pickle.UnpicklingError",
    }
    readers = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and "pickle.Unpickler" in [ast.unparse(base) for base in node.bases]
    ]
    assert readers
    for reader in readers:
        methods = {node.name for node in reader.body if isinstance(node, ast.FunctionDef)}
        assert "find_class" in methods


UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
