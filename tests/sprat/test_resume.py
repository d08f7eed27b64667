"""A training that was interrupted goes on exactly: the same losses, bit by bit."""

import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import sprat as sp
from sprat import files
from sprat.augment.place import Choice
from sprat.checkpoint import states
from sprat.errors import ExportError, TrainingError


class Killed(Exception):  # noqa: N818 - what happens to a process, not an error of its own
    """The end of a process, as far as training can tell."""


class Kill(sp.Callback):
    """End everything after so many training steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def step_end(self, learn: sp.Learner) -> None:
        if learn.phase.trains:
            self.left -= 1
            if self.left < 0:
                raise Killed


def own(pictures: sp.Data, **options: Any) -> sp.Learner:
    """Everything random at once: order, dropout, initial weights."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(81, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(12, 3),
    )  # fmt: skip
    task = sp.Task(sp.Image(channels=1), sp.Label(pictures.classes))
    generator = torch.Generator().manual_seed(5)
    data = options.pop("data", None) or (pictures[:72], pictures[72:])
    return sp.Learner(
        task, data, model=model, batch_size=16, device="cpu", generator=generator, lr=0.01,
        **options,
    )  # fmt: skip


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ahead(generator: torch.Generator | None = None) -> sp.Augment:
    transforms = (sp.augment.Affine(degrees=20), sp.augment.Noise(0.05))
    return sp.Augment(*transforms, generator=generator, device="cpu")


class Jitter(sp.Callback):
    """Augmentation with a generator of its own."""

    writes = {"batch"}  # noqa: RUF012

    after = (sp.Augment,)

    def __init__(self, generator: torch.Generator | None = None) -> None:
        self.generator = generator or seeded(7)

    def step_begin(self, learn: sp.Learner) -> None:
        noise = torch.randn(learn.batch.x.shape, generator=self.generator)
        learn.batch.x = learn.batch.x + 0.1 * noise * float(numpy.random.rand())


def sgd(parameters: Any, lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9, nesterov=True)


class MeasuredTraining(sp.TrainPhase):
    measures = True


Make = Callable[[sp.Data], sp.Learner]
MAKERS: dict[str, Make] = {
    "AdamW with dropout": own,
    "SGD with momentum": lambda data: own(data, optimizer=sgd),
    "torch's generator": lambda data: _with(own(data), generator=None),
    "augmentation": lambda data: own(data, callbacks=[sp.Augment(sp.augment.Affine(degrees=20))]),
    "augmentation ahead": lambda data: own(data, callbacks=[ahead()]),
    "ahead, all from torch's generator": lambda data: _with(
        own(data, callbacks=[ahead()]), generator=None
    ),
    "ahead, a generator of its own": lambda data: own(data, callbacks=[ahead(seeded(4))]),
    "ahead, one generator for all": lambda data: _with(
        own(data, callbacks=[ahead(shared := seeded(4)), Jitter(shared)]), generator=shared
    ),
    "ahead of a loader that draws": lambda data: own(
        data, data=plain(data, noisy=True), callbacks=[ahead(seeded(4))]
    ),
    "ahead of workers that draw": lambda data: own(
        data, data=plain(data, noisy=True, workers=1), callbacks=[ahead()]
    ),
    "a generator of its own": lambda data: own(data, callbacks=[Jitter()]),
    "average, clipping": lambda data: own(data, callbacks=[sp.EMA(0.9), sp.GradientClip(0.1)]),
    "accumulation": lambda data: own(data, callbacks=[sp.Accumulate(2), sp.EMA(0.9)]),
    "stopping early": lambda data: own(
        data, callbacks=[sp.EarlyStopping("accuracy", patience=1, min_delta=2.0)]
    ),
    "a plain loader": lambda data: own(data, data=plain(data)),
    "bf16": lambda data: own(data, precision="bf16"),
    "measuring while training": lambda data: own(
        data, phases=[MeasuredTraining()], metrics=[sp.metrics.accuracy]
    ),
}


def _with(learn: sp.Learner, *, generator: torch.Generator | None) -> sp.Learner:
    learn.generator = learn.loaders["train"].generator = generator
    return learn


class Noisy(TensorDataset):
    """Each sample is drawn anew, from torch's own generator, as the steps' dropout is."""

    def __getitem__(self, index: int) -> Any:
        x, y = super().__getitem__(index)
        return x + torch.randint(0, 9, x.shape, dtype=torch.uint8), y


