"""Vision models against independent ones: published counts, and outputs with equal weights.

``references/models_vision.py`` says how the reference values were made.
"""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.errors import TaskError

HERE = Path(__file__).parent / "references"
REFERENCE = json.loads((HERE / "models_vision.json").read_text())
SCRIPT = runpy.run_path(str(HERE / "models_vision.py"))
fill, picture = SCRIPT["fill"], SCRIPT["picture"]


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def unet(*widths: int) -> nn.Module:
    return sp.models.UNet(sp.models.UNetEncoder(3, widths=widths), 1, min_width=8)


PUBLISHED: dict[str, Callable[[], nn.Module]] = {
    **{
        f"resnet{n}": (lambda n=n: sp.models.ResNet.preset(f"resnet{n}", 3, 1000))
        for n in (18, 34, 50)
    },
    **{
        f"xresnet{n}": (lambda n=n: sp.models.XResNet.preset(f"xresnet{n}", 3, 1000))
        for n in (18, 34, 50)
    },
    "vit_tiny": lambda: sp.models.ViT.preset("tiny", 3, 1000),
    "vit_small": lambda: sp.models.ViT.preset("small", 3, 1000),
    "efficientnet_lite0_64x64": lambda: sp.models.EfficientNetLite0(),
    "ddpm": lambda: sp.models.DDPMUNet(
        3, width=128, multipliers=(1, 2, 2, 2), depth=2, attention=(1,)
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_as_many_weights_as_published(name: str) -> None:
    with torch.device("meta"):  # shapes without memory
        model = PUBLISHED[name]()
    assert count(model) == REFERENCE[name]["parameters"]


def test_unet_has_as_many_weights_as_published() -> None:
    assert count(unet(32, 64, 128, 256, 512)) == REFERENCE["unet"]["parameters"] == 7_763_041


def test_the_counts_of_the_papers() -> None:
    """As the papers state them, rounded as there."""
    million = {name: REFERENCE[name]["parameters"] / 1e6 for name in PUBLISHED}
    assert round(million["vit_tiny"]) == 6  # Touvron et al. 2021, table 1, says 5M and 22M
    assert round(million["vit_small"]) == 22
    assert round(million["ddpm"], 1) == 35.7  # Ho et al. 2020, appendix B
    assert round(million["efficientnet_lite0_64x64"], 2) == 4.65  # Liu 2020


RUN: dict[str, tuple[Callable[[], nn.Module], tuple[Any, ...]]] = {
    "resnet18": (PUBLISHED["resnet18"], (picture(),)),
    "resnet50": (PUBLISHED["resnet50"], (picture(),)),
    "xresnet18": (PUBLISHED["xresnet18"], (picture(),)),
    "xresnet50": (PUBLISHED["xresnet50"], (picture(),)),
    "vit_tiny": (lambda: sp.models.ViT.preset("tiny", 3, 1000, size=(64, 64)), (picture(),)),
    "efficientnet_lite0_64x64": (sp.models.EfficientNetLite0, (picture(),)),
    "efficientnet_lite0_75x53": (sp.models.EfficientNetLite0, (picture(3, 75, 53),)),
    "unet": (lambda: unet(8, 16, 32, 64, 128), (picture(),)),
    "ddpm": (PUBLISHED["ddpm"], (picture(3, 16, 16), torch.tensor([3, 500]))),
}


@pytest.mark.parametrize("name", RUN)
@torch.no_grad()
def test_gives_what_an_independent_network_gives(name: str) -> None:
    make, inputs = RUN[name]
    wanted = REFERENCE[name]
    out = fill(make())(*inputs)[1].flatten()
    found = out[torch.linspace(0, len(out) - 1, 8).long()]
    size = wanted["size"]
    assert out.square().mean().sqrt().item() == pytest.approx(size, rel=1e-4)
    assert torch.allclose(found, torch.tensor(wanted["outputs"]), rtol=1e-3, atol=1e-3 * size)


# -- EfficientNet-lite0 and its published weights


def published_like() -> dict[str, torch.Tensor]:
    """Tensors with the names and shapes of the published file, filled with noise."""
    state: dict[str, torch.Tensor] = {}
    for k, (name, shape) in enumerate(REFERENCE["published_shapes"].items()):
        sizes = [int(n) for n in shape.split("x") if n]
        whole = torch.tensor(k) if not sizes else SCRIPT["noise"](torch.Size(sizes).numel(), k)
        state[name] = whole.reshape(sizes).float() if sizes else whole
    return state


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "lite0.pth"
    torch.save(published_like(), path)
    return path


def test_every_published_tensor_finds_its_place(weights_file: Path) -> None:
    model = sp.models.EfficientNetLite0(pretrained=weights_file)
    # The published file lists its tensors in the order in which a picture meets them, as we do.
    for (_, wanted), (name, value) in zip(
        published_like().items(), model.state_dict().items(), strict=True
    ):
        assert torch.equal(value, wanted), name


def test_another_number_of_outputs_gets_a_new_head(weights_file: Path) -> None:
    model = sp.models.EfficientNetLite0(3, 7, pretrained=weights_file)
    assert model(torch.rand(2, 3, 33, 40)).shape == (2, 7)
    assert torch.equal(model.stem[0].weight, published_like()["_conv_stem.weight"])
    assert model.arguments["pretrained"] is False  # a saved model needs no file


def test_grey_pictures_are_colour_ones_with_equal_channels(weights_file: Path) -> None:
    grey = sp.models.EfficientNetLite0(1, 7, pretrained=weights_file)
    colour = sp.models.EfficientNetLite0(3, 7, pretrained=weights_file)
    x = torch.rand(2, 1, 20, 20)
    assert torch.allclose(grey.stem[0](x), colour.stem[0](x.expand(-1, 3, -1, -1)), atol=1e-5)
    with pytest.raises(TaskError, match="not for 4 channels"):
        sp.models.EfficientNetLite0(4, 7, pretrained=weights_file)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with pytest.raises(TaskError, match="is missing"):
        sp.models.EfficientNetLite0(pretrained=path)
    path.write_bytes(b"no weights")
    with pytest.raises(TaskError, match="no file of weights"):
        sp.models.EfficientNetLite0(pretrained=path)
    torch.save([1, 2], path)
    with pytest.raises(TaskError, match="no dict of tensors"):
        sp.models.EfficientNetLite0(pretrained=path)
    torch.save({"layer1.weight": torch.zeros(1)}, path)
    with pytest.raises(TaskError, match=r"'layer1\.weight', which EfficientNet-lite0 has not"):
        sp.models.EfficientNetLite0(pretrained=path)
    state = published_like()
    torch.save({name: state[name] for name in list(state)[:-1]}, path)
    with pytest.raises(TaskError, match=r"lacks head\.bias"):
        sp.models.EfficientNetLite0(pretrained=path)
    torch.save(state | {"_conv_stem.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(TaskError, match=r"other shapes: stem\.0\.weight"):
        sp.models.EfficientNetLite0(pretrained=path)


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("run-by-loading"),))


def test_loading_weights_runs_nothing_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"_conv_stem.weight": Evil()}, "evil.pth")
    with pytest.raises(TaskError, match="no file of weights"):
        sp.models.EfficientNetLite0(pretrained="evil.pth")
    assert not Path("run-by-loading").exists()
