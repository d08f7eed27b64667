"""Solvers of dy/dt = f(t, y), differentiable by ordinary backpropagation.

`solve` takes fixed steps; its cost is known and its result is smooth in every parameter.
`solve_adaptive` chooses its steps from an estimate of their error. Sources: Hairer, Nørsett and
Wanner, "Solving Ordinary Differential Equations I" (1993), II.1 and II.4; the pair of orders 5 and
4 is that of Dormand and Prince (1980).
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from sprat.errors import TrainingError
from sprat.shapes import Float

Field = Callable[[Tensor, Tensor], Tensor]
"""``f(t, y)``: the time, a tensor with no axes, and the state, to the state's rate of change."""

Step = Callable[[Field, Tensor, Tensor, Tensor], Tensor]


def euler_step(f: Field, t: Tensor, y: Tensor, h: Tensor) -> Tensor:
    """One step of order 1."""
    return y + h * f(t, y)


def midpoint_step(f: Field, t: Tensor, y: Tensor, h: Tensor) -> Tensor:
    """One step of order 2."""
    return y + h * f(t + h / 2, y + h / 2 * f(t, y))


def rk4_step(f: Field, t: Tensor, y: Tensor, h: Tensor) -> Tensor:
    """One step of the classical method of order 4."""
    k1 = f(t, y)
    k2 = f(t + h / 2, y + h / 2 * k1)
    k3 = f(t + h / 2, y + h / 2 * k2)
    k4 = f(t + h, y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


STEPS: dict[str, Step] = {"euler": euler_step, "midpoint": midpoint_step, "rk4": rk4_step}


def solve(
    f: Field,
    y0: Float[Tensor, "*state"],
    times: Float[Tensor, " times"],
    *,
    method: str = "rk4",
    substeps: int = 1,
) -> Float[Tensor, "times *state"]:
    """The state at each of `times`, by steps of fixed length.

    Args:
        f: the rate of change.
        y0: the state at ``times[0]``; any shape, so a batch of states is one state.
        times: rising or falling, in the unit of time that `f` uses.
        method: ``"euler"``, ``"midpoint"`` or ``"rk4"``.
        substeps: steps from one of the times to the next.

    Raises:
        TrainingError: the method is unknown, there are fewer than two times, or no substep.
    """
    if method not in STEPS or substeps < 1 or len(times) < 2:
        raise TrainingError(
            f"solve got method={method!r}, substeps={substeps} and {len(times)} times.",
            fix=f"use one of {', '.join(STEPS)}, at least 1 substep and at least 2 times",
        )
    step, y, states = STEPS[method], y0, [y0]
    for start, end in pairwise(times.unbind()):
        h = (end - start) / substeps
        for i in range(substeps):
            y = step(f, start + i * h, y, h)
        states.append(y)
    return torch.stack(states)


# Dormand and Prince's coefficients: nodes, stages, and the weights of orders 5 and 4.
_C = (0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1)
_A: tuple[tuple[float, ...], ...] = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_B5 = (*_A[6], 0.0)
_B4 = (5179 / 57600, 0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)


def dopri5_step(f: Field, t: Tensor, y: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """One step of order 5, and an estimate of its error from the embedded method of order 4."""
    stages: list[Tensor] = []
    for c, row in zip(_C, _A, strict=True):
        shift = sum((a * k for a, k in zip(row, stages, strict=True) if a), torch.zeros_like(y))
        stages.append(f(t + c * h, y + h * shift))
    new = y + h * sum(b * k for b, k in zip(_B5, stages, strict=True) if b)
    gap = h * sum((b5 - b4) * k for b5, b4, k in zip(_B5, _B4, stages, strict=True))
    return new, gap


def solve_adaptive(
    f: Field,
    y0: Float[Tensor, "*state"],
    times: Float[Tensor, " times"],
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_steps: int = 10_000,
) -> Float[Tensor, "times *state"]:
    """The state at each of `times`, by steps that are as long as the tolerances allow.

    A step is taken when the root mean square of its error, in units of ``atol + rtol · |y|``, is at
    most 1. The lengths of steps are chosen outside the graph; gradients flow through the states.

    Args:
        f: the rate of change.
        y0: the state at ``times[0]``.
        times: rising.
        rtol: error allowed for each step, relative to the state.
        atol: and absolute.
        max_steps: over all times; accepted and refused ones count.

    Raises:
        TrainingError: `times` does not rise, or `max_steps` did not suffice (a stiff system, or a
            state that runs away).
    """
    if len(times) < 2 or not bool((times[1:] > times[:-1]).all()):
        raise TrainingError(
            "solve_adaptive got times that do not rise.", fix="sort them, or use solve"
        )
    y, states, taken = y0, [y0], 0
    h = (times[-1] - times[0]).detach() / 100
    for start, end in pairwise(times.unbind()):
        t = start
        while t < end:
            last = bool(t + h >= end)
            step = end - t if last else h
            new, gap = dopri5_step(f, t, y, step)
            with torch.no_grad():
                scale = atol + rtol * torch.maximum(y.abs(), new.abs())
                error = float((gap / scale).square().mean().sqrt())
                factor = 0.9 * error**-0.2 if error > 0 else 5.0
            taken += 1
            if taken > max_steps or error != error:
                raise TrainingError(
                    f"The solver stopped at t={float(t):.3g} after {taken} steps of "
                    f"{max_steps} allowed.",
                    fix="loosen rtol and atol, raise max_steps, or look for a state that runs away",
                )
            if error <= 1:
                t, y = (end if last else t + step), new
            if error > 1 or not last:
                h = step * min(5.0, max(0.2, factor))
        states.append(y)
    return torch.stack(states)
