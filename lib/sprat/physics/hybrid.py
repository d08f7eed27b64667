"""Known physics with a network for what is missing: a universal differential equation.

The rate of change is what the equations say plus what a network adds. Far fewer measurements are
needed than for a network alone, and what the network has learnt is the missing term, which can be
looked at. Rackauckas et al., "Universal Differential Equations for Scientific Machine Learning"
(2020).
"""

from collections.abc import Sequence

import torch
from torch import nn

from sprat.errors import TaskError
from sprat.physics.solvers import Field
from sprat.shapes import Float, Tensor


class Hybrid(nn.Module):
    """dy/dt = known(t, y) + correction(t, y), the correction on chosen parts of the state only.

    It begins as the known physics: the weights of the correction's last linear layer are set to 0.

    Args:
        known: the equations that are known. If it is a module, its parameters are learned too.
        correction: a module of (t, y) that gives as many numbers as `acts_on` names, such as
            ``sprat.models.node.Rate(size, num_outputs=1)``.
        acts_on: which parts of the state's rate of change it corrects, by index. A force changes
            velocities, not positions: for a pendulum, ``[1]``.

    Raises:
        TaskError: `acts_on` is empty or names a part twice.
    """

    def __init__(self, known: Field, correction: nn.Module, acts_on: Sequence[int]) -> None:
        super().__init__()
        if not acts_on or len(set(acts_on)) < len(acts_on) or min(acts_on) < 0:
            raise TaskError(
                f"Hybrid got acts_on={list(acts_on)}.",
                fix="name the corrected parts of the state by index, each once, such as [1]",
            )
        self.known, self.correction, self.acts_on = known, correction, list(acts_on)
        linear = [m for m in correction.modules() if isinstance(m, nn.Linear)]
        if linear:
            nn.init.zeros_(linear[-1].weight)
            if linear[-1].bias is not None:
                nn.init.zeros_(linear[-1].bias)

    def forward(
        self, t: Float[Tensor, ""], y: Float[Tensor, "*batch size"]
    ) -> Float[Tensor, "*batch size"]:
        """The rate of change.

        Raises:
            TaskError: the correction gives another number of columns than `acts_on` has.
        """
        added = self.correction(t, y)
        if added.shape != (*y.shape[:-1], len(self.acts_on)):
            raise TaskError(
                f"The correction gave {tuple(added.shape)} for states {tuple(y.shape)}; its last "
                f"axis should have {len(self.acts_on)}, one for each of acts_on.",
                fix=f"build it with num_outputs={len(self.acts_on)}",
            )
        if max(self.acts_on) >= y.shape[-1]:
            raise TaskError(
                f"acts_on={self.acts_on}, but a state has {y.shape[-1]} numbers.",
                fix=f"use indices from 0 to {y.shape[-1] - 1}",
            )
        parts = list(self.known(t, y).unbind(-1))
        for i, part in zip(self.acts_on, added.unbind(-1), strict=True):
            parts[i] = parts[i] + part
        return torch.stack(parts, -1)
