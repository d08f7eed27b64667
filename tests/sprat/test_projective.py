"""One transform for pictures, masks and points: they move alike, and come back."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat.encodings import Projective
from sprat.errors import TaskError

SOURCE, TARGET = (40, 60), (32, 48)
TILT = ((1.0, 0.1, 0.0), (0.0, 0.9, 0.05), (0.1, -0.05, 1.0))
CASES = {
    "resized": Projective(SOURCE, TARGET),
    "cropped": Projective.crop(SOURCE, (32, 32)),
    "turned": Projective(SOURCE, TARGET).turned(20),
    "tilted": Projective(SOURCE, TARGET, TILT),
    "cropped and turned": Projective.crop(SOURCE, (30, 20)).turned(-35),
}


def blob(x: float, y: float, size: tuple[int, int]) -> torch.Tensor:
    """A bright spot at a place in pixels, (1, 1, height, width)."""
    down = torch.arange(size[0])[:, None] + 0.5
    across = torch.arange(size[1])[None] + 0.5
    return torch.exp(-((across - x) ** 2 + (down - y) ** 2) / 18)[None, None]


def centre(picture: torch.Tensor) -> tuple[float, float]:
    """Where the brightness of a (height, width) picture has its middle, in pixels."""
    down = torch.arange(picture.shape[0])[:, None] + 0.5
    across = torch.arange(picture.shape[1])[None] + 0.5
    total = picture.sum()
    return float((picture * across).sum() / total), float((picture * down).sum() / total)


@pytest.mark.parametrize("name", CASES)
def test_pictures_masks_and_points_move_alike(name: str) -> None:
    encoding = CASES[name]
    for x, y in ((30.0, 20.0), (24.0, 17.0), (35.5, 24.5)):
        image = blob(x, y, SOURCE)
        expected = encoding.encode(torch.tensor([[[x, y]]]))[0, 0].tolist()
        assert centre(encoding.encode(image)[0, 0]) == pytest.approx(expected, abs=0.25)
        mask = (image[:, 0] > 0.7).long()
        assert centre(encoding.encode(mask)[0].float()) == pytest.approx(expected, abs=0.6)


@pytest.mark.parametrize("name", CASES)
@given(place=st.tuples(st.floats(0, 60), st.floats(0, 40)))
def test_points_come_back(name: str, place: tuple[float, float]) -> None:
    encoding = CASES[name]
    points = torch.tensor([[place]])
    torch.testing.assert_close(
        encoding.decode(encoding.encode(points)), points, atol=2e-3, rtol=1e-4
    )


@pytest.mark.parametrize("name", ["resized", "turned", "tilted"])
def test_smooth_pictures_and_large_masks_nearly_come_back(name: str) -> None:
    encoding = CASES[name]
    image = blob(30, 20, SOURCE)
    back = encoding.decode(encoding.encode(image))
    assert back.shape == image.shape
    assert float((back - image).abs().max()) < 0.06
    mask = (image[:, 0] > 0.3).long()
    differing = (encoding.decode(encoding.encode(mask)) != mask).float().mean()
    assert float(differing) < 0.02


def test_plain_resizing_is_torchs() -> None:
    image = torch.rand(2, 3, *SOURCE, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(image, TARGET, mode="bilinear", antialias=True)
    assert torch.equal(CASES["resized"].encode(image), expected)


def test_a_flip_is_exact() -> None:
    flip = Projective((4, 6), (4, 6), ((-1, 0, 0), (0, 1, 0), (0, 0, 1)))  # type: ignore[arg-type]
    image = torch.rand(2, 1, 4, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(flip.encode(image), image.flip(3))
    torch.testing.assert_close(flip.decode(flip.encode(image)), image)
    mask = torch.randint(0, 3, (2, 4, 6), generator=torch.Generator().manual_seed(0))
    assert torch.equal(flip.encode(mask), mask.flip(2))
    assert flip.encode(torch.tensor([[[0.0, 1.0]]])).tolist() == [[[6.0, 1.0]]]


def test_a_quarter_turn_goes_clockwise() -> None:
    turn = Projective((4, 4), (4, 4)).turned(90)
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    torch.testing.assert_close(turn.encode(image)[0, 0], image[0, 0].rot90(-1))


def test_a_crop_keeps_proportions() -> None:
    encoding = CASES["cropped"]
    corners = encoding.encode(torch.tensor([[[10.0, 0.0], [50.0, 40.0], [30.0, 20.0]]]))
    torch.testing.assert_close(corners, torch.tensor([[[0.0, 0.0], [32.0, 32.0], [16.0, 16.0]]]))


def test_a_task_moves_all_of_it_and_brings_it_back(tmp_path: Path) -> None:
    encoding = CASES["turned"]
    target = (sp.Mask(["sky", "sea"], SOURCE), sp.Keypoints(("nose",), SOURCE))
    task = sp.Task(
        sp.Image(1, SOURCE),
        target,
        encodings=[sp.ToFloat(), encoding, sp.ScalePoints(TARGET)],
    )
    batch = task.mock_batch(3, generator=torch.Generator().manual_seed(0))
    task.check(batch)
    encoded = task.encode(batch)
    assert encoded.x.shape == (3, 1, *TARGET)
    assert encoded.y[0].shape == (3, *TARGET)
    assert encoded.y[1].shape == (3, 2)
    mask, points = task.decode_target(encoded.y)
    assert mask.shape == (3, *SOURCE)
    torch.testing.assert_close(points, batch.y[1], atol=1e-3, rtol=1e-4)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pixels, self.place = nn.Conv2d(1, 2, 1), nn.Linear(TARGET[0] * TARGET[1], 2)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.pixels(x), self.place(x.flatten(1))

    data = sp.Data(batch.x, batch.y)
    learn = sp.Learner(task, (data, data), model=Net(), progress=False, device="cpu")
    learn.fit(2)
    assert "predicted" in learn.show_results(2, backend="text")
    loaded = sp.load(learn.export(tmp_path / "model"), model=Net()).task
    assert loaded is not None
    assert (loaded.target, loaded.encodings) == (task.target, task.encodings)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: sp.Task(sp.Image(1, SOURCE), encodings=[Projective(SOURCE, TARGET)]),
            "moves pictures as floats",
        ),
        (
            lambda: sp.Task(
                sp.Image(1, (9, 9)), encodings=[sp.ToFloat(), Projective(SOURCE, TARGET)]
            ),
            r"has \(9, 9\)",
        ),
        (lambda: Projective(SOURCE, (0, 4)), r"from \(40, 60\) to \(0, 4\)"),
        (
            lambda: Projective(SOURCE, TARGET, ((1.0, 0, 0), (2.0, 0, 0), (0.0, 0, 1))),
            "got the matrix",
        ),
    ],
)
def test_mistakes_are_named_with_their_fix(make: Any, says: str) -> None:
    with pytest.raises(TaskError, match=says) as caught:
        make()
    assert caught.value.fix
