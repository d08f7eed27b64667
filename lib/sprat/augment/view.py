"""A batch of pictures with what lies on them, and what a random change of one is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

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
