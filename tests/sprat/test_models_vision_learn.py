"""Vision models in a learner: one step of each on mock data, and real weights on a real photo."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import sprat as sp
from sprat import diffusion
from sprat.models.ddpm import DDPMUNet
from sprat.models.siamese import Siamese, contrastive_loss, triplet_loss
from sprat.models.unet import UNet, UNetEncoder

SIZE = (20, 24)
CLASSES = ("no", "maybe", "yes")

#: Everything in sprat.models that answers for a whole picture, made from the task alone.
CLASSIFIERS: dict[str, Callable[[sp.Task], nn.Module]] = {
    "MLP": lambda task: sp.models.MLP(20 * 24 * task.in_channels, task.num_outputs),
    "LeNet": lambda task: sp.models.LeNet(task.in_channels, task.num_outputs),
    "ResNet": lambda task: sp.models.ResNet(task.in_channels, task.num_outputs),
    "XResNet": lambda task: sp.models.XResNet(
        task.in_channels, task.num_outputs, widths=(8, 16), depth=1
    ),
    "EfficientNetLite0": lambda task: sp.models.EfficientNetLite0(
        task.in_channels, task.num_outputs
    ),
    "ViT": lambda task: sp.models.ViT(task.in_channels, task.num_outputs, size=SIZE, depth=2),
}
SEGMENTERS: dict[str, Callable[[sp.Task], nn.Module]] = {
    "plain": lambda task: UNet(UNetEncoder(task.in_channels, widths=(4, 8)), task.num_outputs),
    "LeNet": lambda task: UNet(sp.models.LeNet(task.in_channels, 1), task.num_outputs),
    "ResNet": lambda task: UNet(sp.models.ResNet(task.in_channels, 1), task.num_outputs),
    "XResNet": lambda task: UNet(
        sp.models.XResNet(task.in_channels, 1, widths=(8, 16), depth=1), task.num_outputs
    ),
    "EfficientNetLite0": lambda task: UNet(
        sp.models.EfficientNetLite0(task.in_channels, 1), task.num_outputs
    ),
}


def mock_data(task: sp.Task, count: int = 4) -> sp.Data:
    batch = task.mock_batch(count, generator=torch.Generator().manual_seed(0))
    return sp.Data(batch.x, batch.y, allow_missing=True)  # four samples of three classes


def moved(model: nn.Module, fit: Callable[[], Any]) -> set[str]:
    """The names of the weights that a fit has moved."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    fit()
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_classifier_takes_a_step(name: str, channels: int) -> None:
    task = sp.Task(sp.Image(channels, SIZE), sp.Label(CLASSES))
    model = CLASSIFIERS[name](task)
    learn = sp.Learner(task, mock_data(task), model=model, device="cpu", progress=False)
    changed = moved(model, lambda: learn.fit(1))
    assert {name for name, p in model.named_parameters() if p.grad is not None} >= changed
    assert len(changed) > 0.9 * len(list(model.parameters()))
    outputs, _ = learn.predictions(mock_data(task))
    assert outputs.shape == (4, len(CLASSES))


@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_segmenter_takes_a_step(name: str) -> None:
    task = sp.Task(sp.Image(3, (32, 32)), sp.Mask(CLASSES))
    model = SEGMENTERS[name](task)
    learn = sp.Learner(task, mock_data(task), model=model, device="cpu", progress=False)
    assert len(moved(model, lambda: learn.fit(1))) > 0.9 * len(list(model.parameters()))
    outputs, _ = learn.predictions(mock_data(task))
    assert outputs.shape == (4, len(CLASSES), 32, 32)


@pytest.mark.parametrize(("n", "loss"), [(2, contrastive_loss), (3, triplet_loss)])
def test_a_siamese_network_takes_a_step(n: int, loss: Callable[..., torch.Tensor]) -> None:
    task = sp.Task((sp.Image(3, SIZE),) * n, sp.Label(("unlike", "like")), loss=loss, metrics=())
    model = Siamese(sp.models.LeNet(task.input.parts[0].channels, 1), 8, size=SIZE)
    data = mock_data(task)
    learn = sp.Learner(task, data, model=model, device="cpu", progress=False)
    assert moved(model, lambda: learn.fit(1))


def test_a_diffusion_model_takes_a_step_and_draws() -> None:
    model = DDPMUNet(1, width=8, multipliers=(1, 2), attention=(1,))
    task = sp.Task(sp.Image(1, (8, 8)), output=sp.Image(1, (8, 8)), metrics=())
    phase = sp.DiffusionPhase(generator=torch.Generator().manual_seed(0))
    learn = sp.Learner(
        task, mock_data(task), model=model, phases=[phase], device="cpu", progress=False
    )
    history = learn.fit(3, lr=0.01)
    assert history["train_loss"][0] == pytest.approx(1, abs=0.2)  # it named no noise at first
    drawn = diffusion.sample_ddim(
        model.eval(),
        phase.schedule,
        (2, 1, 8, 8),
        steps=3,
        generator=torch.Generator().manual_seed(1),
    )
    assert drawn.shape == (2, 1, 8, 8)
    assert drawn.isfinite().all()


def test_fine_tuning_trains_the_head_more_than_the_body() -> None:
    task = sp.Task(sp.Image(3, SIZE), sp.Label(CLASSES))
    model = sp.models.ResNet(3, 3, widths=(4, 8))
    parts = model.groups()
    learn = sp.Learner(task, mock_data(task), model=model, device="cpu", progress=False)
    before = [next(iter(part.parameters())).detach().clone() for part in parts]
    learn.fine_tune(1, lr=1e-2, spread=1e4)
    steps = [
        (next(iter(part.parameters())) - old).abs().max().item()
        for part, old in zip(parts, before, strict=True)
    ]
    assert 0 < steps[0] < 0.01 * steps[-1]


