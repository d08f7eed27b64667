"""Grids: where values are shown. The same calls draw with matplotlib or with characters.

A grid has one place a sample. A display function (see ``show.py``) fills the next place with
`Grid.image` or `Grid.text`, or the next two side by side with `Grid.pair`.
"""

from sprat.errors import DispatchError
from sprat.grid.base import Grid
from sprat.grid.characters import TextGrid
from sprat.grid.figure import FigureGrid

__all__ = ["FigureGrid", "Grid", "TextGrid", "make_grid"]


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
