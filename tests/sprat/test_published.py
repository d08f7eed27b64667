"""What a page's live figures get: plain steps with weights, and what torch answered."""

import base64
import json
import sys
import types
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import sprat as sp
from sprat.errors import ExportError
from sprat.published import LIVE, Surface
from sprat.steps import record_steps


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a notebook would show."""
    bundles: list[dict[str, Any]] = []
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: object()  # type: ignore[attr-defined]
    display = types.ModuleType("IPython.display")
    display.display = lambda bundle, raw: bundles.append(bundle)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return bundles


def unpacked(packed: dict[str, Any]) -> Tensor:
    raw = np.frombuffer(base64.b64decode(packed["data"]), packed["dtype"])
    return torch.from_numpy(raw.copy()).reshape(packed["shape"])


def walked(content: dict[str, Any], x: Tensor) -> Tensor:
    """What the recorded steps make of a batch: each by its definition, in float64."""
    weights = unpacked(content["weights"]).double()

    def tensor(step: dict[str, Any], name: str) -> Tensor | None:
        if name not in step:
            return None
        begin, count = step[name]
        return weights[begin : begin + count]

    x = x.double()
    for step in content["steps"]:
        shape = (len(x), *step["shape"])
        weight, bias = tensor(step, "weight"), tensor(step, "bias")
        match step["op"]:
            case "reshape":
                x = x.reshape(shape)
            case "relu" | "tanh" | "sigmoid" as name:
                x = getattr(torch, name)(x)
            case "softmax":
                x = x.softmax(1)
            case "linear":
                assert weight is not None
                x = F.linear(x, weight.reshape(step["shape"][0], -1), bias)
            case "conv2d":
                assert weight is not None
                kernel = weight.reshape(step["shape"][0], x.shape[1], *step["kernel"])
                x = F.conv2d(x, kernel, bias, step["stride"], step["padding"])
            case "max_pool2d" | "avg_pool2d" as name:
                x = getattr(F, name)(x, step["kernel"], step["stride"])
            case "adaptive_avg_pool2d":
                x = F.adaptive_avg_pool2d(x, step["shape"][1:])
            case "affine":
                scale, shift = tensor(step, "scale"), tensor(step, "shift")
                assert scale is not None
                assert shift is not None
                whole = (-1,) if len(scale) == 1 else step["shape"]
                x = x * scale.reshape(whole) + shift.reshape(whole)
        assert x.shape == shape
    return x


class Functional(nn.Module):
    """The way chapter 4 writes a network: functions between its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(144, 7), nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(1 - self.hidden(x.flatten(1)) / 2))


NETWORKS = {
    "mlp": lambda: sp.models.MLP(144, 3, num_hiddens=[8]),
    "lenet": lambda: sp.models.LeNet(1, 3, width=3, num_hiddens=5),
    "functions": Functional,
    "layers": lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.Tanh(), nn.AvgPool2d(2),
        nn.Dropout(0.5), nn.Flatten(), nn.Linear(36, 6, bias=False), nn.Sigmoid(), nn.Linear(6, 3),
        nn.Softmax(1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_steps_compute_what_the_model_computes(kind: str, shown: list[dict[str, Any]]) -> None:
    model = NETWORKS[kind]()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)  # as after some training
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight)
    x = torch.randint(0, 256, (9, 1, 12, 12), dtype=torch.uint8)
    data = sp.Data(x, torch.arange(9) % 3, classes=("top", "middle", "bottom"))
    normal = sp.Normalize.of(data)
    task = sp.Task(sp.Image(1), sp.Label(data.classes), encodings=[sp.ToFloat(), normal])
    learn = sp.Learner(task, data.split(0.3, stratify=True), model=model)
    modes = [module.training for module in model.modules()]

    sp.publish("small", learn, examples=data.take(5))

    content = shown[0][LIVE]
    assert json.loads(json.dumps(content)) == content
    model.eval()
    with torch.no_grad():
        expected = model(task.encode(sp.Batch(x)).x)
    assert content["type"] == "network"
    assert content["input"] == [1, 12, 12]
    assert content["classes"] == ["top", "middle", "bottom"]
    assert (walked(content, x) - expected).abs().max() < 1e-4
    examples = content["examples"]
    assert torch.equal(unpacked(examples["inputs"]), x[:5])
    assert (unpacked(examples["outputs"]) - expected[:5]).abs().max() < 1e-6
    assert examples["labels"] == [0, 1, 2, 0, 1]
    model.train()
    assert modes == [module.training for module in model.modules()]


def test_a_plain_module_is_published_with_inputs_as_they_are(shown: list[dict[str, Any]]) -> None:
    decoder = sp.models.VAE(1, (4, 4), num_latents=2, num_hiddens=8).decoder
    codes = torch.randn(3, 2)
    sp.publish("plane", nn.Sequential(decoder, nn.Sigmoid()), examples=codes)
    content = shown[0][LIVE]
    assert content["classes"] is None
    assert content["examples"]["labels"] is None
    assert content["steps"][-1] == {"op": "sigmoid", "shape": [1, 4, 4]}
    assert (walked(content, codes) - decoder(codes).sigmoid()).abs().max() < 1e-6
    assert shown[0]["text/plain"] == "published plane: 240 numbers"


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


