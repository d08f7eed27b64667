"""Mistakes, named before the first step where that is possible, and else instead of torch.

What costs time is checked once, before training. The `explain_…` functions are called only when
something has failed already, so a step that works never pays for them.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.data import Batch, Data, head
from sprat.errors import DataError, SpratError, TaskError, TrainingError
from sprat.labels import check_labels
from sprat.loader import Loader, first_batch
from sprat.metrics import Metric
from sprat.phases import Phase, TrainPhase
from sprat.rows import Rows

if TYPE_CHECKING:
    from sprat.learner import Learner

FEW = 64
MAX_LR = 1e30  # beyond it the weights overflow in the first step, inside of torch

#: What torch raises for a wrong shape, type, device or index, and Python for a wrong value.
MISTAKES = (
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    KeyError,
    AssertionError,
)


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
    rates = lr if isinstance(lr, tuple) else (lr,)
    for rate in rates:
        if rate is not None and not (isinstance(rate, Real) and 0 <= float(rate) <= MAX_LR):
            raise TrainingError(
                f"lr is {rate!r}; a number from 0 to {MAX_LR:g} was expected.",
                fix="give a small one, such as 1e-3; learn.lr_find() suggests one",
            )
    if isinstance(lr, tuple) and (len(lr) != 2 or None in lr or not 0 < lr[0] <= lr[1]):
        raise TrainingError(
            f"lr is {lr}; (low, high) was expected: of the model's first part and of its last.",
            fix="give two rates above 0, the smaller first, such as (1e-5, 1e-3)",
        )


def check_data(learn: "Learner") -> None:
    """Refuse data in memory that is not what the task's blocks say: all targets, a few inputs.

    Of tables and plain numbers, which cost little, all inputs: each row is treated alike.

    Raises:
        BlockError: what was found, what was expected, and what mends it.
        DataError: a class is measured that the training part does not show.
    """
    if learn.task is None:
        return
    labelled: dict[str, Data] = {}
    for name, loader in learn.loaders.items():
        if isinstance(loader, Loader):
            data = loader.data
            if data.y is None and name not in ("train", "valid"):
                learn.task.check_input(_some(data.x))  # a part for phases that need no target
                continue
            learn.task.check(Batch(_some(data.x), data.y))
            labelled[name] = data
    if "train" in labelled and any(phase.trains for phase in learn.phases):
        check_labels(learn.task.target, labelled)


def _some(x: Any) -> Any:
    """All of a column that is cheap to look at, the first samples of another."""
    if isinstance(x, tuple):
        return tuple(map(_some, x))
    cheap = isinstance(x, Rows) or (isinstance(x, Tensor) and x.ndim <= 2)
    return x if cheap else head(x, FEW)


@torch.no_grad()
def check_first_step(learn: "Learner") -> None:
    """Try the model and the loss on two samples, where the training step is the plain one.

    The model is in evaluation mode, so neither its statistics nor any random number change.

    Raises:
        TrainingError: the model can't take the input, or the loss can't take the output.
    """
    for split in {phase.split for phase in learn.phases}:
        if len(learn.loader(split)) == 0:
            raise DataError(
                f"The {split} loader has no batches.",
                fix="check the data and its split; with drop_last=True, give a smaller batch_size",
            )
    phase = next((p for p in learn.phases if p.trains), None)
    if phase is None or type(phase).step is not TrainPhase.step:
        return
    loader = learn.loader(phase.split)
    if not isinstance(loader, Loader):
        return  # a plain loader may be a stream, or random: a look would change what training sees
    batch = learn.encode(first_batch(loader, 2))
    learn.model.eval()
    y_hat = _try_model(learn, batch)
    with warnings.catch_warnings():
        # Torch only warns where shapes (B, 1) and (B,) make it compare each with every other.
        warnings.filterwarnings("error", "Using a target size", UserWarning)
        try:
            loss = learn.loss(y_hat, batch.y)
        except UserWarning as warning:
            raise TrainingError(
                f"The loss compares outputs {shapes(y_hat)} with targets {shapes(batch.y)}, "
                "each with every other.",
                fix="give both the same shape: y[:, None] for the targets of one number each",
            ) from warning
    if not isinstance(loss, Tensor) or loss.ndim != 0:
        raise TrainingError(
            f"The loss is {shapes(loss)}; a tensor with no axes was expected.",
            fix="average it: loss.mean()",
        )


def _try_model(learn: "Learner", batch: Batch) -> Any:
    try:
        y_hat = learn.model(batch.x)
    except MISTAKES as error:
        raise model_refused(learn, batch, error) from error
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


def shapes(value: Any) -> str:
    """The type and shape of a value, and of each in a tuple."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, (tuple, list)) and value and isinstance(value[0], Tensor):
        return f"({', '.join(shapes(part) for part in value)})"
    return type(value).__name__


