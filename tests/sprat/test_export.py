"""Saved models: weights and plain config, the same predictions after loading, clear errors."""

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import sprat as sp
from sprat.errors import BlockError, ExportError

MODELS = {
    "MLP": lambda: sp.models.MLP(81, 3, [8, 8]),
    "LeNet": lambda: sp.models.LeNet(1, 3, width=4, num_hiddens=8),
    "ResNet": lambda: sp.models.ResNet(1, 3, widths=(4, 8)),
}


@pytest.mark.parametrize("name", MODELS)
def test_roundtrip(pictures: sp.Data, task: sp.Task, tmp_path: Path, name: str) -> None:
    learn = sp.Learner(task, (pictures, pictures), model=MODELS[name](), device="cpu")
    learn.fit(1)
    folder = learn.export(tmp_path / "model")
    loaded = sp.load(folder)
    assert type(loaded.model).__name__ == name
    assert not loaded.model.training
    assert loaded.task == task
    expected = learn.predict(pictures.x[:10])
    assert loaded.predict(pictures.x[:10]) == expected
    assert {guess.name for guess in expected} <= set(pictures.classes or ())


def test_loading_imports_no_other_model(
    learn: sp.Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a chapter imports makes it run again, so an edit of vae.py must not touch this one.
    folder = learn.export(tmp_path)
    for name in [name for name in sys.modules if name.startswith("sprat.models.")]:
        monkeypatch.delitem(sys.modules, name)
    kind = type(sp.load(folder).model).__name__
    imported = {name for name in sys.modules if name.startswith("sprat.models.")}
    assert imported == {f"sprat.models.{kind.lower()}", "sprat.models.sizes"}


def test_a_vae_travels_too(pictures: sp.Data, tmp_path: Path) -> None:
    block = sp.Image(channels=1, size=(9, 9))
    task = sp.Task(block, output=block)
    model = sp.models.VAE(1, (9, 9), num_hiddens=8)
    learn = sp.Learner(task, (sp.Data(pictures.x),), model=model, device="cpu")
    loaded = sp.load(learn.export(tmp_path))
    assert loaded.task == task
    assert torch.equal(loaded.predict(pictures.x[:4]), learn.predict(pictures.x[:4]))


def test_normalisation_travels_with_the_model(pictures: sp.Data, tmp_path: Path) -> None:
    task = sp.Task(
        sp.Image(channels=1),
        sp.Label(pictures.classes),
        encodings=[sp.ToFloat(), sp.Normalize.of(pictures)],
    )
    learn = sp.Learner(task, (pictures,), model=sp.models.MLP(81, 3), device="cpu")
    loaded = sp.load(learn.export(tmp_path))
    assert loaded.task == task
    assert loaded.predict(pictures.x[:5]) == learn.predict(pictures.x[:5])


def test_two_plain_files_and_no_pickle(learn: sp.Learner, tmp_path: Path) -> None:
    learn.export(tmp_path / "model")
    files = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    assert set(files) == {"weights.safetensors", "config.json"}
    assert set(load_file(tmp_path / "model" / "weights.safetensors")) == set(
        learn.model.state_dict()
    )
    config = json.loads(files["config.json"])
    assert config["model"] == {
        "name": "MLP",
        "arguments": {"num_inputs": 81, "num_outputs": 3, "num_hiddens": [8]},
    }
    assert config["task"]["target"]["classes"] == ["top", "middle", "bottom"]


def test_your_own_module(pictures: sp.Data, tmp_path: Path) -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(81, 3))

    task = sp.Task(sp.Image(channels=1), sp.Label(pictures.classes))
    learn = sp.Learner(task, (pictures,), model=make(), device="cpu")
    folder = learn.export(tmp_path)
    with pytest.raises(ExportError, match="no model 'Sequential'") as caught:
        sp.load(folder)
    assert "model=" in caught.value.fix
    loaded = sp.load(folder, model=make())
    assert loaded.predict(pictures.x[:4]) == learn.predict(pictures.x[:4])


def test_a_block_of_your_own(tmp_path: Path) -> None:
    class Tone(sp.Block):
        def check(self, values: object) -> None: ...
        def mock(self, count: int, *, generator: torch.Generator | None = None) -> torch.Tensor:
            return torch.randn(count, 4, generator=generator)

    task = sp.Task(Tone(), sp.Label(["low", "high"]))
    data = sp.Data(torch.randn(6, 4), torch.tensor([0, 1] * 3))
    learn = sp.Learner(task, (data,), model=sp.models.MLP(4, 2), device="cpu")
    folder = learn.export(tmp_path)
    with pytest.raises(ExportError, match="unknown type 'Tone'") as caught:
        sp.load(folder)
    assert "task=" in caught.value.fix
    assert sp.load(folder, task=task).predict(data.x) == learn.predict(data.x)


def test_without_a_task_outputs_are_raw(tmp_path: Path) -> None:
    model = sp.models.MLP(4, 2)
    learn = sp.Learner(model, ([(torch.ones(3, 4), torch.ones(3, 2))],), device="cpu")
    loaded = sp.load(learn.export(tmp_path))
    assert loaded.task is None
    x = torch.randn(3, 4)
    assert torch.equal(loaded.predict(x), model(x))


