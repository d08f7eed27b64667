"""Checks before the first step, so that a mistake is named at once and not by a torch traceback."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.data import Batch, head
from sprat.errors import TaskError, TrainingError
from sprat.loader import Loader, first_batch
from sprat.metrics import Metric
from sprat.phases import Phase, TrainPhase

if TYPE_CHECKING:
    from sprat.learner import Learner

FEW = 64
MAX_LR = 1e30  # beyond it the weights overflow in the first step, inside of torch


def check_parts(phases: Any, metrics: Any, optimizer: Any) -> None:
    """Refuse parts of a learner that are of another kind, before an hour has gone into the others.

    Args:
        phases: what was given as ``phases=``.
        metrics: what was given as ``metrics=``.
        optimizer: what was given as ``optimizer=``.

    Raises:
        TaskError: what was found, what was expected, and what mends it.
    """
    wrong = _wrong(phases, lambda phase: isinstance(phase, Phase))
    if wrong:
        raise TaskError(
            f"phases is {wrong}; a list of Phase objects was expected.",
            fix="pass phases=(sprat.TrainPhase(), sprat.ValidPhase()), with the brackets",
        )
    wrong = _wrong(metrics, lambda metric: callable(metric) or isinstance(metric, Metric))
    if wrong:
        raise TaskError(
            f"metrics is {wrong}; a list of functions or Metric objects was expected.",
            fix="pass metrics=[sprat.metrics.accuracy], with the brackets",
        )
    if not callable(optimizer) and not isinstance(optimizer, Mapping):
        name = type(optimizer).__name__
        raise TaskError(
            f"optimizer is a {name}; a class, or a dict of optimisers, was expected.",
            fix=f'pass optimizer={{"main": your {name}}}'
            if isinstance(optimizer, torch.optim.Optimizer)
            else "pass optimizer=torch.optim.AdamW, without quotes or brackets",
        )


def _wrong(given: Any, right: Callable[[Any], bool]) -> str:
    """What is wrong with a list, or nothing."""
    if given is None:
        return ""
    if not isinstance(given, Sequence) or isinstance(given, str):
        return repr(given)
    return next((f"a list with {part!r}" for part in given if not right(part)), "")


def check_plan(epochs: Any, lr: Any) -> None:
    """Refuse a number of epochs or a learning rate that is none.

    Raises:
        TrainingError: what was found, what was expected, and what mends it.
    """
    if not isinstance(epochs, Integral) or epochs < 0:
        raise TrainingError(
            f"epochs is {epochs!r}; a whole number was expected.", fix="give 1 or more"
        )
    if lr is not None and not (isinstance(lr, Real) and 0 <= float(lr) <= MAX_LR):
        raise TrainingError(
            f"lr is {lr!r}; a number from 0 to {MAX_LR:g} was expected.",
            fix="give a small one, such as 1e-3; learn.lr_find() suggests one",
        )


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
            learn.task.check(Batch(head(data.x, FEW), data.y))


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
