"""Augmentation: batches equal single samples, and picture, mask and points move alike."""

from typing import Any

import pytest
import torch

import sprat as sp
from sprat.augment import (
    Affine,
    Augment,
    Blur,
    Colour,
    Erase,
    Flip,
    Noise,
    Perspective,
    View,
    augment,
    warp,
)
from sprat.errors import TaskError

ALL = [Flip(), Affine(20, (0.8, 1.2), 0.2, 0.1), Perspective(), Colour(), Noise(), Blur(), Erase()]
GEOMETRIC = [Flip(), Affine(30, (0.8, 1.2), 0.3, 0.1), Perspective(0.3)]


def views(batch=6, size=(24, 32)):
    generator = torch.Generator().manual_seed(0)
    return View(
        torch.rand(batch, 3, *size, generator=generator),
        torch.randint(0, 4, (batch, *size), generator=generator),
        torch.rand(batch, 5, 2, generator=generator) - 0.5,
    )


def one(view, i):
    return View(view.image[i : i + 1], view.mask[i : i + 1], view.points[i : i + 1])


@pytest.mark.parametrize("transform", ALL, ids=lambda t: type(t).__name__)
def test_a_batch_equals_its_samples_one_by_one(transform):
    view = views()
    params = transform.draw(view, torch.Generator().manual_seed(1))
    together = transform.apply(view, params)
    for i in range(len(view.image)):
        alone = transform.apply(one(view, i), {k: v[i : i + 1] for k, v in params.items()})
        torch.testing.assert_close(together.image[i], alone.image[0], rtol=0, atol=1e-6)
        assert torch.equal(together.mask[i], alone.mask[0])
        torch.testing.assert_close(together.points[i], alone.points[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("transform", ALL, ids=lambda t: type(t).__name__)
def test_the_generator_settles_everything_and_samples_differ(transform):
    view = View(views().image[:1].repeat(8, 1, 1, 1))
    first, second = (
        augment(view, [transform], generator=torch.Generator().manual_seed(5)) for _ in range(2)
    )
    assert torch.equal(first.image, second.image)
    assert len({tuple(picture.flatten().tolist()) for picture in first.image}) > 1
    assert first.image.shape == view.image.shape


@pytest.mark.parametrize("transform", GEOMETRIC, ids=lambda t: type(t).__name__)
def test_picture_mask_and_points_move_alike(transform):
    """A bright blob, its mask and its centre are still in one place after the move."""
    size, batch = (64, 96), 16
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    blob = (((x - 60) ** 2 + (y - 24) ** 2) < 36).long()
    centre = torch.tensor([(60.5) * 2 / size[1] - 1, (24.5) * 2 / size[0] - 1])
    view = View(
        blob.float()[None, None].repeat(batch, 1, 1, 1),
        blob[None].repeat(batch, 1, 1),
        centre.repeat(batch, 1, 1),
    )
    moved = augment(view, [transform], generator=torch.Generator().manual_seed(2))
    scale = torch.tensor([size[1] / 2, size[0] / 2])
    for i in range(batch):
        point = (moved.points[i, 0] + 1) * scale
        inside = moved.mask[i].nonzero().flip(1) + 0.5
        bright = (moved.image[i, 0] > 0.5).nonzero().flip(1) + 0.5
        if len(inside) > 60:  # the blob has not left the picture
            assert (inside.mean(0) - point).norm() < 1.5
            assert (bright.mean(0) - point).norm() < 1.5


def test_a_flip_is_exact_and_twice_gives_the_picture_back():
    view = views()
    flipped = augment(view, [Flip(1.0)])
    torch.testing.assert_close(flipped.image, view.image.flip(3), rtol=0, atol=1e-5)
    assert torch.equal(flipped.mask, view.mask.flip(2))
    torch.testing.assert_close(augment(view, [Flip(1.0), Flip(1.0)]).image, view.image)


def test_neighbours_that_move_pixels_are_sampled_once(monkeypatch):
    calls = []
    monkeypatch.setattr("sprat.augment.compose.warp", lambda *a: calls.append(1) or warp(*a))
    augment(views(), [Flip(), Affine(), Perspective(), Colour(), Affine()])
    assert len(calls) == 2


def test_a_turn_keeps_its_shape_in_a_wide_picture():
    """A square turned by 45 degrees keeps equal diagonals; without the aspect it would not."""
    corner = torch.tensor([[[0.25, 0.0], [0.0, 0.5]]])  # 12 pixels right of and below the middle
    view = View(torch.zeros(1, 1, 48, 96), None, corner)
    moved = augment(view, [Affine(0, (1, 1), 0, 0), _Turn(45)]).points[0] * torch.tensor([48, 24])
    torch.testing.assert_close(moved.norm(dim=1), torch.tensor([12.0, 12.0]))
    assert abs(float(moved[0] @ moved[1])) < 1e-3


class _Turn(Affine):
    """By exactly so much."""

    def __init__(self, degrees):
        super().__init__(degrees, (1, 1), 0, 0)

    def matrices(self, view, generator):
        ones = torch.Generator()
        draw, torch.rand = torch.rand, lambda *a, **k: torch.ones(a[0])
        try:
            return super().matrices(view, ones)
        finally:
            torch.rand = draw


def learner(callbacks):
    task = sp.Task(sp.Image(1, (16, 16)), sp.Label(["a", "b"]))
    mock = task.mock_batch(32, generator=torch.Generator().manual_seed(0))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 2))
    data = sp.Data(mock.x, mock.y).split(valid=8, generator=torch.Generator().manual_seed(0))
    return sp.Learner(task, data, model=model, callbacks=callbacks, progress=False)


