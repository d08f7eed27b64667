"""How values cross the sandbox's wall: a JSON header and raw array bytes, never pickle.

A frame is ``magic, header length, body length``, the header (JSON), and the body: the bytes of
every array in the order in which the header names them. Both sides use this file, so it stands
alone: it imports nothing of chapterhouse, and numpy and torch only when a value needs them.

The reader trusts nothing. Header and body have a size limit before a byte is parsed, nesting and
the number of values are limited, arrays take consecutive pieces of the body, so that a short frame
cannot name the same bytes a million times, and keys may not be chosen to share a hash. Whatever is
wrong raises `WireError`.

Values: None, bool, int, float (NaN and infinities too), complex, str, bytes, list, tuple, set, dict
with plain keys, numpy arrays and scalars, torch tensors. Subclasses become their plain base.
"""

from __future__ import annotations

import json
import math
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

_HEAD = struct.Struct(">4sIQ")
_MAGIC = b"CHW1"
MAX_HEADER_BYTES = 4 * 1024**2
MAX_DEPTH = 32
MAX_VALUES = 200_000
_MAX_INT_BITS = 1024
_MAX_DIMS = 16
_MAX_SAME_HASH = 32  # each such key is compared with all before it: 200,000 would take hours
_MAX_EMPTY = 2**24  # summing over the first axis of shape (0, 2**40) would fill the memory
_BITS = {"int": (8, 16, 32, 64), "uint": (8, 16, 32, 64), "float": (16, 32, 64)}
_SIZES = {f"{kind}{bits}": bits // 8 for kind, sizes in _BITS.items() for bits in sizes}
_SIZES |= {"bool": 1, "bfloat16": 2, "complex64": 8, "complex128": 16}


class WireError(Exception):
    """A value that cannot cross, or bytes that are not a frame."""


def pack(header: dict[str, Any], buffers: Iterable[bytes] = ()) -> bytes:
    """One frame as bytes."""
    text = json.dumps(header, separators=(",", ":")).encode()
    if len(text) > MAX_HEADER_BYTES:
        raise WireError(f"the values' structure takes {len(text):,} bytes; at most 4 MiB may cross")
    body = b"".join(buffers)
    return _HEAD.pack(_MAGIC, len(text), len(body)) + text + body


class FrameReader:
    """Cuts a stream of bytes into frames.

    Args:
        max_bytes: the most that the bodies of all frames together may hold, and as much again
            as one header for all headers.
    """

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes + MAX_HEADER_BYTES
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[dict[str, Any], bytes]]:
        """The frames that `data` completed, each as header and body.

        Raises:
            WireError: the bytes are not frames, or are larger than allowed.
        """
        self._buffer += data
        frames = []
        while len(self._buffer) >= _HEAD.size:
            magic, header_bytes, body_bytes = _HEAD.unpack_from(self._buffer)
            if magic != _MAGIC:
                raise WireError("the bytes that came back are not a frame")
            if header_bytes > MAX_HEADER_BYTES or header_bytes + body_bytes > self._left:
                raise WireError("the values that came back are larger than allowed")
            split, end = _HEAD.size + header_bytes, _HEAD.size + header_bytes + body_bytes
            if len(self._buffer) < end:
                break
            header = _parse_header(bytes(self._buffer[_HEAD.size : split]))
            frames.append((header, bytes(self._buffer[split:end])))
            self._left -= header_bytes + body_bytes
            del self._buffer[:end]
        return frames


def _parse_header(text: bytes) -> dict[str, Any]:
    # A million empty lists are short to write and long to parse; counting is quick.
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > 4 * MAX_VALUES:
        raise WireError(f"the values have more than {MAX_VALUES:,} parts")
    try:
        header = json.loads(text, parse_int=_bounded_int)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a frame's header is not JSON: {type(error).__name__}") from None
    if not isinstance(header, dict):
        raise WireError("a frame's header is not an object")
    return header


def _bounded_int(digits: str) -> int:
    if len(digits) > 310:
        raise WireError("an integer is longer than 310 digits")
    return int(digits)


