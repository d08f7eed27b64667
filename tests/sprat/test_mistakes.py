"""Bad input: each mistake is answered with what was found, what was expected, and the fix."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat.augment.callback import check_transforms
from sprat.callbacks import in_order
from sprat.errors import (
    BlockError,
    CallbackError,
    DataError,
    DispatchError,
    SpratError,
    TaskError,
    TrainingError,
)
from sprat.grid import make_grid
from sprat.sanity import check_parts
from sprat.task import _as_block

IMAGE, LABEL = sp.Image(channels=1, size=(9, 9)), sp.Label(["a", "b", "c"])
GREY = torch.zeros(4, 1, 9, 9, dtype=torch.uint8)
NAN = torch.full((4, 1, 9, 9), float("nan"))

CHECKS = {
    "no tensor": (IMAGE, [1, 2], "got list; a tensor"),
    "no batch axis": (IMAGE, GREY[0], "3 axes instead of 4"),
    "too many axes": (IMAGE, GREY[None], "5 axes instead of 4"),
    "empty batch": (IMAGE, GREY[:0], "empty batch"),
    "channels": (IMAGE, GREY.expand(4, 3, 9, 9), "3 channels instead of 1"),
    "channels last": (IMAGE, torch.zeros(4, 9, 9, 1), "9 channels instead of 1"),
    "other size": (IMAGE, torch.zeros(4, 1, 8, 9), r"pictures of \(8, 9\) pixels"),
    "missing pixels": (IMAGE, NAN, "not finite"),
    "infinite pixels": (sp.ImageTensor(1), NAN * 0 + float("inf"), "not finite"),
    "whole pixels": (IMAGE, GREY.long(), "got torch.int64; uint8"),
    "unencoded": (sp.ImageTensor(1), GREY, "uint8; a float type"),
    "float labels": (LABEL, torch.zeros(4), "float32 targets; int64"),
    "one-hot labels": (LABEL, torch.zeros(4, 3, dtype=torch.int64), "2 axes instead of 1"),
    "label too high": (LABEL, torch.tensor([0, 1, 3]), "run from 0 to 3"),
    "label below 0": (LABEL, torch.tensor([-1, 1]), "run from -1 to 1"),
    "width": (sp.Continuous(2), torch.zeros(4, 3), r"of shape \(4, 3\)"),
    "flat": (sp.Continuous(1), torch.zeros(4), "1 axes instead of 2"),
    "whole numbers": (sp.Continuous(1), torch.zeros(4, 1, dtype=torch.int64), "got torch.int64"),
    "missing numbers": (sp.Continuous(1), torch.full((4, 1), float("nan")), "not finite"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_blocks_refuse(name: str) -> None:
    block, values, says = CHECKS[name]
    with pytest.raises(BlockError, match=says) as caught:
        block.check(values)
    assert type(block).__name__ in caught.value.found
    assert len(caught.value.fix) > 5


@pytest.mark.parametrize(
    "block", [IMAGE, sp.Image(), LABEL, sp.Continuous(3), sp.ImageTensor(2)], ids=repr
)
def test_blocks_accept_their_own_mock(block: sp.Block) -> None:
    first = block.mock(5, generator=torch.Generator().manual_seed(0))
    block.check(first)
    assert len(first) == 5
    assert torch.equal(first, block.mock(5, generator=torch.Generator().manual_seed(0)))


def pictures(**changes: Any) -> sp.Data:
    y = torch.arange(40) % 3
    x = torch.randint(0, 256, (40, 1, 9, 9), dtype=torch.uint8)
    return sp.Data(changes.get("x", x), changes.get("y", y))


def learner(data: Any, model: nn.Module | None = None, **options: Any) -> sp.Learner:
    task = options.pop("task", sp.Task(IMAGE, LABEL))
    model = sp.models.MLP(81, 3, [4]) if model is None else model
    return sp.Learner(task, data, model=model, device="cpu", **options)


def fit(*args: Any, **options: Any) -> Callable[[], Any]:
    return lambda: learner(*args, **options).fit(1)


class NotALoader:
    """Batches without a length."""

    def __iter__(self) -> Any:
        return iter([])


BUILDS: dict[str, tuple[Callable[[], Any], type[SpratError], str]] = {
    "label out of range": (
        lambda: learner((pictures(y=torch.arange(40) % 4),)), BlockError, "run from 0 to 3",
    ),
    "float targets": (
        lambda: learner((pictures(y=torch.zeros(40)),)), BlockError, "int64 indices",
    ),
    "no targets": (
        lambda: learner((sp.Data(pictures().x),)), TaskError, "the data has none",
    ),
    "validation is wrong": (
        lambda: learner((pictures(), pictures(x=torch.zeros(40, 3, 9, 9)))),
        BlockError, "3 channels instead of 1",
    ),
    "three parts": (lambda: learner((pictures(),) * 3), DataError, "data has 3 parts"),
    "no parts": (lambda: learner(()), DataError, "data has 0 parts"),
    "a list for a tuple": (
        lambda: learner([pictures(), pictures()]), DataError, "The data is a list of Data",
    ),
    "a warmup beyond the end": (
        lambda: learner((pictures(),)).fit_one_cycle(1, warmup=2.0), TrainingError, "shares of",
    ),
    "no loader": (lambda: learner((5,)), DataError, "int is neither a Data nor a loader"),
    "loader without length": (lambda: learner((NotALoader(),)), DataError, "NotALoader"),
    "no model": (
        lambda: sp.Learner(sp.Task(IMAGE, LABEL), (pictures(),)), TaskError, "an nn.Module",
    ),
    "unknown device": (
        lambda: sp.Learner(nn.Linear(1, 1), ([],), device="abacus"), TrainingError, "'abacus'",
    ),
    "unknown precision": (
        lambda: learner((pictures(),), precision="fp8"), TrainingError, "'fp8' is unknown",
    ),
    "fp16 on the CPU": (
        lambda: learner((pictures(),), precision="fp16"), TrainingError, "fp16 needs a GPU",
    ),
    "one class": (lambda: sp.Label(["only"]), BlockError, "at least two names"),
    "no classes": (lambda: sp.Label(None), BlockError, "at least two names"),
    "a word as classes": (lambda: sp.Label("cat"), BlockError, "at least two names"),
    "one class twice": (lambda: sp.Label(["a", "b", "a"]), BlockError, "'a' more than once"),
    "text as a column": (lambda: sp.Data("abc"), DataError, "one entry for each sample; str"),
    "a dict as a column": (lambda: sp.Data({"x": 1}), DataError, "one entry for each sample; dict"),
    "objects as a column": (
        lambda: sp.Data(numpy.array([None, 1], dtype=object)), DataError, "the type object",
    ),
    "no share to split off": (
        lambda: pictures().split(valid=float("nan")), DataError, "nan is neither a share",
    ),
    "no columns": (lambda: make_grid("text", 0), DispatchError, "columns is 0"),
    "epochs below 0": (lambda: learner((pictures(),)).fit(-1), TrainingError, "epochs is -1"),
    "rate below 0": (lambda: learner((pictures(),)).fit(1, lr=-1.0), TrainingError, "lr is -1"),
    "rate beyond bounds": (
        lambda: learner((pictures(),)).fit(1, lr=1e38), TrainingError, r"lr is 1e\+38",
    ),
    "no loss for a target": (
        lambda: sp.Task(IMAGE, sp.Image()).encoded(None) or sp.Task(IMAGE, _Sound()),
        TaskError, "No loss is known",
    ),
    "model takes other inputs": (
        fit((pictures(),), sp.models.MLP(80, 3)), TrainingError, "can't take inputs of float32",
    ),
    "model with too few outputs": (
        fit((pictures(),), sp.models.MLP(81, 2)), TrainingError, "puts out 2 numbers a sample",
    ),
    "model with too many outputs": (
        fit((pictures(),), sp.models.MLP(81, 7)), TrainingError, "num_outputs=3",
    ),
    "loss does not fit": (
        fit((pictures(),), loss=F.binary_cross_entropy), TrainingError, "can't compare outputs",
    ),
    "loss with axes": (
        fit((pictures(),), loss=lambda a, b: F.cross_entropy(a, b, reduction="none")),
        TrainingError, "a tensor with no axes",
    ),
    "frozen model": (
        fit((pictures(),), sp.models.MLP(81, 3).requires_grad_(False)), TaskError, "no weights",
    ),
}  # fmt: skip


class _Sound(sp.Block):
    def check(self, values: Any) -> None: ...
    def mock(self, count: int, *, generator: torch.Generator | None = None) -> torch.Tensor:
        return torch.zeros(count)


PARTS = {
    "a phase without a list": ({"phases": sp.TrainPhase()}, r"phases is TrainPhase\(\)"),
    "a class of phases": ({"phases": [sp.TrainPhase]}, "phases is a list with <class"),
    "a metric without a list": ({"metrics": sp.metrics.accuracy}, "metrics is <function"),
    "the name of a metric": ({"metrics": ["accuracy"]}, "metrics is a list with 'accuracy'"),
    "the name of an optimiser": ({"optimizer": "adam"}, "optimizer is a str"),
    "an optimiser": (
        {"optimizer": torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)}, "optimizer is a SGD",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_another_kind(name: str) -> None:
    # Under the types that tests check, a learner would not even be called with these.
    given, says = PARTS[name]
    parts = {"phases": None, "metrics": None, "optimizer": torch.optim.AdamW}
    check_parts(**parts)
    with pytest.raises(TaskError, match=says) as caught:
        check_parts(**parts | given)
    assert "pass " in caught.value.fix


def test_a_callback_that_is_none() -> None:
    with pytest.raises(CallbackError, match="'clip' was given as a callback"):
        inspect.unwrap(in_order)(["clip"])


@pytest.mark.parametrize("name", BUILDS)
def test_learners_refuse(name: str) -> None:
    make, error, says = BUILDS[name]
    with pytest.raises(error, match=says) as caught:
        make()
    assert len(caught.value.fix) > 5
    assert str(caught.value) == f"{caught.value.found}\n  fix: {caught.value.fix}"


def test_a_training_that_diverges(pictures: sp.Data, task: sp.Task) -> None:
    x = pictures.x.float() / 255
    x[90] = float("nan")  # beyond what is looked at before training
    learn = sp.Learner(task, (sp.Data(x, pictures.y),), model=sp.models.MLP(81, 3), device="cpu")
    with pytest.raises(TrainingError, match=r"is nan from step [01] on") as caught:
        learn.fit(1)
    assert "not finite in the data" in caught.value.fix


def test_the_check_before_the_first_step_changes_nothing(learn: sp.Learner) -> None:
    before = torch.get_rng_state(), learn.generator.get_state()
    weights = [p.clone() for p in learn.model.parameters()]
    from sprat.sanity import check_first_step

    check_first_step(learn)
    assert torch.equal(before[0], torch.get_rng_state())
    assert torch.equal(before[1], learn.generator.get_state())
    assert all(torch.equal(a, b) for a, b in zip(weights, learn.model.parameters(), strict=True))


def small(**options: Any) -> sp.Learner:
    """Four samples of two numbers, in three classes."""
    task = sp.Task(sp.Continuous(2), sp.Label(["a", "b", "c"]))
    data = sp.Data(torch.zeros(4, 2), torch.tensor([0, 1, 2, 0]))
    options = {"model": nn.Linear(2, 3), "device": "cpu", "progress": False} | options
    return sp.Learner(task, (data, data), **options)


METRICS = {
    "other shapes": (lambda y_hat, y: y_hat @ y, r"can't compare outputs float32 \(4, 3\)"),
    "a number each": (lambda y_hat, y: y_hat.argmax(1) == y, r"gives shape \(4,\); a tensor with"),
    "no tensor": (lambda y_hat, y: 1.0, "gives 1.0; a tensor with no axes"),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_that_does_not_fit_is_named(name: str) -> None:
    metric, says = METRICS[name]
    with pytest.raises(TrainingError, match=says):
        small(metrics=[metric]).fit(1)


def test_targets_that_would_be_spread_over_the_outputs_are_refused() -> None:
    """Torch only warns, and trains each output towards every target."""
    data = sp.Data(torch.zeros(4, 2), torch.zeros(4))
    learn = sp.Learner(nn.Linear(2, 1), data, loss=F.mse_loss, device="cpu", progress=False)
    with pytest.raises(TrainingError, match=r"float32 \(2, 1\) with targets float32 \(2,\), each"):
        learn.fit(1)


def test_predicting_refuses_what_training_would() -> None:
    with pytest.raises(BlockError, match=r"of shape \(1, 5\)"):
        small().predict(torch.zeros(1, 5))
    with pytest.raises(BlockError, match="got str; a tensor"):
        small().predict("what is this?")
    plain = sp.Learner(nn.Linear(2, 1), sp.Data(torch.zeros(4, 2)), device="cpu", loss=F.mse_loss)
    with pytest.raises(TrainingError, match=r"can't take inputs of float32 \(3, 4\)"):
        plain.predict(torch.zeros(3, 4))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: _as_block(sp.Image), "blocks; Image was found"),
        (lambda: _as_block("label"), "blocks; str was found"),
        (lambda: sp.Image(0), "channels=0"),
        (lambda: sp.ImageTensor(1, (28, 0)), r"size=\(28, 0\)"),
        (lambda: sp.ImageTensor(3).check(torch.zeros(2, 1, 4, 4)), "1 channels of"),
        (lambda: sp.ImageTensor(1, (8, 8)).check(torch.zeros(2, 1, 4, 4)), r"of \(4, 4\) pixels"),
        (lambda: sp.GradientClip(0), "max_norm is 0"),
        (lambda: check_transforms((sp.augment.Flip(), 3)), "Augment got 3"),
    ],
)
def test_parts_of_another_kind_are_named(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(SpratError, match=says) as caught:
        call()
    assert len(caught.value.fix) > 5
