"""What a person reads is in the units of the data, whatever scale the model works on."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sprat as sp
from sprat.encodings import Projective

COUNT, SIZE = 12, (40, 60)  # height, width in pixels
PRICE_MEAN, PRICE_STD = 200_000.0, 50_000.0


@dataclass(frozen=True)
class Scaled(sp.Encoding):
    """A number of the target to mean 0 and standard deviation 1: an encoding of the user's own."""

    mean: float
    std: float

    def block(self, block: sp.Block) -> sp.Block | None:
        return block if isinstance(block, (sp.Continuous, sp.Trajectory)) and block.names else None

    def encode(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.std

    def decode(self, values: Tensor) -> Tensor:
        return values * self.std + self.mean


class Always(nn.Module):
    """Says the same to everything, as a weight that can learn."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.said = nn.Parameter(torch.full(shape, 0.5))

    def forward(self, x: Any) -> Tensor:
        return self.said.expand(len(x), *self.said.shape)


def off_squared(y_hat: Tensor, y: Tensor) -> Tensor:
    """A user's own function."""
    return (y_hat - y).square().mean()


def prices(metrics: list[Any] | None = None) -> tuple[sp.Learner, Tensor]:
    y = torch.linspace(100_000, 300_000, COUNT)[:, None]
    block = sp.Continuous(1, ("price in dollars",))
    task = sp.Task(sp.Continuous(2), block, encodings=[Scaled(PRICE_MEAN, PRICE_STD)])
    data = sp.Data(torch.randn(COUNT, 2), y)
    model = Always(1)
    return sp.Learner(
        task, (data, data), model=model, metrics=metrics, device="cpu", progress=False, batch_size=5
    ), y


def test_a_price_is_measured_in_dollars() -> None:
    learn, y = prices([sp.metrics.mae, sp.metrics.mse, off_squared])
    said = 0.5 * PRICE_STD + PRICE_MEAN
    off = (said - y).abs()
    found = learn.evaluate()
    assert found["mae"] == pytest.approx(float(off.mean()), rel=1e-5)
    assert found["mse"] == pytest.approx(float(off.square().mean()), rel=1e-5)
    assert found["off_squared"] == pytest.approx(float(off.square().mean()), rel=1e-5)
    assert found["loss"] == pytest.approx(float((off / PRICE_STD).square().mean()), rel=1e-5)
    y_hat, truth = learn.predictions()
    torch.testing.assert_close(y_hat, torch.full((COUNT, 1), said))
    torch.testing.assert_close(truth, y)
    unknown, none = learn.predictions(sp.Data(torch.randn(3, 2)))
    torch.testing.assert_close(unknown, torch.full((3, 1), said))
    assert none is None
    torch.testing.assert_close(learn.predict(torch.randn(3, 2)), unknown)
    learn.fit(1, lr=0.0)
    assert learn.history.last("mae") == pytest.approx(float(off.mean()), rel=1e-5)


def test_views_measure_in_dollars_too() -> None:
    learn, y = prices()
    off = (0.5 * PRICE_STD + PRICE_MEAN - y).abs()[:, 0]
    groups = sp.interpret.group_metrics(learn, ["a"] * 4 + ["b"] * 8)
    assert groups["mae"] == pytest.approx({"a": float(off[:4].mean()), "b": float(off[4:].mean())})
    assert groups.overall["mae"] == pytest.approx(float(off.mean()))
    assert sp.interpret.permutation_importance(learn).baseline == pytest.approx(float(off.mean()))
    assert float(sp.interpret.residuals(learn).mae) == pytest.approx(float(off.mean()))
    first = sp.interpret.partial_dependence(learn, "number 0").mean
    assert float(first[0]) == pytest.approx(0.5 * PRICE_STD + PRICE_MEAN)
    top = sp.interpret.top_losses(learn, 1)
    assert float(top.truths[0]) == pytest.approx(float(y[top.indices[0], 0]))
    assert "truth: 1e+05" in learn.show_results(1, backend="text")


@pytest.mark.parametrize("resized", [False, True])
def test_places_in_a_picture_are_measured_in_its_pixels(resized: bool) -> None:
    points = sp.Keypoints(("nose", "tail"), SIZE)
    small = (20, 30)
    steps: list[sp.Encoding] = [sp.ToFloat()]
    steps += [Projective(SIZE, small), sp.ScalePoints(small)] if resized else [sp.ScalePoints(SIZE)]
    task = sp.Task(sp.Image(1, SIZE), points, encodings=steps)
    data = sp.Data(sp.Image(1, SIZE).mock(COUNT), points.mock(COUNT))
    model = Always(4)
    learn = sp.Learner(task, (data, data), model=model, device="cpu", progress=False, batch_size=5)
    said = torch.tensor([45.0, 30.0])  # at 0.5 of −1…1: three quarters of width and height
    off = (said - data.y).abs()
    assert learn.evaluate()["mae"] == pytest.approx(float(off.mean()), rel=1e-4)
    y_hat, y = learn.predictions()
    torch.testing.assert_close(y, data.y, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(y_hat, said.expand(COUNT, 2, 2), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(learn.predict(data.x), y_hat, rtol=1e-4, atol=1e-3)


def test_of_several_targets_each_is_in_its_own_units() -> None:
    price = sp.Continuous(1, ("price in dollars",))
    target = (price, sp.Label(["no", "yes"]))
    task = sp.Task(sp.Continuous(2), target, encodings=[Scaled(PRICE_MEAN, PRICE_STD)])
    y = torch.linspace(100_000, 300_000, COUNT)[:, None]
    data = sp.Data(torch.randn(COUNT, 2), (y, torch.arange(COUNT) % 2))

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.price, self.label = Always(1), Always(2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.price(x), self.label(x)

    learn = sp.Learner(task, (data, data), model=Both(), device="cpu", progress=False)
    off = (0.5 * PRICE_STD + PRICE_MEAN - y).abs()
    found = learn.evaluate()
    assert found["mae_1"] == pytest.approx(float(off.mean()), rel=1e-5)
    assert found["accuracy_2"] == 0.5
    (said, logits), (truth, labels) = learn.predictions()
    assert float(said[0]) == 0.5 * PRICE_STD + PRICE_MEAN
    torch.testing.assert_close(truth, y)
    assert logits.shape == (COUNT, 2)
    assert labels.tolist() == [0, 1] * (COUNT // 2)


def test_curves_are_measured_in_their_units_and_logits_stay_logits() -> None:
    curve = sp.Trajectory(1, steps=5, names=("height in m",))
    task = sp.Task(sp.Continuous(2), curve, encodings=[Scaled(10.0, 4.0)], metrics=[sp.metrics.mae])
    y = torch.rand(COUNT, 5, 1) * 10
    data = sp.Data(torch.randn(COUNT, 2), y)
    learn = sp.Learner(task, (data, data), model=Always(5, 1), device="cpu", progress=False)
    assert learn.evaluate()["mae"] == pytest.approx(float((12 - y).abs().mean()), rel=1e-5)
    wide = torch.zeros(COUNT, 7)  # no such target: left as it is
    assert task.in_units(wide, y)[0] is wide

    labelled = sp.Task(sp.Continuous(2), sp.Label(["a", "b"]), encodings=[sp.OneHotEncode(2)])
    logits = torch.randn(4, 2)
    assert labelled.in_units(logits, None)[0] is logits
