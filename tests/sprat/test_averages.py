"""Accumulating gradients, averaging weights, stopping early."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat.errors import TrainingError
from sprat.stopping import Monitor


def network(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(81, 8), *layers, nn.Tanh(), nn.Linear(8, 3))


def batches(pictures: sp.Data, size: int, *, until: int = 96) -> list[sp.Batch]:
    x, y = pictures.x[:until].float() / 255, pictures.y[:until]
    return [sp.Batch(x[i : i + size], y[i : i + size]) for i in range(0, until, size)]


def plain(loader: Any, **options: Any) -> sp.Learner:
    return sp.Learner(
        options.pop("model", None) or network(), loader, loss=F.cross_entropy, device="cpu",
        optimizer=torch.optim.SGD, lr=0.5, **options,
    )  # fmt: skip


def weights(learn: sp.Learner) -> list[torch.Tensor]:
    return [p.detach().clone() for p in learn.model.parameters()]


@pytest.mark.parametrize(
    ("until", "small", "large"),
    [
        (96, 8, 24),  # four groups of three
        (80, 8, 24),  # the last group has one batch
        (92, 8, 24),  # the last group is whole and its last batch smaller
        (76, 8, 24),  # the last group has one smaller batch
        (20, 8, 24),  # there is no whole group
    ],
)
def test_gathering_is_a_large_batch(pictures: sp.Data, until: int, small: int, large: int) -> None:
    whole = plain((batches(pictures, large, until=until),))
    parts = plain((batches(pictures, small, until=until),), callbacks=[sp.Accumulate(3)])
    whole.fit(3)
    parts.fit(3)
    assert parts.moves == whole.moves == 3 * math.ceil(until / large)
    for ours, theirs in zip(weights(parts), weights(whole), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    ours, theirs = parts.history["train_loss"], whole.history["train_loss"]
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_gathering_one_batch_is_the_ordinary_step(pictures: sp.Data) -> None:
    loader = (batches(pictures, 16),)
    ordinary, gathered = plain(loader), plain(loader, callbacks=[sp.Accumulate(1)])
    assert ordinary.fit(2).losses == gathered.fit(2).losses


def test_clipping_sees_the_gradient_of_the_group(pictures: sp.Data) -> None:
    norms: list[float] = []

    class Looks(sp.Callback):
        reads = {"grads"}  # noqa: RUF012

        def backward_end(self, learn: sp.Learner) -> None:
            norms.append(
                float(torch.cat([p.grad.flatten() for p in learn.model.parameters()]).norm())
            )  # type: ignore[union-attr]

    learn = plain(
        (batches(pictures, 8),), callbacks=[sp.Accumulate(4), sp.GradientClip(0.05), Looks()]
    )
    learn.fit(1)
    assert norms == pytest.approx([0.05] * 3, rel=1e-4)


def test_afterwards_steps_are_ordinary_again(pictures: sp.Data) -> None:
    learn = plain((batches(pictures, 8),))
    learn.fit(1, callbacks=[sp.Accumulate(4)])
    learn.fit(1)
    assert learn.moves == 3 + 12


def test_a_phase_that_is_cancelled_keeps_nothing_back(pictures: sp.Data) -> None:
    class Stop(sp.Callback):
        def step_end(self, learn: sp.Learner) -> None:
            if learn.step == 4:
                raise sp.Cancel("phase")

    learn = plain((batches(pictures, 8),))
    learn.fit(1, callbacks=[sp.Accumulate(3), Stop()])
    assert learn.moves == 2  # three batches, then two


def test_several_optimisers_can_not_gather() -> None:
    model = nn.Linear(2, 1)
    learn = sp.Learner(
        model, ([(torch.ones(2, 2), torch.ones(2, 1))],), loss=F.mse_loss, device="cpu",
        optimizer={n: torch.optim.SGD(model.parameters(), lr=0.1) for n in ("main", "other")},
        callbacks=[sp.Accumulate(2)],
    )  # fmt: skip
    with pytest.raises(TrainingError, match="can't serve 2 optimisers"):
        learn.fit(1)


class Collects(sp.Callback):
    """The weights after every training step."""

    reads = {"average"}  # noqa: RUF012

    def __init__(self) -> None:
        self.weights: list[list[torch.Tensor]] = []
        self.validated: list[list[torch.Tensor]] = []

    def step_end(self, learn: sp.Learner) -> None:
        (self.weights if learn.phase.trains else self.validated).append(weights(learn))


@pytest.mark.parametrize("warmup", [False, True])
def test_the_average_is_the_formula(pictures: sp.Data, warmup: bool) -> None:
    loader = batches(pictures, 24)
    learn, seen = plain((loader, loader[:1])), Collects()
    average = weights(learn)
    learn.fit(2, callbacks=[sp.EMA(0.6, warmup=warmup), seen])
    for n, now in enumerate(seen.weights):
        decay = min(0.6, (1 + n) / (10 + n)) if warmup else 0.6
        average = [decay * a + (1 - decay) * w for a, w in zip(average, now, strict=True)]
        if n == 3:
            after_one = average
    pairs = [
        (seen.validated[0], after_one), (seen.validated[1], average), (weights(learn), average),
    ]  # fmt: skip
    for ours, theirs in pairs:
        for a, b in zip(ours, theirs, strict=True):
            assert torch.allclose(a, b, atol=1e-6)


def test_averaging_does_not_change_the_training(pictures: sp.Data) -> None:
    loader = batches(pictures, 24)
    alone, averaged = (plain((loader, loader[:1])) for _ in range(2))
    assert alone.fit(3).losses == averaged.fit(3, callbacks=[sp.EMA(0.9)]).losses
    assert alone.history["valid_loss"] != averaged.history["valid_loss"]


def test_statistics_are_averaged_and_counters_copied(pictures: sp.Data) -> None:
    learn = plain((batches(pictures, 24),), model=network(nn.BatchNorm1d(8)))
    learn.fit(2, callbacks=[sp.EMA(0.5)])
    assert learn.model[2].num_batches_tracked == 8  # type: ignore[index]


def test_the_average_is_what_is_saved_as_best(pictures: sp.Data, tmp_path: Path) -> None:
    loader = batches(pictures, 24)
    learn = plain((loader, loader))
    learn.fit(2, callbacks=[sp.EMA(0.9), sp.Checkpoint(tmp_path, best=1)])
    (folder,) = (tmp_path / "best").iterdir()
    saved = sp.load(folder, model=network()).model
    x, y = pictures.x.float() / 255, pictures.y
    with torch.no_grad():
        loss = float(F.cross_entropy(saved(x), y))
    assert loss == pytest.approx(min(learn.history["valid_loss"]), rel=1e-5)


def test_with_gathering_the_average_follows_moves(pictures: sp.Data) -> None:
    learn, average = plain((batches(pictures, 8),)), sp.EMA(0.9)
    learn.fit(1, callbacks=[average, sp.Accumulate(5)])
    assert average.count == 3  # twelve batches: five, five and two


class Says(sp.Callback):
    """Puts given numbers into the history, as if they had been measured."""

    reads = {"metrics"}  # noqa: RUF012
    writes = {"said"}  # noqa: RUF012

    def __init__(self, name: str, values: list[float]) -> None:
        self.name, self.values = name, values

    def epoch_end(self, learn: sp.Learner) -> None:
        learn.history.rows[-1][self.name] = self.values[learn.epoch]


class StopsAfterSays(sp.EarlyStopping):
    reads = {"history", "said"}  # noqa: RUF012


@pytest.mark.parametrize(
    ("name", "options", "values", "epochs"),
    [
        ("valid_loss", {"patience": 2}, [3, 2, 2.5, 2.4, 1], 4),
        ("valid_loss", {"patience": 2}, [3, 2, 2.5, 1.9, 1.8], 5),
        ("valid_loss", {"patience": 1, "min_delta": 0.5}, [3, 2.4, 2.2, 0, 0], 3),
        ("accuracy", {"patience": 1, "better": "higher"}, [0.5, 0.6, 0.55, 0.7, 0.8], 3),
        ("error_rate", {"patience": 1, "better": "lower"}, [0.5, 0.4, 0.45, 0.1, 0.1], 3),
        ("score", {"patience": 1, "better": "lower"}, [3, 2, 4, 1, 1], 3),
        ("valid_loss", {"patience": 1}, [3, float("nan"), 1, 1, 1], 2),
    ],
)
def test_stopping_early(
    pictures: sp.Data, name: str, options: dict, values: list[float], epochs: int
) -> None:
    learn, noted = plain((batches(pictures, 48),)), []

    class Notes(sp.Callback):
        reads = {"said"}  # noqa: RUF012

        def epoch_end(self, learn: sp.Learner) -> None:
            noted.append(learn.epoch)

    learn.fit(5, callbacks=[StopsAfterSays(name, **options), Says(name, values), Notes()])
    assert len(learn.history) == epochs
    assert noted == list(range(epochs))  # whoever comes after hears of the last epoch too


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: sp.EarlyStopping(patience=0), "patience is 0"),
        (lambda: Monitor("loss", "smaller"), "better is 'smaller'"),
        (lambda: sp.EMA(1.0), "decay is 1.0"),
        (lambda: sp.Accumulate(0), "batches is 0"),
        (
            lambda: Monitor("valid_loss").score(_trained()),
            "no 'valid_loss', only epoch, train_loss",
        ),
    ],
)
def test_mistakes(act: Any, says: str) -> None:
    with pytest.raises(TrainingError, match=says) as caught:
        act()
    assert len(caught.value.fix) > 5


def _trained() -> sp.Learner:
    learn = plain(([(torch.zeros(2, 81), torch.zeros(2, dtype=torch.int64))],))
    learn.fit(1)
    return learn


class Tied(nn.Module):
    """Two layers that share one weight, as the two ends of a language model do."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(81, 81, bias=False), nn.Linear(81, 81, bias=False)
        self.b.weight = self.a.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.a(x.flatten(1)))[:, :3]


