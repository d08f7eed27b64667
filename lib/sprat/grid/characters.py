"""A grid that draws with characters."""

import torch
from torch import Tensor

from sprat.grid.base import MARKS, Grid, for_eyes, wrapped
from sprat.shapes import Float, Int, Shaped

_INKS = " .:-=+*#%@"
_BARS = "▁▂▃▄▅▆▇█"
_CLASSES = "0123456789abcdefghijklmnopqrstuvwxyz"


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
        self.places.append([*wrapped(title, self.width), *self._inks(picture)])

    def _inks(self, picture: Tensor) -> list[str]:
        """The picture as lines; a character is about twice as high as it is wide."""
        grey = for_eyes(picture)[:3].mean(0)[None, None]  # (1, 1, height, width)
        height = max(1, round(self.width * grey.shape[2] / grey.shape[3] / 2))
        small = torch.nn.functional.interpolate(grey, (height, self.width), mode="area")[0, 0]
        return ["".join(_INKS[int(v * (len(_INKS) - 1) + 0.5)] for v in row) for row in small]

    def text(self, text: str, title: str = "") -> None:
        """The words, in lines of the place's width."""
        self.places.append([*wrapped(title, self.width), *wrapped(text, self.width)])

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
        self.places.append([*wrapped(title, self.width), *lines])

    def points(
        self,
        picture: Shaped[Tensor, "channels height width"],
        groups: dict[str, Float[Tensor, "points 2"]],
    ) -> None:
        """A mark at each point that lies inside the picture."""
        lines = self._inks(picture)
        height, width = picture.shape[1:]
        for mark, points in zip(MARKS, groups.values(), strict=False):
            for x, y in points.tolist():
                r, c = int(y * len(lines) / height), int(x * self.width / width)
                if 0 <= r < len(lines) and 0 <= c < self.width:
                    lines[r] = lines[r][:c] + mark + lines[r][c + 1 :]
        legend = "  ".join(f"{mark} {name}" for mark, name in zip(MARKS, groups, strict=False))
        self.places.append([legend, *lines])

    def curves(self, groups: dict[str, Float[Tensor, "steps numbers"]], dt: float) -> None:
        """Each number as a line of bars, all groups on one scale."""
        everything = torch.cat([values.detach().cpu().flatten() for values in groups.values()])
        low, high = float(everything.min()), float(everything.max())
        lines = []
        for name, values in groups.items():
            lines.append(name)
            for numbers in values.detach().cpu().float().T:
                at = torch.linspace(0, len(numbers) - 1, min(self.width, len(numbers)))
                level = (numbers[at.round().long()] - low) / max(high - low, 1e-12)
                lines.append("".join(_BARS[int(v * (len(_BARS) - 1) + 0.5)] for v in level))
        seconds = (len(next(iter(groups.values()))) - 1) * dt
        self.places.append([*lines, f"{low:.3g} to {high:.3g}, {seconds:.3g} s"])

    def graph(self, count: int, edges: Int[Tensor, "2 edges"], title: str = "") -> None:
        """Each node with the nodes that its edges lead to."""
        ahead: list[list[int]] = [[] for _ in range(count)]
        for source, target in edges.T.tolist():
            ahead[source].append(target)
        rows = [f"{node} → {' '.join(map(str, to)) or 'nowhere'}" for node, to in enumerate(ahead)]
        self.places.append([*wrapped(title, self.width), *wrapped("\n".join(rows), self.width)])

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
