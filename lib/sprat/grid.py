"""Grids: where values are shown. The same calls draw with matplotlib or with characters.

A grid has one place a sample. A display function (see ``show.py``) fills the next place with
`Grid.image` or `Grid.text`, or the next two side by side with `Grid.pair`.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from sprat.errors import DispatchError
from sprat.shapes import Float, Shaped

_INKS = " .:-=+*#%@"


class Grid(ABC):
    """A row of places that display functions fill one after the other."""

    @abstractmethod
    def image(self, picture: Shaped[Tensor, "channels height width"], title: str = "") -> None:
        """A picture, uint8 0…255 or float 0…1, with 1, 3 or 4 channels."""

    @abstractmethod
    def text(self, text: str, title: str = "") -> None:
        """A few words."""

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


class FigureGrid(Grid):
    """Draws with matplotlib.

    Args:
        columns: places a row.
        size: width and height of a place, in inches.
    """

    def __init__(self, columns: int = 4, size: float = 1.7) -> None:
        self.columns, self.size = columns, size
        self.places: list[tuple[str, Any, str]] = []

    def image(self, picture: Shaped[Tensor, "channels height width"], title: str = "") -> None:
        """Kept until `result`, which knows how many there are."""
        self.places.append(("image", _for_eyes(picture), title))

    def text(self, text: str, title: str = "") -> None:
        """Kept until `result`."""
        self.places.append(("text", text, title))

    def result(self) -> Any:
        """The figure. A notebook shows it where it is the last value of a cell."""
        import matplotlib.pyplot as plt

        columns = min(self.columns, max(1, len(self.places)))
        rows = -(-len(self.places) // columns)
        lines = max((title.count("\n") + 1 for _, _, title in self.places if title), default=0)
        height = rows * (self.size + 0.2 * lines)
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(columns * self.size, height),
            squeeze=False,
            layout="constrained",
        )
        for ax in axes.flat:
            ax.axis("off")
        for ax, (kind, value, title) in zip(axes.flat, self.places, strict=False):
            if kind == "image":
                pixels = value.permute(1, 2, 0)  # (height, width, channels)
                grey = pixels.shape[2] == 1
                ax.imshow(
                    pixels[..., 0] if grey else pixels,
                    cmap="gray" if grey else None,
                    vmin=0,
                    vmax=1,
                )
            else:
                ax.text(0.5, 0.5, value, ha="center", va="center", wrap=True)
            ax.set_title(title, fontsize=9)
        plt.close(figure)  # else a notebook would show it twice: as a value and as an open figure
        return figure


class TextGrid(Grid):
    """Draws with characters, for terminals, logs and tests.

    Args:
        columns: places a row.
        width: characters that a place is wide.
    """

    def __init__(self, columns: int = 4, width: int = 28) -> None:
        self.columns, self.width = columns, width
        self.places: list[list[str]] = []

    def image(self, picture: Shaped[Tensor, "channels height width"], title: str = "") -> None:
        """Ten inks, light on dark; a character is about twice as high as it is wide."""
        grey = _for_eyes(picture)[:3].mean(0)[None, None]  # (1, 1, height, width)
        height = max(1, round(self.width * grey.shape[2] / grey.shape[3] / 2))
        small = torch.nn.functional.interpolate(grey, (height, self.width), mode="area")[0, 0]
        lines = ["".join(_INKS[int(v * (len(_INKS) - 1) + 0.5)] for v in row) for row in small]
        self.places.append([*title.splitlines(), *lines])

    def text(self, text: str, title: str = "") -> None:
        """The words, cut to the place's width."""
        self.places.append([*title.splitlines(), *text.splitlines()])

    def result(self) -> str:
        """All places as one string."""
        lines = []
        for start in range(0, len(self.places), self.columns):
            row = self.places[start : start + self.columns]
            height = max(len(place) for place in row)
            for i in range(height):
                cells = [(p[i] if i < len(p) else "")[: self.width] for p in row]
                lines.append("  ".join(cell.ljust(self.width) for cell in cells).rstrip())
            lines.append("")
        return "\n".join(lines).rstrip()


def make_grid(backend: str, columns: int = 4) -> Grid:
    """A grid of one backend: ``"matplotlib"``, ``"text"``, or ``"auto"`` for what fits.

    Raises:
        DispatchError: there is no such backend.
    """
    if backend == "auto":
        import sys

        ipython = sys.modules.get("IPython")
        backend = "matplotlib" if ipython and ipython.get_ipython() else "text"
    makers = {"matplotlib": FigureGrid, "text": TextGrid}
    if backend not in makers:
        raise DispatchError(
            f"There is no display backend {backend!r}.", fix="use auto, matplotlib or text"
        )
    return makers[backend](columns)


def _for_eyes(
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
