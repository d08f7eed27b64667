"""Values cross the wall unchanged, and whatever else arrives is refused with one kind of error."""

from __future__ import annotations

import json
import math
import struct
import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chapterhouse.grade.wire import MAX_DEPTH, Decoder, Encoder, FrameReader, WireError, pack

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**1000), 2**1000)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
    | st.binary(max_size=20)
)
keys = st.text(st.characters(exclude_categories=("Cs",)), max_size=5) | st.integers() | st.none()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys | st.tuples(keys, keys), inner, max_size=4)
    ),
    max_leaves=20,
)
DTYPES = [torch.float32, torch.bfloat16, torch.int8, torch.uint8, torch.bool, torch.complex64]


def cross(value: Any, keep_grad: bool = False) -> Any:
    encoder = Encoder(1 << 24, keep_grad)
    frame = pack({"value": encoder.encode(value)}, encoder.buffers)
    ((header, body),) = FrameReader(1 << 24).feed(frame)
    return Decoder(body, keep_grad).decode(header["value"])


@given(values)
def test_plain_values_cross_unchanged(value: Any) -> None:
    # repr tells 1 from 1.0 and True, -0.0 from 0.0, and knows NaN.
    assert repr(cross(value)) == repr(value)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 5)])
def test_tensors_cross_with_dtype_and_shape(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = torch.randint(0, 2, shape).to(dtype)
    back = cross(tensor)
    assert type(back) is torch.Tensor
    assert (back.dtype, back.shape) == (dtype, tensor.shape)
    assert torch.equal(back, tensor)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "uint16", "bool", "complex128"])
def test_arrays_cross_with_dtype_shape_and_order(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    for given_array in (array, array.T, array[:, ::2], np.asfortranarray(array), array[0, :0]):
        back = cross(given_array)
        assert type(back) is np.ndarray
        assert back.dtype == dtype
        np.testing.assert_array_equal(back, given_array)


def test_what_is_not_contiguous_or_needs_a_gradient_crosses_as_its_values() -> None:
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    for tensor in (x, x.T, x.expand(2, 2, 3), (x * 1j).conj(), x.to_sparse(), x[0, 1]):
        back = cross(tensor)
        assert not back.requires_grad
        dense = tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()
        assert torch.equal(back, dense)


def test_inputs_keep_their_need_of_a_gradient() -> None:
    leaf, plain = cross([torch.ones(2, requires_grad=True), torch.ones(2)], keep_grad=True)
    assert (leaf.requires_grad, leaf.is_leaf, plain.requires_grad) == (True, True, False)


def test_numpy_scalars_stay_scalars_of_their_precision() -> None:
    for scalar in (np.float32(0.1), np.int16(7), np.bool_(True), np.uint64(2**63)):
        assert type(cross(scalar)) is type(scalar)
        assert cross(scalar) == scalar
    # numpy's float64 is a Python float already.
    assert type(cross(np.float64(0.1))) is float


def test_a_big_endian_array_crosses_as_its_numbers() -> None:
    assert cross(np.array([1, 2, 3], dtype=">i4")).tolist() == [1, 2, 3]


class _Float(float):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = float.__hash__


class _Dict(dict):
    def items(self) -> Any:
        return [("right", 1)]


def test_subclasses_become_their_plain_base() -> None:
    back = cross([_Float(1.5), _Dict(wrong=0), np.float32(2.5), torch.nn.Parameter(torch.ones(1))])
    assert [type(part) for part in back] == [float, dict, np.float32, torch.Tensor]
    assert back[:2] == [1.5, {"wrong": 0}]


@pytest.mark.parametrize(
    "value",
    [
        object(),
        len,
        (n for n in range(3)),
        np.array([object()]),
        np.array(["text"]),
        torch.empty(3, device="meta"),
        {frozenset({1}): 2},
        1 << 5000,
        b"x" * (1 << 25),
        torch.zeros(1).expand(1 << 40),
        [0] * 300_000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_cross_is_refused_with_a_reason(value: Any) -> None:
    with pytest.raises(WireError) as caught:
        cross(value)
    assert len(str(caught.value)) > 20


def test_what_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(WireError, match=f"more than {MAX_DEPTH} deep"):
        cross(loop)


def test_frames_may_arrive_in_any_pieces() -> None:
    stream = pack({"a": 1}) + pack({"b": 2}, [b"body"])
    reader = FrameReader(1 << 10)
    found = [frame for at in range(len(stream)) for frame in reader.feed(stream[at : at + 1])]
    assert found == [({"a": 1}, b""), ({"b": 2}, b"body")]


HEAD = struct.Struct(">4sIQ")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        HEAD.pack(b"CHW1", 2**32 - 1, 0),
        HEAD.pack(b"CHW1", 2, 2**63) + b"{}",
        HEAD.pack(b"CHW1", 2, 0) + b"[]",
        HEAD.pack(b"CHW1", 2, 0) + b"\xff\xfe",
        HEAD.pack(b"CHW1", 100_000, 0) + b"[" * 100_000,
        HEAD.pack(b"CHW1", 1000, 0) + b'{"a":' + b"9" * 994 + b"}",
        HEAD.pack(b"CHW1", 3_000_003, 0) + b"[" + b"[]," * 1_000_000 + b"0]",
    ],
    ids=["text", "header", "body", "list", "bytes", "deep", "integer", "many"],
)
def test_bytes_that_are_not_frames_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        FrameReader(1 << 20).feed(data)


def test_the_limit_holds_for_all_frames_together() -> None:
    reader = FrameReader(100)
    frame = pack({}, [bytes(3 << 20)])
    assert len(reader.feed(frame)) == 1
    with pytest.raises(WireError, match="larger than allowed"):
        reader.feed(frame)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["tuple", "set", "dict", "array", "tensor", "scalar", "bytes", "complex"]
            ),
            inner
            | st.tuples(st.sampled_from(["float32", "bool", "object", "int64"]), st.lists(inner)),
            max_size=2,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=400)
