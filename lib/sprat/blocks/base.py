"""The base of all blocks, and the checks that they share."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.errors import BlockError
from sprat.kinds import is_picture, list_fix, list_held

if TYPE_CHECKING:
    from sprat.grid import Grid


class Block(ABC):
    """What a value is. Subclass it to describe a new kind of value."""

    @abstractmethod
    def check(self, values: Any) -> None:
        """Refuse a batch of values that are not what this block says.

        Raises:
            BlockError: what was found, what was expected, and what mends it.
        """

    @abstractmethod
    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Any:
        """A batch of `count` made-up values that pass `check`, for cheap tests."""

    def shape(self) -> str:
        """How a batch of this block is stored, in words: dtype and shape."""
        return type(self).__name__

    def words(self, value: Any) -> str:
        """One value, decoded, as a person reads it in a line."""
        return numbers_in_words(value) if isinstance(value, Tensor) else str(value)

    def show(self, grid: "Grid", value: Any, title: str = "") -> None:
        """Put one value, decoded, into the next place of a grid, under a title."""
        grid.text(self.words(value), title)


def check_tensor(block: Block, values: Any, *, axes: int) -> None:
    """Refuse what is not a tensor, has no samples, or has another number of axes."""
    if not isinstance(values, Tensor):
        raise _no_tensor(block, values)
    if values.ndim != axes:
        fix = (
            "add the axis that is missing: values[None] for a batch of one sample, "
            "values[:, None] where each of several samples lacks one"
            if values.ndim == axes - 1
            else "reshape it"
        )
        raise BlockError(
            f"{block} got shape {tuple(values.shape)}, {values.ndim} axes instead of {axes}.",
            fix=fix,
        )
    if len(values) == 0:
        raise BlockError(f"{block} got an empty batch.", fix="check the data and its split")


def _no_tensor(block: Block, values: Any) -> BlockError:
    """What is said of values that are no tensor, with the call that makes one of them."""
    held, fix = "", "convert it with torch.as_tensor(...)"
    if isinstance(values, (list, tuple)) or is_picture(values):
        listed = values if isinstance(values, (list, tuple)) else [values]
        fix = list_fix(listed, block=block)
        held = f", and this is a {type(values).__name__} {list_held(listed)}" if listed else ""
    return BlockError(
        f"{block} got {type(values).__name__}; a tensor was expected{held}.".replace(" .", "."),
        fix=fix,
    )


def check_finite(block: Block, values: Tensor) -> None:
    """Refuse missing and infinite numbers. Reads the values, so it waits for a GPU."""
    if values.is_floating_point() and not bool(torch.isfinite(values).all()):
        raise BlockError(
            f"{block} got values that are not finite.", fix="fill or drop missing values first"
        )


def numbers_in_words(value: Tensor, *, most: int = 8) -> str:
    """The first numbers of a tensor, three digits each."""
    first = ", ".join(f"{v:.3g}" for v in value.detach().flatten()[:most].tolist())
    return first + (", …" if value.numel() > most else "")
