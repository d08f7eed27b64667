"""Augmentation as a callback: every training batch, once it is on the device."""

from typing import TYPE_CHECKING, ClassVar

import torch

from sprat.augment.compose import augment
from sprat.augment.view import Transform, View
from sprat.blocks import Keypoints, Mask
from sprat.callbacks import Callback
from sprat.data import Batch
from sprat.errors import TaskError

if TYPE_CHECKING:
    from sprat.learner import Learner


class Augment(Callback):
    """Augment every training batch, after it is encoded and on the device.

    Targets follow where the task's target is a `Mask`, or `Keypoints` encoded by `ScalePoints`;
    any other target stays as it is.

    Args:
        *transforms: applied in order.
        generator: where the randomness comes from, on the learner's device; torch's by default.
    """

    writes: ClassVar = {"batch"}

    def __init__(self, *transforms: Transform, generator: torch.Generator | None = None) -> None:
        self.transforms, self.generator = transforms, generator

    def fit_begin(self, learn: "Learner") -> None:
        """Refuse input that is no picture.

        Raises:
            TaskError: the encoded input has no four axes.
        """
        block = learn.task and learn.task.encoded(learn.task.input)
        if learn.task is not None and not hasattr(block, "channels"):
            raise TaskError(
                f"Augment changes pictures; the input is {learn.task.input}.",
                fix="leave it out, or write a callback for this kind of input",
            )

    def step_begin(self, learn: "Learner") -> None:
        """Change the batch where the phase trains."""
        if not learn.phase.trains:
            return
        batch, target = learn.batch, learn.task.target if learn.task else None
        mask = batch.y if isinstance(target, Mask) else None
        points = batch.y.unflatten(1, (-1, 2)) if isinstance(target, Keypoints) else None
        with torch.no_grad():
            view = augment(View(batch.x, mask, points), self.transforms, generator=self.generator)
        y = batch.y
        if view.mask is not None:
            y = view.mask
        elif view.points is not None:
            y = view.points.flatten(1)
        learn.batch = Batch(view.image, y, batch.index)
