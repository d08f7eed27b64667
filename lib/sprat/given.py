"""What was given as a loss, a metric, an optimiser or a number, where it is of another kind."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sprat import metrics as known_metrics
from sprat import schedule
from sprat.errors import DataError, ExportError, TaskError, TrainingError
from sprat.metrics import Metric

MAX_LR = 1e30  # beyond it the weights overflow in the first step, inside of torch
_LOSSES = {
    "ce": "cross_entropy", "crossentropy": "cross_entropy", "nll": "nll_loss", "mse": "mse_loss",
    "l2": "mse_loss", "mae": "l1_loss", "l1": "l1_loss", "huber": "huber_loss",
    "bce": "binary_cross_entropy_with_logits", "crossentropyloss": "cross_entropy",
    "categorical_crossentropy": "cross_entropy", "sparse_categorical_crossentropy": "cross_entropy",
    "binary_crossentropy": "binary_cross_entropy_with_logits", "mean_squared_error": "mse_loss",
}  # fmt: skip
_PRECISIONS = {
    "16": "fp16", "float16": "fp16", "half": "fp16", "16-mixed": "fp16", "amp": "fp16",
    "bfloat16": "bf16", "bf16-mixed": "bf16", "32": "fp32", "float32": "fp32", "32-true": "fp32",
    "float": "fp32", "None": "fp32",
}  # fmt: skip


def check_loss(loss: Any) -> None:
    """Refuse a loss that is no function of ``(y_hat, y)``; None is for none.

    Raises:
        TaskError: what was found, and what to pass.
    """
    if loss is None or (callable(loss) and not isinstance(loss, type)):
        return
    if isinstance(loss, type):
        found, fix = f"the class {loss.__name__}", f"make an object of it: loss={_path(loss)}()"
    elif isinstance(loss, str):
        short = loss.lower().replace(" ", "_").replace("-", "_")
        name = short if hasattr(F, short) else _LOSSES.get(short, "cross_entropy")
        found, fix = repr(loss), f"pass the function: loss=torch.nn.functional.{name}"
    elif isinstance(loss, (list, tuple)) and loss and callable(loss[0]):
        found = f"a {type(loss).__name__}"
        fix = "pass one function, without brackets; of several parts, one that adds them up"
    else:
        found = f"a {type(loss).__name__}"
        fix = "pass the function itself, not what it gives: loss=torch.nn.functional.mse_loss"
    raise TaskError(f"loss is {found}; a function of (y_hat, y) was expected.", fix=fix)


def wrong_metric(metric: Any) -> bool:
    """Whether it can't be a metric: a name, or a class that nobody has made an object of."""
    return isinstance(metric, type) or not (callable(metric) or isinstance(metric, Metric))


def metrics_fix(given: Any) -> str:
    """The list of metrics that somebody meant."""
    if isinstance(given, Iterator):
        return "pass a list: metrics=list(metrics), or metrics=[sprat.metrics.accuracy]"
    parts = given if isinstance(given, (list, tuple)) else [given]
    return f"pass metrics=[{', '.join(_metric(part) for part in parts)}], with the brackets"


def check_metrics(metrics: Any) -> None:
    """Refuse metrics that are no list of functions and `Metric` objects; None is for the usual.

    Raises:
        TaskError: what was found, and what to pass.
    """
    if metrics is None:
        return
    listed = isinstance(metrics, Sequence) and not isinstance(metrics, str)
    wrong = next((m for m in metrics if wrong_metric(m)), None) if listed else metrics
    if not listed or wrong is not None:
        raise TaskError(
            f"metrics is {'a list with ' if listed else ''}{wrong!r}; a list of functions or "
            "Metric objects was expected.",
            fix=metrics_fix(metrics),
        )


def _metric(part: Any) -> str:
    name = part if isinstance(part, str) else getattr(part, "__name__", "accuracy")
    found = getattr(known_metrics, str(name), None)
    if found is None:
        return "sprat.metrics.accuracy" if isinstance(part, str) else str(name)
    made = f"sprat.metrics.{name}"
    return f"{made}()" if isinstance(found, type) else made


