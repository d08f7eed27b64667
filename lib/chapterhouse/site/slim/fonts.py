"""The part of a font that the pages show, as WOFF2."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from chapterhouse.errors import SiteError

_CONTENT = re.compile(
    r"(?:content|--fa|--pst-icon-[\w-]+):\s*[\"']\\?([0-9a-fA-F]{4,6}|[\ue000-\uf8ff])[\"']"
)
_FACE = re.compile(r"@font-face\{[^}]*\}")


def subset(font: Path, characters: Iterable[str], *, keep_layout: bool) -> bytes:
    """A font with these characters only, as WOFF2.

    Args:
        font: a TrueType, OpenType or WOFF2 file.
        characters: what it must show.
        keep_layout: also keep larger forms and how formulas are laid out with them.
    """
    from fontTools import subset as tools

    options = tools.Options()
    options.flavor = "woff2"
    options.layout_features = ["*"] if keep_layout else []
    options.name_IDs = [0, 1, 2, 13, 14]  # whose it is and its licence stay inside
    options.notdef_outline = True
    options.recalc_timestamp = False
    with tools.load_font(str(font), options) as loaded:
        cutter = tools.Subsetter(options)
        cutter.populate(unicodes=[ord(c) for c in set(characters)])
        cutter.subset(loaded)
        target = io.BytesIO()
        tools.save_font(loaded, target, options)
    return target.getvalue()


def icon_characters(css: str) -> set[str]:
    """The private characters by which a sheet shows icons."""
    found = set()
    for match in _CONTENT.findall(css):
        found.add(match if len(match) == 1 else chr(int(match, 16)))
    return {c for c in found if "\ue000" <= c <= "\uf8ff"}


def slim_icons(css: str, folder: Path, html: str) -> str:
    """Cut the icon fonts in `folder`/vendor to what is shown, and name only these in the sheet."""
    shown = icon_characters(css) | set(re.findall("[\ue000-\uf8ff]", html))
    faces: dict[str, str] = {}
    for face in _FACE.findall(css):
        found = re.search(r"url\(\"(?P<path>[^\"]*/(?P<name>fa-[\w-]+)\.woff2)\"\)", face)
        if found is None:
            continue
        source = folder / found["path"]
        target = source.with_name(f"{found['name']}.icons.woff2")
        if not target.exists():
            target.write_bytes(subset(source, shown, keep_layout=False))
        address = f"{found['path'].rpartition('/')[0]}/{target.name}"
        kept = re.sub(r"src:[^;}]*", f'src:url("{address}") format("woff2")', face)
        faces[face] = re.sub(r"font-display:[^;}]*", "font-display:swap", kept)
    for face, kept in faces.items():
        css = css.replace(face, kept)
    for path in folder.rglob("fa-*"):
        if path.is_file() and not path.name.endswith(".icons.woff2"):
            path.unlink()
    return css


def mathematics(characters: Iterable[str]) -> bytes:
    """STIX Two Math (SIL Open Font License) with these characters.

    Raises:
        SiteError: the package that brings the font is not installed.
    """
    spec = find_spec("ziamath")
    places = list(spec.submodule_search_locations or ()) if spec else []
    font = Path(places[0]) / "fonts" / "STIXTwoMath-Regular.ttf" if places else None
    if font is None or not font.is_file():
        raise SiteError(
            "The font for formulas is missing: ziamath, which brings it, is not installed.",
            fix="pip install ziamath==0.13, or the extra [book]",
        )
    return subset(font, characters, keep_layout=True)
