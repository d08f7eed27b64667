"""Pictures, what a network sees of them, and places in them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.blocks.base import Block, check_finite, check_tensor
from sprat.errors import BlockError

if TYPE_CHECKING:
    from sprat.grid import Grid


BYTE_SCALE = 16.0


@dataclass(frozen=True)
class Image(Block):
    """Pictures: uint8 0…255 or float 0…1, of shape (batch, channels, height, width).

    Args:
        channels: 1 for grey, 3 for colour, 4 with transparency.
        size: (height, width) in pixels, or None where they may be of any size.
    """

    channels: int = 3
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _check_picture(self)

    def check(self, values: Any) -> None:
        """Refuse anything but (batch, channels, height, width), and pixels that are not finite."""
        check_tensor(self, values, axes=4)
        if values.dtype != torch.uint8 and not values.is_floating_point():
            raise BlockError(
                f"{self} got {values.dtype}; uint8, or floats from 0 to 1, were expected.",
                fix="convert them with values.to(torch.uint8)",
            )
        if values.shape[1] != self.channels:
            raise BlockError(
                f"{self} got a batch of shape {tuple(values.shape)}: {values.shape[1]} channels "
                f"instead of {self.channels}.",
                fix=_channels_fix(self, values),
            )
        if self.size is not None and tuple(values.shape[2:]) != self.size:
            raise BlockError(
                f"{self} got pictures of {tuple(values.shape[2:])} pixels.",
                fix=f"resize them, or say Image(size={tuple(values.shape[2:])})",
            )
        check_finite(self, values)
        # Floats are on the scale 0…1. Pictures that were normalised before, which would better be
        # called ImageTensor, stay below this bound; those that were only cast from bytes do not.
        if values.is_floating_point() and float(values.max()) > BYTE_SCALE:
            raise BlockError(
                f"{self} got {values.dtype} pictures with values up to {float(values.max()):g}; "
                "floats from 0 to 1 were expected.",
                fix="keep them as uint8, or divide them by 255",
            )

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Random uint8 noise, (count, channels, height, width)."""
        height, width = self.size or (32, 32)
        shape = (count, self.channels, height, width)
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)

    def shape(self) -> str:
        """As stored, before any encoding."""
        height, width = self.size or ("H", "W")
        return f"uint8 (B, {self.channels}, {height}, {width})"

    def words(self, value: Any) -> str:
        """Its size."""
        return f"picture of {value.shape[1]}×{value.shape[2]} pixels"

    def show(self, grid: "Grid", value: Any, title: str = "") -> None:
        """The picture."""
        grid.image(value, title)


@dataclass(frozen=True)
class ImageTensor(Block):
    """Pictures as a network sees them: float, (batch, channels, height, width)."""

    channels: int = 3
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _check_picture(self)

    def check(self, values: Any) -> None:
        """Refuse anything but finite floats of that shape."""
        check_tensor(self, values, axes=4)
        found = tuple(values.shape[1:])
        if found[0] != self.channels or self.size not in (None, found[1:]):
            raise BlockError(
                f"{self} got {found[0]} channels of {found[1:]} pixels.",
                fix=f"say ImageTensor({found[0]}, {found[1:]}), or mend the data",
            )
        if not values.is_floating_point():
            raise BlockError(
                f"{self} got {values.dtype}; a float type was expected.",
                fix="encode with sprat.ToFloat()",
            )
        check_finite(self, values)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal noise."""
        height, width = self.size or (32, 32)
        return torch.randn(count, self.channels, height, width, generator=generator)

    def shape(self) -> str:
        """As it goes into the model."""
        height, width = self.size or ("H", "W")
        return f"float32 (B, {self.channels}, {height}, {width})"

    def words(self, value: Any) -> str:
        """Its size."""
        return f"picture of {value.shape[1]}×{value.shape[2]} pixels"

    def show(self, grid: "Grid", value: Any, title: str = "") -> None:
        """The picture, darkest where its numbers are lowest: they need not be colours."""
        low, high = value.amin(), value.amax()
        grid.image((value - low) / (high - low).clamp(min=1e-12), title)


@dataclass(frozen=True)
class Keypoints(Block):
    """Places in a picture: float32 (batch, points, 2), each (x, y) in pixels from the top left.

    The centre of the first pixel is (0.5, 0.5), so (0, 0) and (width, height) are the corners.

    Args:
        names: what the points are called.
        size: (height, width) of the picture that they are in.
    """

    names: tuple[str, ...]
    size: tuple[int, int]

    def check(self, values: Any) -> None:
        """Refuse another number of points, and places that are not finite."""
        check_tensor(self, values, axes=3)
        wanted = (len(self.names), 2)
        if tuple(values.shape[1:]) != wanted or not values.is_floating_point():
            raise BlockError(
                f"Keypoints got {values.dtype} of shape {tuple(values.shape)}; "
                f"float (batch, {len(self.names)}, 2) was expected.",
                fix="give an (x, y) in pixels for each name",
            )
        if not bool(torch.isfinite(values).all()):
            raise BlockError("Keypoints got places that are not finite.", fix="fill or drop them")

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Random places inside the picture."""
        height, width = self.size
        places = torch.rand(count, len(self.names), 2, generator=generator)
        return places * torch.tensor([width, height], dtype=torch.float32)

    def shape(self) -> str:
        """As stored."""
        return f"float32 (B, {len(self.names)}, 2) in pixels"

    def words(self, value: Any) -> str:
        """Each point with its place."""
        named = zip(self.names, value.tolist(), strict=True)
        return ", ".join(f"{name} ({x:.0f}, {y:.0f})" for name, (x, y) in named)

    def show(self, grid: "Grid", value: Any, title: str = "") -> None:
        """The points on an empty picture."""
        grid.points(torch.zeros(1, *self.size), {title or "points": value})


def _channels_fix(block: Image, values: Tensor) -> str:
    """What makes pictures of another number of channels fit."""
    found, wanted = values.shape[1], block.channels
    if values.shape[3] == wanted and found not in (1, 3, 4):
        return "put channels second: x.permute(0, 3, 1, 2)"
    if (found, wanted) == (1, 3):
        return "say Image(channels=1), or repeat the grey: x.expand(-1, 3, -1, -1)"
    if (found, wanted) == (3, 1):
        return (
            "say Image(channels=3), or make them grey: x.float().mean(1, keepdim=True).to(x.dtype)"
        )
    if (found, wanted) == (4, 3):
        return "say Image(channels=4), or leave transparency out: x[:, :3]"
    return f"pass Image(channels={found}), or mend the data"


def _meant(channels: Any, size: Any) -> str:
    """The channels and the size that somebody meant."""
    if isinstance(channels, str):
        channels = {"L": 1, "GRAY": 1, "GREY": 1, "RGBA": 4}.get(channels.upper(), 3)
    if not isinstance(channels, int) or channels < 1 or (channels == size and channels > 4):
        channels = 1 if channels == size else 3
    sides = (size, size) if isinstance(size, int) and size > 0 else (28, 28)
    return f"channels={channels}" + ("" if size is None else f", size={sides}")


def _check_picture(block: Image | ImageTensor) -> None:
    channels, size = block.channels, block.size
    sides = () if size is None else size if isinstance(size, tuple) and len(size) == 2 else (0,)
    if not all(isinstance(n, int) and n > 0 for n in (channels, *sides)):
        raise BlockError(
            f"{type(block).__name__} got channels={channels!r} and size={size!r}.",
            fix="give a number of channels above 0, and size=(height, width) in pixels or None: "
            f"{type(block).__name__}({_meant(channels, size)})",
        )
