"""Filling a data set's folder in the cache: every source in order, until nothing is missing."""

import contextlib
import sys
from pathlib import Path

from sprat.datasets import cache
from sprat.datasets.cache import Corrupted, File
from sprat.datasets.registry import Dataset, Read
from sprat.datasets.sources import SourceFailed
from sprat.errors import DataError


def folder_of(dataset: Dataset) -> Path:
    """Where in the cache its files are."""
    return cache.root() / (dataset.folder or dataset.name)


def reader(dataset: Dataset) -> Read:
    """A function from the name of a data set's file to its content; brings what is missing.

    Raises:
        DataError: no source delivers, or the disk is full; the function raises it too.
    """
    folder = folder_of(dataset)
    if cache.missing(folder, dataset.files):
        _fill(dataset, folder)
    return lambda file_name: _read(dataset, folder, file_name)


def _read(dataset: Dataset, folder: Path, file_name: str) -> bytearray:
    """The verified content of one file, which is brought anew where the cache has another."""
    file = next(file for file in dataset.files if file.name == file_name)
    try:
        return cache.read(folder, file)
    except (Corrupted, FileNotFoundError) as error:
        print(f"{dataset.name}: {error}, in {folder}; it is fetched anew", file=sys.stderr)
    _fill(dataset, folder, doubtful=file)
    try:
        return cache.read(folder, file)
    except (Corrupted, FileNotFoundError) as error:
        raise DataError(
            f"{folder} does not keep what is written to it: {error}.",
            fix="set SPRAT_DATA to a folder on another disk",
        ) from None


def _fill(dataset: Dataset, folder: Path, *, doubtful: File | None = None) -> None:
    """Bring every missing file into the cache.

    Args:
        dataset: whose files.
        folder: where to.
        doubtful: a file of the right length that seemed corrupted; it is deleted if it is.

    Raises:
        DataError: some file can't be had from anywhere, or the disk is full.
    """
    with cache.filling(folder):
        if doubtful is not None:
            # Read once more: another process may have mended it while we waited for the folder.
            try:
                cache.read(folder, doubtful)
            except (Corrupted, FileNotFoundError):
                (folder / doubtful.name).unlink(missing_ok=True)
        wanted = cache.missing(folder, dataset.files)
        tried = [f"cache: {folder} lacks {_listed(wanted)}", *_unpack_by_hand(dataset, folder)]
        for source in dataset.sources:
            if not cache.missing(folder, dataset.files):
                return
            # What comes in the same package is kept for its own data set.
            asked = cache.missing(folder, (*dataset.files, *dataset.together))
            try:
                with contextlib.closing(source.bring(asked, folder)) as arrivals:
                    for file, content in arrivals:
                        cache.store(folder, file, content)
            except SourceFailed as error:
                tried.append(f"{source}: {error}")
            except Corrupted as error:
                tried.append(f"{source}: {error}; the download was deleted")
            else:
                if lacking := cache.missing(folder, dataset.files):
                    tried.append(f"{source}: it has no {_listed(lacking)}")
        wanted = cache.missing(folder, dataset.files)
    if wanted:
        raise _not_to_be_had(dataset, folder, wanted, tried)


def _unpack_by_hand(dataset: Dataset, folder: Path) -> list[str]:
    """Take in compressed files that somebody copied into the cache; what was wrong with them."""
    wrong = []
    for file in cache.missing(folder, dataset.files):
        for ending in ("gz", "xz"):
            compressed = folder / f"{file.name}.{ending}"
            if compressed.is_file():
                try:
                    with compressed.open("rb") as content:
                        cache.store(folder, file, content)
                except Corrupted as error:
                    wrong.append(f"{compressed}: {error}; it was deleted")
                compressed.unlink()
    return wrong


def _not_to_be_had(
    dataset: Dataset, folder: Path, wanted: list[File], tried: list[str]
) -> DataError:
    reasons = "".join(f"\n  - {reason}" for reason in tried)
    return DataError(
        f"{dataset.title} could not be fetched. Tried:{reasons}",
        fix=f"connect to the network and run again; or copy {_listed(wanted)}, as they are or "
        f"compressed as .gz, into {folder} (from {dataset.home} or another machine's cache); or "
        "set SPRAT_DATA to a folder that has them",
    )


def _listed(files: list[File]) -> str:
    return ", ".join(file.name for file in files)
