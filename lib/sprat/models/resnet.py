"""Residual networks, from small ones for small pictures to ResNet-18, 34, 50, 101 and 152.

Each block adds what it computes to what it got, so a deep network starts close to a shallow one;
He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (2016). By default the form
of their section 4.2 for small pictures: no pooling in the stem, a stage per entry of `widths`.
`ResNet.preset("resnet50", …)` gives the forms of their table 1.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.models.bodies import check_pictures, choose
from sprat.models.sizes import check_counts, check_lists
from sprat.shapes import Float, Tensor

_DEEP = {"widths": (64, 128, 256, 512), "stem": "large"}
PRESETS: dict[str, dict[str, Any]] = {
    "resnet18": {**_DEEP, "depth": (2, 2, 2, 2)},
    "resnet34": {**_DEEP, "depth": (3, 4, 6, 3)},
    "resnet50": {**_DEEP, "depth": (3, 4, 6, 3), "bottleneck": True},
    "resnet101": {**_DEEP, "depth": (3, 4, 23, 3), "bottleneck": True},
    "resnet152": {**_DEEP, "depth": (3, 8, 36, 3), "bottleneck": True},
}


class ResBlock(nn.Module):
    """Two 3×3 convolutions beside a skip.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        stride: 2 halves height and width.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.skip = _skip(in_channels, out_channels, stride)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height2 width2"]:
        """ReLU of the sum of both ways."""
        h = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(h)) + self.skip(x))


class Bottleneck(nn.Module):
    """1×1 down to few channels, 3×3, 1×1 up again, beside a skip: a block for deep networks.

    The 3×3 convolution does the halving, as in all published weights, rather than the first one.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out; inside there are a quarter of them.
        stride: 2 halves height and width.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        inner = out_channels // 4
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels)
        self.skip = _skip(in_channels, out_channels, stride)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height2 width2"]:
        """ReLU of the sum of both ways."""
        h = F.relu(self.norm1(self.conv1(x)))
        h = F.relu(self.norm2(self.conv2(h)))
        return F.relu(self.norm3(self.conv3(h)) + self.skip(x))


def _skip(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The way past a block, which has to change shape where the block does."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


def stack(
    block: Callable[[int, int, int], nn.Module],
    before: int,
    widths: Sequence[int],
    depths: Sequence[int],
) -> nn.Sequential:
    """Stages of blocks, one after the other; every stage but the first begins with a stride of 2.

    Args:
        block: makes one from (channels in, channels out, stride).
        before: channels that come in.
        widths: channels that each stage gives.
        depths: blocks in each stage.
    """
    layers = []
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        for i in range(depth):
            layers.append(block(before, width, 2 if stage > 0 and i == 0 else 1))
            before = width
    return nn.Sequential(*layers)


def stage_depths(model: nn.Module, widths: Sequence[int], depth: int | Sequence[int]) -> list[int]:
    """Blocks in each stage, from one number for all or a number for each.

    Raises:
        TaskError: widths or depths are no whole numbers, or not as many as each other.
    """
    check_lists(model, widths=widths)
    depths = list(depth) if isinstance(depth, Sequence) else [depth] * len(widths)
    check_lists(model, length=len(widths), depth=depths)
    return depths


class ResNet(nn.Module):
    """A stem, stages of residual blocks, the mean over all places, a linear layer.

    Args:
        in_channels: channels of the picture.
        num_outputs: numbers that come out.
        widths: channels of each stage; every stage after the first halves height and width.
        depth: blocks a stage: one number, or one for each.
        stem: ``"small"``, a 3×3 convolution, or ``"large"``, a 7×7 one and a pooling, which
            together make height and width four times smaller.
        bottleneck: use `Bottleneck` blocks, which give four times `widths`.

    Raises:
        TaskError: the numbers make no network.
    """

    def __init__(
        self,
        in_channels: int,
        num_outputs: int,
        *,
        widths: Sequence[int] = (16, 32, 64),
        depth: int | Sequence[int] = 1,
        stem: str = "small",
        bottleneck: bool = False,
    ) -> None:
        super().__init__()
        check_counts(self, in_channels=in_channels, num_outputs=num_outputs)
        self._depths = stage_depths(self, widths, depth)
        self.arguments: dict[str, Any] = {
            "in_channels": in_channels,
            "num_outputs": num_outputs,
            "widths": list(widths),
            "depth": depth if isinstance(depth, int) else list(depth),
            "stem": stem,
            "bottleneck": bottleneck,
        }
        self.stem = _stem(stem, in_channels, widths[0])
        out = [4 * width for width in widths] if bottleneck else list(widths)
        self.body = stack(Bottleneck if bottleneck else ResBlock, widths[0], out, self._depths)
        self.head = nn.Linear(out[-1], num_outputs)

    @classmethod
    def preset(cls, name: str, in_channels: int, num_outputs: int) -> "ResNet":
        """A network of the paper's table 1: ``"resnet18"``, ``34``, ``50``, ``101``, ``152``.

        Raises:
            TaskError: there is no such name.
        """
        return cls(in_channels, num_outputs, **choose(name, PRESETS))

    def trunk(self) -> nn.Sequential:
        """All before the head: (B, channels, H, W) to (B, widths[-1], H / 2^stages, …)."""
        return nn.Sequential(self.stem, self.body)

    def groups(self) -> list[nn.Module]:
        """Stem, stages, head: parts that may train at different rates."""
        return [self.stem, *split(self.body, self._depths), self.head]

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch num_outputs"]:
        """Logits."""
        check_pictures(self, x, self.arguments["in_channels"])
        h = self.body(self.stem(x))  # (B, widths[-1], H / 2^stages, W / 2^stages)
        return self.head(h.mean((2, 3)))


def _stem(kind: str, in_channels: int, width: int) -> nn.Sequential:
    """The first layers, which turn colours into features."""
    if kind not in ("small", "large"):
        raise TaskError(f"There is no stem {kind!r}.", fix='choose "small" or "large"')
    size = 3 if kind == "small" else 7
    stride = 1 if kind == "small" else 2
    layers = [
        nn.Conv2d(in_channels, width, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    return nn.Sequential(*layers, *([nn.MaxPool2d(3, 2, padding=1)] if kind == "large" else []))


def split(body: nn.Sequential, lengths: Sequence[int]) -> list[nn.Module]:
    """A sequence of layers cut into parts of these lengths; the layers are shared, not copied."""
    layers, parts = list(body), []
    for length in lengths:
        parts.append(nn.Sequential(*layers[:length]))
        layers = layers[length:]
    return list(parts)
