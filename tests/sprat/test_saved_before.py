"""What was saved before still loads: models of every kind, a tokeniser, a training to go on with.

The files in ``tests/golden/saved`` were written once, by sprat 0.1.0 when every file of it still
lay at the top of the package, and are never written again. This file wrote them::

    python tests/sprat/test_saved_before.py tests/golden/saved

A new kind of file gets a folder of its own; an old one stays as its version left it.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import sprat as sp

SAVED = Path(__file__).parents[1] / "golden" / "saved"
COLUMNS = {
    "colour": ["red", "blue", "red", "", "blue", "red", "green", "red"],
    "size": [1.0, 2.5, float("nan"), 4.0, 0.5, 3.0, 2.0, 1.5],
    "age": [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0],
}
TEXTS = ["the cat sat on the mat", "a dog sat", "the dog ran to the cat", "a mat ran on"] * 2
KINDS = ("top", "middle", "bottom")


class Own(nn.Module):
    """A network that sprat does not know; it is given to `sprat.load` as ``model=``."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(81, 4), nn.ReLU(), nn.Linear(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of three kinds."""
        return self.layers(x)


class Average(nn.Module):
    """A network that reads a text: the mean of its pieces' vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(40, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of three kinds for indices (B, L)."""
        return self.out(self.embedding(x).mean(1))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 48) -> sp.Data:
    """Small pictures of three kinds that a model can tell apart: where they are bright."""
    y = torch.arange(count) % 3
    x = torch.randint(0, 80, (count, 1, 9, 9), generator=seeded(0), dtype=torch.uint8)
    for kind in range(3):
        x[y == kind, :, 3 * kind : 3 * kind + 3] += 150
    return sp.Data(x, y, classes=KINDS)


def image() -> tuple[sp.Task, sp.Data, nn.Module]:
    data = pictures(8)
    encodings = [sp.ToFloat(), sp.Normalize.of(data)]
    task = sp.Task(sp.Image(channels=1, size=(9, 9)), sp.Label(KINDS), encodings=encodings)
    return task, data, sp.models.ResNet(1, 3, widths=(2, 4))


def mask() -> tuple[sp.Task, sp.Data, nn.Module]:
    x = torch.randint(0, 255, (8, 1, 16, 16), generator=seeded(1), dtype=torch.uint8)
    task = sp.Task(sp.Image(channels=1), sp.Mask(["ground", "thing"], (16, 16)))
    body = sp.models.UNetEncoder(1, widths=(2, 4))
    return task, sp.Data(x, (x[:, 0] > 128).long()), sp.models.UNet(body, 2, min_width=2)


def table() -> tuple[sp.Task, sp.Data, nn.Module]:
    block = sp.TableRow.of(COLUMNS)
    rows = block.read(COLUMNS)
    steps = sp.tabular.prepare(block, rows)
    task = sp.Task(block, sp.Continuous(1, ("price",)), encodings=steps)
    after = task.encoded(block)
    assert isinstance(after, sp.TableRow)
    model = sp.models.TabularNet(after.sizes, len(after.continuous), 1, num_hiddens=(4,))
    return task, sp.Data(rows, torch.arange(8.0)[:, None]), model


def text() -> tuple[sp.Task, sp.Data, nn.Module]:
    task = sp.Task(sp.Text(), sp.Label(KINDS), encodings=[sp.text.Words.of(TEXTS, marked=True)])
    return task, sp.Data(TEXTS, torch.arange(8) % 3), Average()


def byte_pairs() -> tuple[sp.Task, sp.Data, nn.Module]:
    pieces = sp.text.BytePairs.of(TEXTS, size=270)
    task = sp.Task(sp.Text(), output=sp.Tokens(270, None), encodings=[pieces])
    return task, sp.Data(TEXTS[:1]), sp.models.RNNLM(270, width=2, num_hiddens=2, num_layers=1)


