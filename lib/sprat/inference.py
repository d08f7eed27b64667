"""Using a trained model: predictions, measurements, and results for a person to look at.

The methods of `Learner` by these names are these functions.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat import sanity
from sprat.columns import as_inputs
from sprat.data import Batch
from sprat.errors import TaskError, TrainingError
from sprat.given import check_folder
from sprat.loader import as_loader, first_batch
from sprat.phases import Phase, TrainPhase, ValidPhase
from sprat.recorder import Recorder
from sprat.sequence import in_sequence
from sprat.snapshot import looking

if TYPE_CHECKING:
    from sprat.learner import Learner

BATCH_SIZE = 256


def _only_looks(function: Callable[..., Any]) -> Callable[..., Any]:
    """Leave the learner as it was: its mode, its place in the loop, and random numbers."""

    @wraps(function)
    def look(learn: "Learner", *args: Any, **options: Any) -> Any:
        with looking(learn), torch.no_grad():
            return function(learn, *args, **options)

    return look


@_only_looks
def predict(learn: "Learner", x: Any) -> Any:
    """What the model says to a batch of inputs that are not yet encoded.

    Returns:
        With a task, outputs as a person reads them (`Guess` for labels); else raw outputs.

    Raises:
        BlockError: the inputs are not what the task's block says.
        TrainingError: the model can't take them.
    """
    learn.model.eval()
    x = as_inputs(x, getattr(learn.task and learn.task.input, "channels", 3))
    if learn.task:
        learn.task.check_input(x)
    batch = learn.encode(Batch(x))
    try:
        with learn.autocast():
            y_hat = learn.model(batch.x)
    except sanity.MISTAKES as error:
        raise sanity.model_refused(learn, batch, error) from error
    return learn.task.decode_output(y_hat) if learn.task else y_hat


@_only_looks
def predictions(
    learn: "Learner", data: Any = None, *, tta: int | Sequence[Callable[[Any], Any]] = ()
) -> tuple[Any, Any]:
    """Outputs and targets of every sample, in order, on the CPU.

    With `tta` (test-time augmentation) the model sees every sample several times, as it is and
    changed, and its raw outputs are averaged: for logits that is the geometric mean of the
    probabilities. Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional
    Neural Networks" (2012), section 4.1.

    Args:
        learn: what predicts.
        data: a `Data`, a loader, or the name of a part; by default the validation part. A
            shuffled loader is read in the order of its data; see `sprat.sequence.in_sequence`.
        tta: functions from encoded inputs (batch, …) to changed ones, each used once, such as
            ``[lambda x: x.flip(-1)]``; or how often the learner's `Augment` changes them.

    Returns:
        ``(y_hat, y)``: raw outputs (N, …) in float32, and encoded targets (N, …) or None; both in
        the target's units where these are numbers that an encoding scales; tuples or dicts where
        there are several outputs or targets.

    Raises:
        TrainingError: `tta` is a number and the learner has no `Augment`, or it is below 0; or the
            outputs of two batches differ in more than the number of samples.
    """
    views = _views(learn, tta)
    learn.model.eval()
    outputs, targets = [], []
    for raw in in_sequence(_loader(learn, data)):
        batch = learn.encode(raw)
        with learn.autocast():
            seen = [learn.model(view(batch)) for view in views]
        outputs.append(_mean(seen))
        targets.append(batch.y)
    both = _joined(outputs), _joined(targets)
    return both if learn.task is None else learn.task.in_units(*both)


@_only_looks
def evaluate(learn: "Learner", data: Any = None) -> dict[str, float]:
    """Loss, metrics and everything else that the validation phase measures.

    Args:
        learn: what is measured.
        data: a `Data`, a loader, or the name of a part; by default the validation part.

    Returns:
        Means over all samples: ``"loss"``, each metric by name, each number that the step named.
    """
    phase = _measuring(learn)
    kept, recorder = dict(learn.loaders), Recorder()
    learn.loaders[phase.split] = _loader(learn, data)
    try:
        with learn.listening([recorder]):
            recorder.epoch_begin(learn)
            learn.run(phase)
    finally:
        learn.loaders = kept
    prefix = f"{phase.name}_"
    return {k.removeprefix(prefix): v for k, v in recorder.row.items() if k != "epoch"}


@_only_looks
def results(learn: "Learner", count: int = 8) -> tuple[Any, Any, Any]:
    """The first validation inputs, their truth and what the phase makes of them, decoded.

    Returns:
        ``(x, y, y_hat)``, each a batch of at most `count` values, or None.

    Raises:
        TaskError: the learner has no task, or its phase names no ``y_hat``.
    """
    task = learn.require_task()
    phase = learn.phase = _measuring(learn)
    split = phase.split if phase.split in learn.loaders else "train"
    learn.model.eval()
    batch = learn.batch = learn.encode(first_batch(learn.loader(split), count))
    with learn.autocast():
        state = phase.step(learn, batch)
    if "y_hat" not in state:
        raise TaskError(
            f"{type(phase).__name__}.step names no y_hat.",
            fix="return learn.update(loss=loss, y_hat=what_the_model_put_out)",
        )
    y = None if batch.y is None else task.decode_target(batch.y)
    return task.decode_input(batch.x), y, task.decode_output(state["y_hat"])


def show_batch(learn: "Learner", count: int = 8, *, backend: str = "auto", columns: int = 4) -> Any:
    """Show the first training inputs with their targets; see `sprat.show.show_batch`."""
    from sprat import show

    return show.show_batch(learn, count, backend=backend, columns=columns)


def show_results(
    learn: "Learner", count: int = 8, *, backend: str = "auto", columns: int = 4
) -> Any:
    """Show inputs, truth and prediction; see `sprat.show.show_results`."""
    from sprat import show

    return show.show_results(learn, count, backend=backend, columns=columns)


def export(learn: "Learner", folder: str | Path) -> Path:
    """Save weights and plain config into a folder; see `sprat.save`."""
    from sprat.export import save

    return save(learn, check_folder(folder, call="learn.export"))


def _views(learn: "Learner", tta: int | Sequence[Callable[[Any], Any]]) -> list[Any]:
    """From a batch to each of the inputs that the model is to see, first those as they are."""
    as_it_is = [lambda batch: batch.x]
    if callable(tta) or isinstance(tta, (str, float)):
        raise TrainingError(
            f"tta is {tta!r}; a list of functions, or how often to augment, was expected.",
            fix="put it in brackets: tta=[function]" if callable(tta) else "give tta=4, say",
        )
    if not isinstance(tta, int):
        return [*as_it_is, *(lambda batch, change=change: change(batch.x) for change in tta)]
    if tta == 0:
        return list(as_it_is)
    from sprat.augment import Augment

    augment = next((c for c in learn.callbacks if isinstance(c, Augment)), None)
    if augment is None or tta < 0:
        raise TrainingError(
            f"tta is {tta}, and the learner has {'an' if augment else 'no'} Augment.",
            fix="give 0 or more, and the learner callbacks=[sprat.Augment(...)]; or pass functions",
        )
    return [*as_it_is, *[lambda b: augment.changed(learn, b, augment.generator).x] * tta]


def _mean(seen: list[Any]) -> Any:
    """The mean of what a model said to several views of one batch, in float32 on the CPU."""
    if isinstance(seen[0], (tuple, list)):
        return tuple(_mean(list(part)) for part in zip(*seen, strict=True))
    if isinstance(seen[0], dict):
        return {name: _mean([view[name] for view in seen]) for name in seen[0]}
    numbers = [value.float() for value in seen]
    return (numbers[0] if len(numbers) == 1 else torch.stack(numbers).mean(0)).cpu()


def _joined(batches: list[Any]) -> Any:
    """Batches one after the other, part by part where they have several; None of what is none."""
    if isinstance(batches[0], tuple):
        return tuple(_joined(list(part)) for part in zip(*batches, strict=True))
    if isinstance(batches[0], dict):
        return {name: _joined([batch[name] for batch in batches]) for name in batches[0]}
    if not all(isinstance(batch, Tensor) for batch in batches):
        return None
    shapes = {tuple(batch.shape[1:]) for batch in batches}
    if len(shapes) > 1:
        raise TrainingError(
            f"A sample has the shape {' in one batch and '.join(map(str, sorted(shapes)[:2]))} in "
            "another, so all of them make no one tensor.",
            fix="take a loader with one batch, or learn.predict batch by batch",
        )
    return torch.cat(batches).cpu()


def _measuring(learn: "Learner") -> Phase:
    """The learner's phase that does not train; where it has none, one that does its first's step.

    Then `Learner.update` only takes note, as the phase around the step does not train.
    """
    for phase in learn.phases:
        if not phase.trains:
            return phase
    own = (phase.step for phase in learn.phases if type(phase).step is not TrainPhase.step)
    return ValidPhase(next(own, None))


def _loader(learn: "Learner", data: Any) -> Any:
    if data is None:
        return learn.loader("valid" if "valid" in learn.loaders else "train")
    if isinstance(data, str):
        return learn.loader(data)
    return as_loader(data, BATCH_SIZE, learn.device)
