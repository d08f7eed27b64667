"""The learning rate finder suggests, and leaves everything as it was."""

import copy
import math

import pytest
import torch

import sprat as sp
from sprat.errors import TrainingError
from sprat.lr_find import LRFind


def test_it_restores_everything(learn: sp.Learner) -> None:
    learn.fit(1)  # so that the optimiser has a state to lose
    weights = copy.deepcopy(learn.model.state_dict())
    moments = copy.deepcopy(learn.optimizers["main"].state_dict())
    random, order = torch.get_rng_state(), learn.generator.get_state()
    history, training = len(learn.history.losses), learn.model.training
    learn.lr_find(steps=30)
    after = learn.model.state_dict()
    assert all(torch.equal(weights[name], after[name]) for name in weights)
    state = learn.optimizers["main"].state_dict()
    assert state["param_groups"] == moments["param_groups"]
    for key, values in moments["state"].items():
        for name, value in values.items():
            assert torch.equal(value, state["state"][key][name])
    assert torch.equal(random, torch.get_rng_state())
    assert torch.equal(order, learn.generator.get_state())
    assert len(learn.history.losses) == history
    assert learn.model.training == training
    assert all(p.grad is None for p in learn.model.parameters())


def test_training_goes_on_as_if_nobody_had_looked(pictures: sp.Data, task: sp.Task) -> None:
    def losses(look: bool) -> list[float]:
        torch.manual_seed(1)
        learn = sp.Learner(
            task,
            (pictures,),
            model=sp.models.LeNet(1, 3, width=4, num_hiddens=8),
            generator=torch.Generator().manual_seed(2),
            batch_size=16,
            device="cpu",
        )
        learn.fit(1)
        if look:
            learn.lr_find(steps=20)
        learn.fit(1)
        return learn.history.losses

    assert losses(look=True) == losses(look=False)


def test_it_also_works_before_the_first_fit(learn: sp.Learner) -> None:
    found = learn.lr_find()
    assert 1e-6 <= found.steepest <= 10
    assert found.minimum < found.lrs[-1]
    assert "steepest" in repr(found)


def curve(f: "object") -> LRFind:
    lrs = [10 ** (-6 + 7 * i / 99) for i in range(100)]
    return LRFind(lrs, [f(math.log10(lr)) for lr in lrs])  # type: ignore[operator]


def test_suggestions_on_a_curve_whose_answer_is_known() -> None:
    # Flat to 1e-4, a fall that is steepest at 1e-2, lowest at 1e-1, then up.
    found = curve(lambda e: 2 - 1 / (1 + math.exp(-6 * (e + 2))) + max(0.0, e + 1) ** 2)
    assert found.steepest == pytest.approx(1e-2, rel=0.3)
    lowest = found.lrs[found.losses.index(min(found.losses))]
    assert found.minimum == pytest.approx(lowest / 10)
    assert found.lrs[0] < found.valley < lowest


@pytest.mark.parametrize("shape", [lambda e: 10**e, lambda e: 1.0, lambda e: 1 - 1e-5 * e])
def test_where_nothing_falls_nothing_is_suggested(shape: "object") -> None:
    found = curve(shape)
    assert not found.falls
    assert "There is no suggestion" in repr(found)
    for name in ("minimum", "steepest", "valley"):
        with pytest.raises(TrainingError, match="There is no suggestion") as caught:
            getattr(found, name)
        assert "found.plot()" in caught.value.fix
    assert "no suggestion" in found.plot().get_title()


@pytest.mark.parametrize("seed", range(3))
def test_a_trained_model_gets_no_suggestion(seed: int) -> None:
    learn = separable(seed)
    found = learn.lr_find()
    assert found.falls
    assert 1e-4 < found.minimum <= 1
    learn.fit(20, lr=1e-2)
    assert not learn.lr_find().falls
    learn.fit(1, lr=1e-4)  # the fix


def separable(seed: int) -> sp.Learner:
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(300) % 3
    x = torch.randn(300, 4, generator=g) + torch.nn.functional.one_hot(y, 4) * 2.0
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    task = sp.Task(sp.Continuous(4), sp.Label(["a", "b", "c"]))
    return sp.Learner(
        task, (sp.Data(x, y),), model=model, batch_size=16, generator=g, device="cpu",
        progress=False,
    )  # fmt: skip


