"""Blocks: what a value *is*, apart from how it is stored.

A block checks values, makes mock values for tests, and is the type that everything else dispatches
on: which loss fits a target, which head a model needs, how a value is shown. All of them speak of
batches, whose first axis counts the samples. The idea of describing a task by the blocks of its
input and target is FastAI.jl's (https://github.com/FluxML/FastAI.jl).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sprat.errors import BlockError


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


@dataclass(frozen=True)
class Image(Block):
    """Pictures: uint8 0…255 or float, of shape (batch, channels, height, width).

    Args:
        channels: 1 for grey, 3 for colour, 4 with transparency.
        size: (height, width) in pixels, or None where they may be of any size.
    """

    channels: int = 3
    size: tuple[int, int] | None = None

    def check(self, values: Any) -> None:
        """Refuse anything but (batch, channels, height, width), and pixels that are not finite."""
        _check_tensor(self, values, axes=4)
        if values.shape[1] != self.channels:
            hint = "permute(0, 3, 1, 2) puts channels second"
            last = f"; {hint}" if values.shape[3] == self.channels else ""
            raise BlockError(
                f"{self} got a batch of shape {tuple(values.shape)}: {values.shape[1]} channels "
                f"instead of {self.channels}.",
                fix=f"pass Image(channels={values.shape[1]}), or mend the data{last}",
            )
        if self.size is not None and tuple(values.shape[2:]) != self.size:
            raise BlockError(
                f"{self} got pictures of {tuple(values.shape[2:])} pixels.",
                fix=f"resize them, or say Image(size={tuple(values.shape[2:])})",
            )
        _check_finite(self, values)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Random uint8 noise, (count, channels, height, width)."""
        height, width = self.size or (32, 32)
        shape = (count, self.channels, height, width)
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)

    def shape(self) -> str:
        """As stored, before any encoding."""
        height, width = self.size or ("H", "W")
        return f"uint8 (B, {self.channels}, {height}, {width})"


@dataclass(frozen=True)
class ImageTensor(Block):
    """Pictures as a network sees them: float, (batch, channels, height, width)."""

    channels: int = 3
    size: tuple[int, int] | None = None

    def check(self, values: Any) -> None:
        """Refuse anything but finite floats of that shape."""
        _check_tensor(self, values, axes=4)
        if not values.is_floating_point():
            raise BlockError(
                f"{self} got {values.dtype}; a float type was expected.",
                fix="encode with sprat.ToFloat()",
            )
        _check_finite(self, values)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal noise."""
        height, width = self.size or (32, 32)
        return torch.randn(count, self.channels, height, width, generator=generator)

    def shape(self) -> str:
        """As it goes into the model."""
        height, width = self.size or ("H", "W")
        return f"float32 (B, {self.channels}, {height}, {width})"


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
                f"{type(self).__name__} got the classes {classes!r}; at least two names were "
                "expected.",
                fix="pass a list of names, such as data.classes",
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
        _check_tensor(self, values, axes=1)
        self._check_range(values)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Random indices, (count,)."""
        return torch.randint(0, len(self.classes), (count,), generator=generator)

    def shape(self) -> str:
        """As stored."""
        return f"int64 (B,) of {len(self.classes)} classes"


@dataclass(frozen=True)
class Continuous(Block):
    """Numbers: float32, (batch, size).

    Args:
        size: how many numbers a sample has.
        names: what they are called, for display; units belong here.
    """

    size: int = 1
    names: tuple[str, ...] = ()

    def check(self, values: Any) -> None:
        """Refuse another width, integers, and numbers that are not finite."""
        _check_tensor(self, values, axes=2)
        if values.shape[1] != self.size or not values.is_floating_point():
            raise BlockError(
                f"{self} got {values.dtype} of shape {tuple(values.shape)}; "
                f"float (batch, {self.size}) was expected.",
                fix=f"convert with y.float().reshape(-1, {self.size})",
            )
        _check_finite(self, values)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal numbers, (count, size)."""
        return torch.randn(count, self.size, generator=generator)

    def shape(self) -> str:
        """As stored."""
        return f"float32 (B, {self.size})"


@dataclass(frozen=True, init=False, repr=False)
class Labels(Categories):
    """Any number of several classes at once: float32 zeros and ones, (batch, classes).

    Args:
        classes: the names, in the order of the columns.
    """

    classes: tuple[str, ...]

    def check(self, values: Any) -> None:
        """Refuse another width and anything but zeros and ones."""
        _check_tensor(self, values, axes=2)
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


@dataclass(frozen=True, init=False, repr=False)
class Mask(Categories):
    """A class for every pixel, stored as its index: int64, (batch, height, width).

    Args:
        classes: the names, in the order of their indices.
    """

    classes: tuple[str, ...]

    def check(self, values: Any) -> None:
        """Refuse other shapes and indices outside 0…len(classes)−1."""
        _check_tensor(self, values, axes=3)
        self._check_range(values)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Random classes, (count, 32, 32)."""
        return torch.randint(0, len(self.classes), (count, 32, 32), generator=generator)

    def shape(self) -> str:
        """As stored."""
        return f"int64 (B, H, W) of {len(self.classes)} classes"


@dataclass(frozen=True)
class Keypoints(Block):
    """Places in a picture: float32 (batch, points, 2), each (x, y) in pixels from the top left.

    The centre of the first pixel is (0.5, 0.5), so (0, 0) and (width, height) are the corners.

    Args:
        names: what the points are called.
        size: (height, width) of the picture that they are in.
    """

    names: tuple[str, ...]
    size: tuple[int, int]

    def check(self, values: Any) -> None:
        """Refuse another number of points, and places that are not finite."""
        _check_tensor(self, values, axes=3)
        wanted = (len(self.names), 2)
        if tuple(values.shape[1:]) != wanted or not values.is_floating_point():
            raise BlockError(
                f"Keypoints got {values.dtype} of shape {tuple(values.shape)}; "
                f"float (batch, {len(self.names)}, 2) was expected.",
                fix="give an (x, y) in pixels for each name",
            )
        if not bool(torch.isfinite(values).all()):
            raise BlockError("Keypoints got places that are not finite.", fix="fill or drop them")

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Random places inside the picture."""
        height, width = self.size
        places = torch.rand(count, len(self.names), 2, generator=generator)
        return places * torch.tensor([width, height], dtype=torch.float32)

    def shape(self) -> str:
        """As stored."""
        return f"float32 (B, {len(self.names)}, 2) in pixels"


def _check_tensor(block: Block, values: Any, *, axes: int) -> None:
    """Refuse what is not a tensor, has no samples, or has another number of axes."""
    if not isinstance(values, Tensor):
        raise BlockError(
            f"{block} got {type(values).__name__}; a tensor was expected.",
            fix="convert it with torch.as_tensor(...)",
        )
    if values.ndim != axes:
        fix = "add the batch axis with values[None]" if values.ndim == axes - 1 else "reshape it"
        raise BlockError(
            f"{block} got shape {tuple(values.shape)}, {values.ndim} axes instead of {axes}.",
            fix=fix,
        )
    if len(values) == 0:
        raise BlockError(f"{block} got an empty batch.", fix="check the data and its split")


def _check_finite(block: Block, values: Tensor) -> None:
    """Refuse missing and infinite numbers. Reads the values, so it waits for a GPU."""
    if values.is_floating_point() and not bool(torch.isfinite(values).all()):
        raise BlockError(
            f"{block} got values that are not finite.", fix="fill or drop missing values first"
        )
