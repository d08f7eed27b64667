"""Maps: Grad-CAM equals the class activation map where theory says so; hooks never stay."""

from typing import Any

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.errors import DataError, TaskError
from sprat.interpret import class_activation, grad_cam


class Pooled(nn.Module):
    """Convolutions, average pooling, one linear layer: what class activation maps are made for."""

    def __init__(self, num_outputs: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(inplace=True))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(6, num_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.body(x)).flatten(1))


@pytest.fixture
def pooled(task: sp.Task, pictures: sp.Data) -> sp.Learner:
    return sp.Learner(task, (pictures, pictures), model=Pooled(), lr=0.05, device="cpu")


def hooks(model: nn.Module) -> int:
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
        for m in model.modules()
    )


@pytest.mark.parametrize("output", [None, "middle", 2])
def test_the_two_agree_but_for_the_number_of_places(
    pooled: sp.Learner, pictures: sp.Data, output: Any
) -> None:
    cam = class_activation(pooled, pictures[:5], output=output)
    gradient = grad_cam(pooled, pictures[:5], output=output)
    # d(logit)/d(map) = weight / places after average pooling: Selvaraju et al., section 3.
    assert torch.allclose(gradient.values, (cam.values / 81).relu(), atol=1e-6)
    assert gradient.outputs == cam.outputs
    assert hooks(pooled.model) == 0


def test_the_map_sums_to_the_logit(pooled: sp.Learner, pictures: sp.Data) -> None:
    nn.init.zeros_(pooled.model.head.bias)
    cam = class_activation(pooled, pictures[:5], output="top")
    logits, _ = pooled.predictions(pictures[:5])
    assert torch.allclose(cam.values.mean((1, 2)), logits[:, 0], atol=1e-5)


def test_a_trained_network_looks_where_the_picture_differs(
    pooled: sp.Learner, pictures: sp.Data
) -> None:
    # Brightness is in a third of each picture; only there is anything that speaks for a bright one.
    task = sp.Task(sp.Image(channels=1), sp.Label(["dark", "bright"]))
    x = torch.randint(0, 60, (60, 1, 9, 9), dtype=torch.uint8)
    y = torch.arange(60) % 2
    x[y == 1, :, :3, :3] += 180
    learn = sp.Learner(task, (sp.Data(x, y),), model=Pooled(2), lr=0.05, device="cpu")
    learn.fit(20)
    maps = grad_cam(learn, sp.Data(x[y == 1], y[y == 1])[:8], output="bright")
    inside = maps.values[:, :3, :3].mean((1, 2))
    outside = maps.values[:, 4:, 4:].mean((1, 2))
    assert bool((inside > 2 * outside).all())
    assert maps.truths == ("bright",) * 8


@pytest.mark.parametrize(
    "model", [sp.models.LeNet(1, 3, width=4), sp.models.ResNet(1, 3, widths=(4, 8))]
)
def test_grad_cam_takes_any_network_with_feature_maps(
    task: sp.Task, pictures: sp.Data, model: nn.Module
) -> None:
    learn = sp.Learner(task, (pictures,), model=model, device="cpu")
    maps = grad_cam(learn, pictures[:4])
    assert maps.values.shape == (4, 9, 9)
    assert float(maps.values.min()) >= 0
    said = [guess.name for guess in learn.predict(pictures.x[:4])]
    assert list(maps.outputs) == said
    assert hooks(model) == 0
    assert all(p.grad is None for p in model.parameters())


def test_frozen_weights_and_no_grad_do_not_matter(pooled: sp.Learner, pictures: sp.Data) -> None:
    expected = grad_cam(pooled, pictures[:2]).values
    pooled.model.requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(grad_cam(pooled, pictures.x[:2]).values, expected)


def test_masks_labels_and_numbers() -> None:
    x = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    body = nn.Sequential(nn.Conv2d(1, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 2, 1))
    mask = sp.Task(sp.Image(1), sp.Mask(["sky", "tree"]))
    data = sp.Data(x, torch.randint(0, 2, (4, 8, 8)))
    maps = grad_cam(sp.Learner(mask, (data,), model=body, device="cpu"), data, output="tree")
    assert maps.outputs == ("tree",) * 4
    assert float(maps.values.max()) > 0
    labels = sp.Task(sp.Image(1), sp.Labels(["hat", "coat"]))
    several = sp.Data(x, torch.tensor([[1.0, 1], [0, 0], [1, 0], [0, 1]]))
    learn = sp.Learner(labels, (several,), model=Pooled(2), device="cpu")
    assert grad_cam(learn, several).truths == ("hat, coat", "none", "hat", "coat")
    numbers = sp.Task(sp.Image(1), sp.Continuous(1))
    ages = sp.Data(x, torch.randn(4, 1))
    learn = sp.Learner(numbers, (ages,), model=Pooled(1), device="cpu")
    assert class_activation(learn, ages).outputs == ("output 0",) * 4


def test_the_plot_lays_maps_over_pictures_and_names_truth(
    pooled: sp.Learner, pictures: sp.Data
) -> None:
    figure = class_activation(pooled, pictures[:3]).plot(columns=2)
    drawn = [ax for ax in figure.axes if ax.images]
    assert len(drawn) == 3
    assert all(len(ax.images) == 2 for ax in drawn)
    assert drawn[0].get_title().startswith("truth: top\nmap of: ")


def test_mistakes_are_named_and_leave_no_hook(
    pooled: sp.Learner, learn: sp.Learner, pictures: sp.Data
) -> None:
    with pytest.raises(TaskError, match="no such layer"):
        grad_cam(pooled, pictures[:2], layer=nn.Conv2d(1, 1, 1))
    with pytest.raises(TaskError, match="Linear gives no feature maps"):
        grad_cam(pooled, pictures[:2], layer=pooled.model.head)
    with pytest.raises(DataError, match="no output 'left'") as caught:
        grad_cam(pooled, pictures[:2], output="left")
    assert "top, middle, bottom" in caught.value.fix
    with pytest.raises(DataError, match="no output 3"):
        class_activation(pooled, pictures[:2], output=3)
    assert hooks(pooled.model) == 0
    with pytest.raises(TaskError, match="No layer of MLP gives feature maps"):
        grad_cam(learn, pictures[:2])
    lenet = sp.Learner(learn.require_task(), (pictures,), model=sp.models.LeNet(1, 3), device="cpu")
    with pytest.raises(TaskError, match="does not end in average pooling") as caught:
        class_activation(lenet, pictures[:2])
    assert "grad_cam" in caught.value.fix
    assert hooks(lenet.model) == hooks(learn.model) == 0
    table = sp.Task(sp.Continuous(2), sp.Continuous(1))
    data = sp.Data(torch.randn(4, 2), torch.randn(4, 1))
    with pytest.raises(TaskError, match="needs a picture"):
        grad_cam(sp.Learner(table, (data,), model=nn.Linear(2, 1), device="cpu"), data)


def test_a_forward_that_fails_leaves_no_hook(pooled: sp.Learner, pictures: sp.Data) -> None:
    class Broken(Pooled):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            y_hat = super().forward(x)
            if self.calls > 1:
                raise RuntimeError("out of memory, say")
            return y_hat

    broken = Broken()
    learn = sp.Learner(pooled.require_task(), (pictures,), model=broken, device="cpu")
    with pytest.raises(RuntimeError, match="out of memory"):
        grad_cam(learn, pictures[:2])
    assert hooks(broken) == 0
