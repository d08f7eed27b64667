"""Transforms that change what pixels hold and leave them where they are."""

import math
from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from sprat.augment.view import Params, Transform, View, check_number, check_pair, uniform


@dataclass(frozen=True)
class Colour(Transform):
    """Change brightness and contrast, each picture by its own amount.

    Args:
        brightness: adds −brightness…brightness, on the scale of the encoded picture.
        contrast: multiplies the distance from the picture's mean by 1−contrast…1+contrast.
    """

    brightness: float = 0.1
    contrast: float = 0.2

    def __post_init__(self) -> None:
        check_number(self, brightness=self.brightness, contrast=self.contrast)

    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """One amount of each."""
        return {
            "brightness": uniform(view, -self.brightness, self.brightness, generator),
            "contrast": uniform(view, 1 - self.contrast, 1 + self.contrast, generator),
        }

    def apply(self, view: View, params: Params) -> View:
        """Both at once; masks and points stay."""
        mean = view.image.mean((1, 2, 3), keepdim=True)
        gain, shift = params["contrast"][:, None, None, None], params["brightness"]
        return replace(view, image=(view.image - mean) * gain + mean + shift[:, None, None, None])


@dataclass(frozen=True)
class Noise(Transform):
    """Add independent normal noise to every pixel.

    Args:
        std: its standard deviation, on the scale of the encoded picture.
    """

    std: float = 0.05

    def __post_init__(self) -> None:
        check_number(self, std=self.std)

    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """The noise itself."""
        shape, like = view.image.shape, view.image
        noise = torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
        return {"noise": noise * self.std}

    def apply(self, view: View, params: Params) -> View:
        """Add it."""
        return replace(view, image=view.image + params["noise"])


@dataclass(frozen=True)
class Blur(Transform):
    """Blur with a normal kernel whose width differs from picture to picture.

    Args:
        sigma: the kernel's standard deviation in pixels is between these two, above 0.
    """

    sigma: tuple[float, float] = (0.1, 1.5)

    def __post_init__(self) -> None:
        check_pair(self, sigma=self.sigma)

    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """One sigma a picture."""
        return {"sigma": uniform(view, *self.sigma, generator)}

    def apply(self, view: View, params: Params) -> View:
        """A convolution along each axis, with one group a picture and channel."""
        batch, channels, height, width = view.image.shape
        radius = math.ceil(3 * self.sigma[1])
        offset = torch.arange(-radius, radius + 1, device=view.image.device)
        kernel = (-(offset**2) / (2 * params["sigma"][:, None] ** 2)).exp()
        kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
        flat = view.image.reshape(1, batch * channels, height, width)
        padded = F.pad(flat, (radius,) * 4, mode="replicate")
        across = F.conv2d(padded, kernel[:, None, None, :], groups=batch * channels)
        down = F.conv2d(across, kernel[:, None, :, None], groups=batch * channels)
        return replace(view, image=down.reshape(batch, channels, height, width))


@dataclass(frozen=True)
class Erase(Transform):
    """Paint over a rectangle in the picture's mean colour; Zhong et al., "Random Erasing" (2020).

    Args:
        probability: of each picture, 0…1.
        side: the rectangle's sides, as shares of the picture's, are between these two.
    """

    probability: float = 0.5
    side: tuple[float, float] = (0.1, 0.4)

    def __post_init__(self) -> None:
        check_number(self, high=1, probability=self.probability)
        check_pair(self, high=1, side=self.side)

    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """Whether, where and how large."""
        return {
            "erased": uniform(view, 0, 1, generator) < self.probability,
            "size": torch.stack([uniform(view, *self.side, generator) for _ in "xy"], 1),
            "place": torch.stack([uniform(view, 0, 1, generator) for _ in "xy"], 1),
        }

    def apply(self, view: View, params: Params) -> View:
        """Pictures only: what is hidden is still there for masks and points."""
        height, width = view.image.shape[2:]
        low = params["place"] * (1 - params["size"])  # (B, 2), shares of width and height
        high = low + params["size"]
        x = (torch.arange(width, device=view.image.device) + 0.5) / width
        y = (torch.arange(height, device=view.image.device) + 0.5) / height
        across = (x >= low[:, :1]) & (x < high[:, :1])  # (B, W)
        down = (y >= low[:, 1:]) & (y < high[:, 1:])  # (B, H)
        hit = (down[:, :, None] & across[:, None, :]) & params["erased"][:, None, None]
        mean = view.image.mean((2, 3), keepdim=True)
        return replace(view, image=torch.where(hit[:, None], mean, view.image))
