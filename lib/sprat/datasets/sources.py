"""Where the files of data sets come from, and the plainest way: public addresses.

A `Source` brings what it has of the wanted files, one after the other, and the cache verifies each
before it is kept. So a source needs no trust, and any of them will do. Package managers are sources
too (``packages.py``).
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, runtime_checkable
from urllib.parse import urlsplit

from sprat.datasets import cache
from sprat.datasets.cache import File
from sprat.datasets.download import DownloadFailed, download

#: Files with their contents, each valid until the next one is asked for.
Arrivals = Generator[tuple[File, IO[bytes]], None, None]


class SourceFailed(Exception):  # noqa: N818 - it is caught and told in other words
    """A source can't bring its files here; the message says why."""


@runtime_checkable
class Source(Protocol):
    """One way to get a data set's files."""

    def __str__(self) -> str:
        """What reports call it."""

    def bring(self, wanted: Sequence[File], folder: Path) -> Arrivals:
        """Each wanted file with its content, unverified, valid until the next one.

        Args:
            wanted: what is missing.
            folder: the data set's folder in the cache; scratch files go there too.

        Raises:
            SourceFailed: it can't be had from here.
            DataError: the disk is full.
        """


@dataclass(frozen=True)
class Address:
    """A folder on the web, with every file under its name in the cache or another one.

    Args:
        base: the address that file names are appended to.
        names: file name in the cache → name at the address.
    """

    base: str
    names: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"address {self.base}"

    def bring(self, wanted: Sequence[File], folder: Path) -> Arrivals:
        """As `Source.bring`; an interrupted download goes on at the next call."""
        for file in wanted:
            name = self.names.get(file.name, file.name)
            part = folder / f"{urlsplit(self.base).hostname}-{name.replace('/', '-')}.part"
            try:
                download(self.base + name, part, text=f"{name} from {urlsplit(self.base).hostname}")
            except DownloadFailed as error:
                raise SourceFailed(f"{name}: {error}") from None
            except OSError as error:
                part.unlink(missing_ok=True)
                with cache.writing(folder, file.size_bytes):
                    raise error
            # The part is whole now. Whether it is kept or found to be wrong, it has done its work.
            try:
                with part.open("rb") as content:
                    yield file, content
            finally:
                part.unlink(missing_ok=True)
