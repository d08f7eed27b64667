"""Crops and RandAugment, and what has to hold of every transform: batches equal single samples."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sprat.augment import (
    Affine,
    Blur,
    Colour,
    Erase,
    Flip,
    Noise,
    Perspective,
    RandAugment,
    RandomCrop,
    RandomResizedCrop,
    Transform,
    View,
    augment,
)
from sprat.augment.policy import OPS
from sprat.errors import TaskError

NEW: list[Transform] = [
    RandomCrop(3),
    RandomResizedCrop(),
    RandomResizedCrop((20, 28), (0.2, 0.9), (0.5, 2.0)),
    RandAugment(),
    RandAugment(3, 4.0),
    RandAugment(1, None),
]
ALL: list[Transform] = [
    *NEW, Flip(), Affine(20, (0.8, 1.2), 0.2, 0.1), Perspective(), Colour(), Noise(), Blur(),
    Erase(),
]  # fmt: skip


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def views(batch: int = 32, size: tuple[int, int] = (24, 32)) -> View:
    generator = seeded()
    return View(
        torch.rand(batch, 3, *size, generator=generator),
        torch.randint(0, 4, (batch, *size), generator=generator),
        torch.rand(batch, 5, 2, generator=generator) - 0.5,
    )


@pytest.mark.parametrize("transform", NEW, ids=str)
def test_a_batch_equals_its_samples_one_by_one(transform: Transform) -> None:
    view = views()
    assert view.mask is not None
    assert view.points is not None
    params = transform.draw(view, seeded(1))
    together = transform.apply(view, params)
    assert together.mask is not None
    assert together.points is not None
    for i in range(len(view.image)):
        one = View(view.image[i : i + 1], view.mask[i : i + 1], view.points[i : i + 1])
        alone = transform.apply(one, {k: v[i : i + 1] for k, v in params.items()})
        torch.testing.assert_close(together.image[i], alone.image[0], rtol=0, atol=1e-6)
        assert torch.equal(together.mask[i], alone.mask[0])  # type: ignore[index]
        torch.testing.assert_close(
            together.points[i],
            alone.points[0],
            rtol=0,
            atol=1e-6,  # type: ignore[index]
        )


@pytest.mark.parametrize("transform", NEW, ids=str)
def test_the_generator_settles_everything_and_samples_differ(transform: Transform) -> None:
    view = View(views().image[:1].repeat(16, 1, 1, 1))
    first, second = (augment(view, [transform], generator=seeded(5)) for _ in range(2))
    assert torch.equal(first.image, second.image)
    assert len({tuple(picture.flatten().tolist()) for picture in first.image}) > 4


@pytest.mark.parametrize("transform", NEW, ids=str)
def test_picture_mask_and_points_move_alike(transform: Transform) -> None:
    """A bright blob, its mask and its centre are in one place after the move too."""
    size, batch = (64, 96), 24
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    blob = (((x - 56) ** 2 + (y - 28) ** 2) < 36).long()
    centre = torch.tensor([56.5 * 2 / size[1] - 1, 28.5 * 2 / size[0] - 1])
    view = View(
        blob.float()[None, None].repeat(batch, 1, 1, 1),
        blob[None].repeat(batch, 1, 1),
        centre.repeat(batch, 1, 1),
    )
    moved = augment(view, [transform], generator=seeded(2))
    assert moved.mask is not None
    assert moved.points is not None
    height, width = moved.image.shape[2:]
    scale, checked = torch.tensor([width / 2, height / 2]), 0
    for i in range(batch):
        point = (moved.points[i, 0] + 1) * scale
        inside = moved.mask[i].nonzero().flip(1) + 0.5
        away = torch.minimum(point, torch.tensor([float(width), float(height)]) - point).min()
        if away > 0.3 * min(height, width) and len(inside) > 8:
            assert (inside.mean(0) - point).norm() < 1.5
            checked += 1
    assert checked >= batch // 4


def test_a_crop_moves_by_whole_pixels_and_pads_with_nothing() -> None:
    view = views(64)
    out = augment(view, [RandomCrop(2)], generator=seeded(3)).image
    padded = torch.nn.functional.pad(view.image, (2, 2, 2, 2))
    places = set()
    for i in range(64):
        hits = [
            (dy, dx)
            for dy in range(5)
            for dx in range(5)
            if torch.allclose(out[i], padded[i, :, dy : dy + 24, dx : dx + 32], atol=1e-4)
        ]
        assert len(hits) == 1
        places.update(hits)
    assert len(places) > 15  # of 25


def test_a_resized_crop_has_the_size_asked_for_and_stays_inside() -> None:
    transform = RandomResizedCrop((10, 14), (0.1, 0.5), (0.5, 2.0))
    view = View(torch.ones(200, 1, 30, 40))
    params = transform.draw(view, seeded(4))
    out = transform.apply(view, params).image
    assert out.shape == (200, 1, 10, 14)
    torch.testing.assert_close(out, torch.ones_like(out))  # nothing came from outside
    width, height = (1 / params["matrix"][:, k, k] for k in (0, 1))  # shares of the picture
    assert ((width * height > 0.099) & (width * height < 0.501)).all()
    ratio = width * 40 / (height * 30)
    assert ((ratio > 0.499) & (ratio < 2.001)).all()


def test_what_follows_a_resized_crop_sees_its_size() -> None:
    view = views()
    moved = augment(view, [Flip(), RandomResizedCrop((16, 16)), Affine(), Noise(0.0)])
    assert moved.image.shape[2:] == (16, 16)
    assert moved.mask is not None
    assert moved.mask.shape[1:] == (16, 16)


@pytest.mark.parametrize("name", OPS)
def test_each_change_of_the_policy_does_what_its_name_says(name: str) -> None:
    image = torch.rand(1, 3, 16, 16, generator=seeded(7)) * 0.6 + 0.2
    policy = RandAugment(1, 10.0)
    params = {
        "op": torch.tensor([[float(OPS.index(name))]]),
        "strength": torch.ones(1, 1),
        "sign": torch.ones(1, 1),
    }
    out = policy.apply(View(image), params).image
    low, high = image.amin(), image.amax()
    x, y = (image - low) / (high - low), (out - low) / (high - low)
    if name == "identity":
        assert torch.equal(out, image)
    elif name == "solarize":  # all of it at full strength
        torch.testing.assert_close(y[x > 0], 1 - x[x > 0])
    elif name == "posterize":
        assert len((y * 15).round().unique()) <= 16
        torch.testing.assert_close((y * 15).round() / 15, y)
    elif name == "autocontrast":
        torch.testing.assert_close(y.amax((2, 3)), torch.ones(1, 3))
        torch.testing.assert_close(y.amin((2, 3)), torch.zeros(1, 3), atol=1e-6, rtol=0)
    elif name == "equalize":  # as many dark as bright pixels
        assert ((y < 0.5).float().mean((2, 3)) - 0.5).abs().max() < 0.05
    elif name == "brightness":
        torch.testing.assert_close(y, (1.9 * x).clamp(0, 1))
    elif name == "contrast":
        assert y.std() > x.std()
    elif name == "colour":  # grey stays grey
        assert y.std(1).mean() > x.std(1).mean()
    elif name == "sharpness":
        assert y.diff(dim=3).abs().mean() > x.diff(dim=3).abs().mean()
    else:  # the five that move pixels
        assert (y - x).abs().mean() > 0.01


def test_a_policy_of_magnitude_nothing_changes_next_to_nothing() -> None:
    view = views()
    params = RandAugment(1, 0.0).draw(view, seeded(1))
    kept = params["op"][:, 0] != OPS.index("equalize")
    kept &= params["op"][:, 0] != OPS.index("autocontrast")
    out = RandAugment(1, 0.0).apply(view, params).image
    assert (out - view.image)[kept].abs().max() < 0.01


def test_a_policy_works_on_normalised_pictures_too() -> None:
    view = views()
    params = RandAugment(2, 5.0).draw(view, seeded(1))
    # Only what moves pixels knows of zero; it is left out here.
    params["op"] = torch.where(params["op"] < 6, 0.0, params["op"])
    plain = RandAugment(2, 5.0).apply(view, params).image
    shifted = RandAugment(2, 5.0).apply(View(view.image * 4 - 2), params).image
    torch.testing.assert_close(shifted, plain * 4 - 2, atol=2e-2, rtol=0)


def test_all_fourteen_are_drawn_about_as_often() -> None:
    op = RandAugment(2).draw(View(torch.zeros(4000, 1, 2, 2)), seeded(1))["op"]
    counts = op.flatten().long().bincount(minlength=14)
    assert len(counts) == 14
    assert ((counts > 450) & (counts < 700)).all()


def test_a_senseless_policy_is_named() -> None:
    with pytest.raises(TaskError, match="num_ops=0 and magnitude=9"):
        RandAugment(0)
    with pytest.raises(TaskError, match="magnitude=11"):
        RandAugment(2, 11.0)


WAITS = ("_local_scalar_dense", "nonzero", "item", "is_nonzero", "equal", "linalg_inv", "masked")


class Watch(TorchDispatchMode):
    """Remembers operations whose result a GPU's host would have to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = func.overloadpacket.__name__
        by_mask = name == "index" and any(
            isinstance(i, torch.Tensor) and i.dtype == torch.bool for i in args[1]
        )
        if name in WAITS or by_mask:
            self.waited.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("transform", ALL, ids=str)
def test_no_transform_waits_for_the_device(transform: Transform) -> None:
    with Watch() as watch:
        augment(views(4), [transform], generator=seeded())
    assert watch.waited == []


def test_the_watch_sees_what_waits() -> None:
    with Watch() as watch:
        float(torch.ones(1))
        torch.ones(3)[torch.ones(3) > 0]
    assert len(watch.waited) >= 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("transform", ALL, ids=str)
def test_no_transform_synchronises_a_gpu(transform: Transform) -> None:
    view = views()
    assert view.mask is not None
    assert view.points is not None
    view = View(view.image.cuda(), view.mask.cuda(), view.points.cuda())
    generator = torch.Generator("cuda").manual_seed(0)
    augment(view, [transform], generator=generator)  # kernels are loaded here
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        augment(view, [transform], generator=generator)
    finally:
        torch.cuda.set_sync_debug_mode("default")
