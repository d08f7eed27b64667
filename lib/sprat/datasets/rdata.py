"""Data of R and its packages: vectors of strings and numbers, read without R.

R keeps an installed package's data as two files: ``.rdb`` holds compressed objects one after the
other, and ``.rdx`` says where each begins. What its function ``save`` writes is one file, ``.rda``.
Objects are in R's XDR serialisation; the format is described in "R Internals", section 1.8
(https://cran.r-project.org/doc/manuals/r-release/R-ints.html), the database in its section 1.11.
Only what data consists of is read: no functions, no environments.
"""

import bz2
import contextlib
import gzip
import lzma
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from sprat.errors import DataError

# SEXPTYPE numbers, from R's Rinternals.h.
_SYMBOL, _PAIRS, _CHARS, _LOGICAL, _INTEGER, _REAL, _STRINGS, _LIST = 1, 2, 9, 10, 13, 14, 16, 19
_NULL_VALUE, _REFERENCE = 254, 255
_HAS_ATTRIBUTES, _HAS_TAG = 0x200, 0x400
_HEADER_BYTES = 14  # "X\n", three version numbers


def lazy_load(index: bytes | bytearray, database: bytes | bytearray) -> dict[str, Any]:
    """The objects of a package's data.

    Args:
        index: the file ``Rdata.rdx``.
        database: the file ``Rdata.rdb``.

    Returns:
        Name of an object → a list of strings, a numpy array, or a dict for a list with names.

    Raises:
        DataError: the files are damaged, or hold something else than data.
    """
    with _telling("data of an R package"):
        places = _Reader(_unpacked(index)).whole()["variables"]
        found = {}
        for name, (start, length) in places.items():
            piece = database[start : start + length]
            # Four bytes tell the length of what zlib makes of the rest.
            found[name] = _Reader(zlib.decompress(piece[4:])).whole()
        return found


def saved(content: bytes | bytearray) -> dict[str, Any]:
    """The objects in a file that R's ``save`` wrote, ``.rda``.

    Args:
        content: the file, compressed or not.

    Returns:
        As `lazy_load`.

    Raises:
        DataError: it is damaged, or holds something else than data.
    """
    with _telling("file of R's save"):
        plain = _unpacked(content)
        if plain[:5] not in (b"RDX2\n", b"RDX3\n"):
            raise ValueError("not in R's XDR format")
        return dict(_Reader(plain[5:]).whole())


def _unpacked(content: bytes | bytearray) -> bytes:
    """What is inside, by gzip, bzip2 or xz, or as it is: R writes all four."""
    for mark, unpack in ((b"\x1f\x8b", gzip.decompress), (b"BZh", bz2.decompress),
                         (b"\xfd7zXZ", lzma.decompress)):  # fmt: skip
        if content.startswith(mark):
            return unpack(bytes(content))
    return bytes(content)


@contextlib.contextmanager
def _telling(what: str) -> Iterator[None]:
    """Turn whatever a damaged file brings about into one error."""
    try:
        yield
    except (ValueError, KeyError, IndexError, TypeError, OSError, EOFError, struct.error,
            zlib.error, lzma.LZMAError, UnicodeDecodeError) as error:  # fmt: skip
        raise DataError(
            f"The {what} was expected; reading it fails with {type(error).__name__}: {error}.",
            fix="delete the file, so that it is fetched anew",
        ) from None


class _Reader:
    """Reads one serialised object, front to back."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0
        self.symbols: list[Any] = []

    def whole(self) -> Any:
        """The object after the header."""
        if self.content[:2] != b"X\n":
            raise ValueError("not in R's XDR format")
        version = struct.unpack(">i", self.content[2:6])[0]
        self.at = _HEADER_BYTES
        if version == 3:  # the name of the encoding follows
            self._bytes(self._int())
        return self.item()

    def _bytes(self, count: int) -> bytes:
        piece = self.content[self.at : self.at + count]
        if len(piece) < count:
            raise EOFError("the file ends too soon")
        self.at += count
        return piece

    def _int(self) -> int:
        return int(struct.unpack(">i", self._bytes(4))[0])

    def item(self) -> Any:
        """The next object."""
        flags = self._int()
        kind = flags & 0xFF
        if kind == _NULL_VALUE:
            return None
        if kind == _REFERENCE:
            return self.symbols[(flags >> 8) - 1]
        if kind == _SYMBOL:
            self.symbols.append(self.item())
            return self.symbols[-1]
        if kind == _CHARS:
            length = self._int()  # −1 is a missing string
            return None if length == -1 else self._bytes(length).decode()
        if kind == _PAIRS:
            return self._pairs(flags)
        value = self._vector(kind)
        if flags & _HAS_ATTRIBUTES:
            attributes = self.item()
            if kind == _LIST and "names" in attributes:
                return dict(zip(attributes["names"], value, strict=True))
        return value

    def _pairs(self, flags: int) -> dict[Any, Any]:
        """A linked list of tagged values, as a dict; attributes are kept so."""
        found: dict[Any, Any] = {}
        while flags & 0xFF == _PAIRS:
            if flags & _HAS_ATTRIBUTES:
                self.item()
            tag = self.item() if flags & _HAS_TAG else len(found)
            found[tag] = self.item()
            flags = self._int()
        return found

    def _vector(self, kind: int) -> Any:
        length = self._int()
        if kind in (_STRINGS, _LIST):
            return [self.item() for _ in range(length)]
        if kind in (_INTEGER, _LOGICAL):
            return np.frombuffer(self._bytes(4 * length), ">i4").astype(np.int64)
        if kind == _REAL:
            return np.frombuffer(self._bytes(8 * length), ">f8").astype(np.float64)
        raise DataError(
            f"An object of R's kind {kind} is no data that can be read here.",
            fix="name a file of vectors and lists",
        )
