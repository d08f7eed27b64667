"""A student that agrees with the average of its own past: the mean teacher.

Tarvainen and Valpola, "Mean teachers are better role models" (2017), section 2. The data is as
for `FixMatchPhase`: ``{"train": labelled, "unlabelled": the_rest, "valid": valid}``.
"""

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sprat.augment import Transform, View, augment
from sprat.data import Batch
from sprat.phases import TrainPhase
from sprat.phases.parts import Stream

if TYPE_CHECKING:
    from sprat.learner import Learner, State


class MeanTeacherPhase(TrainPhase):
    """Learn from labels, and to say what the teacher says to the same picture, changed otherwise.

    The teacher is a copy of the model whose weights follow the student's slowly. An epoch is one
    pass over the unlabelled part. Measure the teacher with ``ValidPhase(phase.measure)``.

    Args:
        transforms: change each picture, once for the student and once for the teacher.
        decay: how much of the teacher stays at each step, 0…1.
        weight: of the consistency loss, once it has risen.
        rising_steps: steps in which that weight rises from nothing, as exp(−5(1−t)²).
        labelled: the part of the data with labels.
        unlabelled: the part without; targets in it are not looked at.
        generator: where the transforms' randomness comes from, on the learner's device.

    Attributes:
        teacher: the copy, from the first step on.
    """

    def __init__(
        self,
        transforms: Sequence[Transform],
        *,
        decay: float = 0.99,
        weight: float = 10.0,
        rising_steps: int = 100,
        labelled: str = "train",
        unlabelled: str = "unlabelled",
        generator: torch.Generator | None = None,
    ) -> None:
        self.transforms, self.decay = tuple(transforms), decay
        self.weight, self.rising_steps, self.generator = weight, rising_steps, generator
        self.split, self.labelled = unlabelled, Stream(labelled)
        self.teacher: nn.Module | None = None
        self._of: list[nn.Parameter] = []  # the weights that it follows
        self.steps = 0

    def step(self, learn: "Learner", batch: Batch) -> "State":
        """The student learns, then the teacher follows it a little."""
        known, teacher = self.labelled.next(learn), self._teacher(learn).train()
        with torch.no_grad():
            goal = teacher(self._changed(batch.x)).softmax(1)  # (B, classes)
        x = torch.cat([self._changed(known.x), self._changed(batch.x)])
        logits, others = learn.model(x).split([len(known), len(batch)])
        supervised = learn.loss(logits, known.y)
        consistency = (others.softmax(1) - goal).square().sum(1).mean()
        rise = math.exp(-5 * (1 - min(1.0, self.steps / max(1, self.rising_steps))) ** 2)
        state = learn.update(
            loss=supervised + self.weight * rise * consistency,
            supervised=supervised,
            consistency=consistency,
            y_hat=others,
        )
        self.steps += 1
        self._follow(learn.model)
        return state

    def measure(self, learn: "Learner", batch: Batch) -> "State":
        """The teacher's loss and outputs on a labelled batch; nothing learns."""
        y_hat = self._teacher(learn).train(learn.phase.trains)(batch.x)
        return learn.update(loss=learn.loss(y_hat, batch.y), y_hat=y_hat)

    def _teacher(self, learn: "Learner") -> nn.Module:
        weights = list(learn.model.parameters())
        if self.teacher is not None and list(map(id, weights)) != list(map(id, self._of)):
            self.teacher, self.steps = None, 0  # another model, or a new part of it
        if self.teacher is None:
            self.teacher, self._of = copy.deepcopy(learn.model).requires_grad_(False), weights
        return self.teacher

    @torch.no_grad()
    def _follow(self, student: nn.Module) -> None:
        """Weights by a moving average; counts and running statistics are the student's."""
        assert self.teacher is not None
        # Early on the average is a plain one, so that the random start is soon forgotten.
        decay = min(self.decay, 1 - 1 / (self.steps + 1))
        for mine, theirs in zip(self.teacher.parameters(), student.parameters(), strict=True):
            mine.lerp_(theirs, 1 - decay)
        for state, now in zip(self.teacher.buffers(), student.buffers(), strict=True):
            state.copy_(now)

    def state_dict(self) -> dict[str, Any]:
        """The teacher, how many steps it has followed, and where the labelled batches stand."""
        teacher = {} if self.teacher is None else dict(self.teacher.state_dict())
        return {
            "teacher": teacher, "steps": self.steps, "labelled": self.labelled.state_dict(),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any], learn: "Learner") -> None:
        """Go on from there."""
        self.teacher, self.steps = None, state["steps"]
        if state["teacher"]:
            self._teacher(learn).load_state_dict(state["teacher"])
        self.labelled.load_state_dict(state["labelled"], learn)

    def _changed(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return augment(View(x), self.transforms, generator=self.generator).image
