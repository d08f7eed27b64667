"""Numbers: a few of them a sample, or a few at each of many times."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.blocks.base import Block, check_finite, check_tensor, numbers_in_words
from sprat.errors import BlockError

if TYPE_CHECKING:
    from sprat.grid import Grid


@dataclass(frozen=True)
class Continuous(Block):
    """Numbers: float32, (batch, size).

    Args:
        size: how many numbers a sample has.
        names: what they are called, for display; units belong here.
    """

    size: int = 1
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 1:
            raise BlockError(
                f"Continuous got size {self.size!r}; how many numbers a sample has was expected.",
                fix="give 1 or more: Continuous(size=1)",
            )

    def check(self, values: Any) -> None:
        """Refuse another width, integers, and numbers that are not finite."""
        check_tensor(self, values, axes=2)
        if values.shape[1] != self.size or not values.is_floating_point():
            raise BlockError(
                f"{self} got {values.dtype} of shape {tuple(values.shape)}; "
                f"float (batch, {self.size}) was expected.",
                fix=f"convert with y.float().reshape(-1, {self.size})",
            )
        check_finite(self, values)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal numbers, (count, size)."""
        return torch.randn(count, self.size, generator=generator)

    def shape(self) -> str:
        """As stored."""
        return f"float32 (B, {self.size})"

    def words(self, value: Any) -> str:
        """The numbers, with their names where they have any."""
        if len(self.names) != self.size:
            return numbers_in_words(value)
        return ", ".join(
            f"{name} {v:.3g}" for name, v in zip(self.names, value.tolist(), strict=True)
        )


@dataclass(frozen=True)
class Trajectory(Block):
    """How some numbers move in time: float32, (batch, steps, size).

    Args:
        size: how many numbers there are at each time.
        steps: how many times there are, or None where batches differ.
        dt: seconds from one to the next.
        names: what the numbers are called, for display; units belong here.
    """

    size: int = 1
    steps: int | None = None
    dt: float = 1.0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 1 or (self.steps is not None and self.steps < 1) or not self.dt > 0:
            raise BlockError(
                f"Trajectory got size {self.size}, {self.steps} steps and dt {self.dt}.",
                fix="give at least one number and one step, and seconds above 0",
            )

    def check(self, values: Any) -> None:
        """Refuse other lengths and widths, integers, and numbers that are not finite."""
        check_tensor(self, values, axes=3)
        steps, size = values.shape[1:]
        if size != self.size or self.steps not in (None, steps) or not values.is_floating_point():
            raise BlockError(
                f"{self} got {values.dtype} of shape {tuple(values.shape)}; "
                f"float (batch, {self.steps or 'steps'}, {self.size}) was expected.",
                fix="put time on the second axis: values.transpose(1, 2), or say another size",
            )
        check_finite(self, values)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Random walks from 0 whose spread after a second is 1, (count, steps or 16, size)."""
        moves = torch.randn(count, self.steps or 16, self.size, generator=generator)
        return (moves * self.dt**0.5).cumsum(1)

    def shape(self) -> str:
        """As stored."""
        return f"float32 (B, {self.steps or 'T'}, {self.size}), every {self.dt:g} s"

    def words(self, value: Any) -> str:
        """Where it starts and where it ends."""
        first, last = numbers_in_words(value[0]), numbers_in_words(value[-1])
        return f"{first} → {last} in {(len(value) - 1) * self.dt:g} s"

    def show(self, grid: "Grid", value: Any, title: str = "") -> None:
        """Curves over time in seconds."""
        grid.curves({title: value}, self.dt)