def optimizer_fix(given: Any) -> str:
    """The optimiser that somebody meant."""
    if isinstance(given, torch.optim.Optimizer):
        return f'pass optimizer={{"main": your {type(given).__name__}}}'
    word = str(given).lower()
    name = next((n for n in dir(torch.optim) if n.lower() == word and n[0].isupper()), "AdamW")
    return f"pass optimizer=torch.optim.{name}, without quotes or brackets"


def check_optimizers(optimizer: Any) -> None:
    """Refuse a dict of anything but optimisers.

    Raises:
        TaskError: what was found, and what to pass.
    """
    if not isinstance(optimizer, Mapping):
        return
    for name, part in optimizer.items():
        if not isinstance(part, torch.optim.Optimizer):
            kind = part.__name__ if isinstance(part, type) else type(part).__name__
            made = kind if isinstance(part, type) else "AdamW"
            raise TaskError(
                f"optimizer[{name!r}] is {'the class ' * isinstance(part, type)}{kind}; an "
                "optimiser that has its weights was expected.",
                fix=f'make it: optimizer={{"{name}": torch.optim.{made}(model.parameters(), '
                "lr=1e-3)}",
            )


def check_optimizer_made(optimizer: Any) -> None:
    """Refuse what ``optimizer=`` gave if it is none.

    Raises:
        TaskError: what was found, and what to pass.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TaskError(
            f"optimizer= gave a {type(optimizer).__name__}; an optimiser was expected.",
            fix="pass a class, or optimizer=lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)",
        )


def check_model(module: Any, task: Any, is_task: bool) -> None:
    """Refuse a model that is no `nn.Module`.

    Args:
        module: what stands in its place.
        task: the learner's first argument.
        is_task: whether that is a task.

    Raises:
        TaskError: what was found, and what to pass.
    """
    if isinstance(module, nn.Module):
        return
    found = f"{module!r:.80}"
    fix = "pass model=, for example sprat.models.LeNet(task.in_channels, task.num_outputs)"
    if isinstance(module, type) and issubclass(module, nn.Module):
        found, fix = f"the class {module.__name__}", f"make an object of it: {module.__name__}(...)"
    elif not is_task and not isinstance(module, str):
        fix = "give the task or the model first, then the data: Learner(task, data, model=model)"
    raise TaskError(f"The model is {found}; an nn.Module was expected.", fix=fix)


def check_whole(name: str, value: Any, *, example: int) -> None:
    """Refuse a number of samples that is no whole number from 1 up.

    Raises:
        DataError: what was found, and what to give.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise DataError(f"{name} is {value}.", fix="give 1 or more")
        return
    try:
        meant = int(value)
    except (TypeError, ValueError):
        meant = example
    raise DataError(
        f"{name} is {value!r}; a whole number was expected.",
        fix=f"give {name}={max(1, meant)}",
    )


def check_function(method: str, function: Any, arguments: int) -> None:
    """Refuse what `Data.map` or `Data.filter` can't call with whole columns.

    Raises:
        DataError: what was found, and a call that works.
    """
    example = "lambda x: x.float() / 255" if arguments == 1 else "lambda x, y: y != 3"
    fix = f"give one: data.{method}({example})"
    if not callable(function):
        raise DataError(f"{method} got {function!r:.60}; a function was expected.", fix=fix)
    try:
        inspect.signature(function).bind(*[None] * arguments)
    except TypeError:
        wanted = "the column of inputs" if arguments == 1 else "the columns of inputs and targets"
        raise DataError(
            f"{method} calls its function with {wanted}, and this one can't take that.", fix=fix
        ) from None
    except ValueError:  # a function of C that does not say what it takes
        return


def check_generator(generator: Any) -> None:
    """Refuse a seed in the place of a generator.

    Raises:
        TrainingError: what was found, and what to pass.
    """
    if generator is not None and not isinstance(generator, torch.Generator):
        seed = generator if isinstance(generator, int) else 0
        raise TrainingError(
            f"generator is {generator!r}; a torch.Generator was expected.",
            fix=f"pass generator=torch.Generator().manual_seed({seed})",
        )


def check_folder(folder: Any, *, call: str) -> Path:
    """The path that was given.

    Raises:
        ExportError: it is none.
    """
    if isinstance(folder, (str, Path)) and str(folder):
        return Path(folder)
    raise ExportError(
        f"The folder is {folder!r}; a path was expected.", fix=f'name one: {call}("runs/first")'
    )


