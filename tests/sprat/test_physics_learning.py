"""What is learned through a simulator: constants, missing terms, a controller."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.errors import TaskError, TrainingError
from sprat.models.node import Rate
from sprat.phases.rollout import RolloutPhase
from sprat.physics import CartPole, Hybrid, Pendulum, Policy, fit_constants, solve
from sprat.physics.control import hanging, swing_up_cost, swing_up_system, upright_angle

F64 = torch.float64
DT = torch.tensor([0.0, 0.1])


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def starts(count: int, generator: torch.Generator) -> torch.Tensor:
    """Angles within 2 rad and velocities within 4 rad/s of hanging at rest."""
    return (2 * torch.rand(count, 2, generator=generator) - 1) * torch.tensor([2.0, 4.0])


def test_constants_are_found_within_their_uncertainty() -> None:
    truth = {"length": 1.3, "friction": 0.4}
    times, y0 = torch.linspace(0, 3, 31, dtype=F64), torch.tensor([1.5, 0.0], dtype=F64)
    angle = solve(Pendulum(**truth), y0, times, substeps=4)[:, :1]
    noise = 0.01 * torch.randn(31, 1, generator=chance(), dtype=F64)
    fit = fit_constants(
        Pendulum, {"length": 1.0, "friction": 0.1}, y0, times, angle + noise,
        observe=lambda states: states[:, :1], substeps=4,
    )  # fmt: skip
    assert fit.converged
    assert fit.steps < 15
    assert fit.rms == pytest.approx(0.01, rel=0.3)  # the noise is what is left
    for name, value in truth.items():
        assert abs(fit.values[name] - value) < 4 * fit.errors[name]
        assert fit.errors[name] < 0.02 * value
    assert "friction = 0.399" in repr(fit)


def test_uncertainties_are_the_spread_of_repeated_fits() -> None:
    times, y0 = torch.linspace(0, 2, 15, dtype=F64), torch.tensor([1.0, 0.0], dtype=F64)
    exact = solve(Pendulum(friction=0.3), y0, times)
    g = chance(1)
    fits = [
        fit_constants(
            Pendulum, {"friction": 0.2}, y0, times,
            exact + 0.05 * torch.randn(exact.shape, generator=g, dtype=F64),
        )
        for _ in range(12)
    ]  # fmt: skip
    spread = torch.tensor([fit.values["friction"] for fit in fits]).std().item()
    told = sum(fit.errors["friction"] for fit in fits) / len(fits)
    assert 0.5 < spread / told < 2


def test_a_bad_first_guess_is_damped_and_many_starts_are_one_fit() -> None:
    times, y0 = torch.linspace(0, 1.5, 16, dtype=F64), starts(5, chance()).double()
    measured = solve(Pendulum(length=0.7, friction=1.5), y0, times, substeps=2)
    guess = {"length": 2.0, "friction": 0.0}
    fit = fit_constants(Pendulum, guess, y0, times, measured, substeps=2)
    assert fit.values == pytest.approx({"length": 0.7, "friction": 1.5}, rel=1e-5)
    assert fit.rms < 1e-7
    hurried = fit_constants(Pendulum, guess, y0, times, measured, substeps=2, max_steps=1)
    assert not hurried.converged
    assert "not converged" in repr(hurried)


def test_a_cart_is_weighed_by_pushing_it() -> None:
    """The system may be any function of the constants."""
    times, y0 = torch.linspace(0, 1, 21, dtype=F64), torch.zeros(4, dtype=F64)

    def pushed(cart_mass: torch.Tensor) -> CartPole:
        return CartPole(lambda t, s: 5 * torch.cos(6 * t), cart_mass=cart_mass)  # type: ignore[arg-type]

    measured = solve(CartPole(lambda t, s: 5 * torch.cos(6 * t), cart_mass=3.0), y0, times)
    fit = fit_constants(pushed, {"cart_mass": 1.0}, y0, times, measured)
    assert fit.values["cart_mass"] == pytest.approx(3, rel=1e-6)


def test_a_hybrid_begins_as_the_known_physics_and_corrects_only_its_parts() -> None:
    known, y = Pendulum(), starts(6, chance())
    hybrid = Hybrid(known, Rate(2, (8,), num_outputs=1), [1])
    assert torch.equal(hybrid(DT[0], y), known(DT[0], y))
    nn.init.ones_(hybrid.correction.layers[-1].bias)
    torch.testing.assert_close(
        hybrid(DT[0], y) - known(DT[0], y), torch.tensor([0.0, 1.0]).expand(6, 2)
    )
    assert hybrid(DT[0], y[0]).shape == (2,)


def test_constants_of_the_known_part_are_learned_too() -> None:
    class Swing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pull = nn.Parameter(torch.tensor(5.0))

        def forward(self, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return torch.stack([y[..., 1], -self.pull * y[..., 0].sin()], -1)

    hybrid = Hybrid(Swing(), Rate(2, (4,), num_outputs=1), [1])
    assert any(name == "known.pull" for name, _ in hybrid.named_parameters())
    sp.physics.solve_adjoint(hybrid, starts(3, chance()), DT)[-1].sum().backward()
    assert all(p.grad is not None for p in hybrid.parameters())


def learned(rate: nn.Module, y0: torch.Tensor, y1: torch.Tensor, steps: int) -> nn.Module:
    """A rate of change trained on where states were a tenth of a second later."""
    optimizer = torch.optim.Adam(rate.parameters(), lr=0.02)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    for _ in range(steps):
        loss = (solve(rate, y0, DT)[-1] - y1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
    return rate


def rollout_error(rate: Callable[..., torch.Tensor]) -> float:
    """RMSE of the angle in rad over three seconds, from fifty new states."""
    y0, times = starts(50, chance(99)), torch.linspace(0, 3, 31)
    with torch.no_grad():
        gap = solve(rate, y0, times) - solve(Pendulum(friction=0.5), y0, times, substeps=4)
    return float(gap[..., 0].square().mean().sqrt())


def transitions(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Where a damped pendulum is, and where it is a tenth of a second later, with noise."""
    g = chance(seed)
    y0 = starts(count, g)
    y1 = solve(Pendulum(friction=0.5), y0, DT, substeps=4)[-1]
    return y0, y1 + 0.01 * torch.randn(count, 2, generator=g)


