"""Trained on a wrong simulation first, a network needs fewer real points; in time it needs none.

The real pendulum is a metre long and has friction. The simulation has neither: 90 cm, no friction.
Twenty points of one real swing, each wrong by about 0.01, are what there is to learn from.
"""

import copy
import statistics
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

import sprat as sp
from sprat.models.node import NeuralODE
from sprat.physics import Pendulum, solve

REAL, SIMULATED = Pendulum(friction=0.5), Pendulum(length=0.9)
TENTH = 0.1  # seconds between two states
SEEDS = range(3)


def anywhere(count: int, dice: torch.Generator) -> Tensor:
    """Angles within 2 rad, angular velocities within 4 rad/s: (count, 2)."""
    return (2 * torch.rand(count, 2, generator=dice) - 1) * torch.tensor([2.0, 4.0])


def simulated(dice: torch.Generator) -> sp.Data:
    """Two thousand pairs of states, a tenth of a second apart."""
    before = anywhere(2000, dice)
    after = solve(SIMULATED, before, torch.tensor([0.0, TENTH]), substeps=4)
    return sp.Data(before, after.movedim(0, 1))


def swing(points: int, dice: torch.Generator) -> sp.Data:
    """One real swing, measured: each state with the next one."""
    start = torch.tensor([[1.8, 0.0]]) + torch.tensor([0.2, 0.4]) * torch.randn(
        1, 2, generator=dice
    )
    path = solve(REAL, start, torch.arange(points + 1) * TENTH, substeps=4)[:, 0]
    path = path + 0.01 * torch.randn(path.shape, generator=dice)
    return sp.Data(path[:-1], torch.stack([path[:-1], path[1:]], 1))


def learner(model: NeuralODE, data: sp.Data, batch_size: int) -> sp.Learner:
    return sp.Learner(
        model, (data,), loss=torch.nn.functional.mse_loss, optimizer=torch.optim.Adam,
        batch_size=batch_size, device="cpu", progress=False,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip


def off(model: NeuralODE) -> float:
    """RMSE of the angle in rad over three seconds, from fifty states that nobody has seen."""
    new, times = anywhere(50, torch.Generator().manual_seed(99)), torch.linspace(0, 3, 31)
    with torch.no_grad():
        gap = solve(model.rate, new, times) - solve(REAL, new, times, substeps=4)
    return float(gap[..., 0].square().mean().sqrt())


def times_better(seed: int, points: Sequence[int]) -> list[float]:
    """How many times better it is to have been trained on the simulation, by number of points."""
    torch.manual_seed(seed)
    dice = torch.Generator().manual_seed(seed)
    new = NeuralODE(2, 2, TENTH, num_hiddens=(32, 32))
    trained = copy.deepcopy(new)
    learner(trained, simulated(dice), 200).fit_one_cycle(40, lr=0.02)
    ratios = []
    for count in points:
        data, passes = swing(count, dice), 20 / count  # as many steps, however many points
        alone = copy.deepcopy(new)
        learner(alone, data, 20).fit_one_cycle(round(300 * passes), lr=0.03)
        tuned = copy.deepcopy(trained)
        learn = learner(tuned, data, 20)
        learn.fine_tune(round(100 * passes), lr=0.01, freeze_epochs=round(200 * passes))
        ratios.append(off(alone) / off(tuned))
    return ratios


@pytest.mark.slow
def test_twenty_points_after_a_simulation_and_two_hundred() -> None:
    few, many = zip(*(times_better(seed, (20, 200)) for seed in SEEDS), strict=True)
    assert min(few) > 2
    assert statistics.median(few) > 3
    # With points enough, there is little left that the simulation could have taught.
    assert statistics.median(many) < statistics.median(few) / 1.5


def test_the_parts_of_a_neural_ode_are_what_it_knows_and_its_last_layer() -> None:
    model = NeuralODE(2, 2, TENTH, num_hiddens=(4, 4))
    learner(model, swing(20, torch.Generator().manual_seed(0)), 20).freeze()
    learning = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert learning == ["rate.layers.4.weight", "rate.layers.4.bias"]
