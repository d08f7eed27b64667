"""Pictures: from bytes to floats, and to mean 0 and standard deviation 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from sprat.blocks import Block, Image, ImageTensor
from sprat.data import Data
from sprat.encodings.base import Encoding
from sprat.errors import TaskError
from sprat.shapes import Float, Shaped


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

    mean: Sequence[float]
    std: Sequence[float]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, str) or not hasattr(value, "__iter__"):
                raise TaskError(
                    f"Normalize got {name}={value!r}; a list with one number a channel was "
                    "expected.",
                    fix="write Normalize([0.5], [0.5]), or let Normalize.of(data) compute them",
                )
        for name in ("mean", "std"):  # lists would not do as keys of what is kept
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
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
            per_channel(tuple(self.mean), like.dtype, like.device),
            per_channel(tuple(self.std), like.dtype, like.device),
        )


@lru_cache(maxsize=64)
def per_channel(
    values: tuple[float, ...], dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "channels 1 1"]:
    """Statistics as a tensor. Kept: a new one on a GPU at every step would make the host wait."""
    return torch.tensor(values, dtype=dtype, device=device)[:, None, None]