@pytest.mark.slow
def test_known_physics_with_a_network_needs_a_tenth_of_the_data() -> None:
    """Twenty noisy transitions of a damped pendulum, whose friction the known part leaves out."""
    gains, hybrids, many = [], [], []
    physics = rollout_error(Pendulum())
    for seed in range(3):
        torch.manual_seed(seed)
        few = transitions(20, seed)
        hybrid = Hybrid(Pendulum(), Rate(2, (16,), num_outputs=1), [1])
        hybrids.append(rollout_error(learned(hybrid, *few, 150)))
        gains.append(rollout_error(learned(Rate(2, (16,)), *few, 300)) / hybrids[-1])
        many.append(rollout_error(learned(Rate(2, (16,)), *transitions(200, seed), 300)))
    assert sorted(gains)[1] >= 3  # the median of three seeds
    assert sorted(hybrids)[1] * 3 <= physics
    assert sorted(hybrids)[1] < sorted(many)[1]  # twenty with physics beat two hundred without


def test_a_policy_sees_three_numbers_and_pushes_with_one() -> None:
    policy, state = Policy(), torch.randn(5, 4, generator=chance())
    assert sum(p.numel() for p in policy.parameters()) == (3 * 8 + 8) + (8 + 1)
    force = policy(DT[0], state)
    assert force.shape == (5,)
    moved = state + torch.tensor([3.0, -2.0, 2 * math.pi, 0.0])
    torch.testing.assert_close(policy(DT[1], moved), force)
    torch.testing.assert_close(Policy(4, scale=2.0)(DT[0], state).shape, force.shape)


def test_the_cost_is_its_formula_and_angles_wrap() -> None:
    turn = torch.tensor([0.0, math.pi / 2, 2 * math.pi, -2 * math.pi - 0.25])
    torch.testing.assert_close(
        upright_angle(turn), torch.tensor([0.0, math.pi / 2, 0.0, -0.25]), atol=1e-6, rtol=0
    )
    path = torch.zeros(1, 4, 4)
    path[0, :, 2] = torch.tensor([2.0, 1.0, 0.0, -1.0])
    path[0, -1, 1] = 3.0
    assert float(swing_up_cost(path)) == pytest.approx(6 / 4 + 4 + 9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_pole_learns_to_stand_up_within_two_hundred_simulations(seed: int) -> None:
    torch.manual_seed(seed)
    policy = Policy(8, scale=10.0)
    phase = RolloutPhase(torch.linspace(0, 1, 26), field=swing_up_system, cost=swing_up_cost)

    class Stands(sp.Callback):
        """Ends the fit when the pole stands: within 0.1 rad, the cart slower than 0.1 m/s."""

        reads = frozenset({"trajectory"})

        def step_end(self, learn: sp.Learner) -> None:
            end = learn.state["trajectory"][0, -1]
            if upright_angle(end[2]).abs() < 0.1 and end[1].abs() < 0.1:
                raise sp.Cancel("fit")

    learn = sp.Learner(
        policy, ([hanging()],), phases=[phase], optimizer=torch.optim.Adam, lr=0.05,
        callbacks=[Stands()], device="cpu",
    )  # fmt: skip
    learn.fit(200)
    with torch.no_grad():
        path = solve(swing_up_system(policy), hanging(), torch.linspace(0, 1, 26), substeps=4)
    assert upright_angle(path[-1, 0, 2]).abs() < 0.2
    assert upright_angle(path[0, 0, 2]).abs() > 3


@pytest.mark.parametrize(
    ("call", "says", "error"),
    [
        (lambda: Hybrid(Pendulum(), Rate(2), []), r"acts_on=\[\]", TaskError),
        (lambda: Hybrid(Pendulum(), Rate(2), [1, 1]), r"acts_on=\[1, 1\]", TaskError),
        (lambda: Hybrid(Pendulum(), Rate(2), [1])(DT[0], torch.zeros(3, 2)),
         r"gave \(3, 2\)", TaskError),
        (lambda: Hybrid(Pendulum(), Rate(2, num_outputs=1), [2])(DT[0], torch.zeros(3, 2)),
         "a state has 2 numbers", TaskError),
        (lambda: fit_constants(Pendulum, {}, torch.zeros(2), DT, torch.zeros(2, 2)),
         "no constant to fit", TrainingError),
        (lambda: fit_constants(Pendulum, {"length": 1}, torch.zeros(2), DT, torch.zeros(3, 2)),
         r"measured is \(3, 2\)", TrainingError),
        (lambda: fit_constants(Pendulum, {"length": 0}, torch.ones(2), DT, torch.zeros(2, 2)),
         "not finite at the guess", TrainingError),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_fix(call, says, error) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=says) as caught:
        call()
    assert "fix:" in str(caught.value)
