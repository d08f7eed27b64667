"""Weights that came after the optimiser are trained, or refused with a fix that works."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import sprat as sp
from sprat.errors import TaskError, TrainingError


def body() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


def learner(model: nn.Module | None = None, **options: Any) -> sp.Learner:
    g = torch.Generator().manual_seed(0)
    y = torch.arange(120) % 3
    data = sp.Data(torch.randn(120, 4, generator=g) + nn.functional.one_hot(y, 4), y)
    options = {"device": "cpu", "progress": False, "generator": g} | options
    task = sp.Task(sp.Continuous(4), sp.Label(["a", "b", "c"]))
    return sp.Learner(task, (data, data), model=model or body(), **options)


def learns(learn: sp.Learner, *parts: nn.Module, fit: Any = None, **options: Any) -> bool:
    """Whether every weight of the parts moves in a fit."""
    weights = [p for part in parts for p in part.parameters()]
    before = [p.detach().clone() for p in weights]
    (fit or (lambda: learn.fit(1, lr=0.1, **options)))()
    return all(not torch.equal(a, b) for a, b in zip(before, weights, strict=True))


BEFORE: dict[str, Callable[[sp.Learner], Any]] = {
    "fit": lambda learn: learn.fit(1),
    "lr_find": lambda learn: learn.lr_find(),
    "dry_run": lambda learn: learn.dry_run(),
    "frozen fit": lambda learn: (learn.freeze(), learn.fit(1)),
    "spread": lambda learn: learn.fit(1, lr=(1e-4, 1e-2)),
}


@pytest.mark.parametrize("before", BEFORE)
def test_a_new_head_learns(before: str) -> None:
    learn = learner()
    BEFORE[before](learn)
    learn.model[2] = nn.Linear(16, 3)
    learn.unfreeze()
    assert learns(learn, learn.model)


def test_another_model_learns() -> None:
    learn = learner()
    learn.fit(1)
    learn.model = nn.Linear(4, 3)
    assert learns(learn, learn.model)
    assert len(learn.optimizers["main"].param_groups[0]["params"]) == 2  # the old ones are gone


def test_what_stays_keeps_its_moments_and_its_group() -> None:
    def by_kind(parameters: Any, lr: float) -> torch.optim.Optimizer:
        biases = [p for p in parameters if p.ndim == 1]
        weights = [p for p in parameters if p.ndim > 1]
        groups = [{"params": weights}, {"params": biases, "lr": lr / 10, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=lr)

    learn = learner(optimizer=by_kind)
    learn.fit(1)
    first = learn.model[0]
    learn.optimizers["main"].param_groups[1]["weight_decay"] = 0.25
    moments = learn.optimizers["main"].state[first.weight]["exp_avg"]
    learn.model[2] = nn.Linear(16, 3)
    learn.prepare(0.1)
    weights, biases = learn.optimizers["main"].param_groups
    assert learn.optimizers["main"].state[first.weight]["exp_avg"] is moments
    assert [len(g["params"]) for g in (weights, biases)] == [2, 2]
    assert biases["weight_decay"] == 0.25
    assert (biases["lr"], weights["lr"]) == pytest.approx((0.1, 1.0))


def test_an_unchanged_model_keeps_its_optimiser() -> None:
    learn = learner()
    learn.fit(1)
    kept = learn.optimizers["main"]
    learn.freeze()
    learn.fit(1, lr=(1e-4, 1e-2))
    learn.unfreeze()
    learn.lr_find()
    learn.fit(1)
    assert learn.optimizers["main"] is kept


@pytest.mark.parametrize("event", ["fit_begin", "epoch_begin", "phase_begin"])
@pytest.mark.parametrize("averaged", [False, True])
def test_a_callback_may_replace_a_part(event: str, averaged: bool) -> None:
    class Swap(sp.Callback):
        writes = {"model"}  # noqa: RUF012
        done = False

        def swap(self, learn: sp.Learner) -> None:
            if not self.done and (event == "fit_begin" or learn.epoch == 1):
                torch.manual_seed(5)
                learn.model[2] = nn.Linear(16, 3)
                self.done = True

    setattr(Swap, event, Swap.swap)

    class Averages(sp.EMA):
        reads = {"loss", "descent", "model"}  # noqa: RUF012

    learn = learner()
    learn.fit(3, lr=0.1, callbacks=[Swap(), *([Averages(0.5)] if averaged else [])])
    torch.manual_seed(5)
    fresh = nn.Linear(16, 3)
    assert not torch.equal(learn.model[2].weight, fresh.weight)
    assert learn.lr == pytest.approx(0.1)


def test_weights_that_are_tied_later_learn_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x))[:, :3]

    learn = learner(Tied())
    learn.fit(1)
    learn.model.b.weight = learn.model.a.weight
    assert learns(learn, learn.model)
    assert sum(len(g["params"]) for g in learn.optimizers["main"].param_groups) == 1


def test_parts_follow_what_was_replaced() -> None:
    learn = learner()
    learn.fit(1)
    learn.model[2] = nn.Linear(16, 3)
    learn.freeze()
    first = learn.model[0].weight.clone()
    assert learns(learn, learn.model[2])
    assert torch.equal(first, learn.model[0].weight)
    learn.unfreeze()
    learn.fit(1, lr=(1e-5, 1e-1))
    rates = {id(p): g["lr"] for g in learn.optimizers["main"].param_groups for p in g["params"]}
    assert rates[id(learn.model[0].weight)] == pytest.approx(1e-5)
    assert rates[id(learn.model[2].weight)] == pytest.approx(1e-1)


def test_given_optimisers_refuse_and_the_fix_works() -> None:
    model = body()
    learn = learner(model, optimizer={"main": torch.optim.SGD(model.parameters(), lr=0.1)})
    learn.fit(1)
    model[2] = nn.Linear(16, 3)
    with pytest.raises(TaskError, match=r"No optimiser has the weights 2.weight, 2.bias") as caught:
        learn.fit(1)
    assert "add_param_group" in caught.value.fix
    learn.optimizers["main"].add_param_group({"params": model[2].parameters()})
    assert learns(learn, model[2])
    model[0] = nn.Linear(4, 16).requires_grad_(False)
    learn.fit(1)  # the other fix: what shall stay as it is
    learn.unfreeze()
    with pytest.raises(TaskError, match=r"weights 0.weight"):
        learn.fit(1)


def test_what_given_optimisers_left_out_on_purpose_stays_out() -> None:
    model = body()
    learn = learner(model, optimizer={"main": torch.optim.SGD(model[2].parameters(), lr=0.1)})
    first = model[0].weight.clone()
    learn.fit(1)
    assert torch.equal(first, model[0].weight)


class Centres(nn.Module):
    """A loss that learns a scale."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, y_hat: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(y_hat * self.scale, y)


