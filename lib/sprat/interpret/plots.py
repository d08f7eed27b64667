"""What the drawings of this package share: colours that survive colour blindness, and figures.

The colours are those of Okabe and Ito ("Color Universal Design", 2008), in an order in which
neighbours differ in lightness too; markers tell classes apart where there are more than colours.
"""

from typing import Any

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#555555")
MARKERS = "os^vDPX*"
BLUE, RUST, GREEN = "#1f5a94", "#b5510f", "#2f7d4f"


def axes(ax: Any, width: float, height: float) -> Any:
    """The axes to draw on: those given, or the ones of a new figure of that size in inches."""
    return panels(1, width, height)[0] if ax is None else ax


def panels(count: int, width: float, height: float, *, columns: int | None = None) -> list[Any]:
    """Axes of a new figure; `width` and `height` are those of one panel, in inches."""
    import matplotlib.pyplot as plt

    across = min(columns or count, count)
    down = -(-count // across)
    figure, made = plt.subplots(
        down, across, figsize=(width * across, height * down), squeeze=False, layout="constrained"
    )
    plt.close(figure)  # else a notebook would show it twice: as a value and as an open figure
    for ax in made.flat[count:]:
        ax.axis("off")
    return list(made.flat[:count])


def style(number: int) -> tuple[str, str]:
    """Colour and marker of the class with this number; 64 of them differ."""
    return COLOURS[number % len(COLOURS)], MARKERS[(number + number // len(COLOURS)) % len(MARKERS)]
