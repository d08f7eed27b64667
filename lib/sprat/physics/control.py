"""A controller that learns by looking through the simulator: gradients instead of trial and error.

The pole hangs down, and within a second it has to stand. A small network sees the pole's angle, as
cosine and sine, and its angular velocity, and pushes the cart. What is learned from is the gradient
of the whole second's cost, through every step of the solver. The task and the cost are those of
Shen, "Neural ODE for Reinforcement Learning and Nonlinear Optimal Control: Cartpole Problem
Revisited" (2020), https://github.com/paulxshen/neural-ode-cartpole, with this library's cart.
"""

import math

import torch
from torch import nn

from sprat.physics.systems import CartPole
from sprat.shapes import Float, Tensor


class Policy(nn.Module):
    """From (t, state of a `CartPole`) to the force on the cart: 3 inputs, tanh, one output.

    Args:
        num_hiddens: width of the hidden layer.
        scale: N, the force for an output of 1.
    """

    def __init__(self, num_hiddens: int = 8, *, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.layers = nn.Sequential(nn.Linear(3, num_hiddens), nn.Tanh(), nn.Linear(num_hiddens, 1))

    def forward(
        self, t: Float[Tensor, ""], state: Float[Tensor, "*batch 4"]
    ) -> Float[Tensor, "*batch"]:
        """The force in N. Position and time play no part."""
        angle, spin = state[..., 2], state[..., 3]
        seen = torch.stack([angle.cos(), angle.sin(), spin], -1)  # no jump where angles wrap
        return self.scale * self.layers(seen)[..., 0]


def swing_up_system(policy: nn.Module) -> CartPole:
    """The cart of the task: 2 kg, with a pole of 1 kg that is 1.5 m long."""
    return CartPole(policy, cart_mass=2.0, pole_mass=1.0, half_length=0.75)


def hanging(count: int = 1) -> Float[Tensor, "count 4"]:
    """`count` carts at rest with their poles straight down."""
    return torch.tensor([0.0, 0.0, math.pi, 0.0]).repeat(count, 1)


def upright_angle(angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """The same angle in −π…π, so that 0 is upright however often the pole went round."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def swing_up_cost(trajectory: Float[Tensor, "batch times 4"]) -> Float[Tensor, ""]:
    """mean θ² + 4 θ² at the end + v² at the end, with θ in rad and v the cart's velocity in m/s."""
    angle = upright_angle(trajectory[..., 2])
    end = 4 * angle[:, -1].square() + trajectory[:, -1, 1].square()
    return (angle.square().mean(1) + end).mean()
