"""Figures that a reader can move: one or two sliders over pictures drawn beforehand.

Every state is drawn once, all of them are packed in one image, and a few lines of script move a
window over it. So the figure works wherever HTML does (a stored page, a notebook, Colab), asks no
server, and where scripts don't run it shows its first state.
"""

import base64
import html
import io
import itertools
import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from sprat.errors import DataError


class Scrub:
    """What `scrub` makes; a notebook shows it."""

    def __init__(self, markup: str, alt: str) -> None:
        self.markup, self.alt = markup, alt

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return f"Scrub({self.alt})"


def scrub(
    draw: Callable[..., None],
    *,
    alt: str,
    start: Sequence[int] | None = None,
    figsize: tuple[float, float] = (5.0, 3.2),
    dpi: int = 110,
    **sliders: Sequence[Any],
) -> Scrub:
    """A figure with one or two sliders.

    Args:
        draw: ``draw(ax, **values)`` draws one state on matplotlib axes.
        alt: what the figure shows, for those who don't see it.
        start: which position each slider starts at, counted from 0; the middle by default.
        figsize: width and height of a state in inches.
        dpi: pixels an inch.
        **sliders: one or two: the name, and the values it goes through. At most 150 states.

    Raises:
        DataError: there is no slider, or there are too many states.
    """
    names, values = list(sliders), [list(v) for v in sliders.values()]
    count = 1
    for v in values:
        count *= len(v)
    if not 1 <= len(names) <= 2 or not 1 <= count <= 150:
        raise DataError(
            f"scrub got {len(names)} sliders and {count} states.",
            fix="give one or two sliders, 150 states in all at most",
        )
    columns = len(values[-1])
    states = [dict(zip(names, state, strict=True)) for state in itertools.product(*values)]
    frames, shape = _frames(draw, states, figsize, dpi)
    sheet = _sheet(frames, shape, columns)
    first = list(start) if start is not None else [len(v) // 2 for v in values]
    labels = [[_label(item) for item in v] for v in values]
    return Scrub(_markup(sheet, shape, names, labels, first, columns, alt), alt)


def _frames(
    draw: Callable[..., None],
    states: list[dict[str, Any]],
    figsize: tuple[float, float],
    dpi: int,
) -> tuple[list[bytes], tuple[int, ...]]:
    """Every state as RGBA pixels, and the shape of each.

    Laying a figure out costs as much as drawing it. So the axes get one place for all states: the
    room that the first, the middle and the last state leave. That also keeps them from jumping.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    boxes = []
    for state in (states[0], states[len(states) // 2], states[-1]):
        figure = Figure(figsize=figsize, dpi=dpi, layout="constrained")
        ax = figure.subplots()
        draw(ax, **state)
        FigureCanvasAgg(figure).draw()
        boxes.append(ax.get_position(original=True))
    common = Bbox.intersection(Bbox.intersection(boxes[0], boxes[1]) or boxes[0], boxes[2])
    figure = Figure(figsize=figsize, dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    frames = []
    for state in states:
        figure.clear()
        ax = figure.add_axes((common or boxes[0]).bounds)
        draw(ax, **state)
        canvas.draw()
        pixels = canvas.buffer_rgba()
        frames.append(bytes(pixels))
    return frames, pixels.shape


def _sheet(frames: list[bytes], shape: tuple[int, ...], columns: int) -> str:
    """All states in one PNG, in rows of `columns`, as base64."""
    import numpy as np
    from PIL import Image  # matplotlib brings it

    pictures = [np.frombuffer(f, np.uint8).reshape(shape)[..., :3] for f in frames]
    rows = [np.hstack(pictures[i : i + columns]) for i in range(0, len(pictures), columns)]
    target = io.BytesIO()
    # 64 colours: a plot needs no more, and the file is a third as large.
    picture = Image.fromarray(np.vstack(rows)).quantize(64)
    picture.save(target, "PNG", optimize=True)
    return base64.b64encode(target.getvalue()).decode()


def _label(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _markup(
    sheet: str,
    shape: tuple[int, ...],
    names: list[str],
    labels: list[list[str]],
    first: list[int],
    columns: int,
    alt: str,
) -> str:
    height, width = shape[:2]
    rows = len(labels[0]) if len(labels) == 2 else 1
    # The name is made from the content, so that equal runs leave equal pages.
    key = "scrub-" + uuid.uuid5(uuid.NAMESPACE_OID, sheet).hex[:8]
    inputs = "".join(
        f'<label style="display:flex;gap:.6em;align-items:center;margin:.3em 0">'
        f'<span style="min-width:8em">{html.escape(name.replace("_", " "))}</span>'
        f'<input type="range" min="0" max="{len(options) - 1}" step="1" value="{position}" '
        f'style="flex:1;min-width:6em" data-axis="{axis}">'
        f'<span style="min-width:4em">{html.escape(options[position])}</span></label>'
        for axis, (name, options, position) in enumerate(zip(names, labels, first, strict=True))
    )
    at = (first[0], first[1]) if len(first) == 2 else (0, first[0])
    place = _place(at[0], at[1], rows, columns)
    return (
        f'<figure id="{key}" class="sprat-scrub" style="max-width:{width}px;margin:1em 0">'
        f'<div role="img" aria-label="{html.escape(alt)}" style="width:100%;'
        f"aspect-ratio:{width}/{height};background-color:#fff;background-repeat:no-repeat;"
        f"background-size:{columns * 100}% {rows * 100}%;background-position:{place};"
        f'background-image:url(data:image/png;base64,{sheet})"></div>{inputs}</figure>'
        f"<script>(()=>{{const f=document.getElementById({json.dumps(key)}),"
        f"L={json.dumps(labels)},R={rows},C={columns};"
        "const i=[...f.querySelectorAll('input')],p=f.querySelector('[role=img]');"
        "const pc=(k,n)=>n>1?100*k/(n-1)+'%':'0%';"
        "const go=()=>{const v=i.map(e=>+e.value);"
        "i.forEach((e,a)=>{e.nextElementSibling.textContent=L[a][v[a]];"
        "e.setAttribute('aria-valuetext',L[a][v[a]])});"
        "p.style.backgroundPosition=pc(v[v.length-1],C)+' '+pc(v.length>1?v[0]:0,R)};"
        "i.forEach(e=>e.addEventListener('input',go));go()})()</script>"
    )


def _place(row: int, column: int, rows: int, columns: int) -> str:
    def share(k: int, n: int) -> str:
        return f"{100 * k / (n - 1):g}%" if n > 1 else "0%"

    return f"{share(column, columns)} {share(row, rows)}"
