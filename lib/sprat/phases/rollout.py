"""Learning through a simulator: the loss of a whole trajectory, with gradients through its physics.

What is learnt may be a controller inside of a system (a force that keeps a pole up), the rate of
change itself (a neural ODE: Chen et al., 2018), or a few constants of known equations. The solver
is ``sprat.physics.solve``, and backpropagation goes through all its steps.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor, nn

from sprat.data import Batch
from sprat.errors import TrainingError
from sprat.phases import TrainPhase
from sprat.physics import Field, solve

if TYPE_CHECKING:
    from sprat.learner import Learner, State

Cost = Callable[[Tensor], Tensor]
"""A trajectory (B, T, D) to a tensor with no axes."""


class RolloutPhase(TrainPhase):
    """Let the simulation run from each initial state, and improve what the model does in it.

    Batches are initial states, (B, D). Callbacks find the trajectory in ``learn.state`` as
    ``y_hat`` and as ``trajectory``, (B, T, D), its first state the initial one.

    Args:
        times: at which the trajectory is wanted, (T,), in the system's unit of time.
        field: makes the rate of change, ``f(t, y)``, of the model; by default the model is it.
        cost: of a trajectory; by default the learner's loss compares it with the targets.
        method: of the solver: ``"euler"``, ``"midpoint"`` or ``"rk4"``.
        substeps: of the solver, from one of the times to the next.
    """

    def __init__(
        self,
        times: Tensor,
        *,
        field: Callable[[nn.Module], Field] = lambda model: model,
        cost: Cost | None = None,
        method: str = "rk4",
        substeps: int = 1,
    ) -> None:
        self.times, self.field, self.cost = times, field, cost
        self.method, self.substeps = method, substeps

    def step(self, learn: "Learner", batch: Batch) -> "State":
        """Simulate, judge, improve.

        Raises:
            TrainingError: there is neither a cost nor a target.
        """
        if self.cost is None and batch.y is None:
            raise TrainingError(
                "RolloutPhase has neither a cost nor targets to compare with.",
                fix="pass cost=, or data with trajectories (N, T, D) as y",
            )
        self.times = self.times.to(learn.device, non_blocking=True)
        states = solve(
            self.field(learn.model), batch.x, self.times, method=self.method, substeps=self.substeps
        )  # (T, B, D)
        trajectory = states.movedim(0, 1)
        judge = self.cost or (lambda path: learn.loss(path, batch.y))
        return learn.update(
            loss=judge(trajectory), y_hat=trajectory, trajectory=trajectory.detach()
        )
