"""Gradients of a solution without keeping its steps: the adjoint method.

Backpropagation through a solver keeps every step in memory. The adjoint method keeps the end only,
and solves backwards in time for the state y, for the loss's sensitivity to it, a = dL/dy, and for
the gradient of the parameters θ:

    da/dt = −aᵀ ∂f/∂y        dg/dt = −aᵀ ∂f/∂θ

Memory does not grow with the number of steps. The gradient is that of the exact equation, not of
the solver's steps, so the two differ by the solver's error. Pontryagin (1962); Chen, Rubanova,
Bettencourt and Duvenaud, "Neural Ordinary Differential Equations" (2018), section 2.
"""

from typing import Any

import torch
from torch import Tensor, nn

from sprat.physics.solvers import STEPS, solve
from sprat.shapes import Float


def solve_adjoint(
    f: nn.Module,
    y0: Float[Tensor, "*state"],
    times: Float[Tensor, " times"],
    *,
    method: str = "rk4",
    substeps: int = 1,
) -> Float[Tensor, "times *state"]:
    """What `solve` gives, with gradients for `y0` and the parameters by the adjoint method.

    Args:
        f: a module, because its parameters have to be known; called as ``f(t, y)``.
        y0: the state at ``times[0]``.
        times: rising or falling; no gradient flows to them.
        method: as for `solve`.
        substeps: as for `solve`, in both directions.
    """
    parameters = [p for p in f.parameters() if p.requires_grad]
    states: Tensor = _Adjoint.apply(f, method, substeps, times, y0, *parameters)
    return states


class _Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, f: nn.Module, method: str, substeps: int, times: Tensor, y0: Tensor, *_: Tensor
    ) -> Tensor:
        with torch.no_grad():
            states = solve(f, y0, times, method=method, substeps=substeps)
        ctx.f, ctx.method, ctx.substeps = f, method, substeps
        ctx.save_for_backward(times, states)
        return states

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        times, states = ctx.saved_tensors
        parameters = [p for p in ctx.f.parameters() if p.requires_grad]
        shapes = [states[0].shape, states[0].shape, *(p.shape for p in parameters)]

        def pack(parts: list[Tensor]) -> Tensor:
            return torch.cat([part.reshape(-1) for part in parts])

        def unpack(flat: Tensor) -> list[Tensor]:
            sizes = [shape.numel() for shape in shapes]
            return [p.reshape(s) for p, s in zip(flat.split(sizes), shapes, strict=True)]

        def backwards(t: Tensor, flat: Tensor) -> Tensor:
            y, a, *_ = unpack(flat)
            with torch.enable_grad():
                y = y.detach().requires_grad_()
                rate = ctx.f(t, y)
                slopes = torch.autograd.grad(
                    rate, [y, *parameters], a, allow_unused=True, materialize_grads=True
                )
            return pack([rate.detach(), *(-slope for slope in slopes)])

        step = STEPS[ctx.method]
        a = torch.zeros_like(states[0])
        sums = [torch.zeros_like(p) for p in parameters]
        for i in range(len(times) - 1, 0, -1):
            a = a + grads[0][i]
            # The stored state, not one carried backwards: errors do not pile up over the times.
            flat = pack([states[i], a, *sums])
            h = (times[i - 1] - times[i]) / ctx.substeps
            for k in range(ctx.substeps):
                flat = step(backwards, times[i] + k * h, flat, h)
            _, a, *sums = unpack(flat)
        return (None, None, None, None, a + grads[0][0], *sums)
