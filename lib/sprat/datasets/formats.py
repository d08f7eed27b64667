"""How the files of data sets are laid out: IDX arrays, tables of digits, Debian packages.

Each function takes bytes and returns tensors or bytes. A file that is not what its name says
raises `DataError`, never an index error deep inside a parser.
"""

import io
import struct
import tarfile
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np
import torch
from torch import Tensor

from sprat.errors import DataError

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60


def idx(content: bytearray) -> Tensor:
    """The array in an IDX file of unsigned bytes, without a copy.

    The format is that of LeCun's MNIST page: two zero bytes, 8 for uint8, the number of axes, the
    length of each axis as a big-endian uint32, then the values in row-major order.

    Args:
        content: the whole file. The tensor shares its memory.

    Raises:
        DataError: the header or the length is not that of such a file.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08" or content[3] == 0:
        raise DataError(
            f"An IDX file of unsigned bytes starts with 00 00 08 and its number of axes; this one "
            f"starts with {bytes(content[:4]).hex(' ')}.",
            fix="delete the file, so that it is fetched anew",
        )
    start = 4 + 4 * content[3]
    shape = struct.unpack(f">{content[3]}I", content[4:start]) if len(content) >= start else (-1,)
    if len(content) - start != int(np.prod(shape, dtype=np.int64)):
        raise DataError(
            f"The IDX header promises the shape {shape}; {max(0, len(content) - start):,} values "
            "follow.",
            fix="delete the file, so that it is fetched anew",
        )
    return torch.frombuffer(content, dtype=torch.uint8, offset=start).reshape(shape)


def byte_table(content: bytearray) -> Tensor:
    """A table of whole numbers from 0 to 255 in comma-separated text without a heading.

    Args:
        content: the whole file.

    Returns:
        uint8, (rows, columns).

    Raises:
        DataError: a value is something else, or the rows differ in length.
    """
    try:
        table = np.loadtxt(io.BytesIO(content), delimiter=",", dtype=np.uint8, ndmin=2)
    except ValueError as error:
        raise DataError(
            f"A table of numbers from 0 to 255 was expected: {error}.",
            fix="delete the file, so that it is fetched anew",
        ) from None
    return torch.from_numpy(table)


def debian_members(package: IO[bytes], wanted: Iterable[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """The wanted files inside a Debian package, read without installing it.

    A ``.deb`` is an ``ar`` archive whose member ``data.tar.*`` holds the files (deb(5)).

    Args:
        package: the open package.
        wanted: paths as installed, without the leading slash.

    Yields:
        Each path that was found, and its content as an open file that is valid until the next.

    Raises:
        DataError: it is not a Debian package, or it is cut off.
    """
    wanted = set(wanted)
    fix = "delete it, so that it is downloaded anew"
    if package.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise DataError("The download is not a Debian package.", fix=fix)
    try:
        while header := package.read(_AR_HEADER_BYTES):
            size = int(header[48:58])
            if header[:16].strip().rstrip(b"/").startswith(b"data.tar"):
                with tarfile.open(fileobj=io.BytesIO(package.read(size))) as archive:
                    for member in archive:
                        name = member.name.removeprefix("./")
                        if name in wanted and (content := archive.extractfile(member)):
                            yield name, content
                return
            package.seek(size + size % 2, io.SEEK_CUR)  # members start at even offsets
    except (ValueError, EOFError, tarfile.TarError) as error:
        raise DataError(f"The Debian package is damaged: {error}.", fix=fix) from None
    raise DataError("The Debian package has no data inside.", fix=fix)
