"""Reading GGUF, the file in which llama.cpp keeps a language model: metadata, then tensors.

The file begins with the letters GGUF, a version, and the numbers of tensors and of metadata
entries. Then come the entries (name, type, value), for each tensor its name, shape, type and
place, and the tensors' bytes, each at a multiple of the alignment. Quantised tensors stand in
blocks of 32 numbers that share a scale. Nothing is executed, and only what is asked for is read.

Sources: the specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, and for the
blocks ``ggml-common.h`` of the same repository.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sprat.errors import DataError
from sprat.shapes import Float, Tensor

_SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}  # as `struct` has it
_STRING, _ARRAY = 8, 9
_BLOCK = 32  # numbers in a block of the quantised types here

_KINDS = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", _BLOCK, 2 + 16),
    3: ("Q4_1", _BLOCK, 2 + 2 + 16),
    8: ("Q8_0", _BLOCK, 2 + 32),
    30: ("BF16", 1, 2),
}
"""Type → its name, numbers in a block, bytes in a block."""


@dataclass(frozen=True)
class Stored:
    """Where a tensor lies in the file.

    Args:
        shape: as torch has it, the last axis is contiguous.
        kind: how its numbers are stored, such as ``"Q4_1"``.
        offset: of its first byte, from the beginning of the file.
        size_bytes: how many bytes it takes.
    """

    shape: tuple[int, ...]
    kind: str
    offset: int
    size_bytes: int


class GGUF:
    """An opened file.

    Args:
        path: of the file.

    Attributes:
        metadata: name → value: numbers, strings, or lists of them.
        stored: tensor name → where and how it is stored.

    Raises:
        DataError: the file is missing, is no GGUF of version 2 or 3, or is cut off.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._bytes: NDArray[np.uint8] = np.memmap(self.path, np.uint8, mode="r")
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.path} can't be read: {error}.", fix="name a file that ends in .gguf"
            ) from None
        self._view, self._at = self._bytes.data, 0
        try:
            self.metadata, self.stored = self._header()
        except (struct.error, KeyError, UnicodeDecodeError) as error:
            raise DataError(
                f"{self.path} ends too early or is damaged: {error!r} at byte {self._at:,}.",
                fix="fetch it again",
            ) from None
        for name, place in self.stored.items():
            if place.offset + place.size_bytes > len(self._bytes):
                raise DataError(
                    f"{self.path} ends before its tensor {name!r}: {len(self._bytes):,} bytes, "
                    f"{place.offset + place.size_bytes:,} were expected.",
                    fix="fetch it again",
                )

    def __repr__(self) -> str:
        numbers = sum(math.prod(place.shape) for place in self.stored.values())
        return f"GGUF({self.path.name!r}: {len(self.stored)} tensors, {numbers:,} numbers)"

    def tensor(self, name: str) -> Float[Tensor, "*shape"]:
        """One tensor, dequantised to float32 in memory of its own.

        Raises:
            DataError: the file has no tensor of that name.
        """
        if name not in self.stored:
            raise DataError(
                f"{self.path} has no tensor {name!r}.", fix="list(gguf.stored) has their names"
            )
        place = self.stored[name]
        raw = self._bytes[place.offset : place.offset + place.size_bytes]
        return torch.from_numpy(dequantize(raw, place.kind)).reshape(place.shape)

    def _header(self) -> tuple[dict[str, Any], dict[str, Stored]]:
        if bytes(self._bytes[:4]) != b"GGUF":
            raise DataError(
                f"{self.path} does not begin with GGUF but with {bytes(self._bytes[:4])!r}.",
                fix="name a GGUF file, of which llama.cpp and its converters make many",
            )
        self._at = 4
        version = self._scalar("I")
        if version not in (2, 3):
            raise DataError(
                f"{self.path} is GGUF of version {version}; 2 or 3 can be read here.",
                fix="convert it with llama.cpp's gguf tools, or name another file",
            )
        tensors, entries = self._scalar("Q"), self._scalar("Q")
        metadata = {self._string(): self._value(self._scalar("I")) for _ in range(entries)}
        places = [self._place() for _ in range(tensors)]
        alignment = metadata.get("general.alignment", 32)
        start = -(-self._at // alignment) * alignment
        return metadata, {
            name: Stored(shape, kind, start + offset, size)
            for name, shape, kind, offset, size in places
        }

    def _place(self) -> tuple[str, tuple[int, ...], str, int, int]:
        name = self._string()
        # The file counts axes from the fastest, torch from the slowest.
        shape = tuple(self._scalar("Q") for _ in range(self._scalar("I")))[::-1]
        number = self._scalar("I")
        if number not in _KINDS:
            raise DataError(
                f"The tensor {name!r} of {self.path} is stored as type {number}; "
                f"{', '.join(kind for kind, *_ in _KINDS.values())} can be read here.",
                fix="name a file that is quantised as Q4_0, Q4_1 or Q8_0, or not at all",
            )
        kind, per_block, block_bytes = _KINDS[number]
        return name, shape, kind, self._scalar("Q"), math.prod(shape) // per_block * block_bytes

    def _scalar(self, code: str) -> Any:
        (value,) = struct.unpack_from("<" + code, self._view, self._at)
        self._at += struct.calcsize("<" + code)
        return value

    def _string(self) -> str:
        return self._take(self._scalar("Q")).decode()

    def _take(self, size: int) -> bytes:
        if self._at + size > len(self._bytes):
            raise struct.error(f"{size} bytes asked for, {len(self._bytes) - self._at} left")
        self._at += size
        return self._view[self._at - size : self._at].tobytes()

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._scalar(_SCALARS[kind])
        element, count = self._scalar("I"), self._scalar("Q")
        if element in (_STRING, _ARRAY):
            return [self._value(element) for _ in range(count)]
        code = _SCALARS[element]
        size = struct.calcsize("<" + code)
        return list(struct.unpack(f"<{count}{code}", self._take(size * count)))


def dequantize(raw: NDArray[np.uint8], kind: str) -> NDArray[np.float32]:
    """The numbers that bytes stand for, flat, as float32.

    Q8_0 keeps a scale d and 32 signed bytes: x = d·q. Q4_0 keeps d and 32 half bytes, x = d·(q−8);
    Q4_1 keeps d, a minimum m and 32 half bytes, x = d·q + m. The low halves of the 16 bytes are a
    block's first 16 numbers, the high halves the others.

    Args:
        raw: whole blocks.
        kind: ``"F32"``, ``"F16"``, ``"BF16"``, ``"Q8_0"``, ``"Q4_0"`` or ``"Q4_1"``.
    """
    if kind == "F32":
        return raw.view("<f4").astype(np.float32)
    if kind == "F16":
        return raw.view("<f2").astype(np.float32)
    if kind == "BF16":  # the upper half of a float32
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    size = {"Q8_0": 34, "Q4_0": 18, "Q4_1": 20}[kind]
    blocks = np.ascontiguousarray(raw).reshape(-1, size)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)  # (blocks, 1)
    if kind == "Q8_0":
        return (scale * blocks[:, 2:].view(np.int8)).ravel()
    halves = blocks[:, -16:]
    q = np.concatenate([halves & 15, halves >> 4], 1).astype(np.float32)  # (blocks, 32)
    if kind == "Q4_0":
        return (scale * (q - 8)).ravel()
    return (scale * q + blocks[:, 2:4].copy().view("<f2").astype(np.float32)).ravel()
