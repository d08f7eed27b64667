"""Encodings: invertible steps from what a value is to what a network eats, and back.

An encoding says which block it takes, which block it gives, and how a batch goes there and comes
back. `Task` strings them together, so what a model puts out can always be shown in the terms in
which the data came. The idea is FastAI.jl's.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from sprat.blocks import Block, Continuous, Image, ImageTensor, Keypoints
from sprat.data import Data
from sprat.errors import TaskError
from sprat.shapes import Float, Shaped


class Encoding(ABC):
    """An invertible map from one block to another."""

    @abstractmethod
    def block(self, block: Block) -> Block | None:
        """The block that `block` becomes, or None where this encoding leaves it alone."""

    @abstractmethod
    def encode(self, values: Any) -> Any:
        """A batch of values, encoded, on the device where they are."""

    @abstractmethod
    def decode(self, values: Any) -> Any:
        """The inverse of `encode`, as near as the types allow."""


@dataclass(frozen=True)
class ToFloat(Encoding):
    """Pictures from uint8 0…255 to float32 0…1. Floats pass unchanged."""

    def block(self, block: Block) -> Block | None:
        """`Image` becomes `ImageTensor`."""
        return ImageTensor(block.channels, block.size) if isinstance(block, Image) else None

    def encode(
        self, values: Shaped[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Divide integers by 255."""
        return values if values.is_floating_point() else values.float().div_(255)

    def decode(
        self, values: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Clip to 0…1. It stays float: what a model draws has no exact uint8 form."""
        return values.float().clamp(0, 1)


@dataclass(frozen=True)
class Normalize(Encoding):
    """Subtract the mean and divide by the standard deviation, channel by channel.

    Args:
        mean: one number a channel, on the 0…1 scale.
        std: likewise; none of them 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or any(s <= 0 for s in self.std):
            raise TaskError(
                f"Normalize got mean {self.mean} and std {self.std}.",
                fix="give one mean and one std above 0 for each channel",
            )

    @classmethod
    def of(cls, data: Data) -> "Normalize":
        """The statistics of uint8 or float pictures, (N, channels, height, width)."""
        pixels = ToFloat().encode(data.x)
        mean, std = pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def block(self, block: Block) -> Block | None:
        """`ImageTensor` stays what it is, with other numbers in it.

        Raises:
            TaskError: the block has another number of channels.
        """
        if not isinstance(block, ImageTensor):
            return None
        if block.channels != len(self.mean):
            raise TaskError(
                f"Normalize has {len(self.mean)} channels, {block} has {block.channels}.",
                fix="compute it from this data with sprat.Normalize.of(data)",
            )
        return block

    def encode(
        self, values: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Mean 0 and standard deviation 1 in each channel, over the data it was computed from."""
        mean, std = self._statistics(values)
        return (values - mean) / std

    def decode(
        self, values: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Back to the 0…1 scale."""
        mean, std = self._statistics(values)
        return values * std + mean

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        return (
            _per_channel(self.mean, like.dtype, like.device),
            _per_channel(self.std, like.dtype, like.device),
        )


@dataclass(frozen=True)
class ScalePoints(Encoding):
    """Points from pixels to −1…1 across the picture, laid out as one row of numbers.

    Args:
        size: (height, width) of the picture in pixels.
    """

    size: tuple[int, int]

    def block(self, block: Block) -> Block | None:
        """`Keypoints` become `Continuous`: x and y of each point in turn.

        Raises:
            TaskError: the block's picture has another size.
        """
        if not isinstance(block, Keypoints):
            return None
        if block.size != self.size:
            raise TaskError(
                f"ScalePoints has size {self.size}, {block} has {block.size}.",
                fix=f"use ScalePoints({block.size})",
            )
        names = tuple(f"{axis} of {name}" for name in block.names for axis in "xy")
        return Continuous(2 * len(block.names), names)

    def encode(self, values: Float[Tensor, "batch points 2"]) -> Float[Tensor, "batch numbers"]:
        """The left or upper edge of the picture is −1, the right or lower one 1."""
        return (values / self._extent(values) * 2 - 1).flatten(1)

    def decode(self, values: Float[Tensor, "batch numbers"]) -> Float[Tensor, "batch points 2"]:
        """Back to pixels."""
        return (values.unflatten(1, (-1, 2)) + 1) / 2 * self._extent(values)

    def _extent(self, like: Tensor) -> Tensor:
        """(width, height), because points are (x, y)."""
        width_height = (float(self.size[1]), float(self.size[0]))
        return _per_channel(width_height, like.dtype, like.device)[:, 0, 0]


@lru_cache(maxsize=64)
def _per_channel(
    values: tuple[float, ...], dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "channels 1 1"]:
    """Kept, because a new tensor on a GPU at every step would make the host wait for it."""
    return torch.tensor(values, dtype=dtype, device=device)[:, None, None]
