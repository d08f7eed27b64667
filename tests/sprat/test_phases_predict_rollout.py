"""Prediction over any part of the data, and learning through a simulation."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.errors import TrainingError
from sprat.phases.predict import Gather, PredictPhase
from sprat.phases.rollout import RolloutPhase
from sprat.physics import CartPole, Pendulum, solve


def gathered(learn: sp.Learner, phase: sp.Phase) -> Gather:
    gather = Gather()
    with learn.listening([gather]):
        learn.run(phase)
    return gather


def test_prediction_is_what_the_model_says_in_order(learn: sp.Learner) -> None:
    gather = gathered(learn, PredictPhase())
    y_hat, y = learn.predictions()
    assert gather.y_hat is not None
    torch.testing.assert_close(gather.y_hat, y_hat)
    assert torch.equal(gather.y, y)  # type: ignore[arg-type]
    assert torch.equal(gather.index, torch.arange(len(y)))  # type: ignore[arg-type]


def test_prediction_needs_no_targets_and_no_loss(pictures: sp.Data) -> None:
    parts = {"train": pictures, "test": sp.Data(pictures.x[:10].float() / 255)}
    learn = sp.Learner(nn.Flatten(), parts, device="cpu")
    gather = gathered(learn, PredictPhase("test"))
    assert gather.y_hat is not None
    assert gather.y_hat.shape == (10, 81)
    assert gather.y is None


def test_prediction_changes_nothing_and_has_no_gradients(learn: sp.Learner) -> None:
    seen = []

    class Look(sp.Callback):
        def step_end(self, learn: sp.Learner) -> None:
            if isinstance(learn.phase, PredictPhase):
                seen.append((torch.is_grad_enabled(), learn.model.training, list(learn.state)))

        def backward_end(self, learn: sp.Learner) -> None:
            assert learn.phase.trains

    learn.phases = (sp.TrainPhase(), PredictPhase(), sp.ValidPhase())
    learn.fit(2, callbacks=[Look(), Gather()])
    assert seen == [(False, False, ["y_hat"])] * len(seen)
    assert len(seen) == 2 * len(learn.loader("valid"))
    assert not any("predict" in name for name in learn.history.rows[0])


def test_gather_says_when_an_output_is_no_tensor(learn: sp.Learner) -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, x

    learn.model = Two()
    with pytest.raises(TrainingError, match="puts out a tuple"):
        gathered(learn, PredictPhase())


class Damped(nn.Module):
    """A pendulum whose length and friction are to be found."""

    def __init__(self) -> None:
        super().__init__()
        self.length = nn.Parameter(torch.tensor(0.7))
        self.friction = nn.Parameter(torch.tensor(0.05))

    def forward(self, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        angle, velocity = y.unbind(-1)
        pull = -9.81 / self.length * angle.sin() - self.friction * velocity
        return torch.stack([velocity, pull], -1)


TIMES = torch.linspace(0, 1.5, 16)


def swings(count: int = 24) -> sp.Data:
    """Trajectories of the true pendulum, 1 m long with friction 0.3/s."""
    start = torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    truth = solve(Pendulum(length=1.0, friction=0.3), start, TIMES, substeps=2)
    return sp.Data(start, truth.movedim(0, 1))


def find_constants(events: list[sp.Callback]) -> sp.Learner:
    phase = RolloutPhase(TIMES, substeps=2)
    data = swings()
    return sp.Learner(
        Damped(), (data[:16], data[16:]), loss=nn.functional.mse_loss, batch_size=8,
        phases=(phase, sp.ValidPhase(phase.step)), optimizer=torch.optim.Adam, device="cpu",
        generator=torch.Generator().manual_seed(1), callbacks=events,
    )  # fmt: skip


def test_the_constants_of_a_pendulum_are_found_from_its_swings() -> None:
    learn = find_constants([])
    learn.fit(40, lr=0.03)
    assert learn.model.length.item() == pytest.approx(1.0, abs=0.02)  # type: ignore[union-attr]
    assert learn.model.friction.item() == pytest.approx(0.3, abs=0.03)  # type: ignore[union-attr]
    assert learn.history.last("valid_loss") < 1e-3


def test_callbacks_see_the_trajectory_and_events_come_in_order() -> None:
    seen: list[object] = []

    class Watch(sp.Callback):
        reads = frozenset({"trajectory"})

        def step_begin(self, learn: sp.Learner) -> None:
            seen.append("begin")

        def backward_end(self, learn: sp.Learner) -> None:
            seen.append("backward")

        def step_end(self, learn: sp.Learner) -> None:
            path = learn.state["trajectory"]
            assert torch.equal(path[:, 0], learn.batch.x)
            assert not path.requires_grad
            seen.append(tuple(path.shape))

    find_constants([Watch()]).fit(1)
    assert seen == ["begin", "backward", (8, 16, 2)] * 2 + ["begin", (8, 16, 2)]


class Push(nn.Module):
    """A force of a few newton, from the four numbers of the state."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, t: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        return 20 * self.net(state)[..., 0].tanh()


def test_a_controller_learns_through_the_cartpole() -> None:
    """By gradients through the physics the pole stays ten times nearer to upright."""
    torch.manual_seed(0)
    start = (torch.rand(16, 4) - 0.5) * 0.4
    upright: Callable[[torch.Tensor], torch.Tensor] = lambda path: path[..., 2].square().mean()  # noqa: E731
    times = torch.linspace(0, 1, 21)
    phase = RolloutPhase(times, field=lambda model: CartPole(controller=model), cost=upright)  # type: ignore[arg-type]
    learn = sp.Learner(
        Push(), (sp.Data(start),), phases=[phase], optimizer=torch.optim.Adam, device="cpu"
    )
    learn.fit(40, lr=0.03)
    losses = learn.history.losses
    free = solve(CartPole(), start, times)[..., 2].square().mean()
    assert losses[-1] < 0.1 * float(free)
    assert losses[-1] < 0.2 * losses[0]


def test_neither_cost_nor_targets_is_named() -> None:
    learn = sp.Learner(
        Damped(), (sp.Data(torch.zeros(4, 2)),), phases=[RolloutPhase(TIMES)], device="cpu"
    )
    with pytest.raises(TrainingError, match="neither a cost nor targets"):
        learn.fit(1)
