"""Data sets of colour pictures: photographs, and emoji with their names."""

import io
import unicodedata
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sprat.datasets.cache import File
from sprat.datasets.packages import Debian, PyPI
from sprat.datasets.registry import Dataset, Read
from sprat.datasets.splits import at_random
from sprat.errors import DataError

_PHOTOS = {
    "astronaut.png": "an astronaut",
    "chelsea.png": "a cat",
    "coffee.png": "a cup of coffee",
    "motorcycle_left.png": "a motorcycle",
    "rocket.jpg": "a rocket on its launch pad",
    "hubble_deep_field.jpg": "galaxies",
    "retina.jpg": "a retina",
    "ihc.png": "cells under a microscope",
}


def picture(content: bytes | bytearray, mode: str = "RGB") -> Tensor:
    """A PNG or JPEG file as pixels.

    Args:
        content: the file.
        mode: ``"RGB"``, ``"RGBA"`` or ``"L"`` for grey.

    Returns:
        uint8, (channels, height, width).

    Raises:
        DataError: it is no picture, or a damaged one.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as opened:
            pixels = np.array(opened.convert(mode))  # (height, width[, channels])
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(
            f"A picture was expected: {error}.", fix="delete the file, so that it is fetched anew"
        ) from None
    return torch.from_numpy(pixels).reshape(*pixels.shape[:2], -1).permute(2, 0, 1).contiguous()


def _photos(read: Read, split: str) -> tuple[list[Tensor], list[str]]:
    return [picture(read(name)) for name in _PHOTOS], list(_PHOTOS.values())


def _emoji(read: Read, split: str) -> tuple[Tensor, list[str]]:
    from fontTools.ttLib import TTFont

    font = TTFont(io.BytesIO(read("NotoColorEmoji.ttf")), lazy=True)
    glyphs = font["CBDT"].strikeData[0]  # the font's pictures are in one size: 136 × 128
    meanings = _meanings(font)
    names = sorted(glyphs)
    chosen = [names[i] for i in at_random(len(names), split, test_share=0.1)]
    pictures = torch.stack([_halved(picture(glyphs[g].imageData, "RGBA")) for g in chosen])
    return pictures, [meanings[g] for g in chosen]


def _halved(pixels: Tensor) -> Tensor:
    """64 × 64 pixels from 128 × 136: four in the margin are cut off, then 2 × 2 become one.

    Colours are weighted with their opacity: what can't be seen must not darken an edge.
    """
    pixels = pixels[:, :, 4:132].float()  # (4, 128, 128)
    colour, opacity = pixels[:3], pixels[3:]
    mean = torch.nn.functional.avg_pool2d
    thick = mean(opacity, 2)  # (1, 64, 64)
    shade = mean(colour * opacity, 2) / thick.clamp(min=1e-6)
    return torch.cat([shade, thick]).round().to(torch.uint8)


def _meanings(font: Any) -> dict[str, str]:
    """Glyph → what it shows: Unicode's names of its characters, in small letters.

    A glyph stands for one character, or for several that the font draws as one picture, as the
    flag of a country is two letters. GSUB lookups of type 4 list these (OpenType specification).
    """
    single: dict[str, str] = {}
    for code, glyph in font.getBestCmap().items():
        single.setdefault(glyph, unicodedata.name(chr(code), f"U+{code:04X}").lower())
    meanings = dict(single)
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            table = getattr(table, "ExtSubTable", table)
            for first, ligatures in getattr(table, "ligatures", {}).items():
                for ligature in ligatures:
                    parts = [single.get(g, "") for g in (first, *ligature.Component)]
                    shown = [p for p in parts if p and "joiner" not in p and "variation" not in p]
                    meanings.setdefault(ligature.LigGlyph, ", ".join(shown))
    return meanings


_PHOTO_FILES = (
    File(
        "astronaut.png", 791_555, "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
    ),
    File(
        "chelsea.png", 240_512, "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"
    ),
    File("coffee.png", 466_706, "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
    File(
        "motorcycle_left.png",
        644_701,
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    ),
    File("rocket.jpg", 112_525, "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c"),
    File(
        "hubble_deep_field.jpg",
        527_940,
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    ),
    File("retina.jpg", 269_564, "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6"),
    File("ihc.png", 477_916, "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef"),
)

PHOTOS = Dataset(
    name="photos",
    title="Eight photographs",
    about="Colour photographs of different sizes, each with what it shows: "
    + ", ".join(_PHOTOS.values())
    + ".",
    input="Image",
    target="Text",
    classes=(),
    splits={"train": len(_PHOTOS)},
    shape=(3,),
    licence="public domain or CC0, each as scikit-image's pages say",
    citation="vanderwalt2014scikit",
    home="https://scikit-image.org/docs/stable/api/skimage.data.html",
    files=_PHOTO_FILES,
    sources=(
        PyPI(
            "scikit-image",
            "0.26.0",
            13_711_217,
            {name: f"skimage/data/{name}" for name in _PHOTOS},
        ),
    ),
    parse=_photos,
)

EMOJI = Dataset(
    name="emoji",
    title="Noto emoji",
    about="Small drawings with transparent background and the Unicode names of what they "
    "show, as far as this Python knows them. A tenth of them, chosen at random, are in test.",
    input="Image",
    target="Text",
    classes=(),
    splits={"train": 3_533, "test": 393},
    shape=(4, 64, 64),
    licence="OFL-1.1, © Google",
    citation="google2023noto",
    home="https://github.com/googlefonts/noto-emoji",
    files=(
        File(
            "NotoColorEmoji.ttf",
            10_980_856,
            "e5899ed38b8ed83e08bd3ac5de09791e9d19d288333a796de1d35ad17396f1ec",
        ),
    ),
    sources=(
        Debian(
            "fonts-noto-color-emoji",
            9_893_872,
            {"NotoColorEmoji.ttf": "usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"},
        ),
    ),
    parse=_emoji,
)

DATASETS = (PHOTOS, EMOJI)