@pytest.mark.parametrize("steps", [10, 15, 20, 40])
def test_few_steps_give_a_careful_rate_or_none(steps: int) -> None:
    found = separable(1).lr_find(steps=steps)
    if found.falls:
        assert found.steepest <= 1
        assert found.valley <= 1
    else:
        assert "There is no suggestion" in repr(found)


def test_the_place_in_the_loop_and_every_buffer_come_back(learn: sp.Learner) -> None:
    learn.model.register_buffer("own", torch.zeros(1), persistent=False)
    learn.model.train()
    frozen = next(iter(learn.model.children())).eval()

    def counts(module: torch.nn.Module, given: object) -> None:
        module.own += 1

    learn.model.register_forward_pre_hook(counts)
    learn.lr_find(steps=20)
    assert float(learn.model.own) == 0
    assert not hasattr(learn, "phase")
    assert learn.state == {}
    assert learn.model.training
    assert not frozen.training


@pytest.mark.parametrize(
    "options", [{"start": 0.0}, {"start": 1.0, "end": 0.1}, {"steps": 5}, {"start": -1.0}]
)
def test_senseless_ranges_are_refused(learn: sp.Learner, options: dict) -> None:
    with pytest.raises(TrainingError, match="lr_find got"):
        learn.lr_find(**options)


def test_a_loss_that_is_never_finite(pictures: sp.Data, task: sp.Task) -> None:
    learn = sp.Learner(
        task, (pictures,), model=sp.models.MLP(81, 3), device="cpu",
        loss=lambda y_hat, y: y_hat.mean() * float("nan"),
    )  # fmt: skip
    before = copy.deepcopy(learn.model.state_dict())
    with pytest.raises(TrainingError, match="blew up after 0 steps"):
        learn.lr_find()
    assert all(torch.equal(before[n], v) for n, v in learn.model.state_dict().items())


def test_without_a_phase_that_trains(learn: sp.Learner) -> None:
    learn.phases = (sp.ValidPhase(),)
    with pytest.raises(TrainingError, match="No phase of this learner trains"):
        learn.lr_find()


def test_the_plot_marks_the_suggestions(learn: sp.Learner) -> None:
    ax = learn.lr_find().plot()
    assert {text.get_text().split()[0] for text in ax.get_legend().get_texts()} == {
        "steepest", "valley", "minimum",
    }  # fmt: skip
    assert ax.get_xlabel() == "learning rate"
    assert ax.get_xscale() == "log"


def test_reproducible(pictures: sp.Data, task: sp.Task) -> None:
    def train(seed: int) -> tuple[list[float], list]:
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        learn = sp.Learner(
            task,
            pictures.split(valid=0.25, generator=generator),
            model=sp.models.LeNet(1, 3, width=4, num_hiddens=8),
            generator=generator,
            batch_size=16,
            device="cpu",
        )
        learn.fit_one_cycle(2, lr=learn.lr_find().steepest)
        return learn.history.losses, learn.predict(pictures.x[:5])

    assert train(1) == train(1)
    assert train(1) != train(2)


def test_a_loss_below_zero_is_no_blow_up(pictures: sp.Data) -> None:
    """Likelihoods and scores of a critic are; where the curve is the same, so is what it says."""

    def suggests(offset: float) -> LRFind:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(81, 1))
        data = [sp.Batch(x.float() / 255, None) for x in pictures.x.split(16)]
        learn = sp.Learner(
            model, (data,), device="cpu", loss=lambda y_hat, y: (y_hat - 1).square().mean() + offset
        )
        return learn.lr_find()

    found = suggests(-3.0)
    assert len(found.lrs) >= 50
    assert found.steepest == pytest.approx(suggests(0.0).steepest, rel=0.3)


def test_a_loss_below_zero_may_still_blow_up(pictures: sp.Data) -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(81, 1))
    data = [sp.Batch(x.float() / 255, None) for x in pictures.x.split(16)]
    loss = lambda y_hat, y: (y_hat - 1).square().mean() - 3  # noqa: E731
    learn = sp.Learner(model, (data,), device="cpu", loss=loss, optimizer=torch.optim.SGD)
    found = learn.lr_find(end=1e4)
    assert found.lrs[-1] < 1e4
    assert max(found.losses) < 1e4
