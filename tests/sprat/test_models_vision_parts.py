"""Vision models: how they come apart, what is made from their parts, what they refuse."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import sprat as sp
from sprat.errors import SpratError, TaskError
from sprat.models import bodies, sizes
from sprat.models.ddpm import DDPMUNet
from sprat.models.efficientnet import EfficientNetLite0, InvertedBottleneck, StochasticDepth
from sprat.models.siamese import Siamese
from sprat.models.unet import UNet, UNetEncoder, cut

SMALL: dict[str, Callable[[], nn.Module]] = {
    "LeNet": lambda: sp.models.LeNet(3, 4, width=4),
    "ResNet": lambda: sp.models.ResNet(3, 4, widths=(4, 8)),
    "bottleneck ResNet": lambda: sp.models.ResNet(
        3, 4, widths=(4, 8), depth=(1, 2), stem="large", bottleneck=True
    ),
    "XResNet": lambda: sp.models.XResNet(3, 4, widths=(8, 16), depth=1),
    "bottleneck XResNet": lambda: sp.models.XResNet(3, 4, widths=(4, 8), depth=1, bottleneck=True),
    "EfficientNetLite0": lambda: sp.models.EfficientNetLite0(3, 4),
    "ViT": lambda: sp.models.ViT(3, 4, size=(20, 24), depth=2, width=16),
    "UNetEncoder": lambda: UNetEncoder(3, widths=(4, 8)),
    "UNet": lambda: UNet(sp.models.ResNet(3, 4, widths=(4, 8)), 5),
    "UNet with a strided stem": lambda: UNet(sp.models.XResNet(3, 4, widths=(8,), depth=1), 5),
    "Siamese": lambda: Siamese(sp.models.LeNet(3, 4, width=4), 6),
    "DDPMUNet": lambda: DDPMUNet(3, width=8, num_classes=3),
}
BODIES = [
    name
    for name in SMALL
    if not name.startswith(("ViT", "UNet ", "Siamese", "DDPMUNet")) and name != "UNet"
]


def inputs(name: str) -> tuple[Any, ...]:
    x = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(5))
    if name == "Siamese":
        return ((x, x.flip(0)),)
    return (x, torch.tensor([0, 7])) if name == "DDPMUNet" else (x,)


@pytest.mark.parametrize("name", SMALL)
def test_groups_hold_every_weight_once(name: str) -> None:
    model = SMALL[name]()
    listed = [id(p) for part in model.groups() for p in part.parameters()]
    assert len(model.groups()) >= 2
    assert sorted(listed) == sorted(id(p) for p in model.parameters())
    assert all(any(True for _ in part.parameters()) for part in model.groups())


@pytest.mark.parametrize("name", SMALL)
def test_a_model_learns_with_all_its_weights(name: str) -> None:
    model = SMALL[name]()
    for p in model.parameters():  # what starts at zero would hide what lies before it
        p.data += 0.01 * torch.randn(p.shape)
    model(*inputs(name)).square().mean().backward()
    if name == "DDPMUNet":
        assert model.classes.weight.grad[-1].abs().sum() > 0  # asked for no class, it took "any"
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_a_model_is_built_again_from_its_arguments(name: str) -> None:
    model = SMALL[name]()
    again = type(model)(**model.arguments)
    again.load_state_dict(model.state_dict())
    model.eval(), again.eval()
    assert torch.equal(again(*inputs(name)), model(*inputs(name)))
    assert again.arguments == model.arguments


@pytest.mark.parametrize("name", ["UNet", "Siamese"])
def test_a_model_with_a_body_is_saved_and_loaded(name: str, tmp_path: Path) -> None:
    model = SMALL[name]()
    learn = sp.Learner(
        model, [(torch.zeros(2, 3, 8, 8), torch.zeros(2))], loss=F.mse_loss, device="cpu"
    )
    loaded = sp.load(learn.export(tmp_path / "model")).model
    assert torch.equal(loaded(*inputs(name)), model.eval()(*inputs(name)))


@pytest.mark.parametrize("name", BODIES)
def test_a_trunk_gives_feature_maps_with_the_models_own_layers(name: str) -> None:
    model = SMALL[name]()
    body = bodies.trunk(model)
    assert isinstance(body, nn.Sequential)
    assert body(torch.rand(2, 3, 32, 32)).ndim == 4
    assert {id(p) for p in body.parameters()} <= {id(p) for p in model.parameters()}


# -- U-Net


@pytest.mark.parametrize("name", BODIES)
def test_a_unet_is_made_from_any_body_and_keeps_the_size(name: str) -> None:
    model = UNet(SMALL[name](), 5).eval()
    for size in ((32, 32), (28, 28), (33, 47), (50, 31)):
        assert model(torch.rand(2, 3, *size)).shape == (2, 5, *size)


def test_a_unet_paints_with_the_body_that_it_was_given() -> None:
    body = sp.models.ResNet(3, 4, widths=(4, 8))
    mine = {id(p) for p in body.trunk().parameters()}
    assert mine < {id(p) for p in UNet(body, 2).parameters()}


def test_a_body_is_cut_where_it_halves() -> None:
    stages, widths = cut(sp.models.ResNet(1, 2, widths=(4, 8, 16), depth=2).trunk(), 1, (32, 32))
    assert widths == [4, 8, 16]
    x = torch.rand(2, 1, 32, 32)
    for stage, size in zip(stages, (32, 16, 8), strict=True):
        x = stage(x)
        assert x.shape[2:] == (size, size)
    # The strided stem leaves nothing but the picture at full size.
    assert cut(bodies.trunk(sp.models.EfficientNetLite0()), 3, (64, 64))[1] == [
        3, 16, 24, 40, 112, 320,
    ]  # fmt: skip


def test_the_rates_of_stochastic_depth_grow_evenly_and_bring_no_weights() -> None:
    def rates(model: nn.Module) -> list[float]:
        return [part.rate for part in model.modules() if isinstance(part, StochasticDepth)]

    model, without = EfficientNetLite0(3, 4), EfficientNetLite0(3, 4, drop_connect=0)
    assert rates(model) == pytest.approx([0.2 * i / 16 for i in range(16)])
    assert rates(without) == [0] * 16
    assert model.arguments["drop_connect"] == 0.2
    without.load_state_dict(model.state_dict())
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(model.eval()(x), without.eval()(x))  # it is for training alone


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean(dtype: torch.dtype) -> None:
    depth, x = StochasticDepth(0.25), torch.rand(4000, 2, 3, 1).to(dtype) + 1
    torch.manual_seed(3)
    out = depth(x)
    torch.manual_seed(3)
    assert torch.equal(out, depth(x))
    assert out.dtype == dtype
    kept = out.flatten(1).any(1)
    torch.testing.assert_close(out[kept], x[kept] / 0.75, rtol=1e-2, atol=0)
    assert not out[~kept].any()
    assert float((~kept).float().mean()) == pytest.approx(0.25, abs=0.03)  # over four sigma
    assert depth.eval()(x) is x


def test_a_dropped_sample_goes_past_the_block() -> None:
    block = InvertedBottleneck(4, 4, kernel=3, stride=1, expand=2, drop=0.5)
    x = torch.rand(64, 4, 5, 5, requires_grad=True)
    out = block(x)
    past = (out == x).flatten(1).all(1)
    assert 12 < int(past.sum()) < 52
    inner = block.project(block.depthwise(block.expand(x)))
    torch.testing.assert_close(out[~past], (x + inner / 0.5)[~past])
    narrower = InvertedBottleneck(4, 6, kernel=3, stride=1, expand=2, drop=0.99)
    assert narrower(x).flatten(1).any(1).all()  # what has no skip cannot be left out


class Plain(nn.Module):
    """A body of someone else's, whose layers run one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(1, 4, 5)  # without padding: an edge is lost
        self.down = nn.MaxPool2d(2)
        self.b = nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.down(self.a(x)))


