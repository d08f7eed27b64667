"""The picture that a link to a page brings along where people share it: 1200 × 630 pixels.

It is drawn from the page's title, the book's title and a fish, with a font that matplotlib brings,
so equal titles give equal bytes. Addresses of such pictures must be absolute (https://ogp.me/), so
a site without a public address has none.
"""

from __future__ import annotations

import hashlib
import io
import re
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

SIZE = (1200, 630)
_MARGIN = 90
_GROUND, _INK, _BAND, _QUIET = "#0f1b21", "#eaf5f5", "#6bd0d6", "#a4b5bb"
_H1 = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
_FISH_WIDTH = 300


def card(title: str, book: str) -> bytes:
    """A PNG with a page's title, the book's title and a fish.

    Args:
        title: of the page; a long one is set smaller, and cut at its fifth line.
        book: the book's title.
    """
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", SIZE, _GROUND)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, SIZE[1] - 14, SIZE[0], SIZE[1]), fill=_BAND)
    _fish(draw, SIZE[0] - _MARGIN - _FISH_WIDTH, SIZE[1] - 190)
    draw.text((_MARGIN, SIZE[1] - 120), book, font=_font(38, bold=False), fill=_QUIET)
    for size in (84, 72, 60, 50):
        font = _font(size, bold=True)
        lines = _lines(title, font, SIZE[0] - 2 * _MARGIN)
        if len(lines) * size * 1.2 <= 330:
            break
    for number, line in enumerate(lines[:5]):
        draw.text((_MARGIN, 80 + number * size * 1.2), line, font=font, fill=_INK)
    target = io.BytesIO()
    picture.quantize(32).save(target, "PNG", optimize=True)
    return target.getvalue()


def _fish(draw: ImageDraw, left: int, top: int) -> None:
    """A fish that swims to the right: a body, a tail and an eye."""
    width, height = _FISH_WIDTH, 110
    draw.polygon([(left, top), (left + 90, top + height / 2), (left, top + height)], fill="#37979f")
    draw.ellipse((left + 60, top, left + width, top + height), fill=_BAND)
    eye = (left + width - 62, top + height / 2 - 18)
    draw.ellipse((*eye, eye[0] + 18, eye[1] + 18), fill=_GROUND)


def _font(size: int, *, bold: bool) -> FreeTypeFont:
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf" / name, size)


def _lines(text: str, font: FreeTypeFont, width: float) -> list[str]:
    """The text in lines that are no wider than `width` pixels; a wider word has its own line."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def store(folder: Path, html: str, book: str) -> str | None:
    """Draw the card of a page, store it in the site, and return its path within the site.

    Args:
        folder: the site.
        html: the page; one without a title gets no card.
        book: the book's title.
    """
    found = _H1.search(html)
    if found is None:
        return None
    heading = re.sub(r"<a class=\"headerlink\".*?</a>", "", found[1], flags=re.DOTALL)
    title = " ".join(unescape(re.sub(r"<[^>]+>", "", heading)).split())
    content = card(title, book)
    name = f"_images/card-{hashlib.sha256(content).hexdigest()[:16]}.png"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return name
