"""ONNX: the same outputs as torch, with the encodings inside, and never a file that differs."""

import builtins
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

import sprat as sp
from sprat.errors import ExportError


def run(path: Path, *parts: torch.Tensor) -> torch.Tensor:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [put.name for put in session.get_inputs()]
    given = dict(zip(names, (part.numpy() for part in parts), strict=True))
    return torch.from_numpy(session.run(None, given)[0])


def metadata(path: Path) -> dict[str, str]:
    return {prop.key: prop.value for prop in onnx.load(str(path)).metadata_props}


@pytest.fixture
def normalised(pictures: sp.Data) -> sp.Learner:
    task = sp.Task(
        sp.Image(channels=1, size=(9, 9)),
        sp.Label(pictures.classes),
        encodings=[sp.ToFloat(), sp.Normalize.of(pictures)],
    )
    model = sp.models.LeNet(1, 3, width=4, num_hiddens=8)
    return sp.Learner(task, (pictures, pictures), model=model, batch_size=16, device="cpu")


def test_stored_pictures_go_in_and_the_same_logits_come_out(
    normalised: sp.Learner, pictures: sp.Data, tmp_path: Path
) -> None:
    normalised.fit(1)
    saved = sp.save_onnx(normalised, tmp_path / "model.onnx")
    assert saved.path == tmp_path / "model.onnx"
    assert list(tmp_path.iterdir()) == [saved.path]
    assert saved.size_bytes == saved.path.stat().st_size > 0
    assert saved.inputs == {"x": "tensor(uint8) ['batch', 1, 9, 9]"}
    assert saved.outputs == {"y_hat": "tensor(float) ['batch', 3]"}
    # 17 is a batch size that the export has never seen.
    expected, _ = normalised.predictions(pictures[:17])
    found = run(saved.path, pictures.x[:17])
    assert torch.allclose(found, expected, atol=1e-5)
    assert 0 <= saved.max_difference <= 1e-4

    assert_it_says_what_it_is(metadata(saved.path))


def assert_it_says_what_it_is(found: dict[str, str]) -> None:
    assert json.loads(found["classes"]) == ["top", "middle", "bottom"]
    assert found["model"] == "LeNet"
    assert found["sprat"] == sp.__version__
    before = json.loads(found["preprocessing"])
    assert before["inside_the_graph"] is True
    assert [step["type"] for step in before["encodings"]] == ["ToFloat", "Normalize"]
    assert json.loads(found["task"])["input"] == {"type": "Image", "channels": 1, "size": [9, 9]}


def test_encodings_can_stay_outside(
    normalised: sp.Learner, pictures: sp.Data, tmp_path: Path
) -> None:
    saved = sp.save_onnx(normalised, tmp_path / "model.onnx", encode=False)
    assert saved.inputs == {"x": "tensor(float) ['batch', 1, 9, 9]"}
    assert json.loads(metadata(saved.path)["preprocessing"])["inside_the_graph"] is False
    encoded = normalised.encode(sp.Batch(pictures.x[:3])).x
    expected, _ = normalised.predictions(pictures[:3])
    assert torch.allclose(run(saved.path, encoded), expected, atol=1e-5)


