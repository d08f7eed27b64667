"""A dry run: one step of every phase on made-up data, to see shapes and memory before training."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.data import Batch
from sprat.sanity import MISTAKES, explain_step, shapes
from sprat.snapshot import unchanged
from sprat.tables import Table

if TYPE_CHECKING:
    from sprat.learner import Learner


@dataclass(frozen=True, repr=False)
class DryRun:
    """What a step takes and gives, and what it costs.

    Args:
        values: name to type and shape: ``x`` and ``y`` as the model sees them, then by phase what
            its step named.
        parameters: weights of the model.
        trainable: those of them that learn.
        memory: bytes, by what they are for: ``weights`` (with buffers), ``gradients``,
            ``optimiser``, and ``activations``, which are kept from the forward for the backward.
    """

    values: dict[str, str]
    parameters: int
    trainable: int
    memory: dict[str, int] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        """All of `memory` together: about what training needs at least, without workspaces."""
        return sum(self.memory.values())

    def table(self) -> Table:
        """Everything, a row each."""
        rows: list[tuple[str, str]] = list(self.values.items())
        rows.append(("parameters", f"{self.parameters:,}, of which {self.trainable:,} learn"))
        rows += [(f"memory: {what}", f"{size / 1e6:,.2f} MB") for what, size in self.memory.items()]
        rows.append(("memory: together", f"{self.total_bytes / 1e6:,.2f} MB"))
        return Table(("", "dry run"), rows)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def dry_run(learn: "Learner", batch_size: int | None = None) -> DryRun:
    """Try one step of every phase on made-up data. Weights and random numbers stay as they are.

    Args:
        learn: what is tried. Its task makes the data, so it must have one.
        batch_size: samples in the made-up batch; by default what the training loader gives.

    Returns:
        Shapes, parameters and memory.

    Raises:
        TaskError: the learner was made from a plain module.
        TrainingError: a step can't work.
    """
    task = learn.require_task()
    learn.prepare(None)
    size = batch_size or getattr(learn.loader("train"), "batch_size", None) or 4
    values: dict[str, str] = {}
    memory = {"weights": _bytes([*learn.model.parameters(), *learn.model.buffers()])}
    with unchanged(learn), learn.listening([]):
        mock = task.mock_batch(size, generator=torch.Generator().manual_seed(0))
        for phase in learn.phases:
            learn.phase, learn.step = phase, 0
            learn.model.train(phase.trains)
            learn.batch = learn.encode(Batch(mock.x, mock.y))
            values |= {"x": shapes(learn.batch.x), "y": shapes(learn.batch.y)}
            activations = _Saved(learn)
            with torch.set_grad_enabled(phase.trains), learn.autocast(), activations:
                try:
                    learn.state = phase.step(learn, learn.batch)
                    values |= {f"{phase.name} {n}": shapes(v) for n, v in learn.state.items()}
                except MISTAKES as error:
                    explain_step(learn, error)
                    raise
            if phase.trains:
                gradients = [p.grad for p in learn.model.parameters() if p.grad is not None]
                memory["gradients"] = _bytes(gradients)
                memory["optimiser"] = sum(
                    _bytes(list(state.values()))
                    for optimizer in learn.optimizers.values()
                    for state in optimizer.state.values()
                )
                memory["activations"] = max(memory.get("activations", 0), activations.bytes)
    weights = list(learn.model.parameters())
    trainable = sum(p.numel() for p in weights if p.requires_grad)
    return DryRun(values, sum(p.numel() for p in weights), trainable, memory)


def _bytes(values: list[Any]) -> int:
    """The memory of the tensors among some values, each storage once."""
    storages = [value.untyped_storage() for value in values if isinstance(value, Tensor)]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


class _Saved(torch.autograd.graph.saved_tensors_hooks):
    """Add up what the forward keeps for the backward, the weights aside."""

    def __init__(self, learn: "Learner") -> None:
        self.bytes = 0
        seen = {p.untyped_storage().data_ptr() for p in learn.model.parameters()}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in seen:
                seen.add(storage.data_ptr())
                self.bytes += storage.nbytes()
            return tensor

        super().__init__(keep, lambda tensor: tensor)