def plain(pictures: sp.Data, *, noisy: bool = False, workers: int = 0) -> Any:
    dataset = (Noisy if noisy else TensorDataset)(pictures.x[:72], pictures.y[:72])
    valid = DataLoader(TensorDataset(pictures.x[72:], pictures.y[72:]), 24)
    order = torch.Generator().manual_seed(9)
    return DataLoader(dataset, 16, shuffle=True, generator=order, num_workers=workers), valid


def everything(learn: sp.Learner) -> dict[str, Any]:
    return {
        "losses": learn.history.losses,
        "lrs": learn.history.lrs,
        "rows": learn.history.rows,
        "weights": {name: value.tolist() for name, value in learn.model.state_dict().items()},
        "random": torch.get_rng_state().tolist(),
    }


@pytest.mark.parametrize(
    ("name", "killed_after"),
    [(name, 8) for name in MAKERS] + [("AdamW with dropout", after) for after in (2, 5, 13)],
)
def test_it_goes_on_exactly(
    pictures: sp.Data, tmp_path: Path, name: str, killed_after: int
) -> None:
    """Three epochs of five steps, a state after every second step and every epoch."""
    make = MAKERS[name]
    numpy.random.seed(0)
    whole = make(pictures)
    whole.fit_one_cycle(3, 0.03)
    expected = everything(whole)

    numpy.random.seed(0)
    first = make(pictures)
    with pytest.raises(Killed):
        first.fit_one_cycle(
            3, 0.03, callbacks=[sp.Checkpoint(tmp_path, every=2), Kill(killed_after)]
        )
    torch.manual_seed(99)  # a new process has other random numbers, and other weights
    numpy.random.seed(99)
    second = make(pictures)
    stood = second.resume(tmp_path)
    assert (stood.epoch, stood.step) == {
        2: (0, 2), 5: (1, 0), 8: (1, 3), 13: (2, 2),
    }[killed_after]  # fmt: skip
    second.lr_find(steps=10)  # a look between the two changes nothing
    second.evaluate()
    second.fit_one_cycle(3, 0.03, callbacks=[sp.Checkpoint(tmp_path, every=2)])
    assert everything(second) == expected
    assert second.resumed is None