class Encoder:
    """Turns values into JSON trees and gathers the bytes of their arrays in `buffers`.

    Args:
        max_bytes: the most that all arrays and texts together may weigh.
        keep_grad: note which tensors require a gradient; only for inputs, never for results.
    """

    def __init__(self, max_bytes: int, keep_grad: bool = False) -> None:
        self.buffers: list[bytes] = []
        self._keep_grad = keep_grad
        self._left = max_bytes
        self._values_left = MAX_VALUES

    def encode(self, value: Any, depth: int = 0) -> Any:
        """The JSON tree of one value.

        Raises:
            WireError: its type cannot cross, or it is too large or too deep.
        """
        self._values_left -= 1
        if depth > MAX_DEPTH:
            raise WireError(f"the value is nested more than {MAX_DEPTH} deep")
        if self._values_left < 0:
            raise WireError(f"the value has more than {MAX_VALUES:,} parts")
        # type(), never isinstance: a class may lie about __class__, its real type cannot.
        kinds = type(value).__mro__
        if value is None or value is True or value is False:
            return value
        for base, encode in _ENCODERS.items():
            if base in kinds:
                return encode(self, value, depth)
        numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
        if torch is not None and torch.Tensor in kinds:
            return self._tensor(torch, value)
        if numpy is not None and (numpy.ndarray in kinds or numpy.generic in kinds):
            return self._array(numpy, value, scalar=numpy.generic in kinds)
        raise WireError(
            f"a value of type {type(value).__name__} cannot be graded; "
            "return numbers, text, arrays, tensors, or lists, tuples and dicts of them"
        )

    def spend(self, size: int) -> None:
        """Count `size` bytes against the limit."""
        self._left -= size
        if self._left < 0:
            raise WireError("the values are larger than this exercise allows")

    def _many(self, values: Iterable[Any], depth: int) -> list[Any]:
        return [self.encode(value, depth + 1) for value in values]

    def _array(self, numpy: Any, value: Any, scalar: bool) -> dict[str, Any]:
        array = numpy.asarray(value).view(numpy.ndarray)
        name = array.dtype.name
        if name not in _SIZES:
            raise WireError(f"an array of dtype {name} cannot be graded; use numbers or booleans")
        self.spend(array.size * array.itemsize)
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        self.buffers.append(little.tobytes())
        return {"scalar" if scalar else "array": [name, list(array.shape)]}

    def _tensor(self, torch: Any, value: Any) -> dict[str, Any]:
        # A subclass may answer every torch function with its own; this switches that off.
        with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            name = str(value.dtype).removeprefix("torch.")
            if name not in _SIZES or value.device.type == "meta":
                raise WireError(f"a tensor of dtype {name} on {value.device} cannot be graded")
            self.spend(value.numel() * _SIZES[name])
            grad = self._keep_grad and bool(value.requires_grad)
            plain = torch.Tensor.detach(value)
            plain = plain.to_dense() if plain.layout != torch.strided else plain
            plain = plain.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
            raw = plain.view(torch.uint8) if plain.numel() else torch.empty(0, dtype=torch.uint8)
            self.buffers.append(raw.as_subclass(torch.Tensor).numpy().tobytes())
            return {"tensor": [name, list(value.shape), grad]}


def _encode_int(encoder: Encoder, value: int, depth: int) -> int:
    plain = int.__pos__(value)
    if plain.bit_length() > _MAX_INT_BITS:
        raise WireError(f"an integer of {plain.bit_length():,} bits is too large")
    return plain


def _encode_str(encoder: Encoder, value: str, depth: int) -> str:
    # Lone surrogates are not text: they would break whoever prints the value.
    plain = str.encode(value, "utf-8", "replace")
    encoder.spend(len(plain))
    return plain.decode()


def _encode_bytes(encoder: Encoder, value: bytes, depth: int) -> dict[str, int]:
    encoder.spend(memoryview(value).nbytes)  # before it is copied
    plain = bytes(memoryview(value))
    encoder.buffers.append(plain)
    return {"bytes": len(plain)}


def _encode_dict(encoder: Encoder, value: dict[Any, Any], depth: int) -> dict[str, Any]:
    pairs = dict.items(value)
    return {"dict": [[_key(encoder, k, depth), encoder.encode(v, depth + 1)] for k, v in pairs]}


def _key(encoder: Encoder, key: Any, depth: int) -> Any:
    tree = encoder.encode(key, depth + 1)
    if isinstance(tree, dict | list) and set(tree) != {"tuple"}:
        raise WireError("a dict key must be a number, text, None or a tuple of them")
    return tree


_ENCODERS: dict[type, Callable[[Encoder, Any, int], Any]] = {
    int: _encode_int,
    str: _encode_str,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    list: lambda e, v, d: e._many(list.__iter__(v), d),
    tuple: lambda e, v, d: {"tuple": e._many(tuple.__iter__(v), d)},
    set: lambda e, v, d: {"set": e._many(set.__iter__(v), d)},
    frozenset: lambda e, v, d: {"set": e._many(frozenset.__iter__(v), d)},
    dict: _encode_dict,
    complex: lambda e, v, d: {"complex": [complex.__pos__(v).real, complex.__pos__(v).imag]},
    float: lambda e, v, d: float.__pos__(v),
}


