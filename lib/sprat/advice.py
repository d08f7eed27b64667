"""What to do where a model refuses its inputs or a loss its targets, from what torch said of it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sprat.data import Data, head
from sprat.errors import DataError, SpratError
from sprat.loader import Loader
from sprat.task import Task

_OTHER = (TypeError, ValueError, AttributeError, IndexError, RuntimeError)


def model_fix(model: nn.Module, x: Any, said: str) -> str:
    """What makes a model take some inputs.

    Args:
        model: what refused.
        x: its inputs, encoded.
        said: the first line of torch's message.
    """
    weights = next(model.parameters(), None)
    if isinstance(x, Mapping):
        return arranging(x)
    if isinstance(x, (list, tuple)) and x and isinstance(x[0], Tensor):
        return "stack them: torch.stack(x); or give the model several inputs in its forward"
    if isinstance(x, list) and x and isinstance(x[0], str):
        return (
            "cut texts into tokens: sprat.Task(sprat.Text(), target, encodings=[Words.of(texts)])"
        )
    if not isinstance(x, Tensor):
        return "give tensors: torch.as_tensor(x).float()"
    if "device" in said:
        return "keep tensors of your own in buffers (register_buffer), which move with the model"
    if "dtype" in said or "type" in said:
        if weights is not None and weights.dtype in (torch.float64, torch.float16, torch.bfloat16):
            return "make the model's weights float32: model.float()"
        if x.dtype == torch.float64:
            return "give float32: x.float(), or array.astype('float32')"
        return "encode the input to the model's type (sprat.ToFloat() for pictures), or x.float()"
    if x.ndim == 4 and x.shape[-1] in (1, 3) and x.shape[1] not in (1, 3):
        return "put channels second: x.permute(0, 3, 1, 2)"
    if x.ndim == 3 and x.shape[0] in (1, 3):
        return "give a batch: x[None]"
    return "build the model for this input (its channels, its size), or change the encodings"


def arranging(batch: Mapping[Any, Any]) -> str:
    """What to do where a loader yields a dict, and inputs and targets are somewhere in it."""
    names = [*map(repr, batch), "'y'"][:2]
    return (
        f"say which is which of {', '.join(map(repr, batch))}: "
        f"sprat.Arranged(loader, x={names[0]}, y={names[1]})"
    )


def swapped(task: Task, data: Data) -> DataError | None:
    """What is said of data whose inputs would do as targets, and whose targets as inputs."""
    if task.target is None or data.y is None:
        return None
    try:
        task.input.check(head(data.y, 8))
        task.target.check(head(data.x, 8))
    except (SpratError, *_OTHER):
        return None
    return DataError(
        f"The inputs of {data!r} are what {task.target} says of targets, and its targets are what "
        f"{task.input} says of inputs.",
        fix="swap the two: sprat.Data(y, x)",
    )


def has_batch_norm(model: nn.Module) -> bool:
    """Whether some layer of it needs several values a channel while it trains."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules())


def lone_fix(loader: Any) -> str:
    """What helps where a batch of one sample meets batch normalisation, which needs two or more."""
    if not isinstance(loader, Loader):
        return (
            "give the loader drop_last=True, which leaves a smaller last batch out: "
            "DataLoader(dataset, batch_size, shuffle=True, drop_last=True)"
        )
    count, size = len(loader.data), loader.batch_size
    if count == 1:
        return "give it two samples or more, or build the model with nn.LayerNorm"
    other = next(
        n for n in (*range(size - 1, 1, -1), *range(size + 1, count + 2)) if count % n != 1
    )
    dropped = (
        f"; or drop the last batch: sprat.Loader(train, {size}, shuffle=True, drop_last=True) as "
        "the learner's training data"
    )
    return f"give another size: batch_size={other}{dropped if 1 < size <= count else ''}"


def loss_fix(y_hat: Any, y: Any, said: str, wanted: int | None) -> str:
    """What makes a loss take some outputs and targets.

    Args:
        y_hat: the outputs.
        y: the targets.
        said: the first line of torch's message.
        wanted: how many outputs the task needs, if that is settled.
    """
    outputs = "give the model the outputs that the task needs"
    usual = f"{outputs}{'' if wanted is None else f' ({wanted})'}, or pass another loss="
    if y is None:
        return "give the data targets: sprat.Data(x, y), or batches (x, y)"
    if "out of bounds" in said or "device-side assert" in said:
        return "let class indices run from 0 to one less than the number of outputs"
    if not isinstance(y, Tensor) or not isinstance(y_hat, Tensor):
        return usual
    if y_hat.dtype == torch.int64 or "not implemented for 'Long'" in said:
        return "take the outputs first: a loss is called as loss(y_hat, y)"
    if y.dtype == torch.int32:
        return "give class indices as int64: y.long()"
    if y.ndim == 2 and y_hat.ndim == 2 and y.shape[1] == 1 and not y.is_floating_point():
        return "give class indices one axis: y[:, 0]"
    if y.shape == y_hat.shape and y.ndim == 2 and not y.is_floating_point():
        return "give class indices, y.argmax(1), or shares of each class as y.float()"
    if y.ndim == 1 and y.is_floating_point() and "Long" in said:
        return "give class indices as int64: y.long()"
    if y.ndim == 1 and y_hat.ndim == 2 and "same as" in said and y.dtype == torch.int64:
        return "compare class indices by cross-entropy: loss=torch.nn.functional.cross_entropy"
    if "dtype" in said or "type" in said:
        return "give targets of the outputs' type: y.float() for numbers, y.long() for classes"
    return usual
