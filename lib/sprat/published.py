"""Models and loss surfaces that a page's live figures take from the run.

``publish`` leaves them in the notebook's output as a record of their own,
``application/vnd.sprat.live+json``, which the book's site turns into files that a figure loads when
its reader asks for it. A network goes as plain steps with its weights (see ``steps.py``), its
encodings included, and with what torch answered to a few inputs: so the page can check that it
computes the same.

In the record, numbers are little-endian and base64: ``{"dtype", "shape", "data"}``.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sprat.blocks import Label
from sprat.claims import show_record
from sprat.data import Batch, Data
from sprat.errors import ExportError
from sprat.shapes import Float
from sprat.steps import record_steps
from sprat.task import Task

if TYPE_CHECKING:
    from sprat.learner import Learner

LIVE = "application/vnd.sprat.live+json"
_DTYPES = {torch.uint8: "uint8", torch.float32: "float32", torch.float64: "float64"}


@dataclass(frozen=True)
class Surface:
    """A loss over two parameters with its slopes, recorded at the points of a grid.

    Between the points a page goes along straight lines; for the slopes of a quadratic loss that is
    exact. `Surface.of` makes one from a function.

    Args:
        loss: one value a point; rows go along the second parameter, columns along the first.
        slopes: how it rises along the first and along the second parameter.
        extent: (first from, first to, second from, second to), where the grid begins and ends.
        start: the two parameters before the first step.
        rates: the smallest and the largest learning rate that can be chosen.
        steps: how many steps a path has.
        paths: learning rate → the path that torch took, (steps + 1, 2), for the page to check.
    """

    loss: Float[Tensor, "rows columns"]
    slopes: Float[Tensor, "2 rows columns"]
    extent: tuple[float, float, float, float]
    start: tuple[float, float]
    rates: tuple[float, float]
    steps: int = 25
    paths: Mapping[float, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        function: Callable[[Tensor], Tensor],
        *,
        extent: tuple[float, float, float, float],
        start: tuple[float, float],
        rates: tuple[float, float],
        steps: int = 25,
        points: tuple[int, int] = (61, 81),
    ) -> "Surface":
        """Record a loss, its slopes by autograd, and three paths for the page to check.

        Args:
            function: parameters (..., 2), float64, to losses (...).
            extent: as above.
            start: as above.
            rates: as above.
            steps: as above.
            points: how many rows and columns the grid has.
        """
        along, across = (
            torch.linspace(low, high, count, dtype=torch.float64)
            for low, high, count in zip(extent[::2], extent[1::2], points[::-1], strict=True)
        )
        w = torch.stack(torch.meshgrid(along, across, indexing="xy"), -1)  # (rows, columns, 2)
        loss, slopes = _with_slopes(function, w)
        low, high = rates
        paths = {}
        for lr in (low, (low * high) ** 0.5, high):
            places = [torch.tensor(start, dtype=torch.float64)]
            for _ in range(steps):
                places.append(places[-1] - lr * _with_slopes(function, places[-1])[1])
            paths[lr] = torch.stack(places)
        return cls(loss, slopes.movedim(-1, 0), extent, start, rates, steps, paths)


def _with_slopes(function: Callable[[Tensor], Tensor], w: Tensor) -> tuple[Tensor, Tensor]:
    """The losses at some parameters, (..., 2), and their slopes there."""
    with torch.enable_grad():
        w = w.detach().requires_grad_()
        loss = function(w)
        (slopes,) = torch.autograd.grad(loss.sum(), w)
    return loss.detach(), slopes


def publish(
    name: str,
    what: "Learner | nn.Module | Surface",
    *,
    examples: Data | Tensor | None = None,
    classes: Sequence[str] | None = None,
    max_bytes: int = 4_000_000,
) -> None:
    """Give a model or a loss surface to the live figures of this page.

    Args:
        name: what the figure calls it.
        what: a learner, whose model is published with its encodings and classes; a module that
            takes inputs as they are; or a `Surface`.
        examples: a few inputs as the data stores them, with or without labels; the page offers
            them, and checks its own outputs for them against torch's.
        classes: names of the outputs, where no task has them.
        max_bytes: the most that a reader should have to load, before compression.

    Raises:
        ExportError: the model is no chain of simple layers, it is too large, or examples are
            missing.
    """
    if isinstance(what, Surface):
        content = _surface(what)
        plain = f"published {name}: a loss surface of {tuple(what.loss.shape)} points"
    else:
        content = _network(name, what, examples, classes)
        numbers = content["weights"]["shape"][0]
        if 4 * numbers > max_bytes:
            raise ExportError(
                f"{name} has {numbers:,} numbers, {4 * numbers:,} bytes; at most {max_bytes:,} "
                "were to be loaded by a page.",
                fix="publish a smaller model, or raise max_bytes",
            )
        plain = f"published {name}: {numbers:,} numbers"
    show_record(LIVE, {"name": name, **content}, plain=plain)


def _network(
    name: str,
    what: "Learner | nn.Module",
    examples: Data | Tensor | None,
    classes: Sequence[str] | None,
) -> dict[str, Any]:
    model = what if isinstance(what, nn.Module) else what.model
    task: Task | None = None if isinstance(what, nn.Module) else what.task
    x = examples.x if isinstance(examples, Data) else examples
    labels = examples.y if isinstance(examples, Data) else None
    if not isinstance(x, Tensor) or not len(x) or x.dtype not in _DTYPES:
        found = "none" if x is None else getattr(x, "dtype", type(x).__name__)
        raise ExportError(
            f"publish needs examples for {name}, uint8 or float; it got {found}.",
            fix="pass examples=, such as the first 12 of the validation data",
        )
    if task and isinstance(task.output, Label) and classes is None:
        classes = task.output.classes
    device = next((p.device for p in model.parameters()), x.device)

    def whole(batch: Tensor) -> Any:
        return model(task.encode(Batch(batch)).x if task else batch)

    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        found = record_steps(whole, x.to(device))
    finally:
        for module, mode in modes:
            module.training = mode
    weights = torch.cat(found.weights) if found.weights else torch.empty(0)
    integer = isinstance(labels, Tensor) and labels.ndim == 1 and not labels.is_floating_point()
    return {
        "type": "network",
        "input": found.input,
        "steps": found.steps,
        "weights": _packed(weights),
        "classes": None if classes is None else [str(c) for c in classes],
        "examples": {
            "inputs": _packed(x),
            "outputs": _packed(found.output),
            "labels": labels.tolist() if isinstance(labels, Tensor) and integer else None,
        },
    }


def _surface(surface: Surface) -> dict[str, Any]:
    rows, columns = surface.loss.shape
    if min(rows, columns) < 2 or not all(
        part.isfinite().all() for part in (surface.loss, surface.slopes)
    ):
        raise ExportError(
            f"A loss surface of {rows} × {columns} points was given; at least 2 × 2 with finite "
            "losses and slopes were expected.",
            fix="choose an extent in which the loss is finite",
        )
    return {
        "type": "surface",
        "loss": _packed(surface.loss.float()),
        "slopes": _packed(surface.slopes.double()),
        "extent": [float(v) for v in surface.extent],
        "start": [float(v) for v in surface.start],
        "rates": [float(v) for v in surface.rates],
        "steps": surface.steps,
        "paths": [
            {"lr": float(lr), "path": path.double().tolist()} for lr, path in surface.paths.items()
        ],
    }


def _packed(tensor: Tensor) -> dict[str, Any]:
    """A tensor as JSON can hold it."""
    plain = tensor.detach().cpu().contiguous()
    data = base64.b64encode(plain.numpy().tobytes()).decode()
    return {"dtype": _DTYPES[plain.dtype], "shape": list(plain.shape), "data": data}
