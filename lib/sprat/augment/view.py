"""A batch of pictures with what lies on them, and what a random change of one is."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from sprat.errors import TaskError
from sprat.shapes import Float, Int

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


def uniform(
    view: View, low: float, high: float, generator: torch.Generator | None
) -> Float[Tensor, " batch"]:
    """A number between `low` and `high` for each sample."""
    shape, device = (len(view.image),), view.image.device
    return torch.rand(shape, generator=generator, device=device) * (high - low) + low


def check_number(
    owner: Transform, *, low: float = 0.0, high: float = math.inf, **given: Any
) -> None:
    """Refuse an argument that is no number of a range, when the transform is made.

    Args:
        owner: the transform.
        low: the least.
        high: the most.
        **given: the arguments by name.

    Raises:
        TaskError: what was found, and what was expected.
    """
    for name, value in given.items():
        if not (_is_number(value) and low <= value <= high):
            raise TaskError(
                f"{type(owner).__name__} got {name}={value!r}.",
                fix=f"give one number, {_range(low, high)}",
            )


def check_pair(owner: Transform, *, low: float = 0.0, high: float = math.inf, **given: Any) -> None:
    """Refuse an argument that is no pair of numbers, the smaller first.

    Args:
        owner: the transform.
        low: both are above this.
        high: the most.
        **given: the arguments by name.

    Raises:
        TaskError: what was found, and what was expected.
    """
    for name, value in given.items():
        fits = isinstance(value, (tuple, list)) and len(value) == 2 and all(map(_is_number, value))
        if not (fits and low < value[0] <= value[1] <= high):
            raise TaskError(
                f"{type(owner).__name__} got {name}={value!r}; it draws a number between two.",
                fix=f"give a pair, the smaller first, both above {low:g}"
                + (f" and at most {high:g}" if high < math.inf else ""),
            )


def check_size(owner: Transform, size: Any) -> None:
    """Refuse a size that is not None and no (height, width).

    Raises:
        TaskError: what was found, and what was expected.
    """
    if size is None:
        return
    fits = isinstance(size, (tuple, list)) and len(size) == 2
    if not (fits and all(isinstance(side, int) and side > 0 for side in size)):
        square = isinstance(size, int) and size > 0
        raise TaskError(
            f"{type(owner).__name__} got size={size!r}; (height, width) in pixels was expected.",
            fix=f"give size=({size}, {size})"
            if square
            else "give a pair such as (64, 64), or None",
        )


def refuse_bytes(view: Any, transforms: Any) -> None:
    """Refuse what is no `View`, pictures that are no floats of four axes, and no transforms.

    Raises:
        TaskError: what was found, and the call that mends it.
    """
    if not isinstance(view, View):
        raise TaskError(
            f"augment got a {type(view).__name__}; a View of pictures was expected.",
            fix="wrap them: augment(View(pictures), [sprat.augment.Flip()])",
        )
    image: Any = view.image
    if not isinstance(image, Tensor) or image.ndim != 4:
        shape = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        batch = isinstance(image, Tensor) and image.ndim == 3
        raise TaskError(
            f"The pictures to augment are {shape}; a tensor (batch, channels, height, width) was "
            "expected.",
            fix="give a batch: View(image[None])" if batch else "stack them: torch.stack(pictures)",
        )
    if not image.is_floating_point():
        kind = str(image.dtype).removeprefix("torch.")
        raise TaskError(
            f"The pictures to augment are {kind}; floats from 0 to 1 were expected.",
            fix="make them floats: View(image.float() / 255); in a task, sprat.ToFloat() does it",
        )
    if isinstance(transforms, Transform) or not isinstance(transforms, Sequence):
        raise TaskError(
            f"The transforms are {transforms!r:.60}; a list was expected.",
            fix="put it in brackets: augment(view, [sprat.augment.Flip()])",
        )
    for part in transforms:
        if not isinstance(part, Transform):
            raise TaskError(
                f"augment got {part!r:.60}; transforms were expected.",
                fix="pass objects such as sprat.augment.Flip(), in brackets",
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _range(low: float, high: float) -> str:
    return f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
