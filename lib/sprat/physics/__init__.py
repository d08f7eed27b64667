"""Physics that gradients flow through: solvers of differential equations, and systems to solve."""

from sprat.physics.adjoint import solve_adjoint
from sprat.physics.solvers import Field, rk4_step, solve, solve_adaptive
from sprat.physics.systems import CartPole, Pendulum

__all__ = [
    "CartPole",
    "Field",
    "Pendulum",
    "rk4_step",
    "solve",
    "solve_adaptive",
    "solve_adjoint",
]
