"""Rows of different lengths in one tensor: texts as indices, without padding in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sprat.errors import BlockError
from sprat.shapes import Int, Shaped


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of different lengths, one after the other: `len` counts rows, an index takes some.

    A loader makes a rectangle of each batch, as wide as its longest row.

    Args:
        values: all rows, (total,).
        lengths: how long each is, (rows,), on the CPU.
        padding: what fills a rectangle where a row is short.

    Raises:
        BlockError: the lengths don't add up to the values.
    """

    values: Shaped[Tensor, " total"]
    lengths: Int[Tensor, " rows"]
    padding: int = 0

    def __post_init__(self) -> None:
        if int(self.lengths.sum()) != len(self.values):
            raise BlockError(
                f"Ragged got {len(self.values)} values and lengths that add up to "
                f"{int(self.lengths.sum())}.",
                fix="make it with Ragged.of(rows)",
            )

    @classmethod
    def of(cls, rows: Iterable[Tensor | Sequence[int]], padding: int = 0) -> "Ragged":
        """From one sequence of numbers a row.

        Raises:
            BlockError: there are no rows.
        """
        each = [torch.as_tensor(row, dtype=torch.int64).flatten() for row in rows]
        if not each:
            raise BlockError("There are no rows.", fix="give at least one")
        return cls(torch.cat(each), torch.tensor([len(row) for row in each]), padding)

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        return (
            f"Ragged({len(self):,} rows of {int(self.lengths.min())} to {int(self.lengths.max())})"
        )

    @property
    def device(self) -> torch.device:
        """Where the values are."""
        return self.values.device

    @cached_property
    def _starts(self) -> Tensor:
        return self.lengths.cumsum(0) - self.lengths

    def __getitem__(self, index: int | slice | Shaped[Tensor, " chosen"]) -> "Ragged":
        """The rows at `index`: a number (gives one row), a slice, int64 indices or a mask.

        Raises:
            IndexError: there is no such row.
        """
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(f"there are {len(self)} rows; {index} was asked for")
            index = torch.tensor([index % len(self)])
        elif isinstance(index, Tensor):
            index = index.cpu()
        lengths, starts = self.lengths[index], self._starts[index]
        owner = torch.repeat_interleave(lengths)  # (chosen values,)
        shift = starts - (lengths.cumsum(0) - lengths)
        places = (torch.arange(len(owner)) + shift[owner]).to(self.device, non_blocking=True)
        return Ragged(self.values.index_select(0, places), lengths, self.padding)

    def padded(self) -> Shaped[Tensor, "rows longest"]:
        """A rectangle as wide as the longest row, short ones filled up with `padding`."""
        width = int(self.lengths.max())
        owner = torch.repeat_interleave(self.lengths)
        column = torch.arange(len(owner)) - self._starts[owner]
        places = (owner * width + column).to(self.device, non_blocking=True)
        flat = self.values.new_full((len(self) * width,), self.padding)
        return flat.index_copy(0, places, self.values).view(len(self), width)

    def to(self, device: torch.device | str) -> "Ragged":
        """The same rows on another device; itself where they are there already."""
        if self.device == torch.device(device):
            return self
        return Ragged(self.values.to(device, non_blocking=True), self.lengths, self.padding)

    def pin_memory(self) -> "Ragged":
        """The same rows in memory from which a copy to the GPU does not wait."""
        return Ragged(self.values.pin_memory(), self.lengths, self.padding)