class Crossed(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2


def test_a_body_of_someone_else_is_cut_where_its_layers_allow_it() -> None:
    model = UNet(Plain(), 2).eval()
    assert [up.enlarge.in_channels for up in model.decoder] == [6, 16]
    assert model(torch.rand(1, 1, 29, 30)).shape == (1, 2, 29, 30)
    assert model.arguments is None  # nobody can build it again from a config
    with pytest.raises(TaskError, match="Crossed halves more than once"):
        UNet(Crossed(), 2)


def test_finding_the_cuts_changes_nothing_in_the_body() -> None:
    body = sp.models.ResNet(3, 4, widths=(4, 8))
    body.body[0].eval()
    before = {name: value.clone() for name, value in body.state_dict().items()}
    modes = [module.training for module in body.modules()]
    UNet(body, 2)
    Siamese(body)
    assert all(torch.equal(value, before[name]) for name, value in body.state_dict().items())
    assert [module.training for module in body.modules()] == modes


def test_a_unet_learns_to_paint() -> None:
    torch.manual_seed(0)
    y = torch.zeros(8, 17, 19, dtype=torch.int64)
    for i in range(8):
        y[i, i : i + 8, 2 * i : 2 * i + 5] = 1
    x = y[:, None].float() + 0.3 * torch.randn(8, 1, 17, 19)
    model = UNet(UNetEncoder(1, widths=(8, 16)), 2)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(25):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    right = (model(x).argmax(1) == y).float().mean()
    assert right > 0.98 > (y == 0).float().mean()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (nn.Conv2d(3, 4, 3, padding=1), "never makes its picture smaller"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Flatten()), r"gives \(1, \d+\); feature maps"),
        (nn.Sequential(nn.ReLU()), "no convolution that says how many channels"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Conv2d(5, 4, 3, 2)), "can't take a mock picture"),
        ({"name": "Nothing", "arguments": {}}, "describes no model"),
    ],
)
def test_bodies_that_make_no_unet(body: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        UNet(body, 2)


def test_a_vit_has_no_places_to_paint() -> None:
    with pytest.raises(TaskError, match="feature maps"):
        UNet(sp.models.ViT(3, 4, size=(64, 64)), 2)


# -- what each refuses


@pytest.mark.parametrize("name", [n for n in SMALL if n not in ("LeNet", "Siamese")])
def test_other_channels_are_refused_by_name(name: str) -> None:
    x, *more = inputs(name)
    with pytest.raises(TaskError, match=r"1 channels\s+instead of 3") as caught:
        SMALL[name]()(x[:, :1], *more)
    assert "in_channels=1" in caught.value.fix


def test_channels_last_is_named() -> None:
    with pytest.raises(TaskError, match="permute"):
        SMALL["ResNet"]()(torch.rand(2, 20, 24, 3))


def test_pictures_are_floats_with_four_axes() -> None:
    with pytest.raises(TaskError, match=r"torch\.uint8; a float"):
        bodies.check_pictures(nn.Identity(), torch.zeros(1, 3, 4, 4, dtype=torch.uint8), 3)
    with pytest.raises(TaskError, match=r"x\[None\]"):
        bodies.check_pictures(nn.Identity(), torch.zeros(3, 4, 4), 3)


MISTAKES: list[tuple[Callable[[], Any], str]] = [
    (lambda: sp.models.ResNet(0, 2), "in_channels=0"),
    (lambda: sp.models.ResNet(1, 2, widths=()), "widths=(); a list of numbers"),
    (lambda: sp.models.ResNet(1, 2, depth=(1, 2)), "depth=[1, 2]; 3 numbers were"),
    (lambda: sp.models.ResNet(1, 2, depth=0), "depth[0]=0; a whole number of at least 1"),
    (lambda: sp.models.ResNet(1, 2, stem="huge"), "no stem 'huge'"),
    (lambda: sp.models.ResNet.preset("resnet19", 3, 2), "no preset 'resnet19'"),
    (lambda: sp.models.XResNet(3, 0), "num_outputs=0"),
    (lambda: EfficientNetLite0(3, 2, drop_connect=1), "drop_connect=1; a share from 0"),
    (lambda: EfficientNetLite0(3, 2, dropout=-0.1), "dropout=-0.1; a share from 0"),
    (lambda: sp.models.XResNet.preset("resnet18", 3, 2), "no preset"),
    (lambda: sizes.check_lists(nn.ReLU(), length=2, size=28), "size=28; 2 numbers were"),
    (lambda: sizes.check_lists(nn.ReLU(), widths="16"), "widths='16'; a list of numbers"),
    (lambda: DDPMUNet(1, multipliers=(1, 0)), "multipliers[1]=0"),
    (lambda: DDPMUNet(1, num_classes=0), "num_classes=0"),
    (lambda: sp.models.ViT(3, 2, size=(30, 32)), r"30×32 pixels can't be cut into patches of 4"),
    (lambda: sp.models.ViT(3, 2, width=30), "30 can't be shared by 4 heads"),
    (lambda: sp.models.ViT(3, 2)(torch.rand(1, 3, 32, 32)), "size=(32, 32)"),
    (lambda: sp.models.ViT.preset("huge", 3, 2), "choose one of tiny, small, base"),
    (lambda: DDPMUNet(1, width=7), "a multiple of 4"),
    (lambda: DDPMUNet(1, attention=(3,)), "There is no size 3"),
    (lambda: DDPMUNet(1)(torch.rand(1, 1, 3, 3), torch.tensor([1])), "at least 4 × 4"),
    (lambda: DDPMUNet(1)(torch.rand(1, 1, 8, 8), torch.tensor([1]), torch.tensor([0])), "classes"),
    (lambda: UNetEncoder(3, widths=()), "widths=()"),
    (lambda: Siamese(nn.Flatten()), "no convolution"),
    (lambda: Siamese(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(2))), "feature maps were"),
    (lambda: SMALL["Siamese"]()((torch.rand(2, 3, 8, 8), torch.rand(3, 3, 8, 8))), "same shape"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_mistakes_are_named_with_their_fix(mistake: Callable[[], Any], message: str) -> None:
    with pytest.raises(SpratError) as caught:
        mistake()
    assert message in str(caught.value)
    assert caught.value.fix
