"""Augmentation as a callback: every training batch, once it is encoded."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from sprat.ahead import Ahead
from sprat.augment.compose import augment
from sprat.augment.geometry import Geometric
from sprat.augment.place import Choice, choose
from sprat.augment.policy import RandAugment
from sprat.augment.view import Transform, View
from sprat.blocks import Block, Image, Keypoints, Mask, Several
from sprat.callbacks import Callback
from sprat.data import Batch
from sprat.errors import TaskError
from sprat.snapshot import generators
from sprat.task import Task

if TYPE_CHECKING:
    from sprat.learner import Learner


class Augment(Callback):
    """Augment every training batch, after it is encoded.

    Targets follow where the task's target is a `Mask`, or `Keypoints` encoded by `ScalePoints`, or
    a tuple in which these are parts; any other target stays as it is.

    Args:
        *transforms: applied in order.
        generator: where the randomness comes from, on the device where it runs; torch's by default.
        device: None augments where the batch is, on the learner's device; ``"cpu"`` on the CPU in a
            thread, ahead of the step, with the same results (see ``sprat/ahead.py``); ``"auto"``
            measures at the first fit which is faster, and says so.

    Attributes:
        choice: what ``"auto"`` chose and why, from the first fit on. A fit that is taken up keeps
            to what the interrupted one chose.

    Raises:
        TaskError: `device` is none of these, the generator is on another one, or a transform is
            none.
    """

    writes: ClassVar = {"batch", "loaders"}  # the latter where it works ahead

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
        if device == "cpu" and generator is not None and generator.device.type != "cpu":
            raise TaskError(
                f"Augment got device='cpu' and a generator on {generator.device}.",
                fix="pass generator=torch.Generator()",
            )
        self.transforms, self.generator, self.device = transforms, generator, device
        self.choice: Choice | None = None
        self._kept: dict[str, Any] = {}

    def fit_begin(self, learn: "Learner") -> None:
        """Refuse input that is no picture, and choose where to run.

        Raises:
            TaskError: the encoded input has no four axes; or several processes share each batch,
                which nobody can do ahead.
        """
        block = learn.task and learn.task.encoded(learn.task.input)
        if learn.task is not None and not hasattr(block, "channels"):
            raise TaskError(
                f"Augment changes pictures; the input is {learn.task.input}.",
                fix="leave it out, or write a callback for this kind of input",
            )
        if sum(isinstance(part, Mask) for part in _parts(learn.task)) > 1:
            raise TaskError(
                "Augment moves one mask with a picture; the target has several.",
                fix="make one mask of them, with a class for each combination",
            )
        moves = any(
            isinstance(transform, (Geometric, RandAugment)) for transform in self.transforms
        )
        if moves and any(isinstance(part, Image) for part in _parts(learn.task)):
            raise TaskError(
                "Augment moves the picture that goes in; the target is a picture that stays.",
                fix="leave out what moves pixels (flips, crops, Affine, Perspective)",
            )
        if self.device == "cpu" and learn.group is not None:
            raise TaskError(
                "Augment got device='cpu', and several processes share each batch.",
                fix="leave device= out: each process augments its own part beside the model",
            )
        splits = {phase.split for phase in learn.phases if phase.trains}
        if self.device == "auto" and splits:
            self._choose(learn, min(splits))
        if self.device == "cpu" or (self.choice and self.choice.on_cpu):
            self._go_ahead(learn, splits)

    def _choose(self, learn: "Learner", split: str) -> None:
        """Measure where to run, unless that is settled."""
        if learn.resumed is not None and (kept := learn.resumed.callback_state(self, learn)):
            self.choice = Choice(**kept["choice"])
        if self.choice is not None:
            return
        self.choice = choose(
            learn,
            learn.loader(split),
            lambda batch, generator: self.changed(learn, batch, generator),
        )
        if learn.progress:
            from sprat.progress import canvas

            canvas().finish(str(self.choice))

    def _go_ahead(self, learn: "Learner", splits: set[str]) -> None:
        """Let loaders give batches that are augmented already."""
        others = [
            generator
            for name, generator in generators(learn).items()
            if name.startswith(("learner", "phase", "callback"))
        ]
        shared = sum(other is self.generator for other in others) > 1  # once it is its own
        self._kept = {split: learn.loaders[split] for split in splits}
        for split, loader in self._kept.items():
            learn.loaders[split] = Ahead(
                loader,
                lambda raw, generator: self._prepared(learn, raw, generator),
                generator=self.generator,
                shared=shared,
            )

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
        parts = _parts(learn.task)
        several = len(parts) > 1
        y = list(batch.y) if several else [batch.y]
        mask = next(
            (value for value, part in zip(y, parts, strict=True) if isinstance(part, Mask)), None
        )
        found = [
            v.unflatten(1, (-1, 2))
            for v, p in zip(y, parts, strict=True)
            if isinstance(p, Keypoints)
        ]
        points = torch.cat(found, 1) if found else None
        with torch.no_grad():
            view = augment(View(batch.x, mask, points), self.transforms, generator=generator)
        moved = iter(
            () if view.points is None else view.points.split([p.shape[1] for p in found], 1)
        )
        for place, part in enumerate(parts):
            if isinstance(part, Mask):
                y[place] = view.mask
            elif isinstance(part, Keypoints):
                y[place] = next(moved).flatten(1)
        return Batch(view.image, tuple(y) if several else y[0], batch.index)

    def _prepared(self, learn: "Learner", raw: Batch, generator: torch.Generator | None) -> Batch:
        """What happens ahead, in the thread."""
        batch = learn.task.encode(raw) if learn.task else raw
        return self.changed(learn, batch, generator)

    def state_dict(self) -> dict[str, Any]:
        """What ``"auto"`` chose; generators are kept with all others."""
        return {} if self.choice is None else {"choice": asdict(self.choice)}


def _parts(task: Task | None) -> tuple[Block | None, ...]:
    """The blocks of a task's target: of a tuple all, else the one."""
    target = task.target if task else None
    return target.parts if isinstance(target, Several) else (target,)


def check_transforms(given: tuple[Any, ...]) -> None:
    """Refuse what is no transform.

    Raises:
        TaskError: what was found, and what to pass.
    """
    for part in given:
        if not isinstance(part, Transform):
            raise TaskError(
                f"Augment got {part!r}; transforms were expected.",
                fix="leave the brackets out: sprat.Augment(sprat.augment.Flip())"
                if isinstance(part, (list, tuple))
                else "pass objects such as sprat.augment.Flip(), one after the other",
            )
