"""Mistakes in a step: each is named with what was found, what was expected, and the fix."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat import sanity
from sprat.errors import DataError, SpratError, TrainingError

X, Y = torch.randn(4, 2), torch.tensor([0, 1, 2, 0])


class Step(sp.TrainPhase):
    """A phase whose step is a function."""

    def __init__(self, function: Callable[[sp.Learner, sp.Batch], Any]) -> None:
        self.function = function

    def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
        return self.function(learn, batch)


def learner(
    function: Callable[..., Any] | None = None, *, x: Any = X, y: Any = Y, **options: Any
) -> sp.Learner:
    model = options.pop("model", None) or nn.Linear(2, 3)
    loaders = options.pop("loaders", ([(x, y)] * 3,))
    phases = None if function is None else [Step(function)]
    options.setdefault("loss", F.cross_entropy)
    return sp.Learner(model, loaders, phases=phases, device="cpu", **options)


class OwnTensor(nn.Module):
    """A tensor that does not move with the model, on the device that holds no data."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.shift = nn.Linear(2, 3), torch.zeros(3, device="meta")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + self.shift


STEPS: dict[str, tuple[Callable[[], sp.Learner], type[SpratError], str, str]] = {
    "returns None": (
        lambda: learner(lambda learn, b: None),
        TrainingError, r"Step\.step returned NoneType", "return learn.update",
    ),
    "returns the loss": (
        lambda: learner(lambda learn, b: learn.model(b.x).mean()),
        TrainingError, r"Step\.step returned float32 \(\)", "return learn.update",
    ),
    "a loss with axes": (
        lambda: learner(lambda learn, b: learn.update(loss=learn.model(b.x).mean(1))),
        TrainingError, r"gives the loss float32 \(4,\); a tensor with no axes", "loss.mean()",
    ),
    "a loss with axes, of a plain loader": (
        lambda: learner(loss=lambda y_hat, y: F.cross_entropy(y_hat, y, reduction="none")),
        TrainingError, r"TrainPhase\.step gives the loss float32 \(4,\)", "loss.mean()",
    ),
    "a loss without gradient": (
        lambda: learner(lambda learn, b: learn.update(loss=learn.model(b.x).mean().detach())),
        TrainingError, "has no gradient", "without .detach()",
    ),
    "a model that learns nothing": (
        lambda: _frozen(learner()), TrainingError, "has no gradient", "learn.unfreeze()",
    ),
    "an unknown optimiser": (
        lambda: learner(
            lambda learn, b: learn.update(loss=learn.model(b.x).mean(), optimizer="critic")
        ),
        TrainingError, "the optimiser 'critic'; the learner has 'main'", "Learner",
    ),
    "too few inputs": (
        lambda: learner(x=torch.randn(4, 5)), TrainingError,
        r"Linear can't take inputs of float32 \(4, 5\)", "build the model for this input",
    ),
    "another type": (
        lambda: learner(x=X.double()), TrainingError,
        r"can't take inputs of float64 \(4, 2\)", "x.float()",
    ),
    "another device": (
        lambda: learner(model=OwnTensor()), TrainingError, "OwnTensor can't take",
        "register_buffer",
    ),
    "a label out of range": (
        lambda: learner(y=Y + 1), TrainingError, "out of bounds", "class indices run from 0",
    ),
    "labels of 32 bits": (
        lambda: learner(y=Y.int()), TrainingError, r"targets int32 \(4,\)", "y.long()",
    ),
    "targets of another length": (
        lambda: learner(y=Y[:3]), TrainingError, r"targets int64 \(3,\)", "pass another loss=",
    ),
    "no batches": (
        lambda: learner(loaders=([],)), DataError, "The train loader has no batches", "split",
    ),
    "no batches to validate on": (
        lambda: learner(loaders=([(X, Y)], [])), DataError, "The valid loader has no", "split",
    ),
    "missing numbers": (
        lambda: learner(x=X * float("nan")), TrainingError,
        "nan from step 0 on: before the weights have moved", "not finite in the data",
    ),
    "missing numbers later": (
        lambda: learner(loaders=([(X, Y), (X * float("nan"), Y)],)), TrainingError,
        "nan from step 1 on: training has diverged", "not finite in the data",
    ),
}  # fmt: skip


def _frozen(learn: sp.Learner) -> sp.Learner:
    learn.prepare(None)
    learn.model.requires_grad_(False)
    return learn


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_can_not_work(name: str) -> None:
    make, error, says, fix = STEPS[name]
    with pytest.raises(error, match=says) as caught:
        make().fit(1)
    assert fix in caught.value.fix


@pytest.mark.parametrize("loss", [3.0, None])
def test_a_loss_that_is_no_tensor(loss: Any) -> None:
    # Under the types that tests check, update would not even be called with these.
    learn = learner()
    learn.phase = sp.TrainPhase()
    learn.prepare(None)
    with pytest.raises(TrainingError, match=f"gives the loss {type(loss).__name__}"):
        sanity.explain_update(learn, loss, "main")


def test_memory_that_does_not_suffice() -> None:
    def step(learn: sp.Learner, batch: sp.Batch) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(
        TrainingError, match=r"memory of cpu does not suffice for float32 \(4, 2\)"
    ) as caught:
        learner(step).fit(1)
    assert "smaller batch_size" in caught.value.fix


def test_what_is_not_known_is_left_as_it_is() -> None:
    """A mistake of the step's own keeps its own words and place."""

    def step(learn: sp.Learner, batch: sp.Batch) -> Any:
        return {}["missing"]

    with pytest.raises(KeyError, match="missing"):
        learner(step).fit(1)


def test_a_step_in_validation_is_explained_too() -> None:
    class Checks(sp.ValidPhase):
        def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
            return None

    learn = sp.Learner(
        nn.Linear(2, 3), ([(X, Y)], [(X, Y)]), loss=F.cross_entropy, device="cpu",
        phases=[sp.TrainPhase(), Checks()],
    )  # fmt: skip
    with pytest.raises(TrainingError, match=r"Checks\.step returned NoneType"):
        learn.fit(1)
    with pytest.raises(TrainingError, match=r"Checks\.step returned NoneType"):
        learn.evaluate()