def test_training_batches_are_changed_and_validation_is_not():
    seen = {"train": [], "valid": []}

    class Watch(sp.Callback):
        reads = {"batch"}  # noqa: RUF012

        def step_begin(self, learn):
            seen[learn.phase.name].append(learn.batch.x)

    learn = learner([Watch(), Augment(Noise(0.1))])
    learn.fit(1)
    grid = (seen["valid"][0] * 255).round() / 255
    torch.testing.assert_close(seen["valid"][0], grid)
    assert not torch.allclose(seen["train"][0], (seen["train"][0] * 255).round() / 255, atol=1e-4)


def test_it_refuses_what_is_no_picture():
    task = sp.Task(sp.Continuous(3), sp.Continuous(1))
    data = sp.Data(torch.randn(32, 3), torch.randn(32, 1))
    learn = sp.Learner(
        task, data, model=torch.nn.Linear(3, 1), callbacks=[Augment(Flip())], progress=False
    )
    with pytest.raises(TaskError, match="changes pictures"):
        learn.fit(1)


def test_a_mask_and_points_of_one_target_follow_the_picture_together():
    """Three points and the disc around the first: wherever the picture goes, so do all of them."""
    size = (40, 40)
    torch.manual_seed(0)
    places = torch.randint(12, 28, (16, 3, 2)).float() + 0.5
    ys, xs = torch.meshgrid(torch.arange(40) + 0.5, torch.arange(40) + 0.5, indexing="ij")
    mask = ((xs - places[:, 0, :1, None]) ** 2 + (ys - places[:, 0, 1:, None]) ** 2 < 16).long()
    target = (
        sp.Mask(["no", "yes"], size),
        sp.Label(["a", "b"]),
        sp.Keypoints(("first",), size),
        sp.Keypoints(("second", "third"), size),
    )
    scale = sp.ScalePoints(size)
    task = sp.Task(
        sp.Image(1, size), target, encodings=[sp.ToFloat(), scale],
        loss=lambda y_hat, y: y_hat.mean(), metrics=[],
    )  # fmt: skip
    label = torch.arange(16) % 2
    data = sp.Data(mask[:, None].float(), (mask, label, places[:, :1], places[:, 1:]))
    seen = []

    class Looks(sp.Callback):
        reads = {"batch"}  # noqa: RUF012

        def step_end(self, learn):
            seen.append(learn.batch)

    change = sp.Augment(Flip(), Affine(degrees=30, translate=0.1))
    learn = sp.Learner(
        task, data, model=torch.nn.Conv2d(1, 1, 1), batch_size=16, device="cpu", progress=False,
        callbacks=[change, Looks()],
    )  # fmt: skip
    learn.fit(1)
    picture, (mask, _, first, others) = seen[0].x[:, 0], seen[0].y
    assert not torch.equal(mask.sum((1, 2)), data.y[0].sum((1, 2)))
    for weights in (picture, mask.float()):
        centre = torch.stack([(weights * xs).sum((1, 2)), (weights * ys).sum((1, 2))], 1)
        centre = centre / weights.sum((1, 2))[:, None]
        torch.testing.assert_close(scale.decode(first)[:, 0], centre, atol=0.5, rtol=0)
    assert others.shape == (16, 4)
    # A turn keeps distances between points up to the scale, which is one number a sample.
    before = places[seen[0].index]
    now = torch.cat([scale.decode(first), scale.decode(others)], 1)
    ratio = torch.pdist(now[0]) / torch.pdist(before[0])
    torch.testing.assert_close(ratio, ratio[:1].expand(3), atol=1e-3, rtol=0)