def graph() -> tuple[sp.Task, sp.Data, nn.Module]:
    block = sp.Graph(3)
    task = sp.Task(block, sp.Continuous(1, ("energy",)))
    nodes = torch.arange(48.0).reshape(16, 3).cos()
    pairs = torch.arange(16).reshape(8, 2).T  # each graph is two nodes, joined both ways
    edges = torch.cat([pairs, pairs.flip(0)], 1)
    graphs = sp.GraphBatch(nodes, edges, None, torch.arange(16) // 2, 8)
    return task, sp.Data(graphs, torch.arange(8.0)[:, None]), sp.models.MPNN(3, 1, width=4)


def own() -> tuple[sp.Task, sp.Data, nn.Module]:
    return sp.Task(sp.Image(channels=1), sp.Label(KINDS)), pictures(8), Own()


MODELS: dict[str, Callable[[], tuple[sp.Task, sp.Data, nn.Module]]] = {
    "image": image, "mask": mask, "table": table, "text": text, "byte_pairs": byte_pairs,
    "graph": graph, "own": own,
}  # fmt: skip
#: Which of the networks sprat can't build from the config alone.
FOREIGN: dict[str, Callable[[], nn.Module]] = {"text": Average, "own": Own}


def outputs(model: nn.Module, task: sp.Task, x: Any) -> Tensor:
    """What a network says to inputs that are not yet encoded."""
    with torch.no_grad():
        return model.eval()(task.encode(sp.Batch(x)).x)


def trainee(callbacks: tuple[sp.Callback, ...]) -> sp.Learner:
    """A learner with most that a checkpoint keeps: averages, gathered gradients, a monitor."""
    torch.manual_seed(3)
    data = pictures()
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(81, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(4, 3),
    )  # fmt: skip
    return sp.Learner(
        sp.Task(sp.Image(channels=1), sp.Label(KINDS)), (data[:36], data[36:]), model=model,
        batch_size=6, device="cpu", generator=seeded(5), lr=0.01, progress=False,
        callbacks=[
            sp.EMA(decay=0.9), sp.Accumulate(2), sp.GradientClip(1.0),
            sp.EarlyStopping(patience=5), *callbacks,
        ],
    )  # fmt: skip


class Kill(sp.Callback):
    """End everything after so many training steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def step_end(self, learn: sp.Learner) -> None:
        """Count down."""
        self.left -= learn.phase.trains
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("kind", MODELS)
def test_a_saved_model_says_what_it_said(kind: str) -> None:
    folder = SAVED / kind
    known = load_file(folder / "expected.safetensors")["y_hat"]
    task, data, _ = MODELS[kind]()
    loaded = sp.load(folder, model=FOREIGN[kind]() if kind in FOREIGN else None)
    if kind == "table":  # the first version compared categories as they are written
        assert loaded.task.input.as_text
        assert loaded.task.input.categorical == task.input.categorical
        assert list(map(type, loaded.task.encodings)) == list(map(type, task.encodings))
    else:
        assert loaded.task == task
    assert torch.allclose(outputs(loaded.model, loaded.task, data.x), known, atol=1e-5)


def test_a_saved_tokeniser_says_what_it_said() -> None:
    for kind in ("text", "byte_pairs"):
        read = sp.text.load(SAVED / "tokenisers" / f"{kind}.json")
        assert read == MODELS[kind]()[0].encodings[0]


def test_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    """From the middle of its second epoch, with the losses that it would have had."""
    known = load_file(SAVED / "training" / "expected.safetensors")
    shutil.copytree(SAVED / "training", tmp_path / "runs")
    learn = trainee((sp.Checkpoint(tmp_path / "runs", every=2),))
    found = learn.resume(tmp_path / "runs")
    assert found is not None
    assert (found.epoch, found.step) == (1, 2)
    learn.fit_one_cycle(3)
    assert len(learn.history) == 3
    assert torch.allclose(torch.tensor(learn.history.losses), known["losses"], atol=1e-5)
    weights = torch.cat([value.flatten() for value in learn.model.parameters()])
    assert torch.allclose(weights, known["weights"], atol=1e-5)


def write(folder: Path) -> None:
    """Write all that the tests above read."""
    for kind, make in MODELS.items():
        torch.manual_seed(0)
        task, data, model = make()
        learn = sp.Learner(
            task, (data,), model=model, device="cpu", progress=False, loss=lambda a, b: a.sum()
        )
        learn.export(folder / kind)
        known = outputs(learn.model, task, data.x).contiguous()
        save_file({"y_hat": known}, folder / kind / "expected.safetensors")
    (folder / "tokenisers").mkdir()
    for kind in ("text", "byte_pairs"):
        MODELS[kind]()[0].encodings[0].save(folder / "tokenisers" / f"{kind}.json")
    learn = trainee((sp.Checkpoint(folder / "training", every=2, keep=1), Kill(8)))
    with pytest.raises(KeyboardInterrupt):
        learn.fit_one_cycle(3)
    learn = trainee(())
    learn.fit_one_cycle(3)
    weights = torch.cat([value.detach().flatten() for value in learn.model.parameters()])
    expected = {"losses": torch.tensor(learn.history.losses), "weights": weights}
    save_file(expected, folder / "training" / "expected.safetensors")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
