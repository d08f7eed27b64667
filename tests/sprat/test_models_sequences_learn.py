"""Models for text, tables, graphs and trajectories in a learner: made from a task, then saved."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import sprat as sp

WORDS = sp.Tokens(13)
TABLE = sp.TableRow({"kind": ("a", "b", "c"), "size": ("s", "l")}, continuous=("m", "kg"))
PAIRS = sp.TableRow({"user": tuple("abcdef"), "item": tuple("uvwxyz")})
GRAPH = sp.Graph(3, 2)

#: A task for each model, and the model that fits it.
FITTING: dict[str, tuple[sp.Task, Callable[[sp.Task], nn.Module]]] = {
    "RNNLM": (
        sp.Task(WORDS, WORDS),
        lambda task: sp.models.RNNLM(task.num_outputs, width=8, num_hiddens=8, weight_drop=0.2),
    ),
    "GPT": (
        sp.Task(WORDS, WORDS),
        lambda task: sp.models.GPT(task.num_outputs, width=16, num_layers=2, dropout=0.1),
    ),
    "SmolLM2": (
        sp.Task(WORDS, WORDS),
        lambda task: sp.models.SmolLM2(
            task.num_outputs, width=16, num_hiddens=16, num_layers=2, num_heads=4, num_kv_heads=2
        ),
    ),
    "CollabDot": (sp.Task(PAIRS, sp.Continuous(1)), lambda task: sp.models.CollabDot(6, 6)),
    "NeuralCollab": (
        sp.Task(PAIRS, sp.Continuous(1)),
        lambda task: sp.models.NeuralCollab(6, 6, y_range=(-4, 4), dropout=0.1),
    ),
    "TabularNet": (
        sp.Task(TABLE, sp.Label(("no", "yes"))),
        lambda task: sp.models.TabularNet(TABLE.sizes, 2, task.num_outputs, dropout=0.1),
    ),
    "GCN": (
        sp.Task(GRAPH, sp.Label(("x", "y", "z"))),
        lambda task: sp.models.GCN(3, task.num_outputs),
    ),
    "MPNN": (
        sp.Task(GRAPH, sp.Continuous(2)),
        lambda task: sp.models.MPNN(3, task.num_outputs, num_edge_features=2),
    ),
    "NeuralODE": (
        sp.Task(sp.Continuous(2), sp.Trajectory(2, steps=5, dt=0.1)),
        lambda task: sp.models.NeuralODE(2, steps=5, dt=0.1, timed=True),
    ),
}


def learner(name: str) -> sp.Learner:
    torch.manual_seed(0)
    task, make = FITTING[name]
    batch = task.mock_batch(8, generator=torch.Generator().manual_seed(1))
    data = sp.Data(batch.x, batch.y)
    return sp.Learner(task, (data, data), model=make(task), batch_size=4, device="cpu", lr=1e-2)


@pytest.mark.parametrize("name", FITTING)
def test_it_learns_from_mock_data_and_is_fine_tuned(name: str) -> None:
    learn = learner(name)
    learn.fit(1)
    first = learn.history.last("train_loss")
    learn.fine_tune(10, lr=1e-2)
    assert learn.history.last("train_loss") < first
    outputs, targets = learn.predictions()
    assert len(outputs) == len(targets) == 8


@pytest.mark.parametrize("name", FITTING)
def test_it_is_the_same_after_saving_and_loading(name: str, tmp_path: Path) -> None:
    learn = learner(name)
    learn.fit(1)
    loaded = sp.load(learn.export(tmp_path / "model"))
    batch = learn.encode(learn.require_task().mock_batch(3))
    with torch.no_grad():
        assert torch.equal(loaded.model(batch.x), learn.model.eval()(batch.x))


class Waits(TorchDispatchMode):
    """Notes what would make the host wait for a GPU: reading a number, counting what is true."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        if any(
            part in name for part in ("_local_scalar_dense", "nonzero", "masked_select", "unique")
        ):
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", FITTING)
def test_a_training_step_never_waits_for_a_number(name: str) -> None:
    task, make = FITTING[name]
    model, batch = make(task).train(), task.encode(task.mock_batch(4))
    with Waits() as waits:
        task.loss(model(batch.x), batch.y).backward()
    assert waits.seen == []
    with Waits() as waits:
        float(torch.ones(1).sum())
    assert waits.seen  # what is looked for would be found
