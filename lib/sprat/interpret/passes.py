"""Going over data with a trained model, for the views of this package."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.blocks import Block
from sprat.data import Batch, Data
from sprat.errors import DataError, TaskError
from sprat.loader import Loader, as_loader
from sprat.rows import Rows
from sprat.sequence import steady_batches

if TYPE_CHECKING:
    from sprat.learner import Learner

BATCH_SIZE = 256


def data_of(learn: "Learner", data: Any = None) -> Data:
    """The samples to look at, in memory and in order, as they were before any encoding.

    Where a view says at which place a sample stands, it counts from 0 in what was given: a part of
    a split by itself, and a `DataLoader` by its data set, also where it shuffles.

    Args:
        learn: whose data it is by default: the validation part, else the training part.
        data: a `Data`, or a loader, which is read to its end; twice, where only that shows that its
            order stays.

    Raises:
        DataError: the loader yields nothing, columns that cannot be joined, or another order each
            time.
    """
    if data is None:
        data = learn.loader("valid" if "valid" in learn.loaders else "train")
    if isinstance(data, Data):
        return data
    if isinstance(data, Loader):
        return data.data
    batches = steady_batches(as_loader(data, BATCH_SIZE, learn.device))
    x = _joined([batch.x for batch in batches])
    y = None if batches[0].y is None else _joined([batch.y for batch in batches])
    return Data(x, y)


def _joined(columns: list[Any]) -> Any:
    if all(isinstance(column, Tensor) for column in columns):
        return torch.cat(columns)
    if all(isinstance(column, tuple) for column in columns):
        return tuple(_joined(list(part)) for part in zip(*columns, strict=True))
    if all(isinstance(column, list) for column in columns):
        return [value for column in columns for value in column]
    if all(isinstance(column, Rows) for column in columns):
        return Rows(
            torch.cat([column.categorical for column in columns]),
            torch.cat([column.continuous for column in columns]),
        )
    raise DataError(
        f"Batches of {type(columns[0]).__name__} cannot be joined to one column.",
        fix="pass data= as a sprat.Data",
    )


def passes(
    learn: "Learner", data: Data, *, batch_size: int = BATCH_SIZE
) -> Iterator[tuple[Batch, Any]]:
    """Each batch, encoded and on the device, with what the model puts out for it, in float32.

    The model is in evaluation mode, and no gradient is computed.
    """
    learn.model.eval()
    for raw in Loader(data, batch_size, device=learn.device):
        with torch.no_grad(), learn.autocast():
            batch = learn.encode(raw)
            y_hat = learn.model(batch.x)
        yield batch, y_hat.detach().float() if isinstance(y_hat, Tensor) else y_hat


def outputs_of(learn: "Learner", data: Data) -> tuple[Tensor, Any]:
    """Outputs (N, …) and encoded targets (N, …) of all samples, on the CPU.

    Raises:
        TaskError: the model puts out something else than one tensor.
    """
    outputs, targets = [], []
    for batch, y_hat in passes(learn, data):
        if not isinstance(y_hat, Tensor):
            raise TaskError(
                f"The model puts out a {type(y_hat).__name__}; a tensor was expected.",
                fix="interpret a model whose forward gives one tensor",
            )
        outputs.append(y_hat.cpu())
        targets.append(batch.y)
    known = all(isinstance(y, Tensor) for y in targets)
    return torch.cat(outputs), torch.cat(targets).cpu() if known else None


def measured_of(learn: "Learner", data: Data) -> tuple[Tensor, Any]:
    """The same as metrics measure them: numbers in the target's own units.

    Raises:
        TaskError: the model puts out something else than one tensor.
    """
    both = outputs_of(learn, data)
    return both if learn.task is None else learn.task.in_units(*both)


def goal_of(learn: "Learner", what: str, *kinds: type[Block], instead: str) -> Block:
    """The learner's target as the model sees it, if it is of one of these kinds.

    Args:
        learn: whose task is asked.
        what: who asks, for the message.
        *kinds: what the view can work with.
        instead: the way out where the target is of another kind.

    Raises:
        TaskError: it has no task, no target, or a target of another kind.
    """
    task = learn.require_task()
    goal = task.encoded(task.target)
    if not isinstance(goal, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise TaskError(
            f"{what} needs a target of {wanted}; this task's target is "
            f"{type(goal).__name__ if goal is not None else 'none'}.",
            fix=instead,
        )
    return goal


def need_targets(data: Data, what: str) -> None:
    """Refuse data without truth.

    Raises:
        DataError: there is none.
    """
    if data.y is None:
        raise DataError(
            f"{what} compares with the truth, and {data.name!r} has no targets.",
            fix="give the data targets: sprat.Data(x, y)",
        )
