"""Augmentation of whole batches, on the device where they are.

Every transform draws parameters of its own for each sample, all samples at once, and applies them
in a few tensor operations. So a machine with few cores and a GPU does not wait for its cores. What
moves pixels is a 3×3 matrix in coordinates that run from −1 to 1 across the picture; neighbouring
ones are multiplied together before the picture is sampled once, and the same matrix moves masks
and points.

    learn = sp.Learner(..., callbacks=[sp.Augment(Flip(), Affine(degrees=10), Erase())])
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from sprat.blocks import Keypoints, Mask
from sprat.callbacks import Callback
from sprat.data import Batch
from sprat.errors import TaskError
from sprat.shapes import Float, Int

if TYPE_CHECKING:
    from sprat.learner import Learner

Params = dict[str, Tensor]


@dataclass(frozen=True)
class View:
    """A batch of pictures with what lies on them.

    Args:
        image: (batch, channels, height, width), float.
        mask: (batch, height, width), int64, or None.
        points: (batch, points, 2), each (x, y) in −1…1 across the picture, or None.
    """

    image: Float[Tensor, "batch channels height width"]
    mask: Int[Tensor, "batch height width"] | None = None
    points: Float[Tensor, "batch points 2"] | None = None


class Transform(ABC):
    """A random change of a batch. `draw` is the random part, `apply` the rest."""

    @abstractmethod
    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """Parameters for each sample: tensors with the batch as their first axis."""

    @abstractmethod
    def apply(self, view: View, params: Params) -> View:
        """The changed batch; sample i depends on sample i and its parameters alone."""


class Geometric(Transform):
    """A transform that moves pixels: its parameters are a matrix a sample."""

    @abstractmethod
    def matrices(self, view: View, generator: torch.Generator | None) -> Float[Tensor, "batch 3 3"]:
        """Where each place of a picture goes, in −1…1, as (x, y, 1) column vectors."""

    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """The matrices."""
        return {"matrix": self.matrices(view, generator)}

    def apply(self, view: View, params: Params) -> View:
        """Move everything."""
        return warp(view, params["matrix"])


def warp(view: View, matrix: Float[Tensor, "batch 3 3"]) -> View:
    """Move pictures, masks and points by one matrix a sample.

    Pictures are sampled bilinearly and masks by the nearest pixel; what comes from outside is 0.
    """
    image, height, width = view.image, *view.image.shape[2:]
    # Each pixel of the result asks where it comes from, hence the inverse.
    y = (torch.arange(height, device=image.device) * 2 + 1) / height - 1
    x = (torch.arange(width, device=image.device) * 2 + 1) / width - 1
    across, down = torch.meshgrid(x, y, indexing="xy")  # (H, W) each
    places = torch.stack([across, down, torch.ones_like(across)], -1)  # (H, W, 3)
    grid = places.reshape(1, -1, 3) @ torch.linalg.inv(matrix).mT  # (B, H·W, 3)
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


@dataclass(frozen=True)
class Flip(Geometric):
    """Swap left and right.

    Args:
        probability: of each picture to be flipped, 0…1.
    """

    probability: float = 0.5

    def matrices(self, view: View, generator: torch.Generator | None) -> Float[Tensor, "batch 3 3"]:
        """Minus one for x where it is flipped."""
        flipped = _uniform(view, 0, 1, generator) < self.probability
        matrix = _identity(view)
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

    def matrices(self, view: View, generator: torch.Generator | None) -> Float[Tensor, "batch 3 3"]:
        """Shear, then scale, then turn, then shift."""
        angle = _uniform(view, -self.degrees, self.degrees, generator) * math.pi / 180
        size = _uniform(view, *self.scale, generator)
        shear = _uniform(view, -self.shear, self.shear, generator)
        aspect = view.image.shape[3] / view.image.shape[2]  # so that a turn keeps right angles
        cos, sin = angle.cos() * size, angle.sin() * size
        matrix = _identity(view)
        matrix[:, 0, 0], matrix[:, 0, 1] = cos, cos * shear - sin / aspect
        matrix[:, 1, 0], matrix[:, 1, 1] = sin * aspect, sin * aspect * shear + cos
        for axis in (0, 1):
            matrix[:, axis, 2] = 2 * _uniform(view, -self.translate, self.translate, generator)
        return matrix


@dataclass(frozen=True)
class Perspective(Geometric):
    """Tilt the picture away from the viewer.

    Args:
        strength: how much nearer one edge may come than the other, 0…0.5.
    """

    strength: float = 0.2

    def matrices(self, view: View, generator: torch.Generator | None) -> Float[Tensor, "batch 3 3"]:
        """The last row makes distance depend on the place."""
        matrix = _identity(view)
        for axis in (0, 1):
            matrix[:, 2, axis] = _uniform(view, -self.strength, self.strength, generator)
        return matrix


@dataclass(frozen=True)
class Colour(Transform):
    """Change brightness and contrast, each picture by its own amount.

    Args:
        brightness: adds −brightness…brightness, on the scale of the encoded picture.
        contrast: multiplies the distance from the picture's mean by 1−contrast…1+contrast.
    """

    brightness: float = 0.1
    contrast: float = 0.2

    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """One amount of each."""
        return {
            "brightness": _uniform(view, -self.brightness, self.brightness, generator),
            "contrast": _uniform(view, 1 - self.contrast, 1 + self.contrast, generator),
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

    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """One sigma a picture."""
        return {"sigma": _uniform(view, *self.sigma, generator)}

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

    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """Whether, where and how large."""
        return {
            "erased": _uniform(view, 0, 1, generator) < self.probability,
            "size": torch.stack([_uniform(view, *self.side, generator) for _ in "xy"], 1),
            "place": torch.stack([_uniform(view, 0, 1, generator) for _ in "xy"], 1),
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


def augment(
    view: View, transforms: Sequence[Transform], *, generator: torch.Generator | None = None
) -> View:
    """Apply transforms in order; neighbours that move pixels are sampled once, together.

    Args:
        view: the batch, on any device.
        transforms: what to do.
        generator: where the randomness comes from, on the batch's device.
    """
    matrix: Tensor | None = None
    for transform in transforms:
        params = transform.draw(view, generator)
        if isinstance(transform, Geometric):
            # Later transforms act on what earlier ones made, so they stand to the left.
            matrix = params["matrix"] if matrix is None else params["matrix"] @ matrix
            continue
        if matrix is not None:
            view, matrix = warp(view, matrix), None
        view = transform.apply(view, params)
    return view if matrix is None else warp(view, matrix)


class Augment(Callback):
    """Augment every training batch, after it is encoded and on the device.

    Targets follow where the task's target is a `Mask`, or `Keypoints` encoded by `ScalePoints`;
    any other target stays as it is.

    Args:
        *transforms: applied in order.
        generator: where the randomness comes from, on the learner's device; torch's by default.
    """

    writes: ClassVar = {"batch"}

    def __init__(self, *transforms: Transform, generator: torch.Generator | None = None) -> None:
        self.transforms, self.generator = transforms, generator

    def fit_begin(self, learn: "Learner") -> None:
        """Refuse input that is no picture.

        Raises:
            TaskError: the encoded input has no four axes.
        """
        block = learn.task and learn.task.encoded(learn.task.input)
        if learn.task is not None and not hasattr(block, "channels"):
            raise TaskError(
                f"Augment changes pictures; the input is {learn.task.input}.",
                fix="leave it out, or write a callback for this kind of input",
            )

    def step_begin(self, learn: "Learner") -> None:
        """Change the batch where the phase trains."""
        if not learn.phase.trains:
            return
        batch, target = learn.batch, learn.task.target if learn.task else None
        mask = batch.y if isinstance(target, Mask) else None
        points = batch.y.unflatten(1, (-1, 2)) if isinstance(target, Keypoints) else None
        with torch.no_grad():
            view = augment(View(batch.x, mask, points), self.transforms, generator=self.generator)
        y = batch.y
        if view.mask is not None:
            y = view.mask
        elif view.points is not None:
            y = view.points.flatten(1)
        learn.batch = Batch(view.image, y, batch.index)


def _uniform(
    view: View, low: float, high: float, generator: torch.Generator | None
) -> Float[Tensor, " batch"]:
    """A number for each sample."""
    shape, device = (len(view.image),), view.image.device
    return torch.rand(shape, generator=generator, device=device) * (high - low) + low


def _identity(view: View) -> Float[Tensor, "batch 3 3"]:
    return torch.eye(3, device=view.image.device).repeat(len(view.image), 1, 1)
