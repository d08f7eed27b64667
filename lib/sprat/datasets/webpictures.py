"""Data sets of colour photographs that no package has: they need a network once.

The hashes are those that TensorFlow Datasets publishes in its folder ``url_checksums``
(https://github.com/tensorflow/datasets), of the files as they come, compressed.
"""

import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from sprat.datasets.cache import File
from sprat.datasets.pictures import picture
from sprat.datasets.registry import Dataset, Read
from sprat.datasets.sources import Address
from sprat.errors import DataError

_CIFAR_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_CIFAR_ROW_BYTES = 1 + 3 * 32 * 32
_IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
_PETS = (
    "Abyssinian", "American Bulldog", "American Pit Bull Terrier", "Basset Hound", "Beagle",
    "Bengal", "Birman", "Bombay", "Boxer", "British Shorthair", "Chihuahua", "Egyptian Mau",
    "English Cocker Spaniel", "English Setter", "German Shorthaired", "Great Pyrenees",
    "Havanese", "Japanese Chin", "Keeshond", "Leonberger", "Maine Coon", "Miniature Pinscher",
    "Newfoundland", "Persian", "Pomeranian", "Pug", "Ragdoll", "Russian Blue", "Saint Bernard",
    "Samoyed", "Scottish Terrier", "Shiba Inu", "Siamese", "Sphynx",
    "Staffordshire Bull Terrier", "Wheaten Terrier", "Yorkshire Terrier",
)  # fmt: skip


def members(archive: bytes | bytearray, wanted: str) -> Iterator[tuple[str, bytes]]:
    """The files in a compressed tar archive whose paths match a pattern, one after the other.

    Args:
        archive: the whole archive.
        wanted: a regular expression for the whole path.

    Raises:
        DataError: it is no such archive.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            for member in opened:
                if re.fullmatch(wanted, member.name) and (content := opened.extractfile(member)):
                    yield member.name, content.read()
    except (EOFError, OSError, tarfile.TarError) as error:
        raise DataError(
            f"A compressed tar archive was expected: {error}.",
            fix="delete the file, so that it is fetched anew",
        ) from None


def squares(pixels: Tensor, size: int) -> Tensor:
    """The middle of a picture as a square of `size` pixels.

    Args:
        pixels: uint8, (channels, height, width), of any size.
        size: of the square, in pixels.
    """
    side = min(pixels.shape[1:])
    top, left = (pixels.shape[1] - side) // 2, (pixels.shape[2] - side) // 2
    middle = pixels[:, top : top + side, left : left + side]
    if side == size:
        return middle
    resized = torch.nn.functional.interpolate(
        middle[None].float(), size=(size, size), mode="bilinear", antialias=True
    )
    return resized[0].round().clamp(0, 255).to(torch.uint8)


def _stack(pictures: Iterable[bytes], size: int) -> Tensor:
    return torch.stack([squares(picture(content), size) for content in pictures])


def _cifar10(read: Read, split: str) -> tuple[Tensor, Tensor]:
    wanted = r".*/data_batch_\d\.bin" if split == "train" else r".*/test_batch\.bin"
    found = sorted(members(read("cifar-10-binary.tar.gz"), wanted))
    content = b"".join(batch for _, batch in found)
    table = torch.from_numpy(np.frombuffer(content, np.uint8).reshape(-1, _CIFAR_ROW_BYTES).copy())
    return table[:, 1:].reshape(-1, 3, 32, 32), table[:, 0].long()


def _imagenette(read: Read, split: str) -> tuple[Tensor, Tensor]:
    part = {"train": "train", "test": "val"}[split]
    pictures, labels, kinds = [], [], list(_IMAGENETTE)
    for name, content in members(read("imagenette2-160.tgz"), rf".*/{part}/n\d+/[^/]+\.JPEG"):
        pictures.append(squares(picture(content), 160))
        labels.append(kinds.index(name.split("/")[-2]))
    return torch.stack(pictures), torch.tensor(labels)


def _pets(read: Read, split: str) -> tuple[Tensor, Tensor]:
    part = {"train": "trainval", "test": "test"}[split]
    ((_, listed),) = members(read("annotations.tar.gz"), rf"annotations/{part}\.txt")
    # Each line: the picture's name, its breed from 1, cat or dog, its number within the breed.
    breeds = {line.split()[0]: int(line.split()[1]) - 1 for line in listed.decode().splitlines()}
    found = {}
    for path, content in members(read("images.tar.gz"), r"images/[^/]+\.jpg"):
        name = path.removeprefix("images/").removesuffix(".jpg")
        if name in breeds:
            found[name] = squares(picture(content), 160)
    return torch.stack([found[name] for name in breeds]), torch.tensor(list(breeds.values()))


_from_the_web = partial(Dataset, input="Image", target="Label")

CIFAR10 = _from_the_web(
    name="cifar10",
    title="CIFAR-10",
    about="Small colour photographs of ten kinds of things and animals. The splits are its "
    "makers'. Needs a network once.",
    classes=_CIFAR_CLASSES,
    splits={"train": 50_000, "test": 10_000},
    shape=(3, 32, 32),
    licence="none stated; its makers ask for a citation",
    citation="krizhevsky2009learning",
    home="https://www.cs.toronto.edu/~kriz/cifar.html",
    files=(
        File(
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            as_it_comes=True,
        ),
    ),
    sources=(Address("https://www.cs.toronto.edu/~kriz/"),),
    parse=_cifar10,
)

IMAGENETTE = _from_the_web(
    name="imagenette",
    title="Imagenette, 160 pixels",
    about="Photographs of ten kinds that are easy to tell apart, from ImageNet; the middle of "
    "each. The splits are its makers'. Needs a network once.",
    classes=tuple(_IMAGENETTE.values()),
    splits={"train": 9_469, "test": 3_925},
    shape=(3, 160, 160),
    licence="Apache-2.0 for the selection; the photographs are ImageNet's, for research",
    citation="howard2019imagenette",
    home="https://github.com/fastai/imagenette",
    files=(
        File(
            "imagenette2-160.tgz",
            98_948_031,
            "88daccb09b6fce93f45e6c09ddeb269cce705549e6bff322092a2a5a11489863",
            as_it_comes=True,
        ),
    ),
    sources=(Address("https://s3.amazonaws.com/fast-ai-imageclas/"),),
    parse=_imagenette,
)

PETS = _from_the_web(
    name="pets",
    title="Oxford-IIIT pets, 160 pixels",
    about="Photographs of cats and dogs of 37 breeds; the middle of each. The splits are its "
    "makers'. Needs a network once.",
    classes=_PETS,
    splits={"train": 3_680, "test": 3_669},
    shape=(3, 160, 160),
    licence="CC BY-SA 4.0",
    citation="parkhi2012cats",
    home="https://www.robots.ox.ac.uk/~vgg/data/pets/",
    files=(
        File(
            "images.tar.gz",
            791_918_971,
            "67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
            as_it_comes=True,
        ),
        File(
            "annotations.tar.gz",
            19_173_078,
            "52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
            as_it_comes=True,
        ),
    ),
    sources=(Address("https://www.robots.ox.ac.uk/~vgg/data/pets/data/"),),
    parse=_pets,
)

DATASETS = (CIFAR10, IMAGENETTE, PETS)