def model_refused(learn: "Learner", batch: Batch, error: Exception) -> TrainingError:
    """What is said where a model can't take a batch."""
    name, said = type(learn.model).__name__, _first_line(error)
    fix = "build the model for this input (its channels, its size), or change the encodings"
    if isinstance(batch.x, Mapping):
        fix = arranging(batch.x)
    if "device" in said:
        fix = "keep tensors of your own in buffers (register_buffer), which move with the model"
    elif "dtype" in said or "type" in said:
        fix = "encode the input to the model's type (sprat.ToFloat() for pictures), or x.float()"
    return TrainingError(f"{name} can't take inputs of {shapes(batch.x)}: {said}", fix=fix)


def arranging(batch: Mapping[Any, Any]) -> str:
    """What to do where a loader yields a dict, and inputs and targets are somewhere in it."""
    names = [*map(repr, batch), "'y'"][:2]
    return (
        f"say which is which of {', '.join(map(repr, batch))}: "
        f"sprat.Arranged(loader, x={names[0]}, y={names[1]})"
    )


def explain_loss(learn: "Learner", y_hat: Any, y: Any, error: Exception) -> None:
    """Name why a loss can't compare outputs with targets.

    Raises:
        TrainingError: what the shapes and types are, and what mends it.
    """
    if isinstance(error, (SpratError, torch.OutOfMemoryError)):
        return
    said = _first_line(error)
    if y is None:
        raise TrainingError(
            f"The loss has no targets to compare outputs {shapes(y_hat)} with.",
            fix=arranging(learn.batch.x)
            if isinstance(learn.batch.x, Mapping)
            else "give the data targets, sprat.Data(x, y), or pass a phase that needs none",
        ) from error
    fix = "give the model the outputs that the task needs " + (
        f"({_wanted(learn)})" if _wanted(learn) is not None else ""
    )
    fix = fix.rstrip() + ", or pass another loss="
    if "out of bounds" in said or "device-side assert" in said:
        fix = "let class indices run from 0 to one less than the number of outputs"
    elif isinstance(y, Tensor) and y.dtype == torch.int32:
        fix = "give class indices as int64: y.long()"
    raise TrainingError(
        f"The loss can't compare outputs {shapes(y_hat)} with targets {shapes(y)}: {said}", fix=fix
    ) from error


def explain_metric(metric: Metric, y_hat: Any, y: Any, error: Exception) -> None:
    """Name which metric can't compare outputs with targets.

    Raises:
        TrainingError: what the shapes and types are, and what mends it.
    """
    if isinstance(error, (SpratError, torch.OutOfMemoryError)):
        return
    raise TrainingError(
        f"The metric {metric.name} can't compare outputs {shapes(y_hat)} with targets {shapes(y)}: "
        f"{_first_line(error)}",
        fix="pass metrics=[...] that fit the task, or metrics=[] for none",
    ) from error


def explain_update(learn: "Learner", loss: Any, optimizer: str) -> None:
    """Name what is wrong with what a step gave to `Learner.update`, where it is something known.

    Raises:
        TrainingError: what was found, what was expected, and what mends it.
    """
    step = f"{type(learn.phase).__name__}.step"
    if learn.phase.trains and optimizer not in learn.optimizers:
        known = ", ".join(repr(name) for name in learn.optimizers)
        raise TrainingError(
            f"{step} asks for the optimiser {optimizer!r}; the learner has {known}.",
            fix='use one of them, or pass optimizer={"name": an_optimizer, ...} to Learner',
        )
    if not isinstance(loss, Tensor) or loss.ndim != 0:
        raise TrainingError(
            f"{step} gives the loss {shapes(loss)}; a tensor with no axes was expected.",
            fix="average it: loss.mean()" if isinstance(loss, Tensor) else "compute it with torch",
        )
    if learn.phase.trains and not loss.requires_grad:
        raise TrainingError(
            f"The loss of {step} has no gradient: no weight that learns has a part in it.",
            fix="compute it from the model's output without .detach(), .item(), argmax or "
            "torch.no_grad(), and unfreeze a weight: learn.unfreeze()",
        )


def explain_step(learn: "Learner", error: Exception) -> None:
    """Name why a step failed, where the model refused its input or memory ran out, or it is None.

    Raises:
        TrainingError: what was found, what was expected, and what mends it.
    """
    if isinstance(error, SpratError):
        return
    if isinstance(error, torch.OutOfMemoryError):
        raise TrainingError(
            f"The memory of {learn.device} does not suffice for {shapes(learn.batch.x)}.",
            fix="give a smaller batch_size, with callbacks=[Accumulate(4)] for the same steps; "
            'or precision="bf16"',
        ) from error
    if not isinstance(state := learn.state, dict):
        learn.state = {}
        raise TrainingError(
            f"{type(learn.phase).__name__}.step returned {shapes(state)}.",
            fix="end it with: return learn.update(loss=loss, y_hat=y_hat)",
        ) from error
    if _inside(learn.model, error):
        raise model_refused(learn, learn.batch, error) from error


def _inside(model: Any, error: Exception) -> bool:
    """Whether the error was raised below the model's own forward."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_locals.get("self") is model:
            return True
        trace = trace.tb_next
    return False


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