class Decoder:
    """Turns JSON trees and a frame's body back into values.

    Tensors come back as torch tensors, arrays as numpy arrays, each with memory of its own.

    Args:
        body: the frame's body.
        keep_grad: set ``requires_grad`` as the sender had it; only for inputs, never for results.
    """

    def __init__(self, body: bytes, keep_grad: bool = False) -> None:
        self._body = body
        self._at = 0
        self._keep_grad = keep_grad
        self._values_left = MAX_VALUES

    def decode(self, tree: Any, depth: int = 0) -> Any:
        """The value of one tree.

        Raises:
            WireError: the tree is not one that `Encoder` writes.
        """
        self._values_left -= 1
        if depth > MAX_DEPTH or self._values_left < 0:
            raise WireError("a value is nested too deep or has too many parts")
        if tree is None or isinstance(tree, bool | int | float):
            return tree
        if isinstance(tree, str):
            return _checked_text(tree)
        if isinstance(tree, list):
            return [self.decode(item, depth + 1) for item in tree]
        if not isinstance(tree, dict) or len(tree) != 1:
            raise WireError("a value has no known form")
        ((kind, content),) = tree.items()
        try:
            return self._tagged(kind, content, depth)
        except WireError:
            raise
        except Exception as error:  # numpy and torch have many ways to refuse a shape
            raise WireError(f"a {kind[:20]!r} value is malformed: {type(error).__name__}") from None

    def _tagged(self, kind: str, content: Any, depth: int) -> Any:
        if kind in ("tuple", "set") and isinstance(content, list):
            items = [self.decode(item, depth + 1) for item in content]
            return tuple(items) if kind == "tuple" else set(_apart(items))
        if kind == "dict" and isinstance(content, list):
            pairs = [(self.decode(k, depth + 1), self.decode(v, depth + 1)) for k, v in content]
            return dict(zip(_apart([key for key, _ in pairs]), (v for _, v in pairs), strict=True))
        if kind == "complex":
            real, imag = content
            return complex(float(real), float(imag))
        if kind == "bytes":
            return self._take(_count(content))
        if kind in ("array", "scalar"):
            name, shape = content
            return self._array(name, shape, scalar=kind == "scalar")
        if kind == "tensor":
            return self._tensor(*content)
        raise WireError(f"a value has the unknown kind {kind[:20]!r}")

    def _take(self, size: int) -> bytes:
        piece = self._body[self._at : self._at + size]
        if len(piece) != size:
            raise WireError("a frame's body is shorter than its header says")
        self._at += size
        return piece

    def _raw(self, name: str, shape: list[int]) -> bytes:
        if not isinstance(shape, list) or len(shape) > _MAX_DIMS:
            raise WireError("an array has a shape that is not a short list")
        if 0 in shape and math.prod(_count(n) or 1 for n in shape) > _MAX_EMPTY:
            raise WireError("an empty array has a shape that is too large")
        return self._take(math.prod(_count(n) for n in shape) * _SIZES[name])

    def _array(self, name: str, shape: list[int], scalar: bool) -> Any:
        import numpy

        raw = self._raw(name, shape)
        if name == "bool":
            # Bytes other than 0 and 1 would be booleans that are neither.
            array = numpy.frombuffer(raw, "uint8").reshape(shape) != 0
        else:
            array = numpy.frombuffer(raw, numpy.dtype(name).newbyteorder("<")).reshape(shape)
            array = array.astype(name)
        return array[()] if scalar and not shape else array

    def _tensor(self, name: str, shape: list[int], grad: bool) -> Any:
        import torch

        raw = bytearray(self._raw(name, shape))
        stored = torch.uint8 if name == "bool" else getattr(torch, name)
        flat = torch.frombuffer(raw, dtype=stored) if raw else torch.empty(0, dtype=stored)
        tensor = (flat != 0 if name == "bool" else flat).reshape(shape)
        if self._keep_grad and grad and (tensor.is_floating_point() or tensor.is_complex()):
            tensor.requires_grad_()
        return tensor


def _apart(keys: list[Any]) -> list[Any]:
    """The keys of a dict or set, refused when many share a hash."""
    if keys and max(Counter(map(hash, keys)).values()) > _MAX_SAME_HASH:
        raise WireError("too many keys have the same hash")
    return keys


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**40:
        raise WireError("a size is not a sensible whole number")
    return value


def _checked_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WireError("a text holds code points that are not characters") from None
    return text