class OwnNet(sp.TrainPhase):
    def __init__(self) -> None:
        self.net = nn.Linear(3, 3)

    def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
        y_hat = self.net(learn.model(batch.x))
        return learn.update(loss=learn.loss(y_hat, batch.y), y_hat=y_hat)


@pytest.mark.parametrize("kind", ["loss", "phase"])
def test_weights_beside_the_model_are_refused_and_the_fixes_work(kind: str) -> None:
    beside: Any = Centres() if kind == "loss" else OwnNet()
    net = beside if kind == "loss" else beside.net
    options = {"loss": beside} if kind == "loss" else {"phases": [beside]}
    with pytest.raises(TaskError, match=f"{type(beside).__name__} has weights that no optimiser"):
        learner(**options).fit(1)
    model = body()
    optimizer = torch.optim.AdamW([*model.parameters(), *net.parameters()], lr=0.1)
    assert learns(learner(model, optimizer={"main": optimizer}, **options), model, net)
    net.requires_grad_(False)
    learner(**options).fit(1)


def test_a_loss_that_learns_comes_back_with_its_weights(tmp_path: Path) -> None:
    def make() -> tuple[sp.Learner, Centres]:
        model, loss = body(), Centres()
        optimizer = torch.optim.AdamW([*model.parameters(), *loss.parameters()], lr=0.1)
        return learner(model, loss=loss, optimizer={"main": optimizer}), loss

    learn, loss = make()
    learn.fit(1, callbacks=[sp.Checkpoint(tmp_path)])
    again, fresh = make()
    again.resume(tmp_path)
    assert torch.equal(fresh.scale, loss.scale)
    assert not torch.equal(fresh.scale, torch.ones(3))
    learn.lr_find()
    assert torch.equal(fresh.scale, loss.scale)


def test_replacing_after_resuming_is_refused_and_the_fix_works(tmp_path: Path) -> None:
    learner().fit(1, callbacks=[sp.Checkpoint(tmp_path)])
    learn = learner()
    learn.resume(tmp_path)
    learn.model[2] = nn.Linear(16, 3)
    with pytest.raises(TrainingError, match="replaced after the training had been taken up"):
        learn.fit(1)
    learn.resumed = None
    assert learns(learn, learn.model)


def test_moments_follow_the_type_of_the_weights() -> None:
    learn = learner()
    learn.fit(1)
    learn.model.double()
    learn.prepare(0.1)
    state = learn.optimizers["main"].state[learn.model[0].weight]
    assert state["exp_avg"].dtype == torch.float64


def test_a_teacher_belongs_to_its_student() -> None:
    phase = sp.MeanTeacherPhase([sp.augment.Flip()], labelled="train", unlabelled="unlabelled")
    g = torch.Generator().manual_seed(0)
    data = sp.Data(torch.rand(32, 1, 4, 4, generator=g), torch.arange(32) % 2)

    def pupil(width: int) -> sp.Learner:
        net = nn.Sequential(nn.Flatten(), nn.Linear(16, width), nn.Linear(width, 2))
        task = sp.Task(sp.Image(1, (4, 4)), sp.Label(["a", "b"]), encodings=[])
        parts = {"train": data, "unlabelled": data}
        return sp.Learner(task, parts, model=net, phases=[phase], device="cpu", progress=False)

    pupil(3).fit(1)
    other = pupil(5)
    other.fit(1)
    assert phase.teacher is not None
    assert phase.teacher[1].out_features == 5
    other.model[2] = nn.Linear(5, 2)
    fresh = other.model[2].weight.clone()
    other.fit(1, lr=0.0)
    assert torch.allclose(phase.teacher[2].weight, fresh, atol=1e-6)