REFUSED = {
    "a skip": (Skip(), "no chain: add"),
    "its own mean": (lambda x: x - x.mean(), "calls mean"),
    "two of itself": (lambda x: torch.cat([x, x], 1), "no chain: its output"),
    "an unknown function": (nn.GELU(), "calls gelu"),
    "a batch in a constant": (lambda x: x * torch.ones(2, 4), "a batch"),
    "training": (nn.Sequential(nn.BatchNorm1d(4)), "training mode"),
    "a linear layer over rows": (lambda x: nn.Linear(2, 1)(x.unflatten(1, (2, 2))), "one axis"),
    "a part of itself": (lambda x: x[:, :2], "calls getitem"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_no_chain_of_plain_steps_is_refused(why: str) -> None:
    function, message = REFUSED[why]
    with pytest.raises(ExportError, match=message) as caught:
        record_steps(function, torch.rand(2, 4))
    assert caught.value.fix
    if "calls" in message:  # the fix names what may stand in its place
        assert "use one of" in caught.value.fix
        assert "relu" in caught.value.fix
    if "no chain" in message:
        assert "each layer takes what the layer before gives" in caught.value.fix


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Conv2d(2, 2, 3, padding="same"), "a word"),
        (nn.Conv2d(2, 2, 3, groups=2), "grouped"),
        (nn.Conv2d(2, 2, 3, dilation=2), "dilated"),
        (nn.MaxPool2d(2, padding=1), "padding"),
        (nn.MaxPool2d(2, ceil_mode=True), "ceil_mode"),
        (nn.Softmax(1), "other axes"),
    ],
)
def test_options_without_a_plain_form_are_refused(layer: nn.Module, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        record_steps(layer, torch.rand(2, 2, 8, 8))


@pytest.mark.parametrize("examples", [None, torch.arange(8).reshape(2, 4), torch.rand(0, 4)])
def test_examples_are_needed(examples: Any) -> None:
    with pytest.raises(ExportError, match="needs examples"):
        sp.publish("small", nn.Linear(4, 2), examples=examples)


def test_a_model_too_large_for_a_page_is_refused() -> None:
    with pytest.raises(ExportError, match="40,400 bytes; at most 40,000"):
        sp.publish("big", nn.Linear(100, 100), examples=torch.rand(2, 100), max_bytes=40_000)


def test_a_surface_is_published_with_the_paths_that_torch_took(
    shown: list[dict[str, Any]],
) -> None:
    curvature = torch.tensor([1.0, 4.0])
    surface = Surface.of(
        lambda w: 0.5 * (curvature * w**2).sum(-1),
        extent=(-2, 2, -1, 1), start=(1, 0.5), rates=(0.1, 0.4), steps=3, points=(5, 9),
    )  # fmt: skip
    sp.publish("bowl", surface)
    content = shown[0][LIVE]
    assert json.loads(json.dumps(content)) == content
    assert content["type"] == "surface"
    assert shown[0]["text/plain"] == "published bowl: a loss surface of (5, 9) points"
    loss, slopes = unpacked(content["loss"]), unpacked(content["slopes"])
    along, across = torch.linspace(-2, 2, 9), torch.linspace(-1, 1, 5)
    assert torch.allclose(loss, 0.5 * along**2 + 2 * across[:, None] ** 2)
    assert torch.allclose(slopes[0], along.double().expand(5, 9))
    assert torch.allclose(slopes[1], 4 * across[:, None].double().expand(5, 9))
    assert [round(path["lr"], 9) for path in content["paths"]] == [0.1, 0.2, 0.4]
    for path in content["paths"]:
        factors = 1 - path["lr"] * curvature.double()
        exact = [[float(v) for v in torch.tensor([1, 0.5]) * factors**k] for k in range(4)]
        assert torch.tensor(path["path"]) == pytest.approx(torch.tensor(exact))
    assert content["extent"] == [-2, 2, -1, 1]


@pytest.mark.parametrize("points", [(1, 5), (4, 4)])
def test_a_surface_that_has_no_slopes_is_refused(points: tuple[int, int]) -> None:
    surface = Surface.of(
        lambda w: w.log().sum(-1),
        extent=(-1, 1, -1, 1),
        start=(1, 1),
        rates=(0.1, 1),
        points=points,
    )
    with pytest.raises(ExportError, match="finite losses and slopes"):
        sp.publish("bowl", surface)


def test_outside_a_notebook_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    sp.publish("small", nn.Linear(4, 2), examples=torch.rand(2, 4))
    assert capsys.readouterr().out == ""
