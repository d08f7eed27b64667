"""A neural ODE: the network says how fast the state changes, a solver says where it goes.

Chen, Rubanova, Bettencourt and Duvenaud, "Neural Ordinary Differential Equations" (2018). Gradients
flow through the solver's steps, or come from the adjoint equation, whose memory does not grow with
their number; see `sprat.physics.solve` and `sprat.physics.solve_adjoint`.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from sprat.errors import TaskError
from sprat.physics import solve, solve_adjoint
from sprat.shapes import Float, Tensor


class Rate(nn.Module):
    """A perceptron with tanh from a state to its rate of change: smooth, as solvers like it.

    Args:
        size: numbers in a state.
        num_hiddens: widths of the hidden layers.
        timed: let the rate depend on the time itself too.
        num_outputs: rates that come out; by default `size`.
    """

    def __init__(
        self,
        size: int,
        num_hiddens: Sequence[int] = (32,),
        *,
        timed: bool = False,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        self.timed = timed
        widths = [size + timed, *num_hiddens]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.Tanh()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], num_outputs or size))

    def forward(
        self, t: Float[Tensor, ""], y: Float[Tensor, "*batch size"]
    ) -> Float[Tensor, "*batch num_outputs"]:
        """The rate of change at time `t`, in units of the state a unit of time."""
        if self.timed:
            y = torch.cat([y, t.to(y.dtype).expand(*y.shape[:-1], 1)], -1)
        return self.layers(y)


class NeuralODE(nn.Module):
    """From a state at the beginning to the states at `steps` times, `dt` apart.

    Its output is what the block `Trajectory` describes. To solve for other times, hand `rate` to
    `sprat.physics.solve`.

    Args:
        size: numbers in a state.
        steps: times, the beginning counted; at least 2.
        dt: between two of them, in the data's unit of time.
        num_hiddens: widths of the network's hidden layers.
        timed: let the rate depend on the time itself too.
        method: of the solver: ``"euler"``, ``"midpoint"`` or ``"rk4"``.
        substeps: of the solver, from one time to the next.
        adjoint: compute gradients by the adjoint equation.

    Raises:
        TaskError: fewer than 2 steps, or a dt of 0.
    """

    def __init__(
        self,
        size: int,
        steps: int,
        dt: float,
        *,
        num_hiddens: Sequence[int] = (32,),
        timed: bool = False,
        method: str = "rk4",
        substeps: int = 1,
        adjoint: bool = False,
    ) -> None:
        super().__init__()
        if steps < 2 or not dt:
            raise TaskError(
                f"NeuralODE got steps={steps} and dt={dt}.",
                fix="give at least 2 steps, the beginning counted, and the time between them",
            )
        self.arguments: dict[str, Any] = {
            "size": size,
            "steps": steps,
            "dt": dt,
            "num_hiddens": list(num_hiddens),
            "timed": timed,
            "method": method,
            "substeps": substeps,
            "adjoint": adjoint,
        }
        self.size, self.method, self.substeps, self.adjoint = size, method, substeps, adjoint
        self.rate = Rate(size, num_hiddens, timed=timed)
        self.times: Tensor
        # Not saved with the weights: the arguments say it.
        self.register_buffer("times", torch.arange(steps) * float(dt), persistent=False)

    def groups(self) -> list[nn.Module]:
        """What the rate is made from, and the layer that makes it: parts for fine-tuning.

        A network trained on a simulation knows how states hang together; with a few real points the
        last layer alone learns what the simulation has wrong.
        """
        return [self.rate.layers[:-1], self.rate.layers[-1]]

    def forward(self, y0: Float[Tensor, "batch size"]) -> Float[Tensor, "batch steps size"]:
        """The states at all times, the first of them `y0`.

        Raises:
            TaskError: the states have another size.
        """
        if y0.ndim != 2 or y0.shape[1] != self.size:
            raise TaskError(
                f"NeuralODE got states of shape {tuple(y0.shape)}; (batch, {self.size}) was "
                "expected.",
                fix="give the state at the beginning only, or build it with another size=",
            )
        solver = solve_adjoint if self.adjoint else solve
        states = solver(self.rate, y0, self.times, method=self.method, substeps=self.substeps)
        return states.movedim(0, 1)
