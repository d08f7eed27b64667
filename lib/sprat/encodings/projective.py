"""One projective transform for pictures, masks and points: resizing, cropping, turning, tilting.

It is a 3×3 matrix in coordinates that run from −1 to 1 across the picture, and acts on (x, y, 1).
Pictures are sampled bilinearly and masks by the nearest pixel; points are exact. Its inverse is the
inverse matrix, so what a model says about the small picture can be drawn on the large one. Hartley
and Zisserman, "Multiple View Geometry in Computer Vision" (2004), section 2.4, has the mathematics;
`ProjectiveTransforms` of FastAI.jl is the model. Random ones, for training, are in ``augment``.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sprat.blocks import Block, Image, ImageTensor, Keypoints, Mask
from sprat.encodings.base import Encoding
from sprat.errors import TaskError
from sprat.shapes import Float

Matrix = tuple[tuple[float, float, float], ...]
IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Projective(Encoding):
    """Pictures, masks and points of one size to another size, moved by a matrix on the way.

    Args:
        source: (height, width) in pixels as stored.
        target: (height, width) in pixels as the model sees it.
        matrix: where each place of the stored picture goes, both in −1…1; three rows of three.

    Raises:
        TaskError: the matrix has no inverse, or a size is no size.
    """

    source: tuple[int, int]
    target: tuple[int, int]
    matrix: Matrix = IDENTITY

    def __post_init__(self) -> None:
        kept = tuple(tuple(float(v) for v in row) for row in self.matrix)
        object.__setattr__(self, "matrix", kept)
        wrong = [len(row) for row in kept] != [3, 3, 3] or min(*self.source, *self.target) < 1
        if wrong or abs(float(torch.det(torch.tensor(kept, dtype=torch.float64)))) < 1e-9:
            raise TaskError(
                f"Projective got the matrix {kept} from {self.source} to {self.target} pixels.",
                fix="give three rows of three numbers that have an inverse, and sizes above 0",
            )

    @classmethod
    def crop(cls, source: tuple[int, int], target: tuple[int, int]) -> "Projective":
        """The largest part in the middle that has the target's shape, without stretching."""
        scale = min(source[0] / target[0], source[1] / target[1])  # stored pixels a seen pixel
        across, down = source[1] / (target[1] * scale), source[0] / (target[0] * scale)
        return cls(source, target, ((across, 0.0, 0.0), (0.0, down, 0.0), (0.0, 0.0, 1.0)))

    def turned(self, degrees: float) -> "Projective":
        """Followed by a turn about the middle, clockwise as a person sees it."""
        aspect = self.target[1] / self.target[0]  # so that a turn keeps right angles
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        return self.then(((cos, -sin / aspect, 0.0), (sin * aspect, cos, 0.0), (0.0, 0.0, 1.0)))

    def then(self, matrix: Matrix) -> "Projective":
        """Followed by another matrix."""
        both = torch.tensor(matrix, dtype=torch.float64) @ torch.tensor(
            self.matrix, dtype=torch.float64
        )
        first, second, third = both.tolist()
        return Projective(self.source, self.target, (tuple(first), tuple(second), tuple(third)))

    def block(self, block: Block) -> Block | None:
        """`ImageTensor`, `Mask` and `Keypoints` stay what they are, in the target's size.

        Raises:
            TaskError: the block has another size, or is a picture that is not yet float.
        """
        if isinstance(block, Image):
            raise TaskError(
                "Projective moves pictures as floats.",
                fix="put ToFloat() before it: encodings=[ToFloat(), Projective(...)]",
            )
        if not isinstance(block, (ImageTensor, Mask, Keypoints)):
            return None
        if block.size not in (None, self.source):
            raise TaskError(
                f"Projective takes pictures of {self.source} pixels, {block} has {block.size}.",
                fix=f"use Projective({block.size}, {self.target})",
            )
        if isinstance(block, ImageTensor):
            return ImageTensor(block.channels, self.target)
        if isinstance(block, Mask):
            return Mask(block.classes, self.target)
        return Keypoints(block.names, self.target)

    def encode(self, values: Tensor) -> Tensor:
        """Pictures (batch, channels, height, width), masks (batch, height, width) or points."""
        return _project(values, self.matrix, self.source, self.target)

    def decode(self, values: Tensor) -> Tensor:
        """The same with the inverse matrix, in the stored size. What was cut off stays 0."""
        return _project(values, _inverse(self.matrix), self.target, self.source)


def _project(
    values: Tensor, matrix: Matrix, source: tuple[int, int], target: tuple[int, int]
) -> Tensor:
    """Move whatever it is: floats with four axes are pictures, integers masks, the rest points."""
    if values.ndim == 4:
        if matrix == IDENTITY:  # plain resizing, which may look at all pixels and not at four
            return F.interpolate(values, target, mode="bilinear", antialias=True)
        grid = _grid(_inverse(matrix), target, values.dtype, values.device)
        return F.grid_sample(values, grid.expand(len(values), -1, -1, -1), align_corners=False)
    if not values.is_floating_point():
        grid = _grid(_inverse(matrix), target, torch.float32, values.device)
        grid = grid.expand(len(values), -1, -1, -1)
        layer = values[:, None].float()
        moved = F.grid_sample(layer, grid, mode="nearest", align_corners=False)
        return moved[:, 0].round().to(values.dtype)
    return _points(values, matrix, source, target)


def _points(
    points: Float[Tensor, "batch points 2"],
    matrix: Matrix,
    source: tuple[int, int],
    target: tuple[int, int],
) -> Float[Tensor, "batch points 2"]:
    """Through −1…1 and back to pixels."""
    before = _numbers(((float(source[1]), float(source[0])),), points.dtype, points.device)
    after = _numbers(((float(target[1]), float(target[0])),), points.dtype, points.device)
    places = F.pad(points / before * 2 - 1, (0, 1), value=1.0)  # (B, K, 3)
    moved = places @ _numbers(matrix, points.dtype, points.device).mT
    return (moved[..., :2] / moved[..., 2:] + 1) / 2 * after


@lru_cache(maxsize=64)
def _inverse(matrix: Matrix) -> Matrix:
    rows: Any = torch.linalg.inv(torch.tensor(matrix, dtype=torch.float64)).tolist()
    return tuple(tuple(row) for row in rows)


# What follows is kept, because a new tensor on a GPU at every step would make the host wait.


@lru_cache(maxsize=64)
def _numbers(
    rows: tuple[tuple[float, ...], ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """(rows, columns)."""
    return torch.tensor(rows, dtype=dtype, device=device)


@lru_cache(maxsize=16)
def _grid(
    backwards: Matrix, size: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "1 height width 2"]:
    """Where each pixel of the result comes from, in −1…1 across the source."""
    height, width = size
    y = (torch.arange(height, dtype=torch.float64) * 2 + 1) / height - 1
    x = (torch.arange(width, dtype=torch.float64) * 2 + 1) / width - 1
    across, down = torch.meshgrid(x, y, indexing="xy")  # (H, W) each
    places = torch.stack([across, down, torch.ones_like(across)], -1)  # (H, W, 3)
    moved = places @ torch.tensor(backwards, dtype=torch.float64).mT
    return (moved[..., :2] / moved[..., 2:])[None].to(device, dtype)
