"""Grids: where values are shown. The same calls draw with matplotlib or with characters.

A grid has one place a sample. A display function (see ``show.py``) fills the next place with
`Grid.image` or `Grid.text`, or the next two side by side with `Grid.pair`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sprat.errors import DispatchError
from sprat.shapes import Float, Int, Shaped

_INKS = " .:-=+*#%@"
_CLASSES = "0123456789abcdefghijklmnopqrstuvwxyz"
_MARKS = "○+×"
_COLOURS = ("#2f7d4f", "#b5510f", "#1f5a94")


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

    def mask(
        self,
        picture: Shaped[Tensor, "channels height width"],
        mask: Int[Tensor, "height width"],
        title: str = "",
    ) -> None:
        """Kept until `result`."""
        self.places.append(("mask", (_for_eyes(picture), mask.detach().cpu()), title))

    def points(
        self,
        picture: Shaped[Tensor, "channels height width"],
        groups: dict[str, Float[Tensor, "points 2"]],
    ) -> None:
        """Kept until `result`."""
        at = {name: points.detach().cpu() for name, points in groups.items()}
        title = "  ".join(f"{mark} {name}" for mark, name in zip(_MARKS, at, strict=False))
        self.places.append(("points", (_for_eyes(picture), at), title))

    def result(self) -> Any:
        """The figure. A notebook shows it where it is the last value of a cell."""
        import matplotlib.pyplot as plt

        columns = min(self.columns, max(1, len(self.places)))
        rows = -(-len(self.places) // columns)
        lines = max((title.count("\n") + 1 for _, _, title in self.places if title), default=0)
        longest = max(
            (len(ln) for *_, title in self.places for ln in title.splitlines()), default=1
        )
        # A letter is about 0.55 of its size wide, so this keeps titles off their neighbours'.
        fontsize = min(9.0, max(5.0, 72 * self.size / (0.55 * max(1, longest))))
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
            _DRAW[kind](ax, value)
            ax.set_title(title, fontsize=fontsize)
        plt.close(figure)  # else a notebook would show it twice: as a value and as an open figure
        return figure


def _draw_image(ax: Any, picture: Tensor) -> None:
    pixels = picture.permute(1, 2, 0).numpy()  # (height, width, channels)
    grey = pixels.shape[2] == 1
    ax.imshow(pixels[..., 0] if grey else pixels, cmap="gray" if grey else None, vmin=0, vmax=1)


def _draw_text(ax: Any, text: str) -> None:
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True)


def _draw_mask(ax: Any, value: tuple[Tensor, Tensor]) -> None:
    picture, mask = value
    _draw_image(ax, picture)
    shown = mask.double().masked_fill(mask == 0, float("nan")).numpy()
    ax.imshow(shown, cmap="tab10", alpha=0.6, vmin=0, vmax=9, interpolation="nearest")


def _draw_points(ax: Any, value: tuple[Tensor, dict[str, Tensor]]) -> None:
    picture, groups = value
    _draw_image(ax, picture)
    for points, marker, colour in zip(groups.values(), "o+x", _COLOURS, strict=False):
        # matplotlib puts the centre of the first pixel at (0, 0), we put it at (0.5, 0.5).
        x, y = (points.T - 0.5).numpy()
        ax.plot(x, y, marker, color=colour, markerfacecolor="none", markeredgewidth=1.5)


_DRAW: dict[str, Callable[[Any, Any], None]] = {
    "image": _draw_image, "text": _draw_text, "mask": _draw_mask, "points": _draw_points,
}  # fmt: skip


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
        """Ten inks, light on dark."""
        self.places.append([*title.splitlines(), *self._inks(picture)])

    def _inks(self, picture: Tensor) -> list[str]:
        """The picture as lines; a character is about twice as high as it is wide."""
        grey = _for_eyes(picture)[:3].mean(0)[None, None]  # (1, 1, height, width)
        height = max(1, round(self.width * grey.shape[2] / grey.shape[3] / 2))
        small = torch.nn.functional.interpolate(grey, (height, self.width), mode="area")[0, 0]
        return ["".join(_INKS[int(v * (len(_INKS) - 1) + 0.5)] for v in row) for row in small]

    def text(self, text: str, title: str = "") -> None:
        """The words, cut to the place's width."""
        self.places.append([*title.splitlines(), *text.splitlines()])

    def mask(
        self,
        picture: Shaped[Tensor, "channels height width"],
        mask: Int[Tensor, "height width"],
        title: str = "",
    ) -> None:
        """The class of each place as a digit or letter, the picture where the class is 0."""
        lines = self._inks(picture)
        down = (torch.arange(len(lines)) + 0.5) * mask.shape[0] / len(lines)
        across = (torch.arange(self.width) + 0.5) * mask.shape[1] / self.width
        classes = mask.cpu()[down.long()][:, across.long()]
        for r, c in classes.nonzero().tolist():
            lines[r] = lines[r][:c] + _CLASSES[int(classes[r, c]) % 36] + lines[r][c + 1 :]
        self.places.append([*title.splitlines(), *lines])

    def points(
        self,
        picture: Shaped[Tensor, "channels height width"],
        groups: dict[str, Float[Tensor, "points 2"]],
    ) -> None:
        """A mark at each point that lies inside the picture."""
        lines = self._inks(picture)
        height, width = picture.shape[1:]
        for mark, points in zip(_MARKS, groups.values(), strict=False):
            for x, y in points.tolist():
                r, c = int(y * len(lines) / height), int(x * self.width / width)
                if 0 <= r < len(lines) and 0 <= c < self.width:
                    lines[r] = lines[r][:c] + mark + lines[r][c + 1 :]
        legend = "  ".join(f"{mark} {name}" for mark, name in zip(_MARKS, groups, strict=False))
        self.places.append([legend, *lines])

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
        DispatchError: there is no such backend, or no column.
    """
    if columns < 1:
        raise DispatchError(f"columns is {columns}.", fix="give 1 or more")
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
