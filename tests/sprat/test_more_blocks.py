"""Labels, masks and points: from mock data through a model to a display, each with its task."""

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.errors import BlockError, TaskError
from sprat.show import show_batch, show_results

SIZE = (20, 28)


class PerPixel(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layer = nn.Conv2d(1, classes, 1)

    def forward(self, x):
        return self.layer(x)


def flat(outputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(SIZE[0] * SIZE[1], outputs))


def learner(target, model, *extra):
    generator = torch.Generator().manual_seed(0)
    task = sp.Task(sp.Image(1, SIZE), target, encodings=[sp.ToFloat(), *extra])
    mock = task.mock_batch(24, generator=generator)
    y = torch.randint(0, 2, (24, *SIZE), generator=generator) if mock.y.ndim == 3 and (
        isinstance(target, sp.Mask)
    ) else mock.y  # fmt: skip
    data = sp.Data(mock.x, y).split(valid=8, generator=generator)
    return sp.Learner(task, data, model=model, progress=False)


CASES = {
    "labels": (lambda: learner(sp.Labels(["cat", "dog", "sun"]), flat(3)), "label_accuracy"),
    "mask": (lambda: learner(sp.Mask(["sky", "sea"]), PerPixel(2)), "pixel_accuracy"),
    "points": (
        lambda: learner(sp.Keypoints(("nose", "tail"), SIZE), flat(4), sp.ScalePoints(SIZE)),
        "mae",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_loss_metric_and_display_follow_from_the_block(name, capsys):
    make, metric = CASES[name]
    learn = make()
    history = learn.fit(6, lr=1e-3)
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert metric in history.rows[0]
    text = show_results(learn, 2, backend="text")
    assert "truth" in text
    assert "predicted" in text
    assert "truth" in show_batch(learn, 2, backend="text")
    figure = show_results(learn, 2, backend="matplotlib")
    assert any("truth" in ax.get_title() for ax in figure.axes)


def test_points_go_to_the_unit_square_and_back():
    points = torch.tensor([[[0.0, 0.0], [28.0, 20.0], [14.0, 10.0]]])
    encoding = sp.ScalePoints(SIZE)
    encoded = encoding.encode(points)
    assert encoded.tolist() == [[-1, -1, 1, 1, 0, 0]]
    torch.testing.assert_close(encoding.decode(encoded), points)


def test_a_mask_is_drawn_where_it_is(capsys):
    from sprat.grid import TextGrid

    mask = torch.zeros(SIZE, dtype=torch.int64)
    mask[:, 14:] = 1
    grid = TextGrid(width=28)
    grid.mask(torch.zeros(1, *SIZE), mask, "truth")
    title, *lines = grid.result().splitlines()
    assert title == "truth"
    assert all(line == " " * 14 + "1" * 14 for line in lines)


def test_points_are_drawn_where_they_are():
    from sprat.grid import TextGrid

    grid = TextGrid(width=28)
    grid.points(torch.zeros(1, *SIZE), {"truth": torch.tensor([[0.5, 0.5], [27.5, 19.5]])})
    legend, first, *_, last = grid.result().splitlines()
    assert legend == "○ truth"
    assert first == "○"
    assert last == " " * 27 + "○"


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: sp.Labels(["a", "b"]).check(torch.tensor([[0.0, 2.0]])), BlockError, "0 and 1"),
        (lambda: sp.Labels(["a", "b"]).check(torch.zeros(2, 3)), BlockError, r"\(2, 3\)"),
        (lambda: sp.Mask(["a", "b"]).check(torch.full((1, 2, 2), 2)), BlockError, "from 2 to 2"),
        (lambda: sp.Mask(["a"]), BlockError, "at least two"),
        (lambda: sp.Keypoints(("a",), SIZE).check(torch.zeros(1, 2, 2)), BlockError, "1, 2"),
        (lambda: sp.Task(sp.Image(1), sp.Keypoints(("a",), SIZE)), TaskError, "ScalePoints"),
        (
            lambda: sp.Task(
                sp.Image(1), sp.Keypoints(("a",), SIZE), encodings=[sp.ScalePoints((5, 5))]
            ),
            TaskError,
            r"\(5, 5\)",
        ),
    ],
)
def test_mistakes_are_named_with_their_fix(make, error, says):
    with pytest.raises(error, match=says) as caught:
        make()
    assert "fix:" in str(caught.value)