class _Reads(TorchDispatchMode):
    """Notes what makes the host wait for a device: reading a value, or counting what is true."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(word in str(func) for word in ("_local_scalar_dense", "nonzero", "is_nonzero")):
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


STEPS: dict[str, tuple[Callable[[], nn.Module], tuple[Any, ...]]] = {
    "ResNet": (lambda: sp.models.ResNet(3, 2), (torch.rand(2, 3, *SIZE),)),
    "ViT": (lambda: sp.models.ViT(3, 2, size=SIZE, depth=1), (torch.rand(2, 3, *SIZE),)),
    "EfficientNetLite0": (lambda: sp.models.EfficientNetLite0(3, 2), (torch.rand(2, 3, *SIZE),)),
    "UNet": (lambda: UNet(sp.models.ResNet(3, 2), 2), (torch.rand(2, 3, *SIZE),)),
    "DDPMUNet": (
        lambda: DDPMUNet(3, width=8, num_classes=2),
        (torch.rand(2, 3, *SIZE), torch.tensor([1, 2]), torch.tensor([0, -1])),
    ),
    "Siamese": (lambda: Siamese(sp.models.LeNet(3, 2)), (torch.rand(2, 2, 3, *SIZE),)),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_never_waits_for_the_device(name: str) -> None:
    make, inputs = STEPS[name]
    model = make()
    with _Reads() as reads:
        out = model(*inputs)
        loss = (
            contrastive_loss(out, torch.tensor([0, 1]))
            if name == "Siamese"
            else out.square().mean()
        )
        loss.backward()
    assert reads.found == []


def test_the_watch_sees_a_value_that_is_read() -> None:
    with _Reads() as reads:
        torch.ones(1).item()
    assert reads.found


@pytest.mark.parametrize("name", ["UNet", "DDPMUNet", "ViT"])
def test_a_model_can_be_captured_whole(name: str) -> None:
    """As compiling and ONNX need it: no step of the network depends on a value."""
    make, inputs = STEPS[name]
    model = make().eval()
    captured = torch.export.export(model, inputs).module()
    assert torch.allclose(captured(*inputs), model(*inputs), atol=1e-5)


# -- the published weights, and a photograph


@pytest.mark.slow
@torch.no_grad()
def test_the_published_network_knows_a_cup_of_coffee() -> None:
    photos = sp.datasets.fetch("photos")
    x = photos.x[photos.y.index("a cup of coffee")][None].float() / 255
    x = F.interpolate(x, (256, 384), mode="bicubic", antialias=True).clamp(0, 1)
    x = x[..., 16:240, 80:304]  # the middle 224 × 224 pixels
    model = sp.models.EfficientNetLite0(pretrained=True).eval()
    likely = model((x - 0.5) / 0.5).softmax(1)[0]
    assert likely.argmax() == 967  # espresso, in ImageNet's order
    assert likely[967] > 0.85


@pytest.mark.slow
@torch.no_grad()
def test_the_published_network_gives_what_another_one_gives_with_its_weights() -> None:
    references = Path(__file__).parent / "references"
    wanted = json.loads((references / "models_vision.json").read_text())
    wanted = wanted["efficientnet_lite0_published"]
    picture = runpy.run_path(str(references / "models_vision.py"))["picture"]
    out = sp.models.EfficientNetLite0(pretrained=True).eval()(picture())[1]
    found = out[torch.linspace(0, len(out) - 1, 8).long()]
    assert torch.allclose(found, torch.tensor(wanted["outputs"]), atol=1e-3)


# -- learning, and other ways to compute

LEARNERS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "LeNet": (lambda: sp.models.LeNet(1, 3, width=4, num_hiddens=16), 10),
    "ResNet": (lambda: sp.models.ResNet(1, 3, widths=(4, 8)), 10),
    "XResNet": (lambda: sp.models.XResNet(1, 3, widths=(8,), depth=1), 10),
    "ViT": (lambda: sp.models.ViT(1, 3, size=(9, 9), patch=3, width=16, depth=2), 10),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_classifier_learns_what_is_plain_to_see(
    name: str, pictures: sp.Data, task: sp.Task
) -> None:
    make, epochs = LEARNERS[name]
    learn = sp.Learner(
        task, pictures, model=make(), batch_size=16, lr=0.01, device="cpu", progress=False,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    history = learn.fit(epochs)
    assert history["train_loss"][-1] < 0.3 * history["train_loss"][0]


@pytest.mark.parametrize("name", STEPS)
@torch.no_grad()
def test_half_precision_and_channels_last_change_little(name: str) -> None:
    make, inputs = STEPS[name]
    model = make().eval()
    for p in model.parameters():  # heads that start at zero would say nothing
        p.add_(0.02 * torch.randn(p.shape))
    wanted = model(*inputs)
    size = wanted.square().mean().sqrt()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(*inputs)
    assert (half.float() - wanted).square().mean().sqrt() < 0.1 * size
    if inputs[0].ndim == 4:
        model = model.to(memory_format=torch.channels_last)
        last = model(inputs[0].to(memory_format=torch.channels_last), *inputs[1:])
        assert torch.allclose(last, wanted, atol=1e-3 * size.item(), rtol=1e-3)
