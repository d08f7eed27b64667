"""Ways to fit, parts of a model, and learning rates that differ between them."""

import math
from typing import Any

import pytest
import torch
from torch import nn

import sprat as sp
from sprat import optim
from sprat.errors import TaskError, TrainingError
from sprat.schedule import flat_cos, one_cycle


class Body(nn.Module):
    """A body and a head, and weights of its own that come first."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(81))
        self.body = nn.Sequential(nn.Linear(81, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x.flatten(1) + self.shift))


class Grouped(Body):
    def groups(self) -> list[Any]:
        return [[self.shift, self.body[0]], self.body[2], self.head]


@pytest.fixture
def learner(pictures: sp.Data, task: sp.Task) -> sp.Learner:
    torch.manual_seed(1)
    return sp.Learner(task, (pictures,), model=Body(), batch_size=24, device="cpu", lr=0.01)


def sizes(model: nn.Module) -> list[int]:
    return [sum(p.numel() for p in part) for part in optim.parts(model)]


def test_parts_are_children_with_what_stands_in_none_first() -> None:
    assert sizes(Body()) == [81, 82 * 8 + 72, 27]
    assert sizes(Grouped()) == [81 + 82 * 8, 72, 27]


def test_a_wrapper_has_the_parts_of_what_it_wraps() -> None:
    inner = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert sizes(nn.Sequential(inner)) == [9, 4]


def test_shared_weights_are_in_one_part() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    assert sizes(model) == [20, 4]


def test_groups_of_something_else() -> None:
    class Odd(Body):
        def groups(self) -> list[Any]:
            return ["body", "head"]

    with pytest.raises(TaskError, match="lists 'body'"):
        optim.parts(Odd())


def test_rates_grow_by_one_factor_from_part_to_part(learner: sp.Learner) -> None:
    learner.fit(1, lr=(1e-4, 1e-2))
    rates = [group["lr"] for group in learner.optimizers["main"].param_groups]
    assert rates == pytest.approx([1e-4, 1e-3, 1e-2])
    assert learner.lr == 1e-2


def test_every_schedule_keeps_the_ratio(learner: sp.Learner) -> None:
    ratios: list[tuple[float, ...]] = []

    class Looks(sp.Callback):
        reads = {"lr"}  # noqa: RUF012

        def step_begin(self, learn: sp.Learner) -> None:
            rates = [group["lr"] for group in learn.optimizers["main"].param_groups]
            ratios.append(tuple(rate / rates[-1] for rate in rates))

    learner.callbacks.append(Looks())
    learner.fit_one_cycle(2, lr=(1e-3, 1e-1))
    learner.fit_flat_cos(2, lr=(1e-3, 1e-1))
    assert len(ratios) == 16
    assert all(r == pytest.approx((0.01, 0.1, 1.0)) for r in ratios)
    assert learner.history.lrs[:8] == [one_cycle(1e-1)(i / 7) for i in range(8)]


def test_one_rate_after_two_is_one_rate_again(learner: sp.Learner) -> None:
    learner.fit(1, lr=(1e-4, 1e-2))
    learner.fit(1, lr=1e-3)
    assert {group["lr"] for group in learner.optimizers["main"].param_groups} == {1e-3}


def test_splitting_groups_forgets_nothing(pictures: sp.Data, task: sp.Task) -> None:
    """An equal factor everywhere trains as one group does, momentum included."""

    def losses(split: bool) -> list[float]:
        torch.manual_seed(1)
        learn = sp.Learner(task, (pictures,), model=Body(), lr=0.01, device="cpu")
        torch.manual_seed(2)
        learn.fit(2)
        if split:
            optim.spread_lr(learn.optimizers["main"], optim.parts(learn.model), 0.5)
            for group in learn.optimizers["main"].param_groups:
                group["lr_factor"] = 1.0
            assert len(learn.optimizers["main"].param_groups) == 3
        learn.fit(2)
        return learn.history.losses

    assert losses(split=True) == pytest.approx(losses(split=False), rel=1e-6)


def test_groups_of_your_own_keep_their_ratio(pictures: sp.Data, task: sp.Task) -> None:
    model = Body()
    optimizer = torch.optim.SGD(
        [{"params": model.body.parameters(), "lr": 0.01}, {"params": model.head.parameters()}],
        lr=0.1,
    )
    learn = sp.Learner(task, (pictures,), model=model, optimizer={"main": optimizer}, device="cpu")
    learn.fit_one_cycle(1, lr=1.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(optimizer.param_groups[1]["lr"] / 10)


def test_flat_cos_is_flat_and_then_falls(learner: sp.Learner) -> None:
    learner.fit_flat_cos(5, lr=0.02, flat=0.5)
    lrs = learner.history.lrs
    assert len(lrs) == 20
    assert lrs[:10] == [0.02] * 10
    assert lrs == [flat_cos(0.02, flat=0.5)(i / 19) for i in range(20)]
    assert lrs[10:] == sorted(lrs[10:], reverse=True)
    assert lrs[-1] == pytest.approx(0.02 / 1e5)


def test_frozen_parts_do_not_move_and_thaw(learner: sp.Learner) -> None:
    before = {name: p.clone() for name, p in learner.model.named_parameters()}
    learner.freeze()
    learner.fit(1)
    moved = {n for n, p in learner.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {"head.weight", "head.bias"}
    learner.unfreeze()
    learner.fit(1)
    moved = {n for n, p in learner.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == set(before)


def test_what_is_frozen_in_mid_training_stops_at_once(learner: sp.Learner) -> None:
    """Neither an old gradient nor the optimiser's momentum moves it on."""
    learner.fit(1)
    learner.freeze(2)
    before = {name: p.clone() for name, p in learner.model.named_parameters()}
    learner.fit(1)
    moved = {n for n, p in learner.model.named_parameters() if not torch.equal(p, before[n])}
    assert "shift" not in moved
    assert {"body.0.weight", "head.weight"} <= moved