def test_a_plain_module_with_two_inputs(tmp_path: Path) -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 3), nn.Linear(2, 3)

        def forward(self, parts: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            return self.left(parts[0]) + self.right(parts[1])

    model, x = Sum(), (torch.randn(3, 4), torch.randn(3, 2))
    saved = sp.save_onnx(model, tmp_path / "sum.onnx", example=x)
    assert list(saved.inputs) == ["x0", "x1"]
    assert torch.allclose(run(saved.path, *x), model(x), atol=1e-5)


def test_a_model_keeps_its_mode_and_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.9), nn.Linear(8, 2))
    model(torch.randn(32, 4))
    model[1].eval()
    x = torch.randn(5, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved = sp.save_onnx(model, tmp_path / "model.onnx", example=x)
    assert capfd.readouterr() == ("", "")
    assert [part.training for part in (model, *model)] == [True, True, False, True, True]
    # Dropout is off in the file, and the normalisation uses what it has learnt.
    assert torch.allclose(run(saved.path, x), model.eval()(x), atol=1e-5)


class Noisy(nn.Module):
    """Gives something else at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x + self.calls


def test_a_file_that_differs_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"the one before")
    with pytest.raises(ExportError, match="differ by") as caught:
        sp.save_onnx(Noisy(), tmp_path / "model.onnx", example=torch.randn(2, 3))
    assert "tolerance" in caught.value.fix
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"the one before"]


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if float(x.sum()) > 0 else -x


def test_what_cannot_be_exported_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="Branching can't be exported") as caught:
        sp.save_onnx(Branching(), tmp_path / "model.onnx", example=torch.randn(2, 3))
    assert "control flow" in caught.value.fix
    assert not list(tmp_path.iterdir())


def words(learn: sp.Learner, folder: Path) -> None:
    class Words(sp.Block):
        def check(self, values: Any) -> None: ...
        def mock(self, count: int, *, generator: torch.Generator | None = None) -> list[str]:
            return ["word"] * count

    task = sp.Task(Words(), sp.Label(["a", "b"]))
    data = sp.Data(["x", "y"], torch.tensor([0, 1]))
    sp.save_onnx(sp.Learner(task, (data,), model=nn.Linear(1, 2)), folder / "m.onnx")


@pytest.mark.parametrize(
    ("attempt", "says", "fix"),
    [
        (lambda learn, to: sp.save_onnx(nn.Linear(2, 1), to / "m.onnx"), "doesn't say", "example="),
        (
            lambda learn, to: sp.save_onnx(
                nn.Linear(2, 1), to / "m.onnx", example=torch.ones(1, 2)
            ),
            "one sample",
            "two",
        ),
        (lambda learn, to: sp.save_onnx("model", to / "m.onnx"), "neither a learner", "Learner"),
        (lambda learn, to: sp.save_onnx(learn, to / "no" / "m.onnx"), "can't be saved", "folder"),
        (
            lambda learn, to: sp.save_onnx(learn, to / "m.onnx", example=torch.ones(2, 3)),
            "does not fit",
            "",
        ),
        (words, "tensors only", "example="),
    ],
)
def test_mistakes_are_named(
    learn: sp.Learner, tmp_path: Path, attempt: Callable[..., Any], says: str, fix: str
) -> None:
    with pytest.raises(ExportError, match=says) as caught:
        attempt(learn, tmp_path)
    assert fix in caught.value.fix
    assert not list(tmp_path.iterdir())


def test_without_the_packages_the_error_names_the_install(
    learn: sp.Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError("no", name=name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ExportError, match="needs onnxruntime") as caught:
        sp.save_onnx(learn, tmp_path / "m.onnx")
    assert "pip install onnx" in caught.value.fix


MODELS: dict[str, Any] = {
    "ViT": lambda: sp.models.ViT(1, 3, size=(16, 16), patch=8, width=16, depth=1),
    "RNNLM": lambda: sp.models.RNNLM(20, width=8, num_hiddens=8, num_layers=1),
    "GPT": lambda: sp.models.GPT(20, width=8, num_layers=1, num_heads=2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_attention_and_recurrence_take_batches_of_any_size(tmp_path: Path, name: str) -> None:
    x = torch.randn(2, 1, 16, 16) if name == "ViT" else torch.randint(0, 20, (2, 6))
    model = MODELS[name]()
    saved = sp.save_onnx(model, tmp_path / "model.onnx", example=x)
    many = x.repeat(4, *[1] * (x.ndim - 1))[:7]
    with torch.no_grad():
        assert torch.allclose(run(saved.path, many), model.eval()(many), atol=1e-5)
