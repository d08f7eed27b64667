"""A residual network for small pictures.

Each block adds what it computes to what it got, so a deep network starts close to a shallow one;
He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (2016), with the block of
their section 4.2 for small pictures: no pooling in the stem, a stage per entry of `widths`.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.nn import functional as F

from sprat.shapes import Float, Tensor


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
        # The skip has to change shape where the block does.
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.skip = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height2 width2"]:
        """ReLU of the sum of both ways."""
        h = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(h)) + self.skip(x))


class ResNet(nn.Module):
    """A stem, stages of residual blocks, the mean over all places, a linear layer.

    Args:
        in_channels: channels of the picture.
        num_outputs: numbers that come out.
        widths: channels of each stage; every stage after the first halves height and width.
        depth: blocks a stage.
    """

    def __init__(
        self,
        in_channels: int,
        num_outputs: int,
        *,
        widths: Sequence[int] = (16, 32, 64),
        depth: int = 1,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "in_channels": in_channels,
            "num_outputs": num_outputs,
            "widths": list(widths),
            "depth": depth,
        }
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        blocks = []
        before = widths[0]
        for stage, width in enumerate(widths):
            for i in range(depth):
                stride = 2 if stage > 0 and i == 0 else 1
                blocks.append(ResBlock(before, width, stride))
                before = width
        self.body = nn.Sequential(*blocks)
        self.head = nn.Linear(before, num_outputs)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch num_outputs"]:
        """Logits."""
        h = self.body(self.stem(x))  # (B, widths[-1], H / 2^stages, W / 2^stages)
        return self.head(h.mean((2, 3)))
