"""Points in a picture: from pixels to −1…1 across it."""

from dataclasses import dataclass

from torch import Tensor

from sprat.blocks import Block, Continuous, Keypoints
from sprat.encodings.base import Encoding
from sprat.encodings.images import per_channel
from sprat.errors import TaskError
from sprat.shapes import Float


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
        return per_channel(width_height, like.dtype, like.device)[:, 0, 0]
