"""R's lazy-load databases and saved files, written here byte by byte as R does."""

import bz2
import gzip
import lzma
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sprat import datasets
from sprat.datasets import texts
from sprat.datasets.converted import Converted
from sprat.datasets.rdata import lazy_load, saved
from sprat.errors import DataError

from .conftest import IMAGES, LABELS, Web, tiny_dataset

HEADER = b"X\n" + struct.pack(">iii", 3, 0x040200, 0x030500) + struct.pack(">i", 5) + b"UTF-8"
END = struct.pack(">i", 254)


def number(value: int) -> bytes:
    return struct.pack(">i", value)


def chars(text: str | None) -> bytes:
    if text is None:
        return number(9) + number(-1)
    content = text.encode()
    return number(0x40009) + number(len(content)) + content


def strings(*texts: str | None) -> bytes:
    return number(16) + number(len(texts)) + b"".join(map(chars, texts))


def integers(*values: int) -> bytes:
    return number(13) + number(len(values)) + b"".join(map(number, values))


def named(**values: bytes) -> bytes:
    """A list with names."""
    names = number(0x402) + number(1) + chars("names") + strings(*values) + END
    return number(0x213) + number(len(values)) + b"".join(values.values()) + names


def database(**objects: bytes) -> tuple[bytes, bytes]:
    content, places = b"", {}
    for name, thing in objects.items():
        whole = HEADER + thing
        piece = number(len(whole)) + zlib.compress(whole)
        places[name] = integers(len(content), len(piece))
        content += piece
    return HEADER + named(variables=named(**places), compressed=integers(1)), content


def test_strings_numbers_and_lists() -> None:
    reals = number(14) + number(2) + struct.pack(">2d", 0.5, -3.0)
    found = lazy_load(
        *database(
            lines=strings("CHAPTER I", "", None, "façade"),
            counts=integers(3, -1),
            reals=reals,
            both=named(a=integers(7), b=strings("x")),
        )
    )
    assert found["lines"] == ["CHAPTER I", "", None, "façade"]
    assert found["counts"].tolist() == [3, -1]
    np.testing.assert_array_equal(found["reals"], [0.5, -3.0])
    assert found["both"]["a"].tolist() == [7]
    assert found["both"]["b"] == ["x"]


def test_symbols_are_read_once_and_referred_to() -> None:
    # Two vectors with the same attribute: the second time R writes a reference to the symbol.
    first = number(0x402) + number(1) + chars("unit") + strings("m") + END
    again = number(0x402) + number(255 | 1 << 8) + strings("s") + END
    both = number(0x213) + number(2)
    both += number(0x20D) + number(1) + number(4) + first
    both += number(0x20D) + number(1) + number(5) + again
    both += number(0x402) + number(1) + chars("names") + strings("a", "b") + END
    found = lazy_load(*database(both=both))["both"]
    assert found["a"].tolist() == [4]
    assert found["b"].tolist() == [5]


@pytest.mark.parametrize("cut", [0, 5, 40])
def test_damage_is_told(cut: int) -> None:
    index, content = database(lines=strings("a", "b"))
    with pytest.raises(DataError, match="data of an R package"):
        lazy_load(index[:cut], content)
    with pytest.raises(DataError, match="data of an R package"):
        lazy_load(index, content[: cut // 2])


def test_code_is_not_read() -> None:
    with pytest.raises(DataError, match="kind 6 is no data"):
        lazy_load(*database(code=number(6) + number(0)))


def rda(**objects: bytes) -> bytes:
    content = b"RDX3\n" + HEADER
    for name, thing in objects.items():
        content += number(0x402) + number(1) + chars(name) + thing
    return content + END


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_saved_files_packed_in_four_ways(pack: Callable[[bytes], bytes]) -> None:
    found = saved(pack(rda(emma=strings("EMMA", ""), pages=integers(3))))
    assert found["emma"] == ["EMMA", ""]
    assert found["pages"].tolist() == [3]


@pytest.mark.parametrize("content", [b"", b"RDX3\n", rda(a=strings("b"))[:-20], b"\x1f\x8b\x08cut"])
def test_damaged_saved_files_are_told(content: bytes) -> None:
    with pytest.raises(DataError, match="R's save"):
        saved(content)


def test_both_sources_of_the_novels_make_the_same_files() -> None:
    lines = {key: strings(key.upper(), "", "It is a truth.") for key in texts._NOVELS}
    index, content = database(**lines)
    installed = texts._installed({"Rdata.rdx": index, "Rdata.rdb": content})
    packed = {f"{key}.rda": gzip.compress(rda(**{key: line})) for key, line in lines.items()}
    assert installed == texts._from_its_source(packed)
    assert installed["emma.txt"] == b"EMMA\n\nIt is a truth."
    index, content = database(**lines | {"emma": integers(1)})
    with pytest.raises(DataError, match="emma is no list of lines"):
        texts._installed({"Rdata.rdx": index, "Rdata.rdb": content})


def test_what_is_converted_is_verified_like_anything_else(web: Web, folder: Path) -> None:
    web.served = {"/both": IMAGES + LABELS}
    source = datasets.Address(web.address)

    def cut(raw: object) -> dict[str, bytes]:
        assert isinstance(raw, dict)
        return {"images": raw["both"][: len(IMAGES)], "labels": raw["both"][len(IMAGES) :]}

    datasets.register(tiny_dataset(Converted(source, ("both",), cut)))
    assert len(datasets.fetch("tiny")) == 40
    assert {path.name for path in (folder / "tiny").iterdir()} == {".lock", "images", "labels"}

    datasets.register(
        tiny_dataset(Converted(source, ("both",), lambda raw: {"images": b"x"}), name="wrong")
    )
    with pytest.raises(DataError, match="images has 1 bytes"):
        datasets.fetch("wrong")


def test_a_conversion_that_fails_is_a_source_that_fails(web: Web) -> None:
    web.served = {"/raw": b"anything"}

    def refuse(raw: object) -> dict[str, bytes]:
        raise DataError("The raw file is of another kind.", fix="none")

    source = Converted(datasets.Address(web.address), ("raw",), refuse)
    datasets.register(tiny_dataset(source))
    with pytest.raises(DataError, match="raw file is of another kind"):
        datasets.fetch("tiny")