WRONG: dict[str, tuple[type[sp.augment.Transform], dict[str, Any], str]] = {
    "an int as size": (sp.augment.RandomResizedCrop, {"size": 20}, r"size=\(20, 20\)"),
    "no pixels": (sp.augment.RandomResizedCrop, {"size": (0, 4)}, "height, width"),
    "more than all": (sp.augment.RandomResizedCrop, {"area": (0.5, 2.0)}, "at most 1"),
    "one scale": (sp.augment.Affine, {"scale": 1.2}, "give a pair"),
    "a pair of one": (sp.augment.Affine, {"scale": (1.2,)}, "give a pair"),
    "the larger first": (sp.augment.Affine, {"scale": (1.2, 0.8)}, "the smaller first"),
    "a pair of angles": (sp.augment.Affine, {"degrees": (-10, 10)}, "give one number"),
    "percent": (sp.augment.Flip, {"probability": 50.0}, "0 to 1"),
    "a tilt without an end": (sp.augment.Perspective, {"strength": 2.0}, "0 to 0.5"),
    "less than no padding": (sp.augment.RandomCrop, {"padding": -1}, "0 or more"),
    "no blur at all": (sp.augment.Blur, {"sigma": (0.0, 1.0)}, "above 0"),
    "a word": (sp.augment.Noise, {"std": "much"}, "give one number"),
    "a side beyond the picture": (sp.augment.Erase, {"side": (0.1, 3.0)}, "at most 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_argument_that_is_none_is_refused_when_the_transform_is_made(case: str) -> None:
    kind, given, told = WRONG[case]
    # Made by hand: here, and here alone, the constructor would look at the types before.
    transform = object.__new__(kind)
    for name, value in given.items():
        object.__setattr__(transform, name, value)
    with pytest.raises(sp.errors.TaskError, match=told):
        transform.__post_init__()  # type: ignore[attr-defined]


def test_a_target_that_is_a_picture_is_not_left_behind() -> None:
    task = sp.Task(sp.Image(1), sp.Image(1))
    data = sp.Data(torch.rand(8, 1, 8, 8), torch.rand(8, 1, 8, 8))

    def learner(transform: sp.augment.Transform) -> sp.Learner:
        return sp.Learner(
            task, data, model=torch.nn.Conv2d(1, 1, 1), loss=torch.nn.functional.mse_loss,
            callbacks=[sp.Augment(transform)], batch_size=4, device="cpu", progress=False,
        )  # fmt: skip

    with pytest.raises(sp.errors.TaskError, match="a picture that stays"):
        learner(sp.augment.Flip()).fit(1)
    assert len(learner(sp.augment.Noise()).fit(1)) == 1
