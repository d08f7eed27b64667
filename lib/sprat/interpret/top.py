"""Top losses: the samples that a model finds hardest, each with its truth and its prediction.

What stands at the top is either hard or labelled wrong, so look at it before you tune anything.
The loss of a sample is the loss that it has when it is alone in its batch.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.data import Batch, Data
from sprat.errors import DataError, TaskError, TrainingError
from sprat.grid import Grid
from sprat.interpret.passes import data_of, passes
from sprat.loader import Loader
from sprat.phases import Phase, TrainPhase, ValidPhase
from sprat.shapes import Float
from sprat.tables import Table

if TYPE_CHECKING:
    from sprat.learner import Learner


def sample_losses(learn: "Learner", data: Any = None) -> Float[Tensor, " samples"]:
    """The loss of every sample, (N,), in the data's order, on the CPU.

    A loss of torch's own is asked for all samples of a batch at once. Any other, and a phase whose
    `step` is its own (a VAE's, say), is asked sample by sample, which takes longer.

    Args:
        learn: whose loss it is.
        data: a `Data` or a loader; by default the validation part.

    Raises:
        TaskError: the learner has no loss.
    """
    samples = data_of(learn, data)
    phase = _measuring(learn)
    if not _is_plain(phase):
        return torch.cat([_loss_alone(learn, phase, raw) for raw in Loader(samples, 1)])
    each = _unreduced(getattr(learn, "_loss", None))
    found = []
    for batch, y_hat in passes(learn, samples):
        if each is not None:
            loss = each(y_hat, batch.y).reshape(len(batch), -1).mean(1)
        else:
            one_by_one = zip(y_hat.split(1), _split(batch.y, len(batch)), strict=True)
            loss = torch.stack([learn.loss(said, truth) for said, truth in one_by_one])
        found.append(loss.float().cpu())
    return torch.cat(found)


def _measuring(learn: "Learner") -> Phase:
    """The learner's phase that measures; without one, what would measure its training."""
    for phase in learn.phases:
        if not phase.trains:
            return phase
    for phase in learn.phases:
        if type(phase).step is not TrainPhase.step:
            return ValidPhase(phase.step)
    return ValidPhase()


def _is_plain(phase: Phase) -> bool:
    """Whether a phase does nothing but predict and compare."""
    return type(phase).step is ValidPhase.step and getattr(phase, "_step", None) is None


def _split(y: Any, count: int) -> list[Any]:
    if isinstance(y, Tensor):
        return list(y.split(1))
    return [None] * count if y is None else [y[i : i + 1] for i in range(count)]


@torch.no_grad()
def _state_of(learn: "Learner", phase: Phase, raw: Batch) -> dict[str, Any]:
    """What a phase's step leaves for one batch, measured and not trained."""
    kept = getattr(learn, "phase", None)
    learn.model.eval()
    learn.phase = phase
    try:
        with learn.autocast():
            learn.batch = learn.encode(raw)
            return dict(phase.step(learn, learn.batch))
    finally:
        if kept is not None:
            learn.phase = kept


def _loss_alone(learn: "Learner", phase: Phase, raw: Batch) -> Tensor:
    return _state_of(learn, phase, raw)["loss"].detach().float().reshape(1).cpu()


def _unreduced(loss: Any) -> Callable[[Any, Any], Tensor] | None:
    """A loss of torch's own before it is averaged; None for any other."""
    function = loss.func if isinstance(loss, functools.partial) else loss
    if getattr(function, "__module__", "") != "torch.nn.functional":
        return None
    named = loss.keywords if isinstance(loss, functools.partial) else {}
    # Class weights would make the mean over one sample something else than its share of a batch.
    if named.get("weight") is not None or "reduction" not in inspect.signature(function).parameters:
        return None
    if named.get("reduction", "mean") != "mean":
        return None
    return functools.partial(loss, reduction="none")


@dataclass(frozen=True, repr=False)
class TopLosses:
    """The hardest samples, the hardest first.

    Args:
        indices: where each stands in the data.
        losses: the loss of each.
        truths: the truth of each, as a person reads it; None where there is none.
        predictions: what the model says to each, as a person reads it.
        data: the samples themselves, in the same order.
        learn: whose they are, to show them.
    """

    indices: list[int]
    losses: list[float]
    truths: list[Any]
    predictions: list[Any]
    data: Data
    learn: "Learner"

    def __len__(self) -> int:
        return len(self.indices)

    def table(self) -> Table:
        """Index, loss, truth and prediction, where the last two are words."""
        rows = [
            (f"{i}", f"{loss:.4f}", _short(y), _short(y_hat))
            for i, loss, y, y_hat in zip(
                self.indices, self.losses, self.truths, self.predictions, strict=True
            )
        ]
        return Table(("sample", "loss", "truth", "predicted"), rows)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def show(self, *, backend: str = "auto", columns: int = 4) -> Any:
        """Show them by the types of input, target and output, as `sprat.show.show_results` does.

        Args:
            backend: ``"matplotlib"``, ``"text"``, or ``"auto"``.
            columns: places a row.

        Returns:
            The figure, or the text, which is also printed.
        """
        from sprat.grid import make_grid
        from sprat.show import results

        task = self.learn.require_task()
        display = results.choose(task.input, task.target, task.output)
        grid = make_grid(backend, columns)
        xs = task.decode_input(self.learn.encode(Batch(self.data.x, self.data.y)).x)
        for i, loss in enumerate(self.losses):
            first = len(grid.places)  # type: ignore[attr-defined]
            display(grid, xs[i], self.truths[i], self.predictions[i])
            _head(grid, first, f"loss {loss:.3g}, sample {self.indices[i]}")
        drawn = grid.result()
        if isinstance(drawn, str):
            print(drawn)
        return drawn


def top_losses(
    learn: "Learner", count: int = 8, *, data: Any = None, largest: bool = True
) -> TopLosses:
    """The samples with the largest loss.

    Args:
        learn: a learner that was made from a task.
        count: samples at most.
        data: a `Data` or a loader; by default the validation part.
        largest: False for the smallest losses, what the model is surest of.

    Raises:
        TaskError: the learner has no task or no loss.
        DataError: `count` is below 1.
        TrainingError: a loss is not finite.
    """
    if count < 1:
        raise DataError(f"count is {count}.", fix="give 1 or more")
    task, samples = learn.require_task(), data_of(learn, data)
    losses = sample_losses(learn, samples)
    if not bool(torch.isfinite(losses).all()):
        bad = int((~torch.isfinite(losses)).nonzero()[0])
        raise TrainingError(
            f"The loss of sample {bad} is {float(losses[bad])}.",
            fix="look at that sample and at the model's weights",
        )
    order = losses.argsort(descending=largest, stable=True)[:count]
    chosen = samples[order]
    batch = learn.encode(Batch(chosen.x, chosen.y))
    truths = [None] * len(order) if batch.y is None else list(task.decode_target(batch.y))
    return TopLosses(
        order.tolist(),
        losses[order].tolist(),
        truths,
        list(task.decode_output(_outputs(learn, chosen))),
        chosen,
        learn,
    )


def show_top_losses(
    learn: "Learner",
    count: int = 8,
    *,
    data: Any = None,
    backend: str = "auto",
    columns: int = 4,
) -> Any:
    """Show the hardest samples with loss, truth and prediction; see `top_losses`.

    Returns:
        The figure, or the text, which is also printed.
    """
    return top_losses(learn, count, data=data).show(backend=backend, columns=columns)


def _outputs(learn: "Learner", chosen: Data) -> Any:
    """What the phase that measures makes of these samples."""
    phase = _measuring(learn)
    state = _state_of(learn, phase, Batch(chosen.x, chosen.y))
    if "y_hat" not in state:
        raise TaskError(
            f"{type(phase).__name__}.step names no y_hat.",
            fix="return learn.update(loss=loss, y_hat=what_the_model_put_out)",
        )
    return state["y_hat"]


def _head(grid: Grid, place: int, words: str) -> None:
    """Put words over a place that a display has filled."""
    places: Any = grid.places  # type: ignore[attr-defined]
    if isinstance(places[place], list):  # lines of text
        places[place].insert(0, words)
    else:
        kind, value, title = places[place]
        places[place] = (kind, value, f"{words}\n{title}" if title else words)


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Tensor):
        few = value.flatten().tolist()
        return ", ".join(f"{v:.3g}" for v in few) if len(few) <= 4 else f"{tuple(value.shape)}"
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return ", ".join(map(str, value)) or "none"
    return str(value)
