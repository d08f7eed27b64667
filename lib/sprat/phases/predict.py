"""Prediction as a phase: outputs of every sample, with callbacks looking on."""

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from sprat.callbacks import Callback
from sprat.data import Batch
from sprat.errors import TrainingError
from sprat.phases import Phase

if TYPE_CHECKING:
    from sprat.learner import Learner, State


class PredictPhase(Phase):
    """Run the model over a part of the data, targets or not: no loss, no gradients, no metrics.

    Among a learner's phases it predicts once an epoch; alone it runs by ``learn.run``:

        gather = Gather()
        with learn.listening([gather]):
            learn.run(sp.PredictPhase("test"))
        gather.y_hat  # (N, …)

    Args:
        split: the part of the data to predict.
    """

    name = "predict"

    def __init__(self, split: str = "valid") -> None:
        self.split = split

    def step(self, learn: "Learner", batch: Batch) -> "State":
        """Name what the model puts out."""
        return {"y_hat": learn.model(batch.x)}


class Gather(Callback):
    """Keep what a prediction names: after the phase it stands in ``y_hat``, ``y`` and ``index``.

    Attributes:
        y_hat: raw outputs, (N, …), on the CPU, in the order of the batches.
        y: encoded targets, (N, …), or None where a batch had none.
        index: where in its `Data` each sample stands, (N,), or None where the loader does not say.
    """

    reads: ClassVar = {"batch", "y_hat"}

    y_hat: Tensor | None = None
    y: Tensor | None = None
    index: Tensor | None = None

    def phase_begin(self, learn: "Learner") -> None:
        """Forget the phase before, if this one predicts."""
        if isinstance(learn.phase, PredictPhase):
            self._kept: dict[str, list[Any]] = {"y_hat": [], "y": [], "index": []}

    def step_end(self, learn: "Learner") -> None:
        """Take one batch in.

        Raises:
            TrainingError: the model puts out something else than one tensor.
        """
        if not isinstance(learn.phase, PredictPhase):
            return
        y_hat = learn.state["y_hat"]
        if not isinstance(y_hat, Tensor):
            raise TrainingError(
                f"The model puts out a {type(y_hat).__name__}; Gather keeps tensors.",
                fix="write a callback that keeps learn.state['y_hat'] in step_end",
            )
        for name, value in (
            ("y_hat", y_hat.detach()),
            ("y", learn.batch.y),
            ("index", learn.batch.index),
        ):
            self._kept[name].append(value)

    def phase_end(self, learn: "Learner") -> None:
        """Join the batches. The one place that waits for the device."""
        if isinstance(learn.phase, PredictPhase):
            self.y_hat = _joined(self._kept["y_hat"])
            self.y, self.index = _joined(self._kept["y"]), _joined(self._kept["index"])


def _joined(parts: list[Any]) -> Tensor | None:
    if not parts or not all(isinstance(part, Tensor) for part in parts):
        return None
    return torch.cat(parts).cpu()