def rate_fix(lr: Any) -> str:
    """The learning rate that somebody meant."""
    usual = "give a small one, such as 1e-3; learn.lr_find() suggests one"
    if hasattr(lr, "lrs") and hasattr(lr, "falls"):
        if not lr.falls:
            return "it has no suggestion, so give a rate of your own: lr=1e-3"
        return "take one of its suggestions: found = learn.lr_find(), then lr=found.valley"
    if isinstance(lr, slice):
        lr = [part for part in (lr.start, lr.stop) if part is not None]
    if isinstance(lr, list) and len(lr) == 2:
        return f"give two rates in round brackets: lr=({lr[0]!r}, {lr[1]!r})"
    if isinstance(lr, Tensor) and lr.numel() == 1:
        return f"give a plain number: lr={lr.item():g}"
    if isinstance(lr, str):
        try:
            return f"leave the quotes out: lr={float(lr):g}"
        except ValueError:
            return usual
    if callable(lr):
        return "give a curve to a schedule: callbacks=[sprat.Schedule(curve)]"
    return usual


def curve_error(lr: Any, error: Exception | None = None) -> TrainingError:
    """What is said of a schedule's `lr` that is no function of the share of training done."""
    fix = "pass a curve: sprat.Schedule(sprat.schedule.one_cycle(1e-3))"
    if isinstance(lr, (int, float)):
        fix = f"give it to the fit, fit(epochs, lr={lr:g}); or as a curve: "
        fix += f"sprat.Schedule(sprat.schedule.constant({lr:g}))"
    elif isinstance(lr, str) and hasattr(schedule, lr):
        fix = f"pass a curve: sprat.Schedule(sprat.schedule.{lr}(1e-3))"
    elif getattr(lr, "__module__", "") == schedule.__name__ and hasattr(schedule, lr.__name__):
        fix = f"call it first: sprat.Schedule(sprat.schedule.{lr.__name__}(1e-3))"
    named = getattr(lr, "__name__", None) or repr(lr)
    return TrainingError(
        f"A schedule's lr is {named}; a function of the share of training done, 0…1, to a learning "
        "rate was expected" + ("." if error is None else f": {error}."),
        fix=fix,
    )


def epochs_fix(epochs: Any, lr: Any) -> str:
    """The number of epochs that somebody meant."""
    if isinstance(epochs, float) and isinstance(lr, int) and lr >= 1:
        return f"give the epochs first: fit({lr}, lr={epochs:g})"
    try:
        meant = int(epochs)
    except (TypeError, ValueError, OverflowError):
        meant = 0
    return f"give 1 or more: fit({max(1, meant)})"


def check_plan(epochs: Any, lr: Any) -> int:
    """The number of epochs, unless that or the learning rate is none.

    Raises:
        TrainingError: what was found, what was expected, and what mends it.
    """
    if not isinstance(epochs, Integral) or isinstance(epochs, bool) or epochs < 0:
        raise TrainingError(
            f"epochs is {epochs!r}; a whole number was expected.", fix=epochs_fix(epochs, lr)
        )
    rates = lr if isinstance(lr, tuple) else (lr,)
    for rate in rates:
        if rate is not None and not (isinstance(rate, Real) and 0 <= float(rate) <= MAX_LR):
            raise TrainingError(
                f"lr is {rate!r}; a number from 0 to {MAX_LR:g} was expected.",
                fix=rate_fix(rate),
            )
    if isinstance(lr, tuple) and (len(lr) != 2 or None in lr or not 0 < lr[0] <= lr[1]):
        raise TrainingError(
            f"lr is {lr}; (low, high) was expected: of the model's first part and of its last.",
            fix="give two rates above 0, the smaller first, such as (1e-5, 1e-3)",
        )
    return int(epochs)


def precision_fix(precision: Any) -> str:
    """The precision that somebody meant, or all that there are."""
    word = str(precision).removeprefix("torch.")
    meant = _PRECISIONS.get(word)
    return f'use precision="{meant}"' if meant else "use one of fp32, bf16, fp16"


def _path(kind: type) -> str:
    in_torch = kind.__module__.startswith("torch.nn.")
    return f"torch.nn.{kind.__name__}" if in_torch else kind.__name__
