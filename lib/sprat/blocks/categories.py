"""What has classes: one, any number of them, or one a pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.blocks.base import Block, check_tensor
from sprat.errors import BlockError
from sprat.onehot import OneHot

if TYPE_CHECKING:
    from sprat.grid import Grid


class Categories(Block):
    """What has classes: `Label` has one of them, `Labels` any number, `Mask` one a pixel.

    Args:
        classes: the names, in the order of their indices; at least two.

    Raises:
        BlockError: there are fewer than two, or two are called the same.
    """

    classes: tuple[str, ...]

    def __init__(self, classes: Sequence[str] | None) -> None:
        if isinstance(classes, str) or not isinstance(classes, Sequence) or len(classes) < 2:
            raise BlockError(
                f"{type(self).__name__} got the classes {classes!r:.80}; at least two names were "
                "expected.",
                fix=f"pass a list of names, such as {_names(classes)}",
            )
        names = tuple(str(name) for name in classes)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise BlockError(
                f"{type(self).__name__} got the class {twice[0]!r} more than once.",
                fix="give every class a name of its own",
            )
        object.__setattr__(self, "classes", names)

    def __repr__(self) -> str:
        shown = ", ".join(self.classes[:3]) + (", …" if len(self.classes) > 3 else "")
        return f"{type(self).__name__}({len(self.classes)}: {shown})"

    def _check_range(self, values: Tensor) -> None:
        """Refuse what is no index of a class. Reads the values, so it waits for a GPU."""
        if values.dtype != torch.int64:
            raise BlockError(
                f"{type(self).__name__} got {values.dtype} targets; int64 indices were expected.",
                fix="convert them with y.long()",
            )
        low, high = int(values.min()), int(values.max())
        if low < 0 or high >= len(self.classes):
            raise BlockError(
                f"{type(self).__name__} has {len(self.classes)} classes, so indices "
                f"0…{len(self.classes) - 1}; the targets run from {low} to {high}.",
                fix="name every class, or mend the targets (do they count from 1?)",
            )


@dataclass(frozen=True, init=False, repr=False)
class Label(Categories):
    """One of several classes, stored as its index: int64, (batch,).

    Args:
        classes: the names, in the order of their indices.
    """

    classes: tuple[str, ...]

    def check(self, values: Any) -> None:
        """Refuse indices outside 0…len(classes)−1."""
        if isinstance(values, Tensor) and values.ndim == 2:
            width = values.shape[1]
            raise BlockError(
                f"{self} got shape {tuple(values.shape)}, 2 axes instead of 1.",
                fix="take the one column: y[:, 0]"
                if width == 1
                else "give the index of the class, not a column for each: y.argmax(1)"
                if width == len(self.classes)
                else "give one index a sample; are inputs and targets swapped?",
            )
        check_tensor(self, values, axes=1)
        self._check_range(values)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Random indices, (count,)."""
        return torch.randint(0, len(self.classes), (count,), generator=generator)

    def shape(self) -> str:
        """As stored."""
        return f"int64 (B,) of {len(self.classes)} classes"

    def words(self, value: Any) -> str:
        """The class by its name, whether it comes as a name, a guess or an index."""
        return self.classes[int(value)] if isinstance(value, (int, Tensor)) else str(value)


@dataclass(frozen=True, init=False, repr=False)
class OneHotLabel(Categories):
    """One of several classes as a network's arithmetic wants it: a `OneHot`, (batch, classes).

    Args:
        classes: the names, in the order of the columns.
    """

    classes: tuple[str, ...]

    def check(self, values: Any) -> None:
        """Refuse another width, and dense tensors."""
        if not isinstance(values, OneHot) or values.shape[1:] != (len(self.classes),):
            found = tuple(values.shape) if isinstance(values, Tensor) else ""
            raise BlockError(
                f"OneHotLabel got {type(values).__name__} {found}; "
                f"OneHot (batch, {len(self.classes)}) was expected.",
                fix="store labels as indices (Label), and encode them with OneHotEncode()",
            )

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> OneHot:
        """Random classes, (count, classes)."""
        index = torch.randint(0, len(self.classes), (count,), generator=generator)
        return OneHot(index, len(self.classes))

    def shape(self) -> str:
        """As it reaches the loss."""
        return f"OneHot (B, {len(self.classes)}), stored as indices"


