"""A policy of many small changes with two knobs: RandAugment.

Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space"
(2020): of fourteen changes each picture gets `num_ops`, drawn at random, all at one magnitude. With
one change and a random magnitude it is TrivialAugment; Müller and Hutter (2021).

All samples are changed at once: what moves pixels is one matrix a sample, sampled once, and each
other change is computed for the whole batch and kept where a sample drew it.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from sprat.augment.geometry import identity, warp
from sprat.augment.view import Params, Transform, View, uniform
from sprat.errors import TaskError
from sprat.shapes import Float

MOVES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
CHANGES = (
    "autocontrast", "equalize", "solarize", "posterize",
    "brightness", "contrast", "colour", "sharpness",
)  # fmt: skip
OPS = ("identity", *MOVES, *CHANGES)


@dataclass(frozen=True)
class RandAugment(Transform):
    """Give each picture `num_ops` changes out of fourteen.

    What depends on how bright a pixel is counts from the darkest to the brightest value of the
    picture, so it works on normalised pictures as well. Masks and points move with the picture.

    Args:
        num_ops: changes a picture.
        magnitude: of all of them, 0…10; None draws one for each change.
    """

    num_ops: int = 2
    magnitude: float | None = 9.0

    def __post_init__(self) -> None:
        if self.num_ops < 1 or not 0 <= (self.magnitude or 0) <= 10:
            raise TaskError(
                f"RandAugment got num_ops={self.num_ops} and magnitude={self.magnitude}.",
                fix="give 1 or more changes and a magnitude of 0 to 10, or None",
            )

    def draw(self, view: View, generator: torch.Generator | None) -> Params:
        """Which changes, how strong from 0 to 1, and in which direction: (batch, num_ops) each."""
        rows = [
            [uniform(view, 0, len(OPS), generator).floor() for _ in range(self.num_ops)],
            [
                uniform(view, 0, 1, generator)
                if self.magnitude is None
                else torch.full((len(view.image),), self.magnitude / 10, device=view.image.device)
                for _ in range(self.num_ops)
            ],
            [uniform(view, -1, 1, generator).sign() for _ in range(self.num_ops)],
        ]
        op, strength, sign = (torch.stack(row, 1) for row in rows)
        return {"op": op.clamp(max=len(OPS) - 1), "strength": strength, "sign": sign}

    def apply(self, view: View, params: Params) -> View:
        """One change after the other."""
        for i in range(self.num_ops):
            op, strength = params["op"][:, i], params["strength"][:, i]
            view = _change(_move(view, op, strength * params["sign"][:, i]), op, params, i)
        return view


def _is(op: Tensor, name: str) -> Tensor:
    """Where a sample drew this change, (batch,)."""
    return op == OPS.index(name)


def _move(view: View, op: Tensor, amount: Tensor) -> View:
    """Rotation up to 30°, shears up to 0.3, shifts up to 0.45 of the picture; else untouched."""
    aspect = view.image.shape[3] / view.image.shape[2]
    angle = torch.where(_is(op, "rotate"), amount * torch.pi / 6, 0.0)
    matrix = identity(view)
    matrix[:, 0, 0], matrix[:, 1, 1] = angle.cos(), angle.cos()
    matrix[:, 0, 1] = -angle.sin() / aspect + torch.where(_is(op, "shear_x"), 0.3 * amount, 0.0)
    matrix[:, 1, 0] = angle.sin() * aspect + torch.where(_is(op, "shear_y"), 0.3 * amount, 0.0)
    matrix[:, 0, 2] = torch.where(_is(op, "translate_x"), 0.9 * amount, 0.0)
    matrix[:, 1, 2] = torch.where(_is(op, "translate_y"), 0.9 * amount, 0.0)
    moved = warp(view, matrix)
    moves = (op >= 1) & (op <= len(MOVES))  # sampling anew would blur the others a little
    return View(
        torch.where(moves[:, None, None, None], moved.image, view.image), moved.mask, moved.points
    )


def _change(view: View, op: Tensor, params: Params, i: int) -> View:
    """The changes that leave pixels where they are, on each picture's own scale of 0…1."""
    low = view.image.amin((1, 2, 3), keepdim=True)
    span = (view.image.amax((1, 2, 3), keepdim=True) - low).clamp(min=1e-12)
    x = (view.image - low) / span
    strength = params["strength"][:, i, None, None, None]
    factor = 1 + 0.9 * strength * params["sign"][:, i, None, None, None]  # 0.1…1.9; 1 leaves all
    grey = x.mean((1, 2, 3), keepdim=True)
    steps = 2.0 ** (8 - 4 * strength).round()  # 256 shades at magnitude 0, 16 at 10
    results = {
        "autocontrast": _stretched(x),
        "equalize": _equalized(x),
        "solarize": torch.where(x > 1 - strength, 1 - x, x),
        "posterize": ((x * steps).floor() / (steps - 1)).clamp(max=1),
        "brightness": x * factor,
        "contrast": grey + (x - grey) * factor,
        "colour": x.mean(1, keepdim=True) + (x - x.mean(1, keepdim=True)) * factor,
        "sharpness": _smooth(x) + (x - _smooth(x)) * factor,
    }
    for name, result in results.items():
        chosen = _is(op, name)[:, None, None, None]
        x = torch.where(chosen, result.clamp(0, 1), x)
    changed = (op > len(MOVES))[:, None, None, None]
    return replace(view, image=torch.where(changed, x * span + low, view.image))


def _stretched(x: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
    """Each channel from its darkest to its brightest pixel over all of 0…1."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-12), x)


def _equalized(x: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
    """All of 256 shades as often, as far as can be: each pixel becomes the share of darker ones."""
    shade = (x * 255).round().long().flatten(2)  # (B, C, H·W)
    counts = torch.zeros(*shade.shape[:2], 256, device=x.device)
    counts.scatter_add_(2, shade, torch.ones_like(shade, dtype=counts.dtype))
    below = counts.cumsum(2) - counts
    least = shade.shape[2] - counts.gather(2, shade.amax(2, keepdim=True))
    table = below / least.clamp(min=1)  # the brightest shade becomes 1
    return table.gather(2, shade).reshape(x.shape).to(x.dtype)


def _smooth(x: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
    """A 3×3 mean in which the middle counts five times; edges stay."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    around = F.avg_pool2d(padded, 3, stride=1) * 9
    return (around + 4 * x) / 13
