"""What every grid can show, whatever it draws with."""

from abc import ABC, abstractmethod
from textwrap import wrap
from typing import Any

from torch import Tensor

from sprat.errors import DispatchError
from sprat.shapes import Float, Int, Shaped

MARKS = "○+×"


class Grid(ABC):
    """A row of places that display functions fill one after the other."""

    @abstractmethod
    def image(self, picture: Shaped[Tensor, "channels height width"], title: str = "") -> None:
        """A picture, uint8 0…255 or float 0…1, with 1, 3 or 4 channels."""

    @abstractmethod
    def text(self, text: str, title: str = "") -> None:
        """A few words."""

    @abstractmethod
    def mask(
        self,
        picture: Shaped[Tensor, "channels height width"],
        mask: Int[Tensor, "height width"],
        title: str = "",
    ) -> None:
        """A picture with the class of each pixel laid over it; class 0 is clear."""

    @abstractmethod
    def points(
        self,
        picture: Shaped[Tensor, "channels height width"],
        groups: dict[str, Float[Tensor, "points 2"]],
    ) -> None:
        """A picture with points on it, (x, y) in pixels; each group has a mark and a name."""

    @abstractmethod
    def curves(self, groups: dict[str, Float[Tensor, "steps numbers"]], dt: float) -> None:
        """Numbers over time, `dt` seconds from one to the next; each group has a name."""

    @abstractmethod
    def graph(self, count: int, edges: Int[Tensor, "2 edges"], title: str = "") -> None:
        """`count` nodes, and the edges between them as rows of sources and targets."""

    @abstractmethod
    def result(self) -> Any:
        """What was drawn: a figure, or a string."""

    def pair(self, left: Any, right: Any, titles: tuple[str, str] = ("in", "out")) -> None:
        """Two pictures or texts side by side."""
        for value, title in zip((left, right), titles, strict=True):
            if isinstance(value, Tensor) and value.ndim == 3:
                self.image(value, title)
            else:
                self.text(str(value), title)


def for_eyes(
    picture: Shaped[Tensor, "channels height width"],
) -> Float[Tensor, "channels height width"]:
    """On the CPU, float, 0…1, with a number of channels that can be drawn."""
    picture = picture.detach().cpu()
    if picture.shape[0] not in (1, 3, 4):
        raise DispatchError(
            f"A picture of shape {tuple(picture.shape)} has {picture.shape[0]} channels; "
            "1, 3 or 4 can be drawn.",
            fix="register a display of your own for this block",
        )
    return (picture.float() if picture.is_floating_point() else picture / 255).clamp(0, 1)


def wrapped(text: str, width: int, *, most: int = 10) -> list[str]:
    """A text in lines of at most `width` characters, and at most so many of them."""
    lines = [part for line in text.splitlines() for part in wrap(line, width) or [""]]
    return lines if len(lines) <= most else [*lines[: most - 1], "…"]
