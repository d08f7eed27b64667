"""Mistakes, named before the first step where that is possible, and else instead of torch.

What costs time is checked once, before training. The `explain_…` functions are called only when
something has failed already, so a step that works never pays for them.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sprat import advice, given
from sprat.data import Batch, Data, head
from sprat.errors import BlockError, DataError, SpratError, TaskError, TrainingError
from sprat.given import check_plan
from sprat.labels import check_labels
from sprat.loader import Loader, first_batch
from sprat.metrics import Metric
from sprat.phases import Phase, TrainPhase
from sprat.rows import Rows
from sprat.task import Task

if TYPE_CHECKING:
    from sprat.learner import Learner

FEW = 64

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
    if phases is not None and not phases:
        raise TaskError(
            "phases is empty, so an epoch would do nothing.",
            fix="leave it out, or pass phases=[sprat.TrainPhase()]",
        )
    names = [phase.name for phase in phases or ()]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TaskError(
            f"Two phases are called {twice!r}; what one measures would take the place of the "
            "other's in the history.",
            fix='give one another name: phase.name = "test", before it goes to the learner',
        )
    given.check_metrics(metrics)
    given.check_optimizers(optimizer)
    if not callable(optimizer) and not isinstance(optimizer, Mapping):
        name = type(optimizer).__name__
        raise TaskError(
            f"optimizer is a {name}; a class, or a dict of optimisers, was expected.",
            fix=given.optimizer_fix(optimizer),
        )


def all_data(parts: Any) -> bool:
    """Whether all parts are `Data`, whose targets `check_data` has seen, every one."""
    listed = parts.values() if isinstance(parts, Mapping) else parts
    if not isinstance(listed, (tuple, list)) and not isinstance(parts, Mapping):
        return isinstance(parts, Data)
    return all(isinstance(part, Data) for part in listed)


def _wrong(given: Any, right: Callable[[Any], bool]) -> str:
    """What is wrong with a list, or nothing."""
    if given is None:
        return ""
    if not isinstance(given, Sequence) or isinstance(given, str):
        return repr(given)
    return next((f"a list with {part!r}" for part in given if not right(part)), "")


def check_given(task: Any, model: Any, loss: Any, lr: Any, generator: Any) -> nn.Module:
    """The model, unless that, the loss, the rate or the generator is of another kind.

    Raises:
        TaskError: what was found, what was expected, and what mends it.
        TrainingError: likewise, of a rate or a generator.
    """
    given.check_model(model, task, isinstance(task, Task))
    given.check_loss(loss)
    given.check_generator(generator)
    check_plan(0, lr)
    kept: nn.Module = model
    return kept


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
            try:
                learn.task.check(Batch(_some(data.x), data.y))
            except BlockError as error:
                raise advice.swapped(learn.task, data) or error from None
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
        if _batches(learn.loader(split)) == 0:
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
    if _leaves_one(loader) and advice.has_batch_norm(learn.model):
        _try_one(learn, phase, loader)
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


def _batches(loader: Any) -> int:
    """How many batches a pass has.

    Raises:
        DataError: the loader does not know: that of an IterableDataset, say.
    """
    try:
        return len(loader)
    except TypeError as error:
        raise DataError(
            f"The {type(loader).__name__} has no length ({error}), so nobody knows when an epoch "
            "ends.",
            fix="give the data set a method __len__, or take its batches out once: "
            "data=list(loader)",
        ) from error


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


def _leaves_one(loader: Loader) -> bool:
    """Whether a batch of a pass has one sample alone."""
    count, size = len(loader.data), loader.batch_size
    return size == 1 or count == 1 or (count % size == 1 and not loader.drop_last)


def _try_one(learn: "Learner", phase: Phase, loader: Loader) -> None:
    """Try a batch of one as training would see it: it may come at the end of an hour.

    Raises:
        TrainingError: with the batch size that leaves none.
    """
    from sprat.snapshot import unchanged

    with unchanged(learn):
        learn.model.train()
        try:
            learn.model(learn.encode(first_batch(loader, 1)).x)
        except ValueError as error:
            if "more than 1 value per channel" in str(error):
                raise _lone(learn, learn.loader(phase.split)) from error


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
    phase = getattr(learn, "phase", None)
    if "more than 1 value per channel" in said and phase is not None:
        return _lone(learn, learn.loader(phase.split))
    fix = advice.model_fix(learn.model, batch.x, said)
    return TrainingError(f"{name} can't take inputs of {shapes(batch.x)}: {said}", fix=fix)


def _lone(learn: "Learner", loader: Any) -> TrainingError:
    size = f" ({len(loader.data):,} samples)" if isinstance(loader, Loader) else ""
    return TrainingError(
        f"A batch of the training data{size} has one sample, and batch normalisation in "
        f"{type(learn.model).__name__} needs two to compare.",
        fix=advice.lone_fix(loader),
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
            fix=advice.arranging(learn.batch.x)
            if isinstance(learn.batch.x, Mapping)
            else advice.loss_fix(y_hat, y, said, None),
        ) from error
    fix = advice.loss_fix(y_hat, y, said, _wanted(learn))
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
    if getattr(learn, "phase", None) is None or (learn.phase.trains and not learn.optimizers):
        raise TrainingError(
            "update was called before a fit: nobody has said which phase it belongs to, nor made "
            "an optimiser.",
            fix="call learn.fit(1), whose phases call it; for a loop of your own say first "
            "learn.prepare(1e-3) and learn.phase = sprat.TrainPhase()",
        )
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
