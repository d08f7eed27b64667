"""Two systems that are easy to picture and hard to control: a pendulum, and a pole on a cart."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sprat.shapes import Float

Controller = Callable[[Tensor, Tensor], Tensor]
"""``(t, state)`` to a force, (batch,)."""

Constant = float | Float[Tensor, ""]
"""A number, or a tensor with no axes where the constant is to be learned."""


@dataclass(frozen=True)
class Pendulum:
    """A mass on a rod, with friction that grows with its speed.

    The state is (angle in rad, 0 hanging down; angular velocity in rad/s).

    Args:
        length: of the rod, in m.
        friction: in 1/s; 0 keeps the energy.
        gravity: in m/s².
    """

    length: Constant = 1.0
    friction: Constant = 0.0
    gravity: Constant = 9.81

    def __call__(self, t: Tensor, state: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
        """d(angle)/dt = velocity; d(velocity)/dt = −g/l · sin(angle) − friction · velocity."""
        angle, velocity = state.unbind(-1)
        pull = -self.gravity / self.length * angle.sin() - self.friction * velocity
        return torch.stack([velocity, pull], -1)

    def energy(self, state: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch"]:
        """Kinetic and potential energy per unit of mass, in J/kg, 0 where it hangs at rest."""
        angle, velocity = state.unbind(-1)
        kinetic = (self.length * velocity) ** 2 / 2
        return kinetic + self.gravity * self.length * (1 - angle.cos())


@dataclass(frozen=True)
class CartPole:
    """A pole that stands on a cart; pushing the cart keeps it up. No friction.

    The state is (position in m, velocity in m/s, angle in rad with 0 upright, angular velocity in
    rad/s). Equations and constants: Barto, Sutton and Anderson, "Neuronlike adaptive elements that
    can solve difficult learning control problems" (1983), in the frictionless form.

    Args:
        controller: the force on the cart in N, given time and state; None pushes nothing.
        cart_mass: in kg.
        pole_mass: in kg.
        half_length: from the pivot to the pole's centre, in m.
        gravity: in m/s².
    """

    controller: Controller | None = None
    cart_mass: Constant = 1.0
    pole_mass: Constant = 0.1
    half_length: Constant = 0.5
    gravity: Constant = 9.81

    def __call__(self, t: Tensor, state: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
        """The rates of change of all four."""
        _, velocity, angle, spin = state.unbind(-1)
        force = torch.zeros_like(angle) if self.controller is None else self.controller(t, state)
        total, sin, cos = self.cart_mass + self.pole_mass, angle.sin(), angle.cos()
        push = (force + self.pole_mass * self.half_length * spin**2 * sin) / total
        turn = (self.gravity * sin - cos * push) / (
            self.half_length * (4 / 3 - self.pole_mass * cos**2 / total)
        )
        speed_up = push - self.pole_mass * self.half_length * turn * cos / total
        return torch.stack([velocity, speed_up, spin, turn], -1)

    def energy(self, state: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
        """Kinetic and potential energy of cart and pole in J; constant while nothing pushes."""
        _, velocity, angle, spin = state.unbind(-1)
        m, lever = self.pole_mass, self.half_length
        cart = (self.cart_mass + m) * velocity**2 / 2
        coupling = m * lever * velocity * spin * angle.cos()
        pole = m * (4 / 3) * lever**2 * spin**2 / 2
        return cart + coupling + pole + m * self.gravity * lever * angle.cos()
