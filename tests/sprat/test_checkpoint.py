"""The best models are those of all fits of one learner, and of no other."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.errors import TrainingError


def learner(**options: Any) -> sp.Learner:
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(0)
    y = torch.arange(100) % 3
    data = sp.Data(torch.randn(100, 4, generator=g) + nn.functional.one_hot(y, 4) * 2.0, y)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    options = {"device": "cpu", "progress": False, "generator": g, "model": model} | options
    task = sp.Task(sp.Continuous(4), sp.Label(["a", "b", "c"]))
    return sp.Learner(task, data.split(0.2, generator=g), **options)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "best").iterdir())


def best(learn: sp.Learner, count: int = 1) -> list[str]:
    losses = learn.history["valid_loss"]
    return sorted(
        f"epoch-{i:03d}" for i in sorted(range(len(losses)), key=losses.__getitem__)[:count]
    )


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("rates", [(1e-2, 3.0), (3.0, 1e-2), (1e-2, 1e-2)])
def test_two_fits_have_one_best(
    tmp_path: Path, rates: tuple[float, float], anew: bool, count: int
) -> None:
    learn, keep = learner(), sp.Checkpoint(tmp_path, best=count)
    learn.fit(5, lr=rates[0], callbacks=[keep])
    learn.fit(2, lr=rates[1], callbacks=[sp.Checkpoint(tmp_path, best=count) if anew else keep])
    assert kept(tmp_path) == best(learn, count)


def test_fine_tuning_has_one_best(tmp_path: Path) -> None:
    learn = learner()
    learn.fine_tune(3, lr=1e-2, freeze_epochs=2, callbacks=[sp.Checkpoint(tmp_path, best=1)])
    assert kept(tmp_path) == best(learn) == ["epoch-004"]


def test_a_fit_without_it_in_between_does_not_confuse_it(tmp_path: Path) -> None:
    learn, keep = learner(), sp.Checkpoint(tmp_path, best=1)
    learn.fit(2, lr=1e-2, callbacks=[keep])
    learn.fit(2, lr=3.0)
    learn.fit(2, lr=3.0, callbacks=[keep])
    assert kept(tmp_path) == ["epoch-001"]


def test_the_same_object_serves_another_learner(tmp_path: Path) -> None:
    keep = sp.Checkpoint(tmp_path / "a", best=1)
    learner().fit(3, lr=1e-2, callbacks=[keep])
    keep.folder = tmp_path / "b"
    other = learner()
    other.fit(2, lr=1e-3, callbacks=[keep])
    assert kept(tmp_path / "b") == best(other)
    assert kept(tmp_path / "a") == ["epoch-002"]


def test_models_of_another_training_are_refused(tmp_path: Path) -> None:
    learner().fit(2, callbacks=[sp.Checkpoint(tmp_path, best=1)])
    for state in tmp_path.glob("state-*"):
        state.unlink()
    with pytest.raises(TrainingError, match="holds epoch-001 of another training"):
        learner().fit(1, callbacks=[sp.Checkpoint(tmp_path, best=1)])
    learner().fit(1, callbacks=[sp.Checkpoint(tmp_path / "other", best=1)])


class Kill(sp.Callback):
    def __init__(self, epoch: int, step: int) -> None:
        self.place = epoch, step

    def step_end(self, learn: sp.Learner) -> None:
        if learn.phase.trains and (learn.epoch, learn.step) == self.place:
            raise KeyboardInterrupt


@pytest.mark.parametrize("step", [0, 4])
def test_the_best_so_far_comes_back_with_the_state(tmp_path: Path, step: int) -> None:
    def fit(learn: sp.Learner, *more: sp.Callback) -> None:
        keep = sp.Checkpoint(tmp_path, every=1, best=1)
        learn.fit(4, lr=0.5, callbacks=[keep, *more])

    with pytest.raises(KeyboardInterrupt):
        fit(learner(batch_size=16), Kill(2, step))
    again = learner(batch_size=16)
    again.resume(tmp_path)
    fit(again)
    assert len(again.history) == 4
    assert kept(tmp_path) == best(again)