@dataclass(frozen=True, init=False, repr=False)
class Labels(Categories):
    """Any number of several classes at once: float32 zeros and ones, (batch, classes).

    Args:
        classes: the names, in the order of the columns.
    """

    classes: tuple[str, ...]

    def check(self, values: Any) -> None:
        """Refuse another width and anything but zeros and ones."""
        check_tensor(self, values, axes=2)
        if values.shape[1] != len(self.classes) or not values.is_floating_point():
            raise BlockError(
                f"Labels got {values.dtype} of shape {tuple(values.shape)}; "
                f"float (batch, {len(self.classes)}) was expected.",
                fix="give one column a class, converted with y.float()",
            )
        if not bool(((values == 0) | (values == 1)).all()):
            raise BlockError(
                "Labels got values other than 0 and 1.", fix="mark a class with 1, others with 0"
            )

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Each class with probability one half, (count, classes)."""
        return torch.randint(0, 2, (count, len(self.classes)), generator=generator).float()

    def shape(self) -> str:
        """As stored."""
        return f"float32 (B, {len(self.classes)}), zeros and ones"

    def words(self, value: Any) -> str:
        """The classes that are marked, by their names."""
        if isinstance(value, Tensor):
            value = [
                name for name, there in zip(self.classes, value.tolist(), strict=True) if there
            ]
        return ", ".join(map(str, value)) or "none"


@dataclass(frozen=True, init=False, repr=False)
class Mask(Categories):
    """A class for every pixel, stored as its index: int64, (batch, height, width).

    Args:
        classes: the names, in the order of their indices.
        size: (height, width) in pixels of the picture below it, or None where it may be any.
    """

    classes: tuple[str, ...]
    size: tuple[int, int] | None

    def __init__(self, classes: Sequence[str] | None, size: tuple[int, int] | None = None) -> None:
        super().__init__(classes)
        object.__setattr__(self, "size", size)

    def check(self, values: Any) -> None:
        """Refuse other shapes and indices outside 0…len(classes)−1."""
        check_tensor(self, values, axes=3)
        if self.size is not None and tuple(values.shape[1:]) != self.size:
            raise BlockError(
                f"{self} got masks of {tuple(values.shape[1:])} pixels.",
                fix=f"resize them, or say Mask(classes, size={tuple(values.shape[1:])})",
            )
        self._check_range(values)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Random classes, (count, 32, 32) unless a size is given."""
        shape = (count, *(self.size or (32, 32)))
        return torch.randint(0, len(self.classes), shape, generator=generator)

    def shape(self) -> str:
        """As stored."""
        return f"int64 (B, H, W) of {len(self.classes)} classes"

    def words(self, value: Any) -> str:
        """The classes that it holds, the commonest first."""
        counts = value.flatten().bincount(minlength=len(self.classes))
        order = counts.argsort(descending=True, stable=True).tolist()
        return ", ".join(f"{self.classes[i]} {counts[i] / value.numel():.0%}" for i in order[:4])

    def show(self, grid: "Grid", value: Any, title: str = "") -> None:
        """The classes on an empty picture."""
        grid.mask(torch.zeros(1, *value.shape), value, title)


def _names(given: Any) -> str:
    """The list of names that somebody meant."""
    if isinstance(given, int) and not isinstance(given, bool) and given > 1:
        return f"[str(i) for i in range({given})]"
    if isinstance(given, (set, frozenset)):
        return "sorted(classes)"
    return "classes.tolist()" if type(given).__name__ in ("ndarray", "Series") else "data.classes"
