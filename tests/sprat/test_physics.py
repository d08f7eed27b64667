"""Solvers against exact solutions, the adjoint against differences, systems against energy."""

import math

import pytest
import torch
from torch import nn

from sprat.errors import TrainingError
from sprat.physics import CartPole, Pendulum, solve, solve_adaptive, solve_adjoint

F64 = torch.float64


def decay(t, y):
    return -y


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_halving_the_step_divides_the_error_by_two_to_the_order(method, order):
    times = torch.tensor([0.0, 1.0], dtype=F64)
    y0 = torch.ones(1, dtype=F64)

    def error(substeps):
        end = solve(decay, y0, times, method=method, substeps=substeps)[-1]
        return abs(float(end) - math.exp(-1))

    measured = math.log2(error(20) / error(40))
    assert measured == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("rtol", [1e-4, 1e-7, 1e-10])
def test_the_adaptive_solver_keeps_its_tolerance_and_hits_every_time(rtol):
    times = torch.linspace(0, 2 * math.pi, 9, dtype=F64)

    def circle(t, y):
        return torch.stack([y[1], -y[0]])

    states = solve_adaptive(
        circle, torch.tensor([1.0, 0.0], dtype=F64), times, rtol=rtol, atol=rtol
    )
    exact = torch.stack([times.cos(), -times.sin()], 1)
    assert (states - exact).abs().max() < 100 * rtol


def test_the_adaptive_solver_takes_long_steps_where_nothing_happens():
    calls = []

    def f(t, y):
        calls.append(float(t))
        return 100 * torch.exp(-20 * t) - y

    times = torch.tensor([0.0, 3.0], dtype=F64)
    solve_adaptive(f, torch.zeros(1, dtype=F64), times, rtol=1e-5, atol=1e-7)
    busy, calm = sum(t < 0.3 for t in calls), sum(t > 2.7 for t in calls)
    assert busy > 4 * calm


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([[-0.5, 1.0], [-1.0, -0.3]], dtype=F64))
        self.b = nn.Parameter(torch.tensor([0.2, -0.1], dtype=F64))

    def forward(self, t, y):
        return torch.tanh(y @ self.a.T + self.b * torch.cos(t))


def test_the_adjoint_agrees_with_finite_differences_and_with_backpropagation():
    f, times = Linear(), torch.linspace(0, 1.5, 6, dtype=F64)
    y0 = torch.tensor([[1.0, 0.5], [-0.3, 0.8]], dtype=F64, requires_grad=True)
    weights = torch.arange(1.0, 25.0, dtype=F64).reshape(6, 2, 2).cos()

    def loss(solver):
        return (solver(f, y0, times, substeps=20) * weights).sum()

    variables = [y0, *f.parameters()]
    adjoint = torch.autograd.grad(loss(solve_adjoint), variables)
    direct = torch.autograd.grad(loss(solve), variables)
    for a, d, variable in zip(adjoint, direct, variables, strict=True):
        torch.testing.assert_close(a, d, rtol=1e-6, atol=1e-8)
        index = (0,) * variable.ndim
        with torch.no_grad():
            variable[index] += 1e-5
            above = loss(solve)
            variable[index] -= 2e-5
            below = loss(solve)
            variable[index] += 1e-5
        assert float(a[index]) == pytest.approx(float((above - below) / 2e-5), rel=1e-6)


def test_the_adjoint_keeps_no_steps():
    """What backward needs does not grow with the number of steps."""
    f, y0 = Linear(), torch.ones(2, dtype=F64, requires_grad=True)

    def saved(solver, substeps):
        count = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: count.append(x) or x, lambda x: x):
            solver(f, y0, torch.tensor([0.0, 1.0], dtype=F64), substeps=substeps)
        return len(count)

    assert saved(solve_adjoint, 50) == saved(solve_adjoint, 5)
    assert saved(solve, 50) > 5 * saved(solve, 5)


def test_a_pendulum_keeps_its_energy_and_friction_takes_it():
    times, start = torch.linspace(0, 5, 101, dtype=F64), torch.tensor([2.0, 0.0], dtype=F64)
    free = Pendulum()
    energy = free.energy(solve(free, start, times, substeps=10))
    torch.testing.assert_close(energy, energy[:1].expand_as(energy), rtol=1e-7, atol=0)
    damped = Pendulum(friction=0.5)
    energy = damped.energy(solve(damped, start, times, substeps=10))
    assert (energy[1:] < energy[:-1]).all()


def test_a_small_swing_has_the_period_of_the_textbook():
    pendulum = Pendulum(length=0.7)
    period = 2 * math.pi * math.sqrt(0.7 / 9.81)
    times = torch.tensor([0.0, period], dtype=F64)
    start = torch.tensor([0.001, 0.0], dtype=F64)
    torch.testing.assert_close(
        solve(pendulum, start, times, substeps=200)[-1], start, rtol=0, atol=1e-8
    )


def test_a_cart_pole_keeps_its_energy_and_falls():
    times = torch.linspace(0, 3, 61, dtype=F64)
    start = torch.tensor([[0.0, 0.3, 0.1, -0.2], [1.0, 0.0, 0.0, 0.0]], dtype=F64)
    cart = CartPole()
    states = solve(cart, start, times, substeps=20)
    energy = cart.energy(states)
    torch.testing.assert_close(energy, energy[:1].expand_as(energy), rtol=1e-7, atol=1e-9)
    assert states[:, 0, 2].abs().max() > 1
    torch.testing.assert_close(states[-1, 1], start[1])  # exactly upright and at rest, it stays


def test_gradients_through_the_simulator_find_a_controller():
    """Four gains, 60 steps of Adam through RK4 on one second: it stays up for four."""
    gains = torch.zeros(4, requires_grad=True)
    start = torch.tensor([[0.0, 0.0, 0.1, 0.0], [0.0, 0.0, -0.15, 0.0]])

    def rollout(seconds):
        times = torch.linspace(0, seconds, 20 * seconds + 1)
        return solve(CartPole(lambda t, s: s @ gains), start, times)

    assert rollout(4)[..., 2].abs().max() > 1  # left alone, it falls
    optimizer = torch.optim.Adam([gains], lr=2.0)
    for _ in range(60):
        states = rollout(1)
        loss = states[..., 2].square().mean() + 0.01 * states[..., 0].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert rollout(4)[..., 2].abs().max() < 0.2
    assert rollout(4)[-1, :, 2].abs().max() < 0.05


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: solve(decay, torch.ones(1), torch.tensor([0.0, 1.0]), method="rk5"), "rk5"),
        (lambda: solve(decay, torch.ones(1), torch.tensor([0.0])), "1 times"),
        (lambda: solve_adaptive(decay, torch.ones(1), torch.tensor([1.0, 0.0])), "do not rise"),
        (
            lambda: solve_adaptive(
                lambda t, y: y**2, torch.ones(1), torch.tensor([0.0, 2.0]), max_steps=500
            ),
            "stopped at t=",
        ),
    ],
)
def test_mistakes_are_named_with_their_fix(call, says):
    with pytest.raises(TrainingError, match=says) as caught:
        call()
    assert "fix:" in str(caught.value)