@pytest.mark.parametrize("shared", [False, True])
def test_how_far_ahead_the_thread_is_changes_nothing(
    pictures: sp.Data, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """Nor where the run is broken off: the generator stands where the last batch has left it."""
    found = []
    for depth in (1, 9):
        monkeypatch.setattr("sprat.ahead.AHEAD", depth)
        generator = None if shared else seeded(4)
        learn = own(pictures, callbacks=[ahead(generator)])
        with pytest.raises(Killed):
            learn.fit(2, callbacks=[Kill(7)])
        found.append(everything(learn))
        if generator is not None:
            found[-1]["generator"] = generator.get_state().tolist()
    assert found[0] == found[1]


def test_a_fit_that_is_taken_up_augments_where_the_interrupted_one_did(
    pictures: sp.Data, tmp_path: Path
) -> None:
    """A measurement may come out otherwise the second time."""

    def auto() -> sp.Augment:
        return sp.Augment(sp.augment.Noise(0.2), device="auto")

    def measured() -> sp.Augment:
        augment = auto()
        augment.choice = Choice(True, "a GPU was slower")
        return augment

    whole = own(pictures, callbacks=[measured()])
    whole.fit(2)
    with pytest.raises(Killed):
        own(pictures, callbacks=[measured()]).fit(
            2, callbacks=[sp.Checkpoint(tmp_path, every=2), Kill(7)]
        )
    augment = auto()
    second = own(pictures, callbacks=[augment])
    second.resume(tmp_path)
    second.fit(2, callbacks=[sp.Checkpoint(tmp_path, every=2)])
    assert augment.choice == Choice(True, "a GPU was slower")
    assert everything(second) == everything(whole)


def test_the_interrupted_epochs_are_not_trained_again(pictures: sp.Data, tmp_path: Path) -> None:
    learn = own(pictures)
    learn.fit(2, callbacks=[sp.Checkpoint(tmp_path)])
    again = own(pictures)
    again.resume(tmp_path)
    assert again.history.losses == learn.history.losses
    again.fit(2)
    assert len(again.history) == 2
    again.fit(1)  # and then fits are as ever
    assert len(again.history) == 3


def test_fine_tuning_is_taken_up_in_either_part(pictures: sp.Data, tmp_path: Path) -> None:
    whole = own(pictures)
    whole.fine_tune(2, 0.02, freeze_epochs=2)
    for number, killed_after in enumerate((7, 13)):
        folder = tmp_path / str(number)
        first = own(pictures)
        with pytest.raises(Killed):
            first.fine_tune(
                2, 0.02, freeze_epochs=2,
                callbacks=[sp.Checkpoint(folder, every=1), Kill(killed_after)],
            )  # fmt: skip
        second = own(pictures)
        second.resume(folder)
        second.fine_tune(2, 0.02, freeze_epochs=2, callbacks=[sp.Checkpoint(folder, every=1)])
        assert everything(second) == everything(whole)


def test_several_optimisers_are_taken_up(pictures: sp.Data, tmp_path: Path) -> None:
    def game() -> sp.Learner:
        torch.manual_seed(0)
        model = nn.ModuleDict({"a": nn.Linear(81, 3), "b": nn.Linear(81, 3)})
        return sp.Learner(
            sp.Task(sp.Image(channels=1), sp.Label(pictures.classes)),
            (pictures,),
            model=model,
            phases=[Turns()],
            batch_size=16,
            optimizer={
                "a": torch.optim.Adam(model["a"].parameters(), lr=0.01),
                "b": sgd(model["b"].parameters(), lr=0.02),
            },
            device="cpu",
        )

    whole = game()
    torch.manual_seed(1)
    whole.fit(2)
    first = game()
    torch.manual_seed(1)
    with pytest.raises(Killed):
        first.fit(2, callbacks=[sp.Checkpoint(tmp_path, every=3), Kill(7)])
    second = game()
    second.resume(tmp_path)
    second.fit(2)
    assert everything(second) == everything(whole)


class Turns(sp.TrainPhase):
    """Two models, each with its optimiser."""

    def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
        state: dict[str, Any] = {}
        for name in "ab":
            y_hat = learn.model[name](batch.x.flatten(1))  # type: ignore[index]
            state = learn.update(loss=F.cross_entropy(y_hat, batch.y), optimizer=name)
        return state


SCRIPT = """
import os, signal, sys, torch
os.environ["SPRAT_PROGRESS"] = "off"
import sprat as sp

class Kill(sp.Callback):
    steps = 0
    def step_end(self, learn):
        self.steps += learn.phase.trains
        if self.steps == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

torch.manual_seed(0)
x = torch.randint(0, 256, (60, 1, 6, 6), dtype=torch.uint8)
data = sp.Data(x, torch.arange(60) % 3)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.2), torch.nn.Linear(36, 3))
learn = sp.Learner(sp.Task(sp.Image(1), sp.Label(["a", "b", "c"])), (data,), model=model,
                   batch_size=8, device="cpu")
learn.resume(sys.argv[1], missing_ok=True)
learn.fit_one_cycle(2, 0.01, callbacks=[sp.Checkpoint(sys.argv[1], every=3), Kill()])
print([loss.hex() for loss in learn.history.losses])
"""


@pytest.mark.slow
def test_a_process_that_is_killed(tmp_path: Path) -> None:
    def run(folder: str, steps: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / folder), str(steps)]
        return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))

    whole, dead = run("whole", 10_000), run("killed", 11)
    assert whole.returncode == 0, whole.stderr
    assert dead.returncode == -signal.SIGKILL
    resumed = run("killed", 10_000)
    assert resumed.stdout == whole.stdout
    assert len(json.loads(whole.stdout.replace("'", '"'))) == 16


def test_states_are_whole_and_few(pictures: sp.Data, tmp_path: Path) -> None:
    learn = own(pictures)
    learn.fit(3, callbacks=[sp.Checkpoint(tmp_path / "run", every=2, keep=3)])
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == [f"state-{moves:09d}.safetensors" for moves in (12, 14, 15)]
    assert [moves for moves, _ in states(tmp_path / "run")] == [12, 14, 15]


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.safetensors"
    files.write(path, {"a": torch.ones(2)})
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(ExportError, match="disk full"):
        files.write(path, {"a": torch.zeros(2)})
    assert torch.equal(files.read(path)["a"], torch.ones(2))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_plain_values_come_back_as_they_were(tmp_path: Path) -> None:
    shared = torch.arange(6).reshape(2, 3)
    value = {
        "none": None, "yes": True, "one": 1, "half": 0.1, "text": "ä", "endless": float("inf"),
        "tuple": (0.9, 0.999), "list": [1, [2]], 3: {"a": shared, "b": shared.t()}, "empty": {},
        "bytes": torch.arange(3, dtype=torch.uint8), "scalar": torch.tensor(2.5),
    }  # fmt: skip
    files.write(tmp_path / "v", value)
    back = files.read(tmp_path / "v")
    assert str(back) == str(value)
    assert back["tuple"] == (0.9, 0.999)
    with pytest.raises(ExportError, match="A set can't be saved"):
        files.write(tmp_path / "v", {"a": {1}})


