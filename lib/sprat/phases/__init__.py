"""Phases: what happens to a batch. A new kind of training is a phase with its own `step`.

    Phase
    ├── TrainPhase           the model learns: gradients on, `Learner.update` moves the weights
    │   ├── VAEPhase         codes and redraws its inputs                        (vae.py)
    │   ├── GANPhase         two players with an optimiser each                  (gan.py)
    │   ├── DiffusionPhase   names the noise in a noisy sample                   (diffusion.py)
    │   ├── FixMatchPhase    few labels, and its own sure answers                (fixmatch.py)
    │   ├── MeanTeacherPhase few labels, and the average of its own past         (mean_teacher.py)
    │   └── RolloutPhase     a trajectory through a simulator                    (rollout.py)
    ├── ValidPhase           the model is measured: gradients off, `update` only takes note
    └── PredictPhase         outputs only: no loss, no targets needed            (predict.py)

`step` is the one function to override. It gets the learner and a batch, encoded and on the
learner's device, computes a loss, and hands it to ``learn.update(loss=..., anything=...)``.
Whatever is named there can be read by callbacks and metrics in any phase, and every number among
it is averaged into the history.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from sprat.data import Batch
from sprat.spelled import spelled

if TYPE_CHECKING:
    from sprat.learner import Learner, State


class Phase(ABC):
    """One pass over one part of the data.

    Attributes:
        name: what the history calls it: its loss is ``<name>_loss``.
        split: the part of the learner's data that it goes over, such as ``"train"``.
        trains: whether gradients are computed and the weights move.
        measures: whether the learner's metrics are computed.
        writes: names of the state that a step changes besides what `Learner.update` does, as of a
            callback; see `sprat.access`.
    """

    name = "phase"
    split = "train"
    trains = False
    measures = False
    writes: ClassVar[frozenset[str] | set[str]] = frozenset()

    def __repr__(self) -> str:
        return spelled(self)

    @abstractmethod
    def step(self, learn: "Learner", batch: Batch) -> "State":
        """What to do with one batch: compute a loss and return ``learn.update(loss=...)``."""

    def state_dict(self) -> dict[str, Any]:
        """What it keeps from step to step, for a checkpoint: plain values and tensors."""
        return {}

    def load_state_dict(  # noqa: B027 - most phases keep nothing
        self, state: dict[str, Any], learn: "Learner"
    ) -> None:
        """Go on from there; `learn` is the learner that is taken up."""


class TrainPhase(Phase):
    """Supervised training: predict, compare with the target, improve."""

    name = "train"
    split = "train"
    trains = True

    def step(self, learn: "Learner", batch: Batch) -> "State":
        """One step of gradient descent on the learner's loss."""
        y_hat = learn.model(batch.x)
        loss = learn.loss(y_hat, batch.y)
        return learn.update(loss=loss, y_hat=y_hat)


class ValidPhase(Phase):
    """Measure on the validation data, with dropout off and no gradients.

    Args:
        step: the `step` of another phase, to measure what that phase trains: with
            ``vae = VAETrain()``, ``phases=(vae, ValidPhase(vae.step))``.
    """

    name = "valid"
    split = "valid"
    measures = True

    def __init__(self, step: Callable[["Learner", Batch], Any] | None = None) -> None:
        self._step = step

    def step(self, learn: "Learner", batch: Batch) -> "State":
        """The loss of one batch; nothing learns."""
        if self._step is not None:
            return self._step(learn, batch)
        y_hat = learn.model(batch.x)
        loss = learn.loss(y_hat, batch.y)
        return learn.update(loss=loss, y_hat=y_hat)
