"""Which way a watched number should go is said by the metric or the caller, never by its name."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sprat as sp
from sprat.errors import CallbackError
from sprat.metrics import Mean, Whole
from sprat.stopping import Monitor


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 2), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.a(x), self.b(x)


def learner(**options: Any) -> sp.Learner:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(128, 3, generator=g)
    data = sp.Data(x, ((x[:, 0] > 0).long(), x[:, 1:2] * 3)).split(0.25, generator=g)
    torch.manual_seed(0)
    task = sp.Task(sp.Continuous(3), (sp.Label(["n", "y"]), sp.Continuous(1)))
    options = {"model": Two(), "device": "cpu", "progress": False, "generator": g} | options
    return sp.Learner(task, data, **options)


def test_the_metric_of_a_part_says_it(tmp_path: Path) -> None:
    learn = learner()
    keep = sp.Checkpoint(tmp_path, best=1, monitor="mae_2")
    learn.fit(20, lr=0.05, callbacks=[sp.EarlyStopping("mae_2", patience=3), keep])
    falls = learn.history["mae_2"]
    assert len(falls) == 20
    best = min(range(20), key=falls.__getitem__)
    assert [path.name for path in (tmp_path / "best").iterdir()] == [f"epoch-{best:03d}"]


def first(y_hat: Any, y: Any) -> Tensor:
    return y_hat[0].float().mean()


NAMED = ("mae_2", "error_rate_1", "nll", "MAE", "true_positive_rate", "valid_loss", "hit_rate")


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("make", [Mean, Whole])
def test_a_declaration_counts_whatever_the_name(name: str, lower: bool, make: Any) -> None:
    learn, monitor = learner(metrics=[make(first, name, lower_is_better=lower)]), Monitor(name)
    monitor.watch(learn)
    assert monitor.sign == (-1 if lower else 1)
    opposite = Monitor(
        name, "higher" if lower else "lower"
    )  # what is said where it is watched wins
    opposite.watch(learn)
    assert opposite.sign == (1 if lower else -1)


@pytest.mark.parametrize(
    ("name", "sign"),
    [("mae", -1), ("mse_1", -1), ("error_rate_12", -1), ("perplexity_2", -1), ("accuracy", 1)],
)
def test_of_a_shipped_metric_its_declaration_is_known_before_a_fit(name: str, sign: int) -> None:
    monitor = Monitor(name)
    assert monitor.sign == sign
    learn = learner(metrics=[Whole(first, name, lower_is_better=sign > 0)])
    learn.fit(1, callbacks=[sp.EarlyStopping(name)])
    monitor.score(learn)
    assert monitor.sign == -sign  # the learner's own metric of that name says otherwise


@pytest.mark.parametrize("name", [*NAMED[2:5], "valid_kl", "typo", "rmsle", "Whole", "mae_of_one"])
@pytest.mark.parametrize("known", [False, True])
def test_where_nobody_says_it_the_callback_asks(name: str, known: bool, tmp_path: Path) -> None:
    learn = learner(metrics=[Whole(first, name)] if known else [])
    with pytest.raises(CallbackError, match="Nobody says"):
        Monitor(name).sign
    keep = [sp.Checkpoint(tmp_path, best=1, monitor=name), sp.EarlyStopping(name)]
    for callback in keep:
        with pytest.raises(CallbackError, match=f"higher '{name}' is the better") as caught:
            learn.fit(1, callbacks=[callback])
        assert 'better="lower"' in caught.value.fix
    assert len(learn.history) == 0  # asked before any time is spent


def test_each_way_to_say_it_works(tmp_path: Path) -> None:
    learner(metrics=[first]).fit(
        2,
        callbacks=[
            sp.EarlyStopping("first", better="lower"),
            sp.Checkpoint(tmp_path, best=1, monitor="first", better="higher"),
        ],
    )
    metric = Whole(first)
    metric.lower_is_better = True
    learner(metrics=[metric]).fit(2, callbacks=[sp.EarlyStopping("first")])


def test_losses_fall() -> None:
    class Other(sp.TrainPhase):
        name = "other"

    learn = learner(phases=[Other(), sp.ValidPhase()])
    for name in ("train_loss", "valid_loss", "other_loss"):
        monitor = Monitor(name)
        monitor.watch(learn)
        assert monitor.sign == -1
    learn.fit(1, callbacks=[sp.EarlyStopping("other_loss")])


def test_the_same_object_serves_another_learner() -> None:
    stop = sp.EarlyStopping("first", patience=1)
    for lower in (True, False):
        learn = learner(metrics=[Whole(first, lower_is_better=lower)])
        learn.fit(1, callbacks=[stop])
        assert stop.monitor.sign == (-1 if lower else 1)
        assert stop.waited == 0
