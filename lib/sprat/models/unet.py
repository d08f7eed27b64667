"""A U-Net: a body sees ever more in ever fewer places, a decoder paints it back at full size.

At each size on the way up, the decoder also gets what the body had at that size on the way down,
so that edges stay where they are. Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks
for Biomedical Image Segmentation" (2015). The body may be any network: it is cut wherever it makes
its picture smaller, which is found by sending a mock picture through it. With `UNetEncoder` as the
body, it is the network of the paper, with padding (so the output is as large as the input) and
with batch normalisation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.models.bodies import check_pictures, first_channels, mocking, part, trunk
from sprat.models.sizes import check_counts, check_lists
from sprat.shapes import Float, Tensor


class DoubleConv(nn.Sequential):
    """Two 3×3 convolutions, each normalised and with ReLU.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )


class UNetEncoder(nn.Module):
    """The body of the paper: two convolutions at each size, a pooling between sizes.

    Args:
        in_channels: channels of the picture.
        widths: channels at each size, from the full one down.

    Raises:
        TaskError: the numbers make no network.
    """

    def __init__(self, in_channels: int, *, widths: Sequence[int] = (16, 32, 64, 128)) -> None:
        super().__init__()
        check_counts(self, in_channels=in_channels)
        check_lists(self, widths=widths)
        self.arguments: dict[str, Any] = {"in_channels": in_channels, "widths": list(widths)}
        layers: list[nn.Module] = []
        before = in_channels
        for i, width in enumerate(widths):
            layers += [nn.MaxPool2d(2)] if i else []
            layers.append(DoubleConv(before, width))
            before = width
        self.layers = nn.Sequential(*layers)

    def trunk(self) -> nn.Sequential:
        """All of it: there is no head."""
        return self.layers

    def groups(self) -> list[nn.Module]:
        """The convolutions of each size: parts that may train at different rates."""
        return [layer for layer in self.layers if isinstance(layer, DoubleConv)]

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch features height2 width2"]:
        """Features of the smallest size."""
        check_pictures(self, x, self.arguments["in_channels"])
        return self.layers(x)


class Up(nn.Module):
    """One step up: enlarge, put what the body had at this size beside it, convolve twice.

    Args:
        in_channels: channels that come from below.
        skip_channels: channels of the body at this size.
        out_channels: channels that go out.
    """

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv = DoubleConv(out_channels + skip_channels, out_channels)

    def forward(
        self,
        h: Float[Tensor, "batch in_channels height width"],
        skip: Float[Tensor, "batch skip_channels height2 width2"],
    ) -> Float[Tensor, "batch out_channels height2 width2"]:
        """The size is the skip's, which is not always twice the other: 9 halves to 5 or to 4."""
        h = self.enlarge(h)
        if h.shape[2:] != skip.shape[2:]:
            h = F.interpolate(h, size=skip.shape[2:])
        return self.conv(torch.cat([h, skip], 1))


class UNet(nn.Module):
    """A body, a decoder, and a 1×1 convolution that names every pixel.

    Args:
        body: a network; one with a head gives its trunk (`sprat.models.bodies`). Its layers have
            to run one after the other, as in an `nn.Sequential`, wherever it halves more than
            once. A config may describe it: ``{"name": "ResNet", "arguments": {…}}``.
        num_outputs: numbers for each pixel: classes of a `Mask`.
        in_channels: channels of the picture; by default what the body's first convolution takes.
        size: (height, width) of the mock picture that finds the cuts.
        min_width: the fewest channels in the decoder, which matters where the body begins by
            halving, so that nothing but the picture itself is there at full size.

    Raises:
        TaskError: the body gives no feature maps, never makes its picture smaller, or can't be cut.
    """

    def __init__(
        self,
        body: nn.Module | Mapping[str, Any],
        num_outputs: int,
        *,
        in_channels: int | None = None,
        size: Sequence[int] = (64, 64),
        min_width: int = 16,
    ) -> None:
        super().__init__()
        model, described = part(body)
        layers = trunk(model)
        channels = first_channels(layers) if in_channels is None else in_channels
        check_counts(self, num_outputs=num_outputs, in_channels=channels, min_width=min_width)
        check_lists(self, length=2, size=size)
        self.arguments: dict[str, Any] | None = described and {
            "body": described,
            "num_outputs": num_outputs,
            "in_channels": channels,
            "size": list(size),
            "min_width": min_width,
        }
        self.in_channels = channels
        stages, widths = cut(layers, channels, size)
        self.body = nn.ModuleList(stages)
        ups: list[nn.Module] = []
        before = widths[-1]
        for width in reversed(widths[:-1]):
            after = max(width, min_width)
            ups.append(Up(before, width, after))
            before = after
        self.decoder = nn.ModuleList(ups)
        self.head = nn.Conv2d(before, num_outputs, 1)

    def groups(self) -> list[nn.Module]:
        """The body's stages, the decoder, the head: parts that may train at different rates."""
        # The first stage may have no weights: it may be the picture itself.
        stages = [stage for stage in self.body if any(True for _ in stage.parameters())]
        return [*stages, self.decoder, self.head]

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch num_outputs height width"]:
        """Logits for every pixel of the input."""
        check_pictures(self, x, self.in_channels)
        seen = []
        h = x
        for stage in self.body:
            h = stage(h)
            seen.append(h)
        for up, skip in zip(self.decoder, reversed(seen[:-1]), strict=True):
            h = up(h, skip)
        if h.shape[2:] != x.shape[2:]:  # a body without padding loses an edge
            h = F.interpolate(h, size=x.shape[2:])
        return self.head(h)