MISTAKES: dict[str, tuple[Callable[[Path, sp.Data], Any], type[Exception], str]] = {
    "no state": (lambda p, d: own(d).resume(p / "none"), ExportError, "There is no state in"),
    "damaged": (lambda p, d: own(d).resume(_damaged(p)), ExportError, "is damaged"),
    "another model": (
        lambda p, d: sp.Learner(nn.Linear(2, 1), ([],), device="cpu").resume(p),
        ExportError, "don't fit Linear",
    ),
    "other epochs": (lambda p, d: _resumed(p, d).fit(3), TrainingError, "has 2 epochs; this one"),
    "another optimiser": (
        lambda p, d: _resumed(p, d, optimizer={"b": sgd([torch.ones(1)], lr=0.1)}).fit(2),
        ExportError, "are not the learner's",
    ),
    "a callback is missing": (
        lambda p, d: _resumed(p, d).fit(2), TrainingError, "had the callback EMA",
    ),
    "the folder of a longer training": (
        lambda p, d: own(d).fit(1, callbacks=[sp.Checkpoint(p)]), TrainingError,
        "went on for 10 steps; this one is at 0",
    ),
    "senseless numbers": (lambda p, d: sp.Checkpoint(p, keep=0), TrainingError, "keep=0"),
}  # fmt: skip


def _resumed(folder: Path, data: sp.Data, **options: Any) -> sp.Learner:
    learn = own(data, **options)
    learn.resume(folder)
    return learn


def _damaged(folder: Path) -> Path:
    newest = states(folder)[-1][1]
    newest.write_bytes(newest.read_bytes()[:200])
    return folder


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(pictures: sp.Data, tmp_path: Path, name: str) -> None:
    own(pictures).fit(2, callbacks=[sp.Checkpoint(tmp_path), sp.EMA()])
    act, error, says = MISTAKES[name]
    with pytest.raises(error, match=says) as caught:
        act(tmp_path, pictures)
    assert len(caught.value.fix) > 5  # type: ignore[attr-defined]


def test_weights_that_do_not_fit_change_nothing(pictures: sp.Data, tmp_path: Path) -> None:
    own(pictures).fit(1, callbacks=[sp.Checkpoint(tmp_path)])
    other = own(pictures)
    other.model[1] = nn.Linear(81, 13)  # type: ignore[operator]
    before = everything(other)
    with pytest.raises(ExportError, match=r"1.weight has the shape \(12, 81\), here \(13, 81\)"):
        other.resume(tmp_path)
    assert everything(other) == before
    assert other.resumed is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # older torch calls lazy modules new
        other.model[1] = nn.LazyLinear(12)  # type: ignore[operator]
    other.resume(tmp_path)  # what has no shape yet takes any
    assert other.model[1].weight.shape == (12, 81)  # type: ignore[index]


def test_no_state_is_no_error_where_that_is_said(pictures: sp.Data, tmp_path: Path) -> None:
    learn = own(pictures)
    assert learn.resume(tmp_path / "new", missing_ok=True) is None
    learn.fit(1)
    assert len(learn.history) == 1


def test_the_best_models_are_kept(pictures: sp.Data, tmp_path: Path) -> None:
    learn = own(pictures)
    learn.fit(6, lr=0.05, callbacks=[sp.Checkpoint(tmp_path, best=2, monitor="valid_loss")])
    losses = learn.history["valid_loss"]
    best = sorted(range(6), key=losses.__getitem__)[:2]
    found = {path.name for path in (tmp_path / "best").iterdir()}
    assert found == {f"epoch-{epoch:03d}" for epoch in best}
    model = own(pictures).model
    loaded = sp.load(tmp_path / "best" / f"epoch-{best[0]:03d}", model=model)
    x, y = pictures.x[72:].float() / 255, pictures.y[72:]
    with torch.no_grad():
        loss: Tensor = F.cross_entropy(loaded.model(x), y)
    assert float(loss) == pytest.approx(min(losses), rel=1e-5)
