"""Transforms that move pixels: a 3×3 matrix a picture, in coordinates from −1 to 1 across it."""

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sprat.augment.view import Params, Transform, View, check_number, check_pair, uniform
from sprat.shapes import Float


class Geometric(Transform):
    """A transform that moves pixels: its parameters are a matrix a sample.

    Attributes:
        size: (height, width) in pixels of what it makes; None keeps the picture's.
    """

    size: tuple[int, int] | None = None

    @abstractmethod
    def matrices(self, view: View, generator: torch.Generator | None) -> Float[Tensor, "batch 3 3"]:
        """Where each place of a picture goes, in −1…1, as (x, y, 1) column vectors."""

    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """The matrices."""
        return {"matrix": self.matrices(view, generator)}

    def apply(self, view: View, params: Params) -> View:
        """Move everything."""
        return warp(view, params["matrix"], self.size)


def warp(
    view: View, matrix: Float[Tensor, "batch 3 3"], size: tuple[int, int] | None = None
) -> View:
    """Move pictures, masks and points by one matrix a sample.

    Pictures are sampled bilinearly and masks by the nearest pixel; what comes from outside is 0.

    Args:
        view: what is moved.
        matrix: where each place goes.
        size: (height, width) of the result in pixels; by default the picture's.
    """
    image, (height, width) = view.image, size or view.image.shape[2:]
    y = (torch.arange(height, device=image.device) * 2 + 1) / height - 1
    x = (torch.arange(width, device=image.device) * 2 + 1) / width - 1
    across, down = torch.meshgrid(x, y, indexing="xy")  # (H, W) each
    places = torch.stack([across, down, torch.ones_like(across)], -1)  # (H, W, 3)
    grid = places.reshape(1, -1, 3) @ _backwards(matrix).mT  # (B, H·W, 3)
    grid = (grid[..., :2] / grid[..., 2:]).reshape(-1, height, width, 2).to(image.dtype)
    moved = F.grid_sample(image, grid, mode="bilinear", align_corners=False)
    mask, points = view.mask, view.points
    if mask is not None:
        layer = mask[:, None].to(image.dtype)
        mask = F.grid_sample(layer, grid, mode="nearest", align_corners=False)[:, 0].round().long()
    if points is not None:
        ahead = F.pad(points, (0, 1), value=1.0) @ matrix.mT  # (B, K, 3)
        points = ahead[..., :2] / ahead[..., 2:]
    return View(moved, mask, points)


def _backwards(matrix: Float[Tensor, "batch 3 3"]) -> Float[Tensor, "batch 3 3"]:
    """The inverse up to a factor, which the division by the last coordinate takes away.

    Each pixel of the result asks where it comes from, hence the inverse. `torch.linalg.inv` makes a
    GPU's host wait to see whether there is one; the adjugate, of cross products of rows, does not.
    """
    a, b, c = matrix.unbind(1)  # the rows, (B, 3) each
    cross = torch.linalg.cross
    return torch.stack([cross(b, c), cross(c, a), cross(a, b)], -1)


@dataclass(frozen=True)
class Flip(Geometric):
    """Swap left and right.

    Args:
        probability: of each picture to be flipped, 0…1.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        check_number(self, high=1, probability=self.probability)

    def matrices(self, view: View, generator: torch.Generator | None) -> Float[Tensor, "batch 3 3"]:
        """Minus one for x where it is flipped."""
        flipped = uniform(view, 0, 1, generator) < self.probability
        matrix = identity(view)
        matrix[:, 0, 0] = torch.where(flipped, -1.0, 1.0)
        return matrix


@dataclass(frozen=True)
class Affine(Geometric):
    """Turn, scale, shear and shift, each by a uniform random amount.

    Args:
        degrees: turns by −degrees…degrees.
        scale: scales by a factor between these two.
        shear: shears along x by −shear…shear of the height.
        translate: shifts by −translate…translate of the picture's width and height.
    """

    degrees: float = 10.0
    scale: tuple[float, float] = (0.9, 1.1)
    shear: float = 0.0
    translate: float = 0.1

    def __post_init__(self) -> None:
        check_number(self, degrees=self.degrees, shear=self.shear, translate=self.translate)
        check_pair(self, scale=self.scale)

    def matrices(self, view: View, generator: torch.Generator | None) -> Float[Tensor, "batch 3 3"]:
        """Shear, then scale, then turn, then shift."""
        angle = uniform(view, -self.degrees, self.degrees, generator) * math.pi / 180
        size = uniform(view, *self.scale, generator)
        shear = uniform(view, -self.shear, self.shear, generator)
        aspect = view.image.shape[3] / view.image.shape[2]  # so that a turn keeps right angles
        cos, sin = angle.cos() * size, angle.sin() * size
        matrix = identity(view)
        matrix[:, 0, 0], matrix[:, 0, 1] = cos, cos * shear - sin / aspect
        matrix[:, 1, 0], matrix[:, 1, 1] = sin * aspect, sin * aspect * shear + cos
        for axis in (0, 1):
            matrix[:, axis, 2] = 2 * uniform(view, -self.translate, self.translate, generator)
        return matrix


@dataclass(frozen=True)
class Perspective(Geometric):
    """Tilt the picture away from the viewer.

    Args:
        strength: how much nearer one edge may come than the other, 0…0.5.
    """

    strength: float = 0.2

    def __post_init__(self) -> None:
        check_number(self, high=0.5, strength=self.strength)

    def matrices(self, view: View, generator: torch.Generator | None) -> Float[Tensor, "batch 3 3"]:
        """The last row makes distance depend on the place."""
        matrix = identity(view)
        for axis in (0, 1):
            matrix[:, 2, axis] = uniform(view, -self.strength, self.strength, generator)
        return matrix


def identity(view: View) -> Float[Tensor, "batch 3 3"]:
    """The matrix that moves nothing, one a sample."""
    return torch.eye(3, device=view.image.device).repeat(len(view.image), 1, 1)