def test_fine_tuning_trains_the_head_first_and_then_everything(learner: sp.Learner) -> None:
    start = {name: p.clone() for name, p in learner.model.named_parameters()}
    seen: list[set[str]] = []

    class Looks(sp.Callback):
        def epoch_end(self, learn: sp.Learner) -> None:
            named = learn.model.named_parameters()
            seen.append({n for n, p in named if not torch.equal(p, start[n])})

    learner.fine_tune(2, 0.04, freeze_epochs=2, spread=100, callbacks=[Looks()])
    assert seen[:2] == [{"head.weight", "head.bias"}] * 2
    assert seen[3] == set(start)
    assert max(learner.history.lrs[:8]) == pytest.approx(0.04, rel=0.05)
    assert max(learner.history.lrs[8:]) == pytest.approx(0.02, rel=0.05)
    groups = learner.optimizers["main"].param_groups
    assert groups[0]["lr"] == pytest.approx(groups[-1]["lr"] / 100)
    assert len(learner.history) == 4


def test_fine_tuning_keeps_what_a_model_knows(pictures: sp.Data, task: sp.Task) -> None:
    """A body that has learnt the pictures gives a new head a better start than a fresh one."""

    def loss(knows: bool) -> float:
        torch.manual_seed(0)
        model = Body()
        if knows:
            teacher = sp.Learner(task, (pictures,), model=model, batch_size=16, device="cpu")
            teacher.fit(10, lr=0.02)
            model.head.reset_parameters()
        learn = sp.Learner(task, (pictures,), model=model, batch_size=16, device="cpu", lr=0.01)
        learn.fine_tune(1, freeze_epochs=2)
        return learn.history.last("train_loss")

    assert loss(knows=True) < 0.8 * loss(knows=False)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda learn: learn.freeze(0), "keep is 0, and the model has 3 parts"),
        (lambda learn: learn.freeze(4), "keep is 4"),
        (lambda learn: learn.fine_tune(1, spread=0.5), "spread is 0.5"),
        (lambda learn: learn.fit(1, lr=(1e-2, 1e-4)), r"lr is \(0.01, 0.0001\); \(low, high\)"),
        (lambda learn: learn.fit(1, lr=(0.0, 1e-4)), r"\(low, high\)"),
        (lambda learn: learn.fit_flat_cos(1, flat=1.5), "shares of training are"),
        (lambda learn: learn.fit_one_cycle(1, lr=-1.0), "lr is -1"),
        (lambda learn: learn.fine_tune(1, freeze_epochs=-1), "epochs is -1"),
    ],
)
def test_senseless_wishes(learner: sp.Learner, act: Any, says: str) -> None:
    with pytest.raises(TrainingError, match=says):
        act(learner)


def test_the_finder_leaves_the_ratio(learner: sp.Learner) -> None:
    learner.fit(1, lr=(1e-4, 1e-2))
    found = learner.lr_find()
    assert len({found.steepest, found.valley, found.minimum}) > 1
    rates = [group["lr"] for group in learner.optimizers["main"].param_groups]
    assert math.isclose(rates[0], 1e-4, rel_tol=1e-9)


@pytest.mark.parametrize("earlier", ["fit_one_cycle", "fit_flat_cos", "fine_tune"])
def test_the_next_fit_does_not_go_on_at_the_rate_that_a_schedule_ended_with(
    pictures: sp.Data, task: sp.Task, earlier: str
) -> None:
    learn = sp.Learner(task, (pictures,), model=Body(), lr=0.01, device="cpu")
    getattr(learn, earlier)(1, 0.1)
    assert learn.lr < 1e-5
    learn.fit(1)
    rates = [group["lr"] for group in learn.optimizers["main"].param_groups]
    assert rates == pytest.approx([0.01] * len(rates))


def test_optimisers_that_are_given_have_rates_of_their_own(
    pictures: sp.Data, task: sp.Task
) -> None:
    def fit(**options: Any) -> sp.Learner:
        model = Body()
        given = {"main": torch.optim.SGD(model.parameters(), lr=0.5)}
        learn = sp.Learner(task, (pictures,), model=model, optimizer=given, device="cpu", **options)
        learn.fit_one_cycle(5)
        return learn

    assert max(fit().history.lrs) == pytest.approx(0.5, rel=0.1)
    assert max(fit(lr=0.02).history.lrs) == pytest.approx(0.02, rel=0.1)
    learn = fit()
    learn.fit(1)
    assert learn.lr == pytest.approx(0.5)


def test_a_rate_of_the_learner_that_is_none(pictures: sp.Data, task: sp.Task) -> None:
    with pytest.raises(TrainingError, match="lr is -"):
        sp.Learner(task, (pictures,), model=Body(), lr=-1.0, device="cpu")


def test_an_optimiser_that_takes_no_rate(pictures: sp.Data, task: sp.Task) -> None:
    learn = sp.Learner(
        task, (pictures,), model=Body(), device="cpu",
        optimizer=lambda p: torch.optim.SGD(p, lr=0.1),
    )  # fmt: skip
    with pytest.raises(sp.errors.TaskError, match="can't be made from weights and lr="):
        learn.fit(1)
