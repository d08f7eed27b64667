"""Several values at once: a picture with the row of a table that belongs to it, say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from sprat.blocks.base import Block
from sprat.errors import BlockError

if TYPE_CHECKING:
    from sprat.grid import Grid


@dataclass(frozen=True, init=False)
class Several(Block):
    """What a tuple of blocks becomes in a task: values are a tuple, one part a block.

    Args:
        parts: the blocks, at least two.

    Raises:
        BlockError: there are fewer, or one is no block.
    """

    parts: tuple[Block, ...]

    def __init__(self, parts: Sequence[Block]) -> None:
        wrong = next((part for part in parts if not isinstance(part, Block)), None)
        if len(parts) < 2 or wrong is not None:
            found = f"{wrong!r}" if wrong is not None else f"{len(parts)} block"
            raise BlockError(
                f"A tuple of blocks holds {found}.",
                fix="give at least two blocks, such as (Image(1), TableRow(...)); one stands alone",
            )
        object.__setattr__(self, "parts", tuple(parts))

    def __repr__(self) -> str:
        return f"({', '.join(map(repr, self.parts))})"

    def check(self, values: Any) -> None:
        """Refuse another number of parts, and whatever one of the blocks refuses."""
        if not isinstance(values, tuple) or len(values) != len(self.parts):
            found = f"a tuple of {len(values)}" if isinstance(values, tuple) else type(values)
            raise BlockError(
                f"{self} got {found}; a tuple of {len(self.parts)} columns was expected.",
                fix="give one column a block: Data((pictures, rows), y)",
            )
        for part, value in zip(self.parts, values, strict=True):
            part.check(value)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> tuple[Any, ...]:
        """A mock of each part."""
        return tuple(part.mock(count, generator=generator) for part in self.parts)

    def shape(self) -> str:
        """As stored, part by part."""
        return " + ".join(part.shape() for part in self.parts)

    def words(self, value: Any) -> str:
        """Each part in words."""
        return "; ".join(p.words(v) for p, v in zip(self.parts, value, strict=True))

    def show(self, grid: "Grid", value: Any, title: str = "") -> None:
        """A place for each part, the title over the first."""
        for i, (part, one) in enumerate(zip(self.parts, value, strict=True)):
            part.show(grid, one, title if i == 0 else type(part).__name__.lower())
