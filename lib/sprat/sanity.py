"""Checks before the first step, so that a mistake is named at once and not by a torch traceback."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.data import Batch
from sprat.errors import TaskError, TrainingError
from sprat.loader import Loader, first_batch
from sprat.phases import TrainPhase

if TYPE_CHECKING:
    from sprat.learner import Learner

FEW = 64


def check_data(learn: "Learner") -> None:
    """Refuse data in memory that is not what the task's blocks say: all targets, a few inputs.

    Raises:
        BlockError: what was found, what was expected, and what mends it.
    """
    if learn.task is None:
        return
    for loader in learn.loaders.values():
        if isinstance(loader, Loader):
            data = loader.data
            learn.task.check(Batch(data.x[:FEW], data.y))


@torch.no_grad()
def check_first_step(learn: "Learner") -> None:
    """Try the model and the loss on two samples, where the training step is the plain one.

    The model is in evaluation mode, so neither its statistics nor any random number change.

    Raises:
        TrainingError: the model can't take the input, or the loss can't take the output.
    """
    phase = next((p for p in learn.phases if p.trains), None)
    if phase is None or type(phase).step is not TrainPhase.step:
        return
    loader = learn.loader(phase.split)
    if not isinstance(loader, Loader):
        return  # a plain loader may be a stream, or random: a look would change what training sees
    batch = learn.encode(first_batch(loader, 2))
    learn.model.eval()
    y_hat = _try_model(learn, batch)
    try:
        loss = learn.loss(y_hat, batch.y)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise TrainingError(
            f"The loss can't compare outputs {_shape(y_hat)} with targets {_shape(batch.y)}: "
            f"{str(error).splitlines()[0]}",
            fix="give the model the outputs that the task needs "
            + (f"({learn.task.num_outputs})" if learn.task else "")
            + ", or pass another loss=",
        ) from error
    if not isinstance(loss, Tensor) or loss.ndim != 0:
        raise TrainingError(
            f"The loss is {_shape(loss)}; a tensor with no axes was expected.",
            fix="average it: loss.mean()",
        )


def _try_model(learn: "Learner", batch: Batch) -> Any:
    try:
        y_hat = learn.model(batch.x)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise TrainingError(
            f"{type(learn.model).__name__} can't take inputs of {_shape(batch.x)}: "
            f"{str(error).splitlines()[0]}",
            fix="build the model for this input (its channels, its size), or change the encodings",
        ) from error
    task = learn.task
    if task is not None and task.target is not None and isinstance(y_hat, Tensor):
        found, wanted = y_hat.shape[-1], _wanted(learn)
        if wanted is not None and y_hat.ndim == 2 and found != wanted:
            raise TrainingError(
                f"{type(learn.model).__name__} puts out {found} numbers a sample; {task.target} "
                f"needs {wanted}.",
                fix=f"build the model with num_outputs={wanted}",
            )
    return y_hat


def _wanted(learn: "Learner") -> int | None:
    try:
        return learn.task.num_outputs if learn.task else None
    except TaskError:
        return None


def _shape(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return type(value).__name__
