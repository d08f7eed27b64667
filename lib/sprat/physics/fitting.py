"""Finding constants of known equations from measurements, through the simulator.

The solver is differentiable, so how each measured number would change with each constant is known
exactly. The method of Levenberg and Marquardt solves for the change that fits best, and trusts the
straight line less where it turned out wrong. Marquardt, "An Algorithm for Least-Squares Estimation
of Nonlinear Parameters" (1963); the uncertainties are those of least squares, from the curvature
at the optimum.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from sprat.errors import TrainingError
from sprat.physics.solvers import Field, solve
from sprat.shapes import Float, Tensor


@dataclass(frozen=True)
class Fit:
    """Constants found from measurements.

    Args:
        values: name → value.
        errors: name → one standard deviation, as far as the scatter around the fit tells.
        rms: root of the mean squared difference between simulation and measurement.
        steps: how many changes of the constants were tried.
        converged: whether the last change was negligible.
    """

    values: dict[str, float]
    errors: dict[str, float]
    rms: float
    steps: int
    converged: bool

    def __repr__(self) -> str:
        found = ", ".join(
            f"{name} = {value:.4g} ± {self.errors[name]:.1g}" for name, value in self.values.items()
        )
        ending = "" if self.converged else "; not converged"
        return f"Fit({found}; rms {self.rms:.3g}, {self.steps} steps{ending})"


def fit_constants(
    system: Callable[..., Field],
    guess: Mapping[str, float],
    y0: Float[Tensor, "*batch size"],
    times: Float[Tensor, " times"],
    measured: Float[Tensor, "samples *batch columns"],
    *,
    observe: Callable[[Tensor], Tensor] = lambda states: states,
    method: str = "rk4",
    substeps: int = 1,
    max_steps: int = 50,
    tolerance: float = 1e-6,
) -> Fit:
    """The constants with which the simulation comes closest to the measurements.

    Args:
        system: makes the rate of change of the constants, given by name: ``Pendulum``, say.
        guess: name → where to begin. Constants that are not named keep the system's default.
        y0: the states at ``times[0]``.
        times: of the measurements, in the system's unit of time.
        measured: what was measured at each of them.
        observe: what of the states is measured, for example ``lambda s: s[..., :1]``.
        method: of the solver.
        substeps: of the solver, from one of the times to the next.
        max_steps: changes of the constants to try at most.
        tolerance: stop when a change is smaller than this share of the constants.

    Returns:
        The constants with their uncertainties.

    Raises:
        TrainingError: there is no guess, the simulation has another shape than the measurements,
            or it is not finite at the guess.
    """
    names = list(guess)
    if not names:
        raise TrainingError("There is no constant to fit.", fix='give guess={"friction": 0.1}, say')

    def residual(constants: Tensor) -> Tensor:
        f = system(**dict(zip(names, constants.unbind(), strict=True)))
        states = observe(solve(f, y0, times, method=method, substeps=substeps))
        if states.shape != measured.shape:
            raise TrainingError(
                f"The simulation gives {tuple(states.shape)}, measured is {tuple(measured.shape)}.",
                fix="give one measurement for each of the times, and observe= what was measured",
            )
        return (states - measured).flatten()

    start = torch.tensor([float(guess[name]) for name in names], dtype=y0.dtype, device=y0.device)
    constants, r, steps, converged = _descend(residual, start, max_steps, tolerance)
    jacobian = _jacobian(residual, constants)
    freedom = max(1, len(r) - len(names))
    spread = torch.linalg.pinv(jacobian.T @ jacobian) * r.square().sum() / freedom
    return Fit(
        dict(zip(names, constants.tolist(), strict=True)),
        dict(zip(names, spread.diagonal().clamp(min=0).sqrt().tolist(), strict=True)),
        float(r.square().mean().sqrt()),
        steps,
        converged,
    )


def _descend(
    residual: Callable[[Tensor], Tensor], constants: Tensor, max_steps: int, tolerance: float
) -> tuple[Tensor, Tensor, int, bool]:
    """Constants, the difference that is left, changes tried, and whether the last was tiny."""
    with torch.no_grad():
        r = residual(constants)
    if not bool(r.isfinite().all()):
        raise TrainingError(
            "The simulation is not finite at the guess.",
            fix="begin nearer to the truth, or give the solver more substeps",
        )
    damping, converged, tried = 1e-3, False, 0
    while tried < max_steps and not converged:
        jacobian = _jacobian(residual, constants)
        curvature, slope = jacobian.T @ jacobian, jacobian.T @ r
        while tried < max_steps:
            tried += 1
            # Damped by each constant's own curvature, so that units don't matter.
            scale = curvature.diagonal().clamp(min=1e-12)
            change = -torch.linalg.solve(curvature + damping * scale.diag(), slope)
            with torch.no_grad():
                new = residual(constants + change)
            converged = bool((change.abs() <= tolerance * (constants.abs() + tolerance)).all())
            if bool(new.square().sum() < r.square().sum()):  # false for what is not finite
                constants, r, damping = constants + change, new, damping / 10
                break
            if converged:
                break
            damping *= 10
    return constants, r, tried, converged


def _jacobian(residual: Callable[[Tensor], Tensor], constants: Tensor) -> Tensor:
    """How each difference changes with each constant, (measurements, constants).

    Constants are few and measurements many, so backpropagation, which is cheap for few outputs, is
    applied twice: the slope uᵀJ is linear in u, and its gradient for u is a column of J.
    """
    with torch.enable_grad():
        constants = constants.detach().requires_grad_()
        r = residual(constants)
        u = torch.zeros_like(r, requires_grad=True)
        (slope,) = torch.autograd.grad(r, constants, u, create_graph=True)
        columns = [torch.autograd.grad(part, u, retain_graph=True)[0] for part in slope]
    return torch.stack(columns, 1)
