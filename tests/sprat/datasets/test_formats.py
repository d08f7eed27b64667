"""IDX, tables of bytes and Debian packages: right ones are read, broken ones are named."""

import io
import tarfile

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sprat.datasets.formats import byte_table, debian_members, idx
from sprat.errors import DataError

from .conftest import idx_bytes


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_idx_is_the_inverse_of_writing_it(shape: list[int]) -> None:
    values = torch.arange(torch.Size(shape).numel()).reshape(shape) % 256
    assert torch.equal(idx(bytearray(idx_bytes(values))), values.to(torch.uint8))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0",
        b"\0\0\x08\0",
        b"\0\0\x0d\x01\0\0\0\1abcd",
        b"\x1f\x8b\x08\0",
        b"\0\0\x08\x03\0\0",
        b"\0\0\x08\x01\0\0\0\5abc",
        b"\0\0\x08\x01\0\0\0\2abc",
    ],
    ids=["empty", "cut", "no-axes", "floats", "gzip", "cut-header", "short", "long"],
)
def test_broken_idx_is_named(content: bytes) -> None:
    with pytest.raises(DataError, match="IDX"):
        idx(bytearray(content))


def test_byte_table() -> None:
    table = byte_table(bytearray(b"0,1,2\n253,254,255\n"))
    assert table.dtype == torch.uint8
    assert table.tolist() == [[0, 1, 2], [253, 254, 255]]


@pytest.mark.parametrize("text", [b"1,2\n3\n", b"1,two\n", b"1,256\n", b"1,-1\n", b"1,2.5\n"])
def test_broken_table_is_named(text: bytes) -> None:
    with pytest.raises(DataError, match="from 0 to 255"):
        byte_table(bytearray(text))


def ar(*members: tuple[str, bytes]) -> bytes:
    """An ar archive, as deb(5) has it."""
    parts = [b"!<arch>\n"]
    for name, content in members:
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)


def tar_xz(**files: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:xz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def test_debian_members_are_read_without_installing() -> None:
    package = ar(
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", b"odd"),
        ("data.tar.xz", tar_xz(**{"usr/a": b"alpha", "usr/b": b"beta", "etc/c": b"no"})),
    )
    found = {name: c.read() for name, c in debian_members(io.BytesIO(package), ["usr/a", "usr/b"])}
    assert found == {"usr/a": b"alpha", "usr/b": b"beta"}


@pytest.mark.parametrize(
    "package",
    [
        b"",
        b"PK\3\4 a wheel",
        ar(("debian-binary", b"2.0\n")),
        ar(("debian-binary", b"2.0\n"), ("data.tar.xz", b"x" * 50)),
        ar(("data.tar.xz", tar_xz(a=b"alpha" * 99)))[:-70],
        b"!<arch>\n" + b"?" * 60,
    ],
    ids=["empty", "zip", "no-data", "no-tar", "cut", "garbled"],
)
def test_broken_package_is_named(package: bytes) -> None:
    with pytest.raises(DataError, match="Debian package"):
        list(debian_members(io.BytesIO(package), ["a"]))