@given(json_values, st.binary(max_size=64))
def test_any_tree_is_a_value_or_refused(tree: Any, body: bytes) -> None:
    tree = json.loads(json.dumps(tree))
    try:
        value = Decoder(body).decode(tree)
    except WireError:
        return
    # Whatever was accepted is a value that can be used: it crosses again.
    assert repr(cross(value)) == repr(value)


@settings(max_examples=200)
@given(st.binary(max_size=64), st.binary(max_size=64), st.integers(0, 80), st.integers(0, 80))
def test_any_bytes_are_frames_or_refused(head: bytes, body: bytes, n: int, m: int) -> None:
    reader = FrameReader(64)
    for data in (HEAD.pack(b"CHW1", n, m) + head + body, body, head):
        try:
            frames = reader.feed(data)
        except WireError:
            return
        assert all(isinstance(header, dict) for header, _ in frames)


def test_the_same_bytes_cannot_be_named_twice() -> None:
    tree = [{"bytes": 4}, {"bytes": 4}]
    with pytest.raises(WireError, match="shorter than its header says"):
        Decoder(b"1234").decode(tree)


def test_booleans_are_only_ever_true_or_false() -> None:
    for kind in ("array", "tensor"):
        back = Decoder(bytes([0, 1, 2, 255])).decode(
            {kind: ["bool", [4], False][: 2 + (kind == "tensor")]}
        )
        assert back.tolist() == [False, True, True, True]


def test_nan_and_infinity_stay() -> None:
    back = cross([math.nan, math.inf, -math.inf])
    assert math.isnan(back[0])
    assert back[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    "tree",
    [
        {"set": [i * (2**61 - 1) for i in range(1, 50_000)]},
        {"dict": [[i * (2**61 - 1), 0] for i in range(1, 50_000)]},
        {"tensor": ["float32", [2**39, 2**39, 0], False]},
        {"tensor": ["float32", [0, 2**39], False]},
        {"array": ["uint8", [0, 2**39]]},
        {"array": ["uint8", [0, -1]]},
    ],
    ids=["set", "dict", "overflow", "tensor", "array", "negative"],
)
def test_what_is_cheap_to_send_and_costly_to_use_is_refused_at_once(tree: Any) -> None:
    began = time.perf_counter()
    with pytest.raises(WireError):
        Decoder(b"").decode(tree)
    assert time.perf_counter() - began < 2
