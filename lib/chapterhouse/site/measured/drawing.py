"""Small plots and bars as inline SVG, which need no script and take the colour of the text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from chapterhouse.site.measured.history import Point

WIDTH, HEIGHT, EDGE = 120, 28, 4


def number(value: float | int) -> str:
    """A value as the tables show it: whole numbers whole, others with four digits that count."""
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:.4g}"


def bar(share: float) -> str:
    """A bar that is full for 1; decoration, since the number stands beside it."""
    filled = max(0.5, WIDTH * min(max(share, 0.0), 1.0))
    return (
        f'<svg class="measured-bar" width="{WIDTH}" height="10" viewBox="0 0 {WIDTH} 10" '
        f'aria-hidden="true"><rect width="{filled:.1f}" height="10" fill="currentColor" '
        'fill-opacity="0.55"/></svg>'
    )


def sparkline(points: Sequence[Point], *, title: str, name: str, limit: float | None) -> str:
    """One claim or one time over runs, as a line; runs in which a claim failed are crosses.

    Args:
        points: oldest first; at least one.
        title: what is drawn.
        name: makes the ids of the title and the description the page's only ones.
        limit: drawn as a broken line, where it lies within sight of the values.
    """
    values = [point.value for point in points]
    known = [value for value in values if value is not None]
    shown = [*known, *([limit] if limit is not None and known else [])]
    low, high = (min(shown), max(shown)) if shown else (0.0, 0.0)

    def across(place: int) -> float:
        room = WIDTH - 2 * EDGE
        return WIDTH / 2 if len(points) == 1 else EDGE + room * place / (len(points) - 1)

    def down(value: float | None) -> float:
        if value is None or high == low:
            return HEIGHT / 2
        return EDGE + (HEIGHT - 2 * EDGE) * (high - value) / (high - low)

    places = [(across(place), down(value)) for place, value in enumerate(values)]
    marks = "".join(
        _mark(x, y, held=point.held, last=place == len(points) - 1)
        for place, ((x, y), point) in enumerate(zip(places, points, strict=True))
    )
    level = ""
    if limit is not None and known:
        y = down(limit)
        level = f'<path d="M0 {y:.1f}H{WIDTH}" stroke-dasharray="3 3" opacity="0.7"/>'
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return (
        f'<svg class="measured-line" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-title {name}-desc" '
        'fill="none" stroke="currentColor" stroke-width="1.5">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(in_words(points))}</desc>'
        f'{level}<polyline points="{line}"/>{marks}</svg>'
    )


def in_words(points: Sequence[Point]) -> str:
    """What the plot shows, for those who do not see it."""
    known = [point.value for point in points if point.value is not None]
    count = len(points)
    first, last = points[0].day, points[-1].day
    runs = f"{count} run{'s' if count > 1 else ''}"
    when = f"on {last}" if first == last else f"from {first} to {last}"
    spread = ""
    if known:
        low, high = number(min(known)), number(max(known))
        spread = f"; {low}" if low == high else f"; smallest {low}, largest {high}"
    failed = sum(not point.held for point in points)
    outcome = f"; failed in {failed}" if failed else ""
    return f"{runs} {when}{spread}{outcome}."


def _mark(x: float, y: float, *, held: bool, last: bool) -> str:
    if not held:
        return f'<path d="M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6" stroke-width="2"/>'
    radius = 2.5 if last else 1.2
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="currentColor"/>'
