"""Augmentation as a callback: every training batch, once it is encoded."""

from typing import TYPE_CHECKING, Any, ClassVar

import torch

from sprat.augment.compose import augment
from sprat.augment.place import Ahead, Choice, choose
from sprat.augment.view import Transform, View
from sprat.blocks import Keypoints, Mask
from sprat.callbacks import Callback
from sprat.data import Batch
from sprat.errors import TaskError

if TYPE_CHECKING:
    from sprat.learner import Learner


class Augment(Callback):
    """Augment every training batch, after it is encoded.

    Targets follow where the task's target is a `Mask`, or `Keypoints` encoded by `ScalePoints`;
    any other target stays as it is.

    Args:
        *transforms: applied in order.
        generator: where the randomness comes from, on the device where it runs; torch's by default.
        device: None augments where the batch is, on the learner's device; ``"cpu"`` on the CPU in a
            thread, ahead of the step (whoever stops in mid-epoch finds the generator ahead too);
            ``"auto"`` measures at the first fit which is faster, and says so.

    Attributes:
        choice: what ``"auto"`` chose and why, from the first fit on.

    Raises:
        TaskError: `device` is none of these, the generator is on another one, or a transform is
            none.
    """

    writes: ClassVar = {"batch"}

    def __init__(
        self,
        *transforms: Transform,
        generator: torch.Generator | None = None,
        device: str | None = None,
    ) -> None:
        check_transforms(transforms)
        if device not in (None, "cpu", "auto"):
            raise TaskError(
                f"Augment got device={device!r}.",
                fix='use None, "cpu", or "auto" to let it measure',
            )
        if device == "auto" and generator is not None:
            raise TaskError(
                "Augment got a generator, which is of one device, and device='auto'.",
                fix="leave out one of the two",
            )
        self.transforms, self.generator, self.device = transforms, generator, device
        self.choice: Choice | None = None
        self._kept: dict[str, Any] = {}

    def fit_begin(self, learn: "Learner") -> None:
        """Refuse input that is no picture, and choose where to run.

        Raises:
            TaskError: the encoded input has no four axes.
        """
        block = learn.task and learn.task.encoded(learn.task.input)
        if learn.task is not None and not hasattr(block, "channels"):
            raise TaskError(
                f"Augment changes pictures; the input is {learn.task.input}.",
                fix="leave it out, or write a callback for this kind of input",
            )
        splits = {phase.split for phase in learn.phases if phase.trains}
        if self.device == "auto" and self.choice is None and splits:
            self.choice = choose(
                learn,
                learn.loader(min(splits)),
                lambda batch, generator: self.changed(learn, batch, generator),
            )
            if learn.progress:
                from sprat.progress import canvas

                canvas().finish(str(self.choice))
        if self.device == "cpu" or (self.choice and self.choice.on_cpu):
            self._kept = {split: learn.loaders[split] for split in splits}
            for split, loader in self._kept.items():
                learn.loaders[split] = Ahead(loader, lambda raw: self._prepared(learn, raw))

    def fit_end(self, learn: "Learner") -> None:
        """Give the learner its own loaders back."""
        learn.loaders.update(self._kept)
        self._kept = {}

    def step_begin(self, learn: "Learner") -> None:
        """Change the batch where the phase trains, unless that was done ahead."""
        if learn.phase.trains and not self._kept:
            learn.batch = self.changed(learn, learn.batch, self.generator)

    def changed(
        self, learn: "Learner", batch: Batch, generator: torch.Generator | None = None
    ) -> Batch:
        """An encoded batch, augmented: another one, on the same device."""
        target = learn.task.target if learn.task else None
        mask = batch.y if isinstance(target, Mask) else None
        points = batch.y.unflatten(1, (-1, 2)) if isinstance(target, Keypoints) else None
        with torch.no_grad():
            view = augment(View(batch.x, mask, points), self.transforms, generator=generator)
        y = batch.y
        if view.mask is not None:
            y = view.mask
        elif view.points is not None:
            y = view.points.flatten(1)
        return Batch(view.image, y, batch.index)

    def _prepared(self, learn: "Learner", raw: Batch) -> Batch:
        """What happens ahead, in the thread."""
        batch = learn.task.encode(raw) if learn.task else raw
        return self.changed(learn, batch, self.generator)


def check_transforms(given: tuple[Any, ...]) -> None:
    """Refuse what is no transform.

    Raises:
        TaskError: what was found, and what to pass.
    """
    for part in given:
        if not isinstance(part, Transform):
            raise TaskError(
                f"Augment got {part!r}; transforms were expected.",
                fix="pass objects such as sprat.augment.Flip(), one after the other",
            )
