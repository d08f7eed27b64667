"""XResNet: ResNet with the tricks that cost little and help much.

Three 3×3 convolutions in place of the stem's 7×7, an average pooling where a skip halves so that
no pixel is skipped, and blocks that start as nothing but their skip (the last normalisation begins
at zero). He et al., "Bag of Tricks for Image Classification with Convolutional Neural Networks"
(2019), sections 3.1 and 4 (ResNet-C and ResNet-D); the name is fastai's. As there, the stem's
channels are 32, 32, 64.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.nn import functional as F

from sprat.models.bodies import check_pictures, choose
from sprat.models.resnet import PRESETS as RESNETS
from sprat.models.resnet import split, stack, stage_depths
from sprat.models.sizes import check_counts
from sprat.shapes import Float, Tensor

PRESETS: dict[str, dict[str, Any]] = {
    f"x{name}": {key: value for key, value in arguments.items() if key != "stem"}
    for name, arguments in RESNETS.items()
}


def conv_norm(
    in_channels: int, out_channels: int, size: int, stride: int = 1, *, relu: bool = True
) -> nn.Sequential:
    """A convolution that keeps the picture's size (or halves it), normalised, with ReLU or not."""
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, out_channels, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
    ]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class XResBlock(nn.Module):
    """A residual block whose skip pools before it projects.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        stride: 2 halves height and width.
        bottleneck: 1×1, 3×3, 1×1 with a quarter of the channels inside, instead of two 3×3.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, *, bottleneck: bool = False
    ) -> None:
        super().__init__()
        if bottleneck:
            inner = out_channels // 4
            layers = [conv_norm(in_channels, inner, 1), conv_norm(inner, inner, 3, stride)]
            last = conv_norm(inner, out_channels, 1, relu=False)
        else:
            layers = [conv_norm(in_channels, out_channels, 3, stride)]
            last = conv_norm(out_channels, out_channels, 3, relu=False)
        self.path = nn.Sequential(*layers, last)
        for module in last:
            if isinstance(module, nn.BatchNorm2d):
                nn.init.zeros_(module.weight)  # the block starts as its skip alone
        pool = [nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []
        project = (
            [conv_norm(in_channels, out_channels, 1, relu=False)]
            if in_channels != out_channels
            else []
        )
        self.skip = nn.Sequential(*pool, *project)  # with nothing in it, what came in

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height2 width2"]:
        """ReLU of the sum of both ways."""
        return F.relu(self.path(x) + self.skip(x))


class XResNet(nn.Module):
    """A stem of three convolutions, a pooling, stages of blocks, the mean over all places, a head.

    Args:
        in_channels: channels of the picture.
        num_outputs: numbers that come out.
        widths: channels of each stage; every stage after the first halves height and width.
        depth: blocks a stage: one number, or one for each.
        bottleneck: use bottleneck blocks, which give four times `widths`.

    Raises:
        TaskError: the numbers make no network.
    """

    def __init__(
        self,
        in_channels: int,
        num_outputs: int,
        *,
        widths: Sequence[int] = (64, 128, 256, 512),
        depth: int | Sequence[int] = 2,
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
            "bottleneck": bottleneck,
        }
        self.stem = nn.Sequential(
            conv_norm(in_channels, 32, 3, 2),
            conv_norm(32, 32, 3),
            conv_norm(32, 64, 3),
            nn.MaxPool2d(3, 2, padding=1),
        )
        out = [4 * width for width in widths] if bottleneck else list(widths)

        def block(before: int, after: int, stride: int) -> nn.Module:
            return XResBlock(before, after, stride, bottleneck=bottleneck)

        self.body = stack(block, 64, out, self._depths)
        self.head = nn.Linear(out[-1], num_outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    @classmethod
    def preset(cls, name: str, in_channels: int, num_outputs: int) -> "XResNet":
        """``"xresnet18"``, ``34``, ``50``, ``101`` or ``152``: depths as in `ResNet.preset`.

        Raises:
            TaskError: there is no such name.
        """
        return cls(in_channels, num_outputs, **choose(name, PRESETS))

    def trunk(self) -> nn.Sequential:
        """All before the head: (B, channels, H, W) to (B, widths[-1], H / 2^(stages+1), …)."""
        return nn.Sequential(self.stem, self.body)

    def groups(self) -> list[nn.Module]:
        """Stem, stages, head: parts that may train at different rates."""
        return [self.stem, *split(self.body, self._depths), self.head]

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch num_outputs"]:
        """Logits."""
        check_pictures(self, x, self.arguments["in_channels"])
        return self.head(self.body(self.stem(x)).mean((2, 3)))