def cut(
    body: nn.Module, in_channels: int, size: Sequence[int]
) -> tuple[list[nn.Sequential], list[int]]:
    """Cut a network into stages, each beginning where the picture gets smaller.

    Args:
        body: what is cut; the stages share its layers.
        in_channels: channels of the picture.
        size: (height, width) of the mock picture.

    Returns:
        The stages, which run one after the other, and the channels that each gives. The first
        stage works at full size, and may have no layer.

    Raises:
        TaskError: the body can't take the mock, gives no feature maps, or never gets smaller.
    """
    with mocking(body):
        stages, widths = _stages(body, in_channels, size)
    if len(stages) == 1:
        raise TaskError(
            f"{type(body).__name__} never makes its picture smaller, so there is nothing to undo.",
            fix="give a body with strides or poolings, such as sprat.models.ResNet(3, 10)",
        )
    return [nn.Sequential(*stage) for stage in stages], widths


def _stages(
    body: nn.Module, in_channels: int, size: Sequence[int]
) -> tuple[list[list[nn.Module]], list[int]]:
    x = torch.zeros(1, in_channels, *size).uniform_(generator=torch.Generator().manual_seed(0))
    layers = _opened(body, x)
    stages: list[list[nn.Module]] = [[]]
    widths = [in_channels]
    for layer in layers:
        y = layer(x)
        if _ratio(x, y) > 1:
            stages.append([])
            widths.append(0)
        stages[-1].append(layer)
        widths[-1] = y.shape[1]
        x = y
    return stages, widths


def _opened(module: nn.Module, x: Tensor) -> list[nn.Module]:
    """The layers of a network as far as they have to be told apart to cut it."""
    y = _run(module, x)
    if not isinstance(module, nn.Sequential) and _ratio(x, y) <= 2:
        return [module]
    layers: list[nn.Module] = []
    h = x
    for child in module.children():
        layers += _opened(child, h)
        h = _run(child, h)
    if not layers:
        return [module]  # one layer that makes the picture much smaller at once
    if h.shape != y.shape or not torch.equal(h, y):
        raise TaskError(
            f"{type(module).__name__} halves more than once, and its layers don't run one after "
            "the other, so it can't be cut.",
            fix="give its layers as an nn.Sequential, one for each size",
        )
    return layers


def _run(module: nn.Module, x: Tensor) -> Tensor:
    """What a network gives for a mock, which has to be a feature map."""
    try:
        y = module(x)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise TaskError(
            f"{type(module).__name__} can't take a mock picture of shape {tuple(x.shape)}: "
            f"{str(error).splitlines()[0]}",
            fix="pass in_channels= and size= as the body needs them",
        ) from None
    if not isinstance(y, Tensor) or y.ndim != 4:
        found = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise TaskError(
            f"{type(module).__name__} gives {found}; feature maps (batch, channels, height, "
            "width) were expected.",
            fix="give the body without its head, for example nn.Sequential(*children[:-1])",
        )
    return y


def _ratio(x: Tensor, y: Tensor) -> int:
    """How many times smaller a picture has become, to the next power of two."""
    ratio = max(x.shape[2] / y.shape[2], x.shape[3] / y.shape[3])
    return 1 if ratio < 1.5 else 2 if ratio <= 2.5 else 4
