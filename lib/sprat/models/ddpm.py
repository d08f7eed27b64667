"""The U-Net of diffusion models: a noisy picture and how noisy it is, to the noise in it.

A convolutional U-Net whose residual blocks are told the time step, with attention where the
picture is small enough for every place to look at every other one. Ho, Jain and Abbeel,
"Denoising Diffusion Probabilistic Models" (2020), appendix B; its CIFAR-10 network is
``DDPMUNet(3, width=128, multipliers=(1, 2, 2, 2), depth=2, attention=(1,))``. The same network
serves DDIM (Song, Meng and Ermon, 2021), which only samples otherwise. The noise schedule, the
training step and both samplers stand in `sprat.diffusion`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.models.bodies import check_pictures
from sprat.models.sizes import check_counts, check_lists
from sprat.shapes import Float, Int, Tensor


def time_features(t: Int[Tensor, " batch"], width: int) -> Float[Tensor, "batch width"]:
    """Time steps as sines and cosines of falling frequencies, 1 down to 1/10000.

    Args:
        t: steps, whole numbers from 0.
        width: numbers for each, even and at least 4.
    """
    half = width // 2
    decay = math.log(10_000) / (half - 1)
    frequencies = torch.exp(-decay * torch.arange(half, device=t.device, dtype=torch.float32))
    angles = t.float()[:, None] * frequencies  # (B, half)
    return torch.cat([angles.sin(), angles.cos()], 1)


def _norm(channels: int) -> nn.GroupNorm:
    """32 groups as in the paper, or fewer in a smaller network: each has 4 channels at least.

    In a group of one channel, normalising would take away just what the time has added to it.
    """
    return nn.GroupNorm(math.gcd(32, channels // 4), channels, eps=1e-6)


class TimedResBlock(nn.Module):
    """Two normalised convolutions beside a skip, with the time added between them.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        time_width: numbers in the embedding of the time.
        dropout: share of numbers that are set to zero before the second convolution in training.
    """

    def __init__(
        self, in_channels: int, out_channels: int, time_width: int, dropout: float
    ) -> None:
        super().__init__()
        self.norm1 = _norm(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time = nn.Linear(time_width, out_channels)
        self.norm2 = _norm(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)  # the block starts as its skip alone
        self.skip: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.skip = nn.Conv2d(in_channels, out_channels, 1)

    def forward(
        self,
        x: Float[Tensor, "batch in_channels height width"],
        time: Float[Tensor, "batch time_width"],
    ) -> Float[Tensor, "batch out_channels height width"]:
        """The time shifts every channel, the same at every place."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time(F.silu(time))[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return self.skip(x) + h


class PlaceAttention(nn.Module):
    """Every place of a feature map looks at every other one; one head, beside a skip.

    Args:
        channels: channels that come in and go out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """softmax(q kᵀ / √channels) v over places, added to `x`."""
        qkv = self.qkv(self.norm(x)).flatten(2).transpose(1, 2)  # (B, places, 3 channels)
        q, k, v = qkv.chunk(3, -1)
        h = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(h.transpose(1, 2).reshape(x.shape))


class Step(nn.Module):
    """A residual block, and attention after it where there is some.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        time_width: numbers in the embedding of the time.
        dropout: for the residual block.
        attention: whether there is attention.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        time_width: int,
        *,
        dropout: float,
        attention: bool,
    ) -> None:
        super().__init__()
        self.block = TimedResBlock(in_channels, out_channels, time_width, dropout)
        self.attention = PlaceAttention(out_channels) if attention else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "batch in_channels height width"],
        time: Float[Tensor, "batch time_width"],
    ) -> Float[Tensor, "batch out_channels height width"]:
        """Features of the same size."""
        return self.attention(self.block(x, time))


