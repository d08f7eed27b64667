"""A grid that draws with matplotlib."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sprat.grid.base import MARKS, Grid, for_eyes, wrapped
from sprat.shapes import Float, Int, Shaped

LETTERS = 24  # that fit across a place
_COLOURS = ("#2f7d4f", "#b5510f", "#1f5a94")
_DASHES = (("—", "-"), ("- -", "--"), ("···", ":"))


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
        self.places.append(("image", for_eyes(picture), title))

    def text(self, text: str, title: str = "") -> None:
        """Kept until `result`, in lines that stay inside the place."""
        self.places.append(("text", "\n".join(wrapped(text, LETTERS)), title))

    def mask(
        self,
        picture: Shaped[Tensor, "channels height width"],
        mask: Int[Tensor, "height width"],
        title: str = "",
    ) -> None:
        """Kept until `result`."""
        self.places.append(("mask", (for_eyes(picture), mask.detach().cpu()), title))

    def points(
        self,
        picture: Shaped[Tensor, "channels height width"],
        groups: dict[str, Float[Tensor, "points 2"]],
    ) -> None:
        """Kept until `result`."""
        at = {name: points.detach().cpu() for name, points in groups.items()}
        title = "  ".join(f"{mark} {name}" for mark, name in zip(MARKS, at, strict=False))
        self.places.append(("points", (for_eyes(picture), at), title))

    def curves(self, groups: dict[str, Float[Tensor, "steps numbers"]], dt: float) -> None:
        """Kept until `result`."""
        at = {name: values.detach().cpu() for name, values in groups.items()}
        named = zip(_DASHES, at, strict=False)
        title = "  ".join(f"{mark} {name}" if len(at) > 1 else name for (mark, _), name in named)
        self.places.append(("curves", (at, dt), title))

    def graph(self, count: int, edges: Int[Tensor, "2 edges"], title: str = "") -> None:
        """Kept until `result`."""
        self.places.append(("graph", (count, edges.detach().cpu()), title))

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
    ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=7)


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


def _draw_curves(ax: Any, value: tuple[dict[str, Tensor], float]) -> None:
    groups, dt = value
    ax.axis("on")
    for values, (_, dash) in zip(groups.values(), _DASHES, strict=False):
        seconds = [i * dt for i in range(len(values))]
        for column, numbers in enumerate(values.T):
            ax.plot(seconds, numbers.numpy(), dash, color=_COLOURS[column % len(_COLOURS)], lw=1.2)
    ax.set_xlabel("time in s", fontsize=6)
    ax.tick_params(labelsize=6)


def _draw_graph(ax: Any, value: tuple[int, Tensor]) -> None:
    count, edges = value
    places = laid_out(count, edges)
    for source, target in edges.T.tolist():
        ax.plot(*places[[source, target]].T.numpy(), color="0.6", lw=0.8, zorder=1)
    ax.scatter(*places.T.numpy(), s=14, color=_COLOURS[2], zorder=2)
    ax.set_aspect("equal")


def laid_out(count: int, edges: Int[Tensor, "2 edges"]) -> Float[Tensor, "nodes 2"]:
    """Places for the nodes of a graph: all push each other apart, edges pull together.

    Fruchterman and Reingold, "Graph Drawing by Force-directed Placement" (1991): forces d²/k along
    edges and k²/d between all nodes, with steps that grow shorter. It starts from a circle, so the
    same graph always gives the same places.
    """
    angle = torch.arange(count) * 2 * math.pi / max(1, count)
    places = torch.stack([angle.cos(), angle.sin()], 1)  # (count, 2)
    ideal = 1 / max(1, count) ** 0.5
    linked = torch.zeros(count, count)
    linked[edges[0], edges[1]] = linked[edges[1], edges[0]] = 1
    for step in range(60):
        apart = places[:, None] - places[None]  # (count, count, 2)
        distance = apart.norm(dim=2).clamp(min=1e-3)
        force = ideal**2 / distance**2 - linked * distance / ideal  # along `apart`, per unit of it
        push = (apart * force[..., None]).sum(1)
        length = push.norm(dim=1, keepdim=True).clamp(min=1e-9)
        places = places + push / length * length.clamp(max=0.1 * (1 - step / 60))
    return places - places.mean(0)


_DRAW: dict[str, Callable[[Any, Any], None]] = {
    "image": _draw_image, "text": _draw_text, "mask": _draw_mask, "points": _draw_points,
    "curves": _draw_curves, "graph": _draw_graph,
}  # fmt: skip
