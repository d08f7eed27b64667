"""Sets that only an address has: archives laid out as theirs are, made here."""

import io
import tarfile

import pytest
import torch
from PIL import Image

from sprat import datasets
from sprat.datasets import pictures, webpictures
from sprat.errors import DataError


def packed(files: dict[str, bytes]) -> bytearray:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return bytearray(target.getvalue())


def jpeg(colour: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", size, colour).save(target, "JPEG", quality=95)
    return target.getvalue()


def test_cifar10() -> None:
    def row(label: int, value: int) -> bytes:
        return bytes([label]) + bytes([value]) * 1024 + bytes([value + 1]) * 2048

    files = {
        f"cifar-10-batches-bin/data_batch_{i}.bin": row(i, 10 * i) * 2 for i in range(5, 0, -1)
    }
    archive = packed(files | {"cifar-10-batches-bin/test_batch.bin": row(9, 7)})
    x, y = webpictures.CIFAR10.parse(lambda name: archive, "train")
    assert y.tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert x.shape == (10, 3, 32, 32)
    assert x.dtype == torch.uint8
    assert x[2, :, 5, 5].tolist() == [20, 21, 21]
    x, y = webpictures.CIFAR10.parse(lambda name: archive, "test")
    assert (len(x), y.tolist()) == (1, [9])


def test_imagenette() -> None:
    archive = packed(
        {
            "imagenette2-160/train/n03028079/a.JPEG": jpeg((200, 10, 10), (213, 160)),
            "imagenette2-160/train/n01440764/b.JPEG": jpeg((10, 10, 200), (160, 300)),
            "imagenette2-160/val/n03888257/c.JPEG": jpeg((10, 200, 10), (100, 80)),
            "imagenette2-160/noisy.csv": b"path",
        }
    )
    x, y = webpictures.IMAGENETTE.parse(lambda name: archive, "train")
    assert x.shape == (2, 3, 160, 160)
    assert [webpictures.IMAGENETTE.classes[i] for i in y] == ["church", "tench"]
    assert int(x[0, 0].min()) > 190
    x, y = webpictures.IMAGENETTE.parse(lambda name: archive, "test")
    assert x.shape == (1, 3, 160, 160)
    assert int(x[0, 1].min()) > 190


def test_pets() -> None:
    archives = {
        "images.tar.gz": packed(
            {
                "images/Bengal_1.jpg": jpeg((1, 2, 3), (200, 170)),
                "images/pug_52.jpg": jpeg((90, 90, 90), (170, 200)),
                "images/Abyssinian_3.jpg": jpeg((200, 200, 200), (160, 160)),
                "images/stray.mat": b"none",
            }
        ),
        "annotations.tar.gz": packed(
            {
                "annotations/trainval.txt": b"pug_52 26 2 1\nAbyssinian_3 1 1 1\n",
                "annotations/test.txt": b"Bengal_1 6 1 2\n",
            }
        ),
    }
    x, y = webpictures.PETS.parse(archives.__getitem__, "train")
    assert [webpictures.PETS.classes[i] for i in y] == ["Pug", "Abyssinian"]
    assert x.shape == (2, 3, 160, 160)
    assert int(x[1].min()) > int(x[0].max())
    _, y = webpictures.PETS.parse(archives.__getitem__, "test")
    assert webpictures.PETS.classes[int(y[0])] == "Bengal"


def test_they_say_that_they_need_a_network() -> None:
    needing = [name for name in datasets.names() if datasets.describe(name).needs_network]
    assert needing == ["cifar10", "imagenette", "pets"]
    for name in needing:
        assert "network" in datasets.describe(name).about
        assert all(file.as_it_comes for file in datasets.describe(name).files)


def test_damaged_archives_are_named() -> None:
    with pytest.raises(DataError, match="tar archive was expected"):
        webpictures.CIFAR10.parse(lambda name: bytearray(b"<html>"), "train")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_pictures(mode: str) -> None:
    target = io.BytesIO()
    Image.new("RGBA", (3, 2), (255, 0, 0, 128)).save(target, "PNG")
    pixels = pictures.picture(target.getvalue(), mode)
    assert pixels.shape == (len(mode), 2, 3)
    assert pixels.dtype == torch.uint8
    if mode == "RGBA":
        assert pixels[:, 0, 0].tolist() == [255, 0, 0, 128]


@pytest.mark.parametrize("content", [b"", b"GIF", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_picture(content: bytes) -> None:
    with pytest.raises(DataError, match="picture was expected"):
        pictures.picture(content)