class Halve(nn.Module):
    """A convolution with a stride of 2; what it lacks is padded below and to the right.

    Args:
        channels: channels that come in and go out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height2 width2"]:
        """⌊H / 2⌋ × ⌊W / 2⌋ places."""
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class DDPMUNet(nn.Module):
    """Noisy pictures and their time steps to the noise in them.

    Args:
        in_channels: channels of the picture, and of the noise.
        width: channels at full size; a multiple of 4.
        multipliers: channels at each size, as multiples of `width`; one halving between sizes.
        depth: residual blocks at each size on the way down; on the way up there is one more.
        attention: at which sizes there is attention: 0 is the full one, 1 the half one, and so on.
        dropout: share of numbers that are set to zero inside the blocks while training.
        num_classes: how many classes a picture can be asked for, or None where it can't.

    Raises:
        TaskError: the numbers make no network.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        width: int = 32,
        multipliers: Sequence[int] = (1, 2, 2),
        depth: int = 1,
        attention: Sequence[int] = (2,),
        dropout: float = 0.0,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        check_counts(self, in_channels=in_channels, width=width, depth=depth)
        check_lists(self, multipliers=multipliers)
        if num_classes is not None:
            check_counts(self, num_classes=num_classes)
        _check_plan(width, multipliers, attention)
        self.arguments: dict[str, Any] = {
            "in_channels": in_channels,
            "width": width,
            "multipliers": list(multipliers),
            "depth": depth,
            "attention": list(attention),
            "dropout": dropout,
            "num_classes": num_classes,
        }
        time_width = 4 * width
        self.time = nn.Sequential(
            nn.Linear(width, time_width), nn.SiLU(), nn.Linear(time_width, time_width)
        )
        # One row more than there are classes: the last one stands for "any".
        self.classes = None if num_classes is None else nn.Embedding(num_classes + 1, time_width)
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)

        def step(before: int, after: int, level: int) -> Step:
            looks = level in attention
            return Step(before, after, time_width, dropout=dropout, attention=looks)

        self.down, up, deepest = _ways(step, width, multipliers, depth)
        self.middle = nn.ModuleList(
            Step(deepest, deepest, time_width, dropout=dropout, attention=looks)
            for looks in (True, False)
        )
        self.up = up
        top = multipliers[0] * width
        last_conv = nn.Conv2d(top, in_channels, 3, padding=1)
        for p in last_conv.parameters():
            nn.init.zeros_(p)  # the first guess is: no noise
        self.head = nn.Sequential(_norm(top), nn.SiLU(), last_conv)

    def groups(self) -> list[nn.Module]:
        """Time, way down, middle, way up, head: parts that may train at different rates."""
        told = [self.time] if self.classes is None else [self.time, self.classes]
        return [nn.ModuleList([*told, self.first]), self.down, self.middle, self.up, self.head]

    def forward(
        self,
        x: Float[Tensor, "batch in_channels height width"],
        t: Int[Tensor, " batch"],
        y: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch in_channels height width"]:
        """The noise in each picture.

        Args:
            x: pictures with noise in them.
            t: the time step of each, a whole number from 0.
            y: the class of each; without it, of any class. −1 means any class too, so that a
                training step can hide some (classifier-free guidance, Ho and Salimans 2022).

        Raises:
            TaskError: other channels, too small a picture, or classes where there are none.
        """
        self._check(x, t, y)
        time = self.time(time_features(t, self.arguments["width"]).to(x.dtype))
        if self.classes is not None:
            any_class = self.classes.num_embeddings - 1
            wanted = torch.full_like(t, any_class) if y is None else y
            time = time + self.classes(torch.where(wanted < 0, any_class, wanted))
        h = self.first(x)
        seen = [h]
        for part in self.down:
            h = part(h, time) if isinstance(part, Step) else part(h)
            seen.append(h)
        for part in self.middle:
            h = part(h, time)
        for part in self.up:
            if isinstance(part, Step):
                h = part(torch.cat([h, seen.pop()], 1), time)
            else:  # the next skip says how large: odd sizes do not come back by doubling
                h = part(F.interpolate(h, size=seen[-1].shape[2:]))
        return self.head(h)

    def _check(self, x: Tensor, t: Tensor, y: Tensor | None) -> None:
        check_pictures(self, x, self.arguments["in_channels"])
        least = 2 ** (len(self.arguments["multipliers"]) - 1)
        if min(x.shape[2:]) < least:
            raise TaskError(
                f"DDPMUNet got pictures of {tuple(x.shape[2:])} pixels; it halves them to nothing.",
                fix=f"give at least {least} × {least} pixels, or fewer multipliers",
            )
        if t.shape != x.shape[:1]:
            raise TaskError(
                f"DDPMUNet got {len(x)} pictures and time steps of shape {tuple(t.shape)}.",
                fix="give one step a picture: t of shape (batch,)",
            )
        if y is not None and self.classes is None:
            raise TaskError(
                "DDPMUNet got classes, but it was built without.", fix="build it with num_classes="
            )


def _ways(
    step: Callable[[int, int, int], Step], width: int, multipliers: Sequence[int], depth: int
) -> tuple[nn.ModuleList, nn.ModuleList, int]:
    """The way down and the way up, whose blocks are shown, last first, all that the way down gave.

    Args:
        step: makes a block from (channels in, channels out, number of the size).
        width: channels that the first convolution gives.
        multipliers: channels at each size, as multiples of `width`.
        depth: blocks at each size on the way down.

    Returns:
        Both ways, and the channels at the smallest size.
    """
    down, up = nn.ModuleList(), nn.ModuleList()
    seen, before = [width], width  # channels of everything that the way up will be shown
    for level, multiplier in enumerate(multipliers):
        for _ in range(depth):
            down.append(step(before, multiplier * width, level))
            before = multiplier * width
            seen.append(before)
        if level < len(multipliers) - 1:
            down.append(Halve(before))
            seen.append(before)
    deepest = before
    for level in reversed(range(len(multipliers))):
        for _ in range(depth + 1):
            up.append(step(before + seen.pop(), multipliers[level] * width, level))
            before = multipliers[level] * width
        if level:
            up.append(nn.Conv2d(before, before, 3, padding=1))
    return down, up, deepest


def _check_plan(width: int, multipliers: Sequence[int], attention: Sequence[int]) -> None:
    """Refuse a width that makes no groups, and attention at sizes that there are not."""
    if width % 4:
        raise TaskError(
            f"DDPMUNet got width={width!r}; a multiple of 4 was expected.",
            fix="give width=32, say: channels are normalised in groups of 4 or more",
        )
    wrong = [level for level in attention if not 0 <= level < len(multipliers)]
    if wrong:
        raise TaskError(
            f"There is no size {wrong[0]}: {len(multipliers)} multipliers make the sizes 0 to "
            f"{len(multipliers) - 1}.",
            fix=f"give attention=({len(multipliers) - 1},), the smallest one, or ()",
        )
