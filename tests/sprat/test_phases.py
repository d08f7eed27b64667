"""A new kind of training is a phase with its own step."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat.errors import DataError, TaskError


def test_a_phase_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        sp.Phase()  # type: ignore[abstract]


def test_training_has_gradients_and_validation_has_none(learn: sp.Learner) -> None:
    seen = []

    class Looks(sp.Callback):
        def step_begin(self, learn: sp.Learner) -> None:
            seen.append((learn.phase.name, torch.is_grad_enabled(), learn.model.training))

    learn.fit(1, callbacks=[Looks()])
    assert set(seen) == {("train", True, True), ("valid", False, False)}


def test_validation_moves_nothing(learn: sp.Learner) -> None:
    before = {name: value.clone() for name, value in learn.model.state_dict().items()}
    learn.phases = (sp.ValidPhase(),)
    learn.fit(2)
    after = learn.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert "valid_loss" in learn.history.rows[0]


class VAETrain(sp.TrainPhase):
    """A variational autoencoder: reconstruct, and keep the codes near a standard normal."""

    def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
        mu, log_var = learn.model.encode(batch.x)  # type: ignore[operator]
        z = mu + torch.randn_like(mu) * (log_var / 2).exp()
        logits = learn.model.decode(z)  # type: ignore[operator]
        kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1).mean()
        reconstruction = F.binary_cross_entropy_with_logits(logits, batch.x)
        return learn.update(loss=reconstruction + 1e-3 * kl, y_hat=logits.sigmoid(), kl=kl)


@pytest.fixture
def vae(pictures: sp.Data) -> sp.Learner:
    images = sp.Data(pictures.x)
    block = sp.Image(channels=1, size=(9, 9))
    phase = VAETrain()
    return sp.Learner(
        sp.Task(block, output=block),
        images.split(valid=24),
        model=sp.models.VAE(1, (9, 9), num_hiddens=32),
        phases=(phase, sp.ValidPhase(phase.step)),
        lr=3e-3,
        device="cpu",
    )


def test_a_vae_is_one_phase(vae: sp.Learner) -> None:
    vae.fit(30)
    assert vae.history["train_loss"][-1] < 0.93 * vae.history["train_loss"][0]
    assert vae.history.last("valid_kl") > 0
    assert set(vae.history.rows[0]) == {
        "epoch", "train_loss", "train_kl", "valid_loss", "valid_kl",
    }  # fmt: skip


def test_its_results_show_input_beside_output(vae: sp.Learner) -> None:
    text = vae.show_results(2, backend="text")
    assert text.split().count("in") == 2
    assert text.split().count("out") == 2
    assert "truth" not in text


def test_its_results_need_no_phase_that_measures(vae: sp.Learner) -> None:
    """A training phase alone shows what it makes of its inputs, and nothing moves by looking."""
    vae.phases = vae.phases[:1]
    before = {name: value.clone() for name, value in vae.model.state_dict().items()}
    text = vae.show_results(2, backend="text")
    assert text.split().count("out") == 2
    assert vae.evaluate()["kl"] > 0
    assert all(torch.equal(before[n], value) for n, value in vae.model.state_dict().items())


def test_a_phase_over_data_that_is_not_there(pictures: sp.Data, task: sp.Task) -> None:
    learn = sp.Learner(
        task, (pictures,), model=sp.models.MLP(81, 3), phases=[sp.ValidPhase()], device="cpu"
    )
    with pytest.raises(DataError, match="no 'valid' data, only train"):
        learn.fit(1)


def test_a_step_without_y_hat_has_no_results(pictures: sp.Data, task: sp.Task) -> None:
    class Mute(sp.ValidPhase):
        def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
            return learn.update(loss=learn.loss(learn.model(batch.x), batch.y))

    learn = sp.Learner(
        task,
        (pictures, pictures),
        model=sp.models.MLP(81, 3),
        phases=[sp.TrainPhase(), Mute()],
        device="cpu",
    )
    learn.fit(1)
    with pytest.raises(TaskError, match=r"Mute\.step names no y_hat"):
        learn.show_results()


def test_several_optimisers_in_one_phase() -> None:
    """Two players of a game, as in a GAN: each update moves its own weights only."""

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(2, 1), nn.Linear(2, 1)

    moved: dict[str, list[bool]] = {"a": [], "b": []}

    class Game(sp.TrainPhase):
        def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
            state = {}
            for name in ("a", "b"):
                part, other = getattr(learn.model, name), "b" if name == "a" else "a"
                before = getattr(learn.model, other).weight.clone()
                weight = part.weight.clone()
                loss = (part(batch.x) - batch.y).square().mean()
                state = learn.update(loss=loss, optimizer=name)
                assert torch.equal(before, getattr(learn.model, other).weight)
                moved[name].append(not torch.equal(weight, part.weight))
            return state

    model = Pair()
    learn = sp.Learner(
        model,
        ([(torch.randn(8, 2), torch.randn(8, 1))] * 3,),
        phases=[Game()],
        optimizer={
            "a": torch.optim.SGD(model.a.parameters(), lr=0.1),
            "b": torch.optim.Adam(model.b.parameters(), lr=0.1),
        },
        device="cpu",
    )
    learn.fit(1)
    assert moved == {"a": [True] * 3, "b": [True] * 3}


def test_a_learner_without_a_loss_says_so() -> None:
    learn = sp.Learner(nn.Linear(2, 1), ([(torch.ones(3, 2), torch.ones(3, 1))],), device="cpu")
    with pytest.raises(TaskError, match="There is no loss") as caught:
        learn.fit(1)
    assert "loss=" in caught.value.fix
