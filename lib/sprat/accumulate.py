"""Gradient accumulation: the step of a large batch, from several that fit into memory."""

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from sprat import optim
from sprat.callbacks import Callback
from sprat.errors import TrainingError
from sprat.kinds import is_whole

if TYPE_CHECKING:
    from sprat.learner import Learner


class Accumulate(Callback):
    """Gather the gradients of several batches before the weights move.

    The gradient is the mean over all samples gathered, whatever the sizes of the batches, so the
    weights move as for one large batch: also where the last batch of an epoch is smaller, and where
    the last group has fewer batches, after which they move at the end of the phase. Only layers
    that look at other samples of their batch (batch normalisation) can tell the difference.

    The loss has to be a mean over the samples of its batch, or over what `sprat.weighing` sees; a
    sum of means over different things, such as two weighted losses, counts by samples here. The
    learning rate is the large batch's; schedules count batches, not moves of the weights.

    Args:
        batches: how many to gather.

    Raises:
        TrainingError: `batches` is below 1.
    """

    writes: ClassVar = {"descent"}

    def __init__(self, batches: int) -> None:
        if not is_whole(batches) or batches < 1:
            raise TrainingError(f"batches is {batches!r}.", fix="give a whole number, 1 or more")
        self.batches = batches
        # Gathered; samples of the first, or what its loss is a mean over; of all of them.
        self.count = 0
        self.first: Any = 1
        self.samples: Any = 0

    def fit_begin(self, learn: "Learner") -> None:
        """Take the place of the ordinary step.

        Raises:
            TrainingError: the learner has several optimisers. The backward of one leaves gradients
                on the weights of the others, which must not be gathered.
        """
        if len(learn.optimizers) > 1:
            raise TrainingError(
                f"Accumulate can't serve {len(learn.optimizers)} optimisers at once.",
                fix="leave it out and give a smaller batch_size, with lower learning rates",
            )
        self.learn, self.count = learn, 0
        learn.descend = self.descend

    def fit_end(self, learn: "Learner") -> None:
        """Give the place back."""
        learn.descend = optim.descend

    def descend(self, learn: "Learner", loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Add the gradient of one batch; with the last of a group, move the weights."""
        over = learn.weighed.over  # the recorder takes it at the end of the step
        size: Any = len(learn.batch) if over is None else over
        if self.count == 0:
            optimizer.zero_grad(set_to_none=True)
            self.first, self.samples = size, 0
        # Weighted against the first batch and not by its size, which could overflow in fp16.
        share = size / self.first
        plain = not isinstance(share, Tensor) and share == 1.0
        learn.scaler.scale(loss if plain else loss * share).backward()
        self.count, self.samples = self.count + 1, self.samples + size
        if self.count == self.batches:
            self._move(learn, optimizer)

    def phase_end(self, learn: "Learner") -> None:
        """Move with what has been gathered, where the last group was not filled."""
        if self.count:
            self._move(learn, next(iter(learn.optimizers.values())))

    def _move(self, learn: "Learner", optimizer: torch.optim.Optimizer) -> None:
        groups = optimizer.param_groups
        gradients = [p.grad for group in groups for p in group["params"] if p.grad is not None]
        if gradients and (isinstance(self.samples, Tensor) or self.samples != self.first):
            torch._foreach_mul_(gradients, self.first / self.samples)
        self.count = 0
        optim.move(learn, optimizer)

    def state_dict(self) -> dict[str, Any]:
        """What has been gathered: a checkpoint may fall between two moves."""
        gradients = {}
        if self.count:
            named = self.learn.model.named_parameters()
            gradients = {name: p.grad for name, p in named if p.grad is not None}
        numbers = [self.count, self.first, self.samples]
        return {"gradients": gradients, "numbers": numbers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.count, self.first, self.samples = state["numbers"]
        for name, weight in self.learn.model.named_parameters():
            if name in state["gradients"]:
                weight.grad = state["gradients"][name].to(weight.device)