def test_weights_with_two_names_are_averaged_once_and_come_back(pictures: sp.Data) -> None:
    def losses(*callbacks: sp.Callback) -> list[float]:
        torch.manual_seed(0)
        loader = batches(pictures, 24)
        learn = plain((loader, loader), model=Tied(), callbacks=list(callbacks))
        learn.fit(3)
        return learn.history.losses

    assert losses(sp.EMA(0.9)) == losses()


class SkipsTheRest(sp.Callback):
    """In the second epoch, and in `also`, nothing is left to measure."""

    def __init__(self, *also: int) -> None:
        self.epochs = {1, *also}

    def step_end(self, learn: sp.Learner) -> None:
        if learn.epoch in self.epochs and learn.step == 1:
            raise sp.Cancel("epoch")


@pytest.mark.parametrize(("also", "epochs"), [((), 4), ((2,), 3)])
def test_an_epoch_without_the_number_brought_nothing_better(
    pictures: sp.Data, tmp_path: Path, also: tuple[int, ...], epochs: int
) -> None:
    loader = batches(pictures, 24)
    stop = sp.EarlyStopping("valid_loss", patience=2)
    best = sp.Checkpoint(tmp_path, best=1)
    learn = plain((loader, loader), callbacks=[SkipsTheRest(*also), stop, best])
    learn.fit(4, lr=0.05)
    assert len(learn.history) == epochs
    assert "valid_loss" not in learn.history.rows[1]


def test_a_number_that_never_was_is_still_refused(pictures: sp.Data) -> None:
    learn = plain((batches(pictures, 24),), callbacks=[sp.EarlyStopping("valid_loss")])
    with pytest.raises(TrainingError, match="no 'valid_loss'"):
        learn.fit(1)