def spoil(folder: Path, how: str) -> None:
    config, weights = folder / "config.json", folder / "weights.safetensors"
    text = json.loads(config.read_text())
    if how == "no config":
        config.unlink()
    elif how == "no weights":
        weights.unlink()
    elif how == "cut weights":
        weights.write_bytes(weights.read_bytes()[:-20])
    elif how == "no JSON":
        config.write_text("{")
    elif how == "newer":
        config.write_text(json.dumps(text | {"format": 99}))
    elif how == "other sizes":
        text["model"]["arguments"]["num_hiddens"] = [5]
        config.write_text(json.dumps(text))
    elif how == "other names":
        save_file({"a": torch.ones(1)}, weights)
    elif how == "unknown block":
        text["task"]["input"]["type"] = "Hologram"
        config.write_text(json.dumps(text))
    elif how == "a function as block":
        text["task"]["input"]["type"] = "dataclass"
        config.write_text(json.dumps(text))
    elif how == "odd arguments":
        text["model"]["arguments"] = {"surprise": 1}
        config.write_text(json.dumps(text))
    elif how == "missing parts":
        config.write_text(json.dumps({"format": 1}))
    elif how == "a list":
        config.write_text("[1, 2]")
    elif how == "odd block fields":
        text["task"]["input"]["surprise"] = 1
        config.write_text(json.dumps(text))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("no config", "missing"),
        ("no weights", "missing"),
        ("cut weights", "damaged"),
        ("no JSON", "damaged"),
        ("newer", "this version reads"),
        ("other sizes", "don't fit MLP"),
        ("other names", "don't fit MLP"),
        ("unknown block", "unknown type 'Hologram'"),
        ("a function as block", "unknown type 'dataclass'"),
        ("odd arguments", "not as sprat writes it"),
        ("missing parts", "not as sprat writes it"),
        ("a list", "has format None"),
        ("odd block fields", "not as sprat writes it"),
    ],
)
def test_spoilt_exports_are_named(learn: sp.Learner, tmp_path: Path, how: str, says: str) -> None:
    folder = learn.export(tmp_path)
    spoil(folder, how)
    with pytest.raises(ExportError, match=says) as caught:
        sp.load(folder)
    assert caught.value.fix


def test_a_folder_that_cannot_be_made(learn: sp.Learner, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="can't be saved"):
        learn.export(tmp_path / "file")


def test_a_failed_save_leaves_the_old_model(
    learn: sp.Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sprat import export

    folder = learn.export(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(weights: object, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "save_file", fail)
    with pytest.raises(ExportError, match="No space left"):
        learn.export(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


BLOCKS = {
    "labels": (sp.Image(1, (8, 8)), sp.Labels(["a", "b"])),
    "mask": (sp.Image(1, (8, 8)), sp.Mask(["a", "b"])),
    "numbers": (sp.Continuous(3, ("a (m)", "b", "c")), sp.Continuous(2)),
    "table": (
        sp.TableRow({"colour": ["red", "blue"]}, ["size (m)"]),
        sp.Continuous(1),
    ),
    "tokens": (sp.Tokens(5, 0, ("␣", "a", "b", "c", "d")), sp.Label(["x", "y"])),
    "two at once": ((sp.Image(1), sp.TableRow({"k": ["p", "q"]})), sp.Label(["x", "y"])),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_travel(tmp_path: Path, name: str) -> None:
    task = sp.Task(*BLOCKS[name])
    mock = task.mock_batch(4)
    learn = sp.Learner(task, (sp.Data(mock.x, mock.y),), model=sp.models.MLP(4, 2), device="cpu")
    assert sp.load(learn.export(tmp_path)).task == task


def test_tied_weights_travel(tmp_path: Path) -> None:
    def make() -> nn.Module:
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        model[1].weight = model[0].weight
        return model

    model = make()
    learn = sp.Learner(model, ([(torch.ones(2, 3), torch.ones(2, 3))],), device="cpu")
    loaded = sp.load(learn.export(tmp_path), model=make()).model
    x = torch.randn(2, 3)
    assert torch.equal(loaded(x), model(x))
    assert loaded[1].weight is loaded[0].weight


def test_arguments_that_are_no_plain_values_are_named(tmp_path: Path) -> None:
    model = sp.models.MLP(4, 2)
    model.arguments = {"act": nn.ReLU()}
    learn = sp.Learner(model, ([(torch.ones(2, 4), torch.ones(2, 2))],), device="cpu")
    with pytest.raises(ExportError, match="no plain value") as caught:
        learn.export(tmp_path)
    assert "numbers" in caught.value.fix


def test_encodings_of_tables_and_texts_travel(tmp_path: Path) -> None:
    columns = {"colour": ["red", None, "blue", "red"], "size (m)": [1.0, 2.0, None, 4.0]}
    block = sp.TableRow.of(columns)
    rows = block.read(columns)
    table = sp.Task(block, sp.Continuous(1), encodings=sp.tabular.prepare(block, rows))
    texts = ["small fish", "near the shore", "deep", "fish"]
    reader = sp.Task(sp.Text(), sp.Label(["a", "b"]), encodings=[sp.text.Words.of(texts)])
    for i, (task, x) in enumerate([(table, rows), (reader, texts)]):
        y = torch.zeros(4, 1) if i == 0 else torch.tensor([0, 1, 0, 1])
        learn = sp.Learner(task, (sp.Data(x, y),), model=sp.models.MLP(4, 2), device="cpu")
        loaded = sp.load(learn.export(tmp_path / str(i))).task
        assert loaded == task
        again = loaded.encode(sp.Batch(x)).x
        before = task.encode(sp.Batch(x)).x
        parts = (lambda v: (v.categorical, v.continuous)) if i == 0 else (lambda v: (v,))
        assert all(torch.equal(a, b) for a, b in zip(parts(again), parts(before), strict=True))


def test_a_loaded_model_refuses_what_the_task_does_not_take(
    learn: sp.Learner, pictures: sp.Data, tmp_path: Path
) -> None:
    loaded = sp.load(learn.export(tmp_path))
    with pytest.raises(BlockError):
        loaded.predict(pictures.x[:2].repeat(1, 3, 1, 1))
