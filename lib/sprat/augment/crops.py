"""Crops: look at a part of the picture, where each picture's part is its own."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sprat.augment.geometry import Geometric, identity
from sprat.augment.view import View, check_number, check_pair, check_size, uniform
from sprat.shapes import Float


@dataclass(frozen=True)
class RandomCrop(Geometric):
    """Pad with zeros on all sides and cut the picture's size out again, at a random place.

    So a picture moves by whole pixels and is not blurred. Krizhevsky (2009) trained on CIFAR so.

    Args:
        padding: pixels added on each side, hence the farthest that a picture moves.
    """

    padding: int = 4

    def __post_init__(self) -> None:
        check_number(self, padding=self.padding)

    def matrices(self, view: View, generator: torch.Generator | None) -> Float[Tensor, "batch 3 3"]:
        """A shift by −padding…padding pixels along each axis."""
        matrix = identity(view)
        for axis, pixels in enumerate((view.image.shape[3], view.image.shape[2])):
            step = uniform(view, 0, 2 * self.padding + 1, generator).floor() - self.padding
            matrix[:, axis, 2] = 2 * step / pixels
        return matrix


@dataclass(frozen=True)
class RandomResizedCrop(Geometric):
    """Cut out a rectangle of random area and shape, and enlarge it to one size for all.

    Szegedy et al., "Going Deeper with Convolutions" (2015), section 6. The rectangle lies inside of
    the picture. Sampling is bilinear; a result much smaller than the rectangle would be grainy.

    Args:
        size: (height, width) of the result in pixels; None keeps the picture's.
        area: the rectangle's share of the picture's area is between these two, above 0, at most 1.
        ratio: its width by its height, in pixels, is between these two.
    """

    size: tuple[int, int] | None = None
    area: tuple[float, float] = (0.35, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        check_size(self, self.size)
        check_pair(self, high=1, area=self.area)
        check_pair(self, ratio=self.ratio)

    def matrices(self, view: View, generator: torch.Generator | None) -> Float[Tensor, "batch 3 3"]:
        """What carries the rectangle to −1…1."""
        height, width = view.image.shape[2:]
        area = uniform(view, *self.area, generator)
        # Uniform in the logarithm, so that tall and wide are as likely.
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        aspect = uniform(view, low, high, generator).exp() * height / width  # in −1…1 units
        sides = [(area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)]
        matrix = identity(view)
        for axis, side in enumerate(sides):  # shares of the picture's width and height
            centre = uniform(view, -1, 1, generator) * (1 - side)
            matrix[:, axis, axis] = 1 / side
            matrix[:, axis, 2] = -centre / side
        return matrix
