"""Physics that gradients flow through: solvers, systems, and what is learned with them.

``solvers`` and ``adjoint`` solve differential equations; ``systems`` has some worth solving;
``hybrid`` lets a network add what the equations leave out, ``fitting`` finds their constants, and
``control`` trains a controller through the simulator.
"""

from sprat.physics.adjoint import solve_adjoint
from sprat.physics.control import Policy
from sprat.physics.fitting import Fit, fit_constants
from sprat.physics.hybrid import Hybrid
from sprat.physics.solvers import Field, rk4_step, solve, solve_adaptive
from sprat.physics.systems import CartPole, Pendulum

__all__ = [
    "CartPole",
    "Field",
    "Fit",
    "Hybrid",
    "Pendulum",
    "Policy",
    "fit_constants",
    "rk4_step",
    "solve",
    "solve_adaptive",
    "solve_adjoint",
]
