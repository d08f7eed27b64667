"""The folder that keeps data sets, so that only the first fetch needs a network.

A file gets its name in the folder when its content has been verified, by one atomic rename: who
reads the folder sees whole, right files or none. Files are stored uncompressed, because that makes
them quick to load, and because the same data compressed twice differs in bytes.

One process at a time fills a data set's folder; readers never wait.
"""

import contextlib
import errno
import gzip
import hashlib
import io
import lzma
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sprat.errors import DataError

_CHUNK_BYTES = 1 << 20
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
# ENOENT is what a folder that no one may add to says, /proc for one.
_REFUSED = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT,
}  # fmt: skip
_SCRATCH = ".fetch-"


@dataclass(frozen=True)
class File:
    """One file of a data set.

    Args:
        name: its name in the cache.
        size_bytes: its length, uncompressed.
        sha256: of its content, uncompressed.
        as_it_comes: keep it compressed, as its makers publish it with its hash.
    """

    name: str
    size_bytes: int
    sha256: str
    as_it_comes: bool = False


class Corrupted(Exception):  # noqa: N818 - it is caught and told in other words
    """A file's content is not what the registry says."""


def root() -> Path:
    """Where data sets are kept: ``$SPRAT_DATA``, or ``~/.cache/sprat``."""
    folder = os.environ.get("SPRAT_DATA")
    return Path(folder).expanduser() if folder else Path.home() / ".cache" / "sprat"


# Files that this process has hashed, with their size and time of change: hashing once is enough.
_verified: dict[Path, tuple[int, int]] = {}


def read(folder: Path, file: File) -> bytearray:
    """The verified content of a file in the cache.

    Raises:
        FileNotFoundError: it is not there.
        Corrupted: it is there with another content.
    """
    path = folder / file.name
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        stamp = (status.st_size, status.st_mtime_ns)
        if status.st_size != file.size_bytes:
            raise Corrupted(f"{file.name} has {status.st_size:,} bytes, not {file.size_bytes:,}")
        content = bytearray(file.size_bytes)
        stream.readinto(content)
    if _verified.get(path) != stamp:
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise Corrupted(f"{file.name} has another content than its sha256 promises")
        _verified[path] = stamp
    return content


def verified(folder: Path, file: File) -> Path:
    """The path of a file in the cache whose content has been verified, without keeping it.

    Raises:
        FileNotFoundError: it is not there.
        Corrupted: it is there with another content.
    """
    path = folder / file.name
    status = path.stat()
    if _verified.get(path) != (status.st_size, status.st_mtime_ns):
        read(folder, file)
    return path


def missing(folder: Path, files: tuple[File, ...]) -> list[File]:
    """Which files the folder lacks or has in another length; looks at lengths, reads nothing."""

    def present(file: File) -> bool:
        try:
            return (folder / file.name).stat().st_size == file.size_bytes
        except OSError:
            return False

    return [file for file in files if not present(file)]


def store(folder: Path, file: File, source: IO[bytes]) -> None:
    """Verify a file's content and give it its name in the cache, or leave no trace.

    Args:
        folder: the data set's folder.
        file: what is expected.
        source: the content, which may be compressed with gzip or xz.

    Raises:
        Corrupted: the content is another.
        DataError: the disk is full, or the folder can't be written to.
    """
    with writing(folder, file.size_bytes):
        handle, scratch = tempfile.mkstemp(prefix=_SCRATCH, dir=folder)
        try:
            with os.fdopen(handle, "wb") as target:
                plain = source if file.as_it_comes else _plain(source)
                digest, size = _copy(plain, target, file.size_bytes)
                target.flush()
                os.fsync(target.fileno())
            if size != file.size_bytes:
                some = f"{size:,}" if size <= file.size_bytes else f"more than {file.size_bytes:,}"
                raise Corrupted(f"{file.name} has {some} bytes, not {file.size_bytes:,}")
            if digest != file.sha256:
                raise Corrupted(f"{file.name} has another content than its sha256 promises")
            Path(scratch).chmod(0o644)
            Path(scratch).replace(folder / file.name)
        finally:
            Path(scratch).unlink(missing_ok=True)


def _plain(source: IO[bytes]) -> IO[bytes]:
    """The stream itself, or what is inside where it is compressed with gzip or xz."""
    head = source.read(6)
    source.seek(-len(head), io.SEEK_CUR)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=source)  # type: ignore[return-value]
    return lzma.LZMAFile(source) if head == b"\xfd7zXZ\0" else source


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> tuple[str, int]:
    """Copy at most one chunk more than `limit` bytes; the sha256 and the number copied."""
    digest, size = hashlib.sha256(), 0
    try:
        while size <= limit and (chunk := source.read(_CHUNK_BYTES)):
            target.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise Corrupted(f"its compression is damaged ({error})") from None
    return digest.hexdigest(), size


@contextlib.contextmanager
def filling(folder: Path) -> Iterator[None]:
    """Hold the folder for writing; another process that wants to fill it waits until this is done.

    Raises:
        DataError: the folder can't be made or written to.
    """
    with writing(folder, 0):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("ab")
    with lock:
        _lock(lock)
        # Whoever holds the lock is alone: scratch files are what a killed process left behind.
        for stale in folder.glob(f"{_SCRATCH}*"):
            if stale.is_dir():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink(missing_ok=True)
        yield


def _lock(lock: IO[bytes]) -> None:
    """Wait for the lock; closing the file gives it back, whatever way the process ends."""
    try:
        import fcntl
    except ImportError:  # Windows: the atomic rename alone keeps files whole
        return
    # A few network file systems know no locks; there too the rename keeps files whole.
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX)


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """An empty folder on the cache's own disk, gone at the end."""
    with writing(folder, 0), tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as name:
        yield Path(name)


@contextlib.contextmanager
def writing(folder: Path, need_bytes: int) -> Iterator[None]:
    """Turn the disk's refusals into errors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise disk_full(folder, need_bytes) from None
        if error.errno in _REFUSED:
            raise DataError(
                f"The data folder {folder} can't be written to: {error.strerror}.",
                fix="set the environment variable SPRAT_DATA to a folder that you may write to",
            ) from None
        raise


def disk_full(folder: Path, need_bytes: int) -> DataError:
    """The error for a disk that has no room left.

    Args:
        folder: where there is no room.
        need_bytes: how much the file needs; 0 when nobody knows.
    """
    free = shutil.disk_usage(folder).free
    need = f"; the file needs {need_bytes / 1e6:.1f} MB" if need_bytes else ""
    return DataError(
        f"The disk is full: {folder} has {free / 1e6:.1f} MB left{need}. Nothing was kept.",
        fix="make room and run again, or set SPRAT_DATA to a folder on another disk",
    )
