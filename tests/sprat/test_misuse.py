"""What beginners do: each is answered in words, and the call that the answer names works.

Every case is a mistake, a part of what is said, a part of the fix, and the fix as it is followed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import sprat as sp
from sprat import kinds
from sprat.errors import SpratError

pytestmark = pytest.mark.usefixtures("untyped")

Y = torch.arange(65) % 3
X = torch.randn(65, 4, generator=torch.Generator().manual_seed(0))
PIXELS = torch.randint(0, 256, (12, 3, 8, 8), dtype=torch.uint8)
THREE = sp.Label(["a", "b", "c"])
WORDS = [THREE.classes[i] for i in Y]
NUMBERS = sp.Task(sp.Continuous(4), THREE)
PICTURES = sp.Task(sp.Image(3), THREE)
MANY = [torch.zeros(3, 20 + i, 30, dtype=torch.uint8) for i in range(9)]
PEOPLE = [Image.new("RGB", (20 + i, 30)) for i in range(9)]

Case = tuple[Callable[[], Any], str, str, Callable[[], Any]]


def norm() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))


def small(channels: int = 3) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, 3))


def learner(data: Any = None, task: Any = NUMBERS, **options: Any) -> sp.Learner:
    data = (sp.Data(X, Y),) if data is None else data
    options = {"device": "cpu", "progress": False} | options
    if isinstance(task, sp.Task):
        options.setdefault("model", nn.Linear(4, 3))
    return sp.Learner(task, data, **options)


def fit(*args: Any, **options: Any) -> Any:
    return learner(*args, **options).fit(1)


def plain(data: Any, model: Any = None, loss: Any = F.cross_entropy, **options: Any) -> sp.Learner:
    return learner(data, nn.Linear(4, 3) if model is None else model, loss=loss, **options)


def seen(x: Any, y: Any = None, *, task: sp.Task = PICTURES) -> Any:
    """A fit on pictures."""
    y = Y[: len(x)] if y is None else y
    return fit((sp.Data(x, y, allow_missing=True),), task, model=small())


class Samples(Dataset):
    def __len__(self) -> int:
        return 65

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return X[i], int(Y[i])


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[Any]:
        return iter(zip(X, Y, strict=True))


LEARNER: dict[str, Case] = {
    "a class of models": (
        lambda: learner(model=nn.Linear), "The model is the class Linear", "Linear(...)", learner,
    ),
    "the name of a model": (
        lambda: learner(model="resnet18"), "The model is 'resnet18'", "sprat.models.LeNet(",
        lambda: learner((sp.Data(PIXELS, Y[:12]),), PICTURES,
                        model=sp.models.LeNet(PICTURES.in_channels, PICTURES.num_outputs)).fit(1),
    ),
    "data before the task": (
        lambda: sp.Learner((sp.Data(X, Y),), NUMBERS, model=nn.Linear(4, 3)),
        "an nn.Module was expected", "Learner(task, data, model=model)", learner,
    ),
    "a class of losses": (
        lambda: learner(loss=nn.CrossEntropyLoss), "loss is the class CrossEntropyLoss",
        "loss=torch.nn.CrossEntropyLoss()", lambda: fit(loss=torch.nn.CrossEntropyLoss()),
    ),
    "a loss of one's own as a class": (
        lambda: sp.Task(sp.Continuous(4), THREE, loss=sp.losses.CrossEntropy), "loss is the class",
        "loss=CrossEntropy()", lambda: fit(loss=sp.losses.CrossEntropy()),
    ),
    "the name of a loss": (
        lambda: learner(loss="cross_entropy"), "loss is 'cross_entropy'",
        "loss=torch.nn.functional.cross_entropy", lambda: fit(loss=F.cross_entropy),
    ),
    "the short name of a loss": (
        lambda: sp.Task(sp.Continuous(4), sp.Continuous(1), loss="MSE"), "loss is 'MSE'",
        "loss=torch.nn.functional.mse_loss", lambda: sp.Task(sp.Image(), loss=F.mse_loss),
    ),
    "a list of losses": (
        lambda: learner(loss=[F.cross_entropy]), "loss is a list", "without brackets",
        lambda: fit(loss=F.cross_entropy),
    ),
    "what a loss gave": (
        lambda: learner(loss=torch.tensor(1.0)), "loss is a Tensor", "not what it gives",
        lambda: fit(loss=F.cross_entropy),
    ),
    "the name of a metric": (
        lambda: learner(metrics=["accuracy"]), "a list with 'accuracy'",
        "metrics=[sprat.metrics.accuracy]", lambda: fit(metrics=[sp.metrics.accuracy]),
    ),
    "a metric alone, for a task": (
        lambda: sp.Task(sp.Continuous(4), THREE, metrics=sp.metrics.accuracy), "metrics is <func",
        "metrics=[sprat.metrics.accuracy]",
        lambda: sp.Task(sp.Continuous(4), THREE, metrics=[sp.metrics.accuracy]),
    ),
    "a class of metrics": (
        lambda: learner(metrics=[sp.metrics.Perplexity]), "a list with <class",
        "metrics=[sprat.metrics.Perplexity()]", lambda: learner(metrics=[sp.metrics.Perplexity()]),
    ),
    "metrics of a generator": (
        lambda: learner(metrics=(m for m in [sp.metrics.accuracy])), "metrics is <generator",
        "metrics=list(metrics)", lambda: fit(metrics=[*(m for m in [sp.metrics.accuracy])]),
    ),
    "the name of an optimiser": (
        lambda: learner(optimizer="adam"), "optimizer is a str", "optimizer=torch.optim.Adam,",
        lambda: fit(optimizer=torch.optim.Adam),
    ),
    "a dict of names of optimisers": (
        lambda: learner(optimizer={"main": "adam"}), "optimizer\\['main'\\] is str",
        'optimizer={"main": torch.optim.AdamW(model.parameters(), lr=1e-3)}',
        lambda: fit(model=(m := nn.Linear(4, 3)),
                    optimizer={"main": torch.optim.AdamW(m.parameters(), lr=1e-3)}),
    ),
    "a dict of classes of optimisers": (
        lambda: learner(optimizer={"main": torch.optim.SGD}), "is the class SGD",
        "torch.optim.SGD(model.parameters(), lr=1e-3)",
        lambda: fit(model=(m := nn.Linear(4, 3)),
                    optimizer={"main": torch.optim.SGD(m.parameters(), lr=1e-3)}),
    ),
    "a function that makes no optimiser": (
        lambda: fit(optimizer=lambda p, lr: None), "gave a NoneType", "lambda p, lr: torch.optim",
        lambda: fit(optimizer=lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)),
    ),
    "a rate in quotes": (
        lambda: learner(lr="1e-3"), "lr is '1e-3'", "lr=0.001", lambda: fit(lr=0.001),
    ),
    "a seed for a generator": (
        lambda: learner(generator=42), "generator is 42",
        "generator=torch.Generator().manual_seed(42)",
        lambda: fit(generator=torch.Generator().manual_seed(42)),
    ),
    "a batch size in quotes": (
        lambda: learner(batch_size="16"), "batch_size is '16'", "batch_size=16",
        lambda: fit(batch_size=16),
    ),
    "no batch size": (
        lambda: learner(batch_size=None), "batch_size is None", "batch_size=64",
        lambda: fit(batch_size=64),
    ),
    "half a batch size": (
        lambda: learner(batch_size=16.0), "batch_size is 16.0", "batch_size=16",
        lambda: fit(batch_size=16),
    ),
    "a gpu": (
        lambda: learner(device="gpu"), "no such kind", 'device="auto"',
        lambda: learner(device="auto"),
    ),
    "no device": (
        lambda: learner(device=None), "The device is None", "leave it out", learner,
    ),
    "half a precision": (
        lambda: learner(precision=torch.bfloat16), "torch.bfloat16 is unknown", 'precision="bf16"',
        lambda: fit(precision="bf16"),
    ),
    "the number of bits": (
        lambda: learner(precision=32), "32 is unknown", 'precision="fp32"',
        lambda: fit(precision="fp32"),
    ),
    "no phases": (
        lambda: learner(phases=[]), "phases is empty", "phases=[sprat.TrainPhase()]",
        lambda: fit(phases=[sp.TrainPhase()]),
    ),
    "update before a fit": (
        lambda: learner().update(loss=torch.tensor(1.0)), "update was called before a fit",
        "learn.prepare(1e-3) and learn.phase = sprat.TrainPhase()", lambda: _by_hand(learner()),
    ),
}  # fmt: skip


def _by_hand(learn: sp.Learner) -> None:
    learn.prepare(1e-3)
    learn.phase = sp.TrainPhase()
    before = learn.model.weight.clone()
    learn.update(loss=learn.loss(learn.model(X), Y))
    assert not torch.equal(before, learn.model.weight)


FITS: dict[str, Case] = {
    "no epochs": (
        lambda: learner().fit(), "epochs is None", "fit(1)", lambda: learner().fit(1),
    ),
    "no epochs of one cycle": (
        lambda: learner().fit_one_cycle(), "epochs is None", "fit(1)",
        lambda: learner().fit_one_cycle(1),
    ),
    "no epochs of tuning": (
        lambda: learner().fine_tune(), "epochs is None", "fit(1)", lambda: learner().fine_tune(1),
    ),
    "whole epochs as a float": (
        lambda: learner().fit(2.0), "epochs is 2.0", "fit(2)", lambda: learner().fit(2),
    ),
    "epochs in quotes": (
        lambda: learner().fit("5"), "epochs is '5'", "fit(5)", lambda: learner().fit(5),
    ),
    "yes": (lambda: learner().fit(True), "epochs is True", "fit(1)", lambda: learner().fit(1)),
    "the rate first": (
        lambda: learner().fit(1e-3, 2), "epochs is 0.001", "fit(2, lr=0.001)",
        lambda: learner().fit(2, lr=0.001),
    ),
    "two rates in a list": (
        lambda: learner().fit_one_cycle(1, [1e-5, 1e-3]), "lr is \\[1e-05, 0.001\\]",
        "lr=(1e-05, 0.001)", lambda: learner().fit_one_cycle(1, lr=(1e-05, 0.001)),
    ),
    "two rates as a slice": (
        lambda: learner().fit_one_cycle(1, slice(1e-5, 1e-3)), "lr is slice", "lr=(1e-05, 0.001)",
        lambda: learner().fit_one_cycle(1, lr=(1e-05, 0.001)),
    ),
    "a rate as a tensor": (
        lambda: learner().fit(1, torch.tensor(0.5)), "lr is tensor", "lr=0.5",
        lambda: learner().fit(1, lr=0.5),
    ),
    "what lr_find gives": (
        lambda: learner().fit(1, learner().lr_find(steps=12)), "lr is There is no suggestion",
        "lr=1e-3",
        lambda: learner().fit(1, lr=1e-3),
    ),
    "a curve as a rate": (
        lambda: learner().fit(1, sp.schedule.constant(1e-3)), "lr is <function",
        "callbacks=[sprat.Schedule(curve)]",
        lambda: learner().fit(1, callbacks=[sp.Schedule(sp.schedule.constant(1e-3))]),
    ),
    "a number as a schedule": (
        lambda: sp.Schedule(1e-3), "lr is 0.001", "sprat.schedule.constant(0.001)",
        lambda: learner().fit(1, callbacks=[sp.Schedule(sp.schedule.constant(0.001))]),
    ),
    "the name of a schedule": (
        lambda: sp.Schedule("one_cycle"), "lr is 'one_cycle'", "sprat.schedule.one_cycle(1e-3)",
        lambda: learner().fit(1, callbacks=[sp.Schedule(sp.schedule.one_cycle(1e-3))]),
    ),
    "a schedule that was not called": (
        lambda: learner().fit(1, callbacks=[sp.Schedule(sp.schedule.flat_cos)]), "lr is flat_cos",
        "sprat.Schedule(sprat.schedule.flat_cos(1e-3))",
        lambda: learner().fit(1, callbacks=[sp.Schedule(sp.schedule.flat_cos(1e-3))]),
    ),
    "torch's schedule": (
        lambda: sp.Schedule(torch.optim.lr_scheduler.StepLR), "lr is StepLR", "one_cycle(1e-3)",
        lambda: sp.Schedule(sp.schedule.one_cycle(1e-3)),
    ),
    "curves without shares": (
        lambda: sp.schedule.join([sp.schedule.constant(1)]), "pairs of a share and a curve",
        "join([(0.3, linear(1e-5, 1e-3)), (0.7, cosine(1e-3, 1e-5))])",
        lambda: sp.schedule.join([(0.3, sp.schedule.linear(1e-5, 1e-3)),
                                  (0.7, sp.schedule.cosine(1e-3, 1e-5))]),
    ),
    "a warmup in quotes": (
        lambda: learner().fit_one_cycle(1, warmup="0.1"), "warmup is '0.1'", "warmup=0.001",
        lambda: learner().fit_one_cycle(1, warmup=0.001),
    ),
    "patience by place": (
        lambda: sp.EarlyStopping(3), "monitor is 3", 'EarlyStopping("valid_loss", patience=3)',
        lambda: sp.EarlyStopping("valid_loss", patience=3),
    ),
    "no folder": (
        lambda: sp.Checkpoint(None), "The folder is None", 'sprat.Checkpoint("runs/first")',
        lambda: sp.Checkpoint("runs/first"),
    ),
    "a part of a model by its name": (
        lambda: learner().freeze("head"), "keep is 'head'", "give 1 to 1",
        lambda: learner().freeze(1),
    ),
    "a last batch of one and batch norm": (
        lambda: fit(model=norm()), "65 samples. has one sample, and batch normalisation",
        "batch_size=63", lambda: fit(model=norm(), batch_size=63),
    ),
    "batches of one and batch norm": (
        lambda: fit(model=norm(), batch_size=1), "has one sample", "batch_size=3",
        lambda: fit(model=norm(), batch_size=3),
    ),
    "the other way out of a last batch of one": (
        lambda: fit(model=norm()), "has one sample",
        "sprat.Loader(train, 64, shuffle=True, drop_last=True)",
        lambda: fit((sp.Loader(sp.Data(X, Y), 64, shuffle=True, drop_last=True),), model=norm()),
    ),
    "a last batch of one of a DataLoader": (
        lambda: plain((DataLoader(TensorDataset(X, Y), 64),), norm()).fit(1), "has one sample",
        "drop_last=True",
        lambda: plain((DataLoader(TensorDataset(X, Y), 64, drop_last=True),), norm()).fit(1),
    ),
}  # fmt: skip

DATA: dict[str, Case] = {
    "two tensors": (
        lambda: learner((X, Y)), "a pair of Tensor and Tensor", "sprat.Data(x, y)",
        lambda: fit(sp.Data(X, Y)),
    ),
    "two arrays to measure": (
        lambda: learner().evaluate((X.numpy(), Y.numpy())), "a pair of ndarray", "sprat.Data(x, y)",
        lambda: learner().evaluate(sp.Data(X, Y)),
    ),
    "a tensor": (
        lambda: learner(X), "A Tensor holds samples", "sprat.Data(x, y)",
        lambda: fit(sp.Data(X, Y)),
    ),
    "a Dataset of torch": (
        lambda: learner((Samples(),)), "Samples is a Dataset of torch",
        "DataLoader(dataset, batch_size=64, shuffle=True)",
        lambda: plain((DataLoader(Samples(), batch_size=64, shuffle=True),)).fit(1),
    ),
    "a Dataset as a column": (
        lambda: sp.Data(Samples()), "Samples is a Dataset of torch",
        "x, y = zip(*dataset), and Data(torch.stack(x), torch.tensor(y))", lambda: _taken_out(),
    ),
    "a DataLoader as a column": (
        lambda: sp.Data(DataLoader(Samples(), 8)), "A DataLoader gives batches",
        "Learner(model, (loader,), loss=...)", lambda: plain((DataLoader(Samples(), 8),)).fit(1),
    ),
    "a generator of batches": (
        lambda: plain((X, Y) for _ in range(2)), "generator gives its batches once",
        "data=list(batches)", lambda: plain(([(X, Y) for _ in range(2)],)).fit(1),
    ),
    "a generator of samples": (
        lambda: sp.Data(row for row in X), "generator gives its entries once", "list(",
        lambda: sp.Data(list(X)),
    ),
    "a stream without length": (
        lambda: plain((DataLoader(Stream(), 8),)).fit(1), "does not know its length",
        "list(loader)",
        lambda: plain(list(DataLoader(Stream(), 8))).fit(1),
    ),
    "the name of data": (
        lambda: learner("mnist"), "data is 'mnist'", "sprat.Data(x, y)",
        lambda: learner(sp.Data(X, Y)),
    ),
    "no data": (
        lambda: learner(data=(None,)), "data is None", "sprat.Data(x, y)",
        lambda: learner(sp.Data(X, Y)),
    ),
    "the class of data": (
        lambda: learner((sp.Data,)), "data is the class Data", "Data(x, y)",
        lambda: learner(sp.Data(X, Y)),
    ),
    "a tensor to cut into batches": (
        lambda: sp.Loader(X, 5), "Loader got a Tensor", "sprat.Loader(sprat.Data(x, y), 64)",
        lambda: sp.Loader(sp.Data(X, Y), 64),
    ),
    "inputs and targets swapped": (
        lambda: learner((sp.Data(Y, X),)), "are what Label.* says of targets", "sprat.Data(y, x)",
        lambda: fit((sp.Data(X, Y),)),
    ),
    "a table": (
        lambda: sp.Data(_frame(), Y), "a DataFrame with .'a', 'b'. was given",
        "block = sprat.TableRow.of(frame), then Data(block.read(frame), y)",
        lambda: sp.Data(sp.TableRow.of(_frame()).read(_frame()), Y),
    ),
    "a table of targets": (
        lambda: sp.Data(X, _frame()[["b"]]), "a DataFrame with .'b'. was given",
        "frame['b'].values", lambda: sp.Data(X, _frame()["b"].values),
    ),
    "words of numpy": (
        lambda: learner((sp.Data(X, numpy.array(WORDS)),)), "a list of words",
        "torch.tensor([classes.index(word) for word in y])",
        lambda: fit((sp.Data(X, _indices(numpy.array(WORDS))),)),
    ),
    "words of pandas": (
        lambda: learner((sp.Data(X, pandas.Series(WORDS)),)), "a list of words",
        "torch.tensor([classes.index(word) for word in y])",
        lambda: fit((sp.Data(X, _indices(pandas.Series(WORDS))),)),
    ),
    "a set": (
        lambda: sp.Data({1, 2}), "A set has no order", "sorted(", lambda: sp.Data(sorted({1, 2})),
    ),
    "a dict": (
        lambda: sp.Data({"x": X, "y": Y}), "it has 'x', 'y'", 'Data(columns["x"], columns["y"])',
        lambda: sp.Data({"x": X, "y": Y}["x"], {"x": X, "y": Y}["y"]),
    ),
    "how many classes": (
        lambda: sp.Data(X, Y, classes=3), "classes is 3", "classes=[str(i) for i in range(3)]",
        lambda: sp.Data(X, Y, classes=[str(i) for i in range(3)]),
    ),
    "classes as one word": (
        lambda: sp.Data(X, Y, classes="abc"), "classes is 'abc'", 'classes=["cat", "dog"]',
        lambda: sp.Data(X, Y, classes=["a", "b", "c"]),
    ),
    "a list of labels, stratified": (
        lambda: sp.Data(X, Y.tolist()).split(0.2, stratify=True), "no column of label indices",
        "Data(x, torch.tensor(y))",
        lambda: sp.Data(X, torch.tensor(Y.tolist())).split(0.2, stratify=True),
    ),
    "a list of words, stratified": (
        lambda: sp.Data(X, WORDS).split(0.2, stratify=True), "no column of label indices",
        "torch.tensor([classes.index(word) for word in y]), classes=classes)",
        lambda: sp.Data(X, _indices(WORDS), classes=sorted(set(WORDS))).split(0.2, stratify=True),
    ),
    "one column of labels, stratified": (
        lambda: sp.Data(X, Y[:, None]).split(0.2, stratify=True), "no column of label indices",
        "y[:, 0]", lambda: sp.Data(X, Y[:, None][:, 0]).split(0.2, stratify=True),
    ),
    "one group": (
        lambda: sp.Data(X, Y).split(0.2, by_group=[1] * 65), "one group only", "leave by_group out",
        lambda: sp.Data(X, Y).split(0.2),
    ),
    "one time": (
        lambda: sp.Data(X, Y).split(0.2, by_time=[2020] * 65), "one time for all 65",
        "leave by_time out", lambda: sp.Data(X, Y).split(0.2),
    ),
    "per cent": (
        lambda: sp.Data(X, Y).split(20.0), "valid=20.0", "valid=0.2",
        lambda: sp.Data(X, Y).split(valid=0.2),
    ),
    "a seed to split by": (
        lambda: sp.Data(X, Y).split(0.2, generator=7), "generator is 7",
        "torch.Generator().manual_seed(7)",
        lambda: sp.Data(X, Y).split(0.2, generator=torch.Generator().manual_seed(7)),
    ),
    "a filter of inputs alone": (
        lambda: sp.Data(X, Y).filter(lambda x: x[:, 0] > 0), "columns of inputs and targets",
        "data.filter(lambda x, y: y != 3)", lambda: sp.Data(X, Y).filter(lambda x, y: y != 3),
    ),
    "a filter with `and`": (
        lambda: sp.Data(X, Y).filter(lambda x, y: y == 1 and x[:, 0] > 0), "`and`, `or` and `if`",
        "lambda x, y: (y == 1) & (x[:, 0] > 0)",
        lambda: sp.Data(X, Y).filter(lambda x, y: (y == 1) & (x[:, 0] > 0)),
    ),
    "a filter that is none": (
        lambda: sp.Data(X, Y).filter([True]), "filter got .True.; a function", "lambda x, y",
        lambda: sp.Data(X, Y).filter(lambda x, y: y != 3),
    ),
    "a map that is none": (
        lambda: sp.Data(X, Y).map(255), "map got 255", "lambda x: x.float() / 255",
        lambda: sp.Data(X, Y).map(lambda x: x.float() / 255),
    ),
    "a column to group by": (
        lambda: sp.Data(X, Y).group("y"), "the word 'y'", "data.group(lambda x, y: y)",
        lambda: sp.Data(X, Y).group(lambda x, y: y),
    ),
    "half a sample": (
        lambda: sp.Data(X, Y).take(5.0), "5.0 samples asked for", "ask for 1 to 65",
        lambda: sp.Data(X, Y).take(5),
    ),
}  # fmt: skip


def _frame() -> pandas.DataFrame:
    return pandas.DataFrame({"a": WORDS, "b": X[:, 0].tolist()})


def _indices(y: Any) -> torch.Tensor:
    classes = sorted(set(y))
    return torch.tensor([classes.index(word) for word in y])


def _taken_out() -> Any:
    x, y = zip(*Samples(), strict=True)
    return fit((sp.Data(torch.stack(x), torch.tensor(y)),))


TARGETS: dict[str, Case] = {
    "words": (
        lambda: learner((sp.Data(X, WORDS),)), "a list of words",
        "classes = ['a', 'b', 'c'], then torch.tensor([classes.index(word) for word in y])",
        lambda: fit((sp.Data(X, _indices(WORDS)),)),
    ),
    "a list of numbers": (
        lambda: learner((sp.Data(X, Y.tolist()),)), "a list of numbers", "torch.as_tensor(",
        lambda: fit((sp.Data(X, torch.as_tensor(Y.tolist())),)),
    ),
    "shares of classes": (
        lambda: learner((sp.Data(X, F.one_hot(Y)),)), "2 axes instead of 1", "y.argmax(1)",
        lambda: fit((sp.Data(X, F.one_hot(Y).argmax(1)),)),
    ),
    "a column": (
        lambda: learner((sp.Data(X, Y[:, None]),)), "2 axes instead of 1", "y[:, 0]",
        lambda: fit((sp.Data(X, Y[:, None][:, 0]),)),
    ),
    "shares of classes, without a task": (
        lambda: plain(sp.Data(X, F.one_hot(Y))).fit(1), "can't compare", "y.argmax(1)",
        lambda: plain(sp.Data(X, F.one_hot(Y).argmax(1))).fit(1),
    ),
    "a column, without a task": (
        lambda: plain(sp.Data(X, Y[:, None])).fit(1), "can't compare", "y[:, 0]",
        lambda: plain(sp.Data(X, Y[:, None][:, 0])).fit(1),
    ),
    "floats, without a task": (
        lambda: plain(sp.Data(X, Y.float())).fit(1), "can't compare", "y.long()",
        lambda: plain(sp.Data(X, Y.float().long())).fit(1),
    ),
    "labels and a loss of yes and no": (
        lambda: fit(loss=nn.BCEWithLogitsLoss()), "can't compare",
        "loss=torch.nn.functional.cross_entropy", lambda: fit(loss=F.cross_entropy),
    ),
    "a loss that takes the targets first": (
        lambda: fit(loss=lambda y, y_hat: F.cross_entropy(y_hat, y)), "can't compare",
        "loss(y_hat, y)", lambda: fit(loss=lambda y_hat, y: F.cross_entropy(y_hat, y)),
    ),
    "none": (
        lambda: plain(sp.Data(X)).fit(1), "no targets to compare", "sprat.Data(x, y)",
        lambda: plain(sp.Data(X, Y)).fit(1),
    ),
}  # fmt: skip

INPUTS: dict[str, Case] = {
    "pictures of several sizes": (
        lambda: seen(MANY), "of tensors of several shapes, .3, 20, 30. and .3, 21, 30.",
        "size=(64, 64)", lambda: seen(_follow(MANY, "values")),
    ),
    "paths": (
        lambda: seen([Path("a.png")] * 9), "a list of paths", "PIL.Image.open(picture)",
        lambda: seen(_files(None)),
    ),
    "paths as words": (
        lambda: seen(["a.png"] * 9), "a list of paths", "PIL.Image.open(picture)",
        lambda: seen(_files(str)),
    ),
    "pictures of PIL": (
        lambda: seen(PEOPLE), "a list of PIL pictures", 'convert("RGB").resize((64, 64))',
        lambda: seen(_follow(PEOPLE, "pictures")),
    ),
    "a list of pictures": (
        lambda: seen(list(PIXELS)), "a list of tensors", "torch.stack(",
        lambda: seen(_follow(list(PIXELS), "values")),
    ),
    "a list of arrays": (
        lambda: seen([p.numpy() for p in PIXELS]), "a list of tensors", "torch.stack(",
        lambda: seen(_follow([p.numpy() for p in PIXELS], "values")),
    ),
    "channels last": (
        lambda: seen(PIXELS.permute(0, 2, 3, 1)), "8 channels instead of 3",
        "x.permute(0, 3, 1, 2)", lambda: seen(PIXELS.permute(0, 2, 3, 1).permute(0, 3, 1, 2)),
    ),
    "grey": (
        lambda: seen(PIXELS[:, :1]), "1 channels instead of 3", "x.expand(-1, 3, -1, -1)",
        lambda: seen(PIXELS[:, :1].expand(-1, 3, -1, -1)),
    ),
    "colour": (
        lambda: learner((sp.Data(PIXELS, Y[:12]),), sp.Task(sp.Image(1), THREE)),
        "3 channels instead of 1", "x.float().mean(1, keepdim=True).to(x.dtype)",
        lambda: fit((sp.Data(PIXELS.float().mean(1, keepdim=True).to(PIXELS.dtype), Y[:12]),),
                    sp.Task(sp.Image(1), THREE), model=small(1)),
    ),
    "pictures with transparency": (
        lambda: seen(torch.zeros(9, 4, 8, 8)), "4 channels instead of 3", "x[:, :3]",
        lambda: seen(torch.zeros(9, 4, 8, 8)[:, :3]),
    ),
    "lists of numbers": (
        lambda: learner((sp.Data(X.tolist(), Y),)), "a list of lists",
        "torch.as_tensor(...).float()",
        lambda: fit((sp.Data(torch.as_tensor(X.tolist()).float(), Y),)),
    ),
    "pairs": (
        lambda: learner((sp.Data(list(zip(X, Y, strict=True))),)), "a list of tuples",
        "x, y = zip(*pairs), then Data(torch.stack(x), torch.stack(y))",
        lambda: fit((sp.Data(*map(torch.stack, zip(*zip(X, Y, strict=True), strict=True))),)),
    ),
    "doubles": (
        lambda: fit((sp.Data(X.double().numpy(), Y),)), "inputs of float64",
        "array.astype('float32')", lambda: fit((sp.Data(X.numpy().astype("float32"), Y),)),
    ),
    "a model of doubles": (
        lambda: fit(model=nn.Linear(4, 3).double()), "inputs of float32", "model.float()",
        lambda: fit(model=nn.Linear(4, 3).double().float()),
    ),
    "texts that nobody cut": (
        lambda: fit((sp.Data(["a", "b", "c"], Y[:3]),), sp.Task(sp.Text(), THREE)),
        "can't take inputs of list", "encodings=[Words.of(texts)]",
        lambda: sp.Task(sp.Text(), THREE, encodings=[sp.text.Words.of(["a", "b"])]),
    ),
    "one picture to predict": (
        lambda: _model().predict(PEOPLE[0]), "one picture was given", "learn.predict(",
        lambda: _model().predict(_picture(PEOPLE[0])),
    ),
    "a path to predict": (
        lambda: _model().predict(Path("a.png")), "a path was given", "PIL.Image.open(path)",
        lambda: _model().predict(_picture(PEOPLE[0])),
    ),
    "pictures to predict": (
        lambda: _model().predict(PEOPLE), "a list of PIL pictures", "torch.stack(",
        lambda: _model().predict(_follow(PEOPLE, "pictures")),
    ),
    "a table to predict": (
        lambda: learner().predict(_frame()), "a table was given", "task.input.read(frame)",
        lambda: sp.TableRow.of(_frame()).read(_frame()),
    ),
    "data to predict": (
        lambda: learner().predict(sp.Data(X, Y)), "inputs with targets was given",
        "learn.predict(data.x)", lambda: learner().predict(sp.Data(X, Y).x),
    ),
    "a loader to predict": (
        lambda: learner().predict(DataLoader(Samples(), 8)), "what holds many was given",
        "y_hat, y = learn.predictions(loader)",
        lambda: learner().predictions(DataLoader(Samples(), 8)),
    ),
    "nothing to predict": (
        lambda: learner().predict(None), "none was given", "learn.predict(x[:8])",
        lambda: learner().predict(X[:8]),
    ),
    "a list to predict": (
        lambda: learner().predict(X.tolist()), "a list of lists", "torch.as_tensor(...).float()",
        lambda: learner().predict(torch.as_tensor(X.tolist()).float()),
    ),
    "views that are no list": (
        lambda: learner().predictions(tta=lambda x: -x), "tta is <function", "tta=[function]",
        lambda: learner().predictions(tta=[lambda x: -x]),
    ),
    "bytes to augment": (
        lambda: sp.augment.augment(sp.augment.View(PIXELS), [sp.augment.Affine()]),
        "are uint8; floats", "View(image.float() / 255)",
        lambda: sp.augment.augment(sp.augment.View(PIXELS.float() / 255), [sp.augment.Affine()]),
    ),
    "a tensor to augment": (
        lambda: sp.augment.augment(PIXELS / 255, [sp.augment.Affine()]), "got a Tensor; a View",
        "augment(View(pictures), [sprat.augment.Flip()])",
        lambda: sp.augment.augment(sp.augment.View(PIXELS / 255), [sp.augment.Flip()]),
    ),
    "one picture to augment": (
        lambda: sp.augment.augment(sp.augment.View(PIXELS[0] / 255), [sp.augment.Affine()]),
        "are .3, 8, 8.; a tensor .batch", "View(image[None])",
        lambda: sp.augment.augment(sp.augment.View(PIXELS[0][None] / 255), [sp.augment.Affine()]),
    ),
    "one transform": (
        lambda: sp.augment.augment(sp.augment.View(PIXELS / 255), sp.augment.Flip()),
        "a list was expected", "[sprat.augment.Flip()]",
        lambda: sp.augment.augment(sp.augment.View(PIXELS / 255), [sp.augment.Flip()]),
    ),
    "a list of transforms": (
        lambda: sp.Augment([sp.augment.Flip()]), "Augment got .Flip",
        "sprat.Augment(sprat.augment.Flip())", lambda: sp.Augment(sp.augment.Flip()),
    ),
    "a text as a vocabulary": (
        lambda: sp.text.Words("a b"), "the text 'a b' as its vocabulary", "Words.of([text])",
        lambda: sp.text.Words.of(["a b"]),
    ),
}  # fmt: skip


def _model() -> sp.Learner:
    data = (sp.Data(PIXELS, Y[:12]),)
    return learner(data, PICTURES, model=small())


def _follow(values: Any, name: str) -> torch.Tensor:
    """Do what the fix for a list says."""
    fix = kinds.list_fix(values, block=sp.Image(3)).split(": ", 1)[1]
    scope = {name: values, "values": values, "torch": torch, "numpy": numpy}
    made: torch.Tensor = eval(fix, scope)
    return made


def _picture(one: Any) -> torch.Tensor:
    with pytest.raises(SpratError) as caught:
        kinds.refuse_inputs(one, 3)
    call = caught.value.fix.removeprefix("learn.predict")
    made: torch.Tensor = eval(call, {"torch": torch, "numpy": numpy, "picture": one})
    return made


def _files(kind: Any) -> torch.Tensor:
    import tempfile

    import PIL.Image

    with tempfile.TemporaryDirectory() as folder:
        paths: list[Any] = [Path(folder) / f"{i}.png" for i in range(9)]
        for path in paths:
            PEOPLE[0].save(path)
        paths = paths if kind is None else list(map(kind, paths))
        fix = kinds.list_fix(paths, block=sp.Image(3)).removeprefix("read them: ")
        made: torch.Tensor = eval(fix, {"torch": torch, "numpy": numpy, "PIL": PIL, "paths": paths})
    return made


BLOCKS: dict[str, Case] = {
    "how many classes": (
        lambda: sp.Label(3), "the classes 3", "[str(i) for i in range(3)]",
        lambda: sp.Label([str(i) for i in range(3)]),
    ),
    "a set of classes": (
        lambda: sp.Label({"a", "b"}), "the classes {", "sorted(classes)",
        lambda: sp.Label(sorted({"a", "b"})),
    ),
    "an array of classes": (
        lambda: sp.Label(numpy.array(["a", "b"])), "the classes array", "classes.tolist()",
        lambda: sp.Label(numpy.array(["a", "b"]).tolist()),
    ),
    "one side": (
        lambda: sp.Image(1, 28), "size=28", "Image(channels=1, size=(28, 28))",
        lambda: sp.Image(channels=1, size=(28, 28)),
    ),
    "sides as channels": (
        lambda: sp.Image(28, 28), "channels=28", "Image(channels=1, size=(28, 28))",
        lambda: sp.Image(channels=1, size=(28, 28)),
    ),
    "channels by name": (
        lambda: sp.Image("rgb"), "channels='rgb'", "Image(channels=3)",
        lambda: sp.Image(channels=3),
    ),
    "a size in quotes": (
        lambda: sp.Continuous("4"), "size '4'", "Continuous(size=1)", lambda: sp.Continuous(size=1),
    ),
    "a list of blocks": (
        lambda: sp.Task([sp.Image(3)], THREE), "list was found", "leave the brackets out",
        lambda: sp.Task(sp.Image(3), THREE),
    ),
    "a class of encodings": (
        lambda: sp.Task(sp.Image(3), THREE, encodings=[sp.ToFloat]), "a list with <class",
        "encodings=[ToFloat()]", lambda: sp.Task(sp.Image(3), THREE, encodings=[sp.ToFloat()]),
    ),
    "an encoding alone": (
        lambda: sp.Task(sp.Image(3), THREE, encodings=sp.ToFloat()), "encodings is ToFloat",
        "encodings=[ToFloat()]", lambda: sp.Task(sp.Image(3), THREE, encodings=[sp.ToFloat()]),
    ),
    "the name of an encoding": (
        lambda: sp.Task(sp.Image(3), THREE, encodings=["float"]), "a list with 'float'",
        "encodings=[sprat.ToFloat()]",
        lambda: sp.Task(sp.Image(3), THREE, encodings=[sp.ToFloat()]),
    ),
    "a number to normalise by": (
        lambda: sp.Normalize(0.5, 0.5), "mean=0.5", "Normalize([0.5], [0.5])",
        lambda: sp.Normalize([0.5], [0.5]),
    ),
    "a number of hidden layers": (
        lambda: sp.models.MLP(4, 3, 8), "num_hiddens=8", "num_hiddens=(16, 32)",
        lambda: sp.models.MLP(4, 3, num_hiddens=(16, 32)),
    ),
    "a width in quotes": (
        lambda: sp.models.MLP("4", 3), "num_inputs='4'", "num_inputs=1",
        lambda: sp.models.MLP(num_inputs=1, num_outputs=3),
    ),
    "no folder to export to": (
        lambda: learner().export(None), "The folder is None", 'learn.export("runs/first")',
        lambda: None,
    ),
    "no folder to load from": (
        lambda: sp.load(None), "The folder is None", 'sprat.load("runs/first")', lambda: None,
    ),
    "a share in quotes": (
        lambda: sp.EMA("0.9"), "decay is '0.9'", "as 0.999", lambda: sp.EMA(0.999),
    ),
    "a norm in quotes": (
        lambda: sp.GradientClip("1"), "max_norm is '1'", "such as 1", lambda: sp.GradientClip(1),
    ),
    "half a batch": (
        lambda: sp.Accumulate(2.5), "batches is 2.5", "whole number", lambda: sp.Accumulate(2),
    ),
    "doubt in quotes": (
        lambda: sp.losses.CrossEntropy("0.1"), "smoothing is '0.1'", "such as 0.1",
        lambda: sp.losses.CrossEntropy(0.1),
    ),
    "a mixture in quotes": (
        lambda: sp.MixUp("1"), "alpha='1'", "alpha above 0", lambda: sp.MixUp(1.0),
    ),
}  # fmt: skip

CASES = {
    f"{kind}: {name}": case
    for kind, cases in {
        "learner": LEARNER, "fit": FITS, "data": DATA, "targets": TARGETS, "inputs": INPUTS,
        "parts": BLOCKS,
    }.items()
    for name, case in cases.items()
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_named_and_its_fix_works(name: str) -> None:
    mistake, says, fix, mended = CASES[name]
    with pytest.raises(SpratError, match=says) as caught:
        mistake()
    assert fix in caught.value.fix
    mended()


@pytest.mark.parametrize(
    "call",
    [
        lambda: learner().fit(1, 1e-3),
        lambda: learner().predict(X.numpy()),
        lambda: learner().evaluate("train"),
        lambda: learner().predictions("train"),
        lambda: sp.Data(range(3)),
        lambda: sp.Data(X, pandas.Series(Y.numpy(), index=range(100, 165))),
        lambda: fit((sp.Data(X, Y.numpy()),)),
        lambda: fit(batch_size=1),
        lambda: fit(batch_size=1000),
        lambda: sp.models.ResNet(3, 3),
    ],
)
def test_what_is_no_mistake(call: Callable[[], Any]) -> None:
    call()


def test_a_series_is_taken_by_place_and_not_by_label() -> None:
    column = pandas.Series([10, 20, 30], index=[2, 1, 0])
    assert sp.Data(column).x.tolist() == [10, 20, 30]


def test_trying_a_batch_of_one_changes_nothing() -> None:
    learn = learner(model=norm(), batch_size=64)
    before = {name: value.clone() for name, value in learn.model.state_dict().items()}
    place = torch.get_rng_state()
    with pytest.raises(SpratError, match="one sample"):
        learn.fit(1)
    assert torch.equal(place, torch.get_rng_state())
    after = learn.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_batch_norm_over_pixels_may_have_a_batch_of_one() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3))
    learner((sp.Data(PIXELS[:9], Y[:9]),), PICTURES, model=model, batch_size=8).fit(1)


def test_two_phases_of_one_name_would_share_a_column() -> None:
    twice = (sp.TrainPhase(), sp.ValidPhase(), sp.ValidPhase())
    with pytest.raises(SpratError, match="Two phases are called 'valid'"):
        learner((sp.Data(X, Y), sp.Data(X, Y)), phases=twice)
    twice[2].name = "again"
    history = learner((sp.Data(X, Y), sp.Data(X, Y)), phases=twice).fit(1)
    assert history.last("again_loss") == history.last("valid_loss")


def test_a_rate_before_the_first_fit_has_nowhere_to_go() -> None:
    learn = learner()
    with pytest.raises(SpratError, match="no optimiser yet") as caught:
        learn.set_lr(0.5)
    assert "learn.fit(1, lr=0.5)" in caught.value.fix
    learn.fit(1, lr=0.5)
    assert learn.lr == 0.5
    learn.set_lr(0.25)
    assert learn.lr == 0.25


def test_outputs_by_name_are_gathered_by_name() -> None:
    class Named(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"logits": x[:, :3], "size": x.norm(dim=1)}

    learn = sp.Learner(
        Named(), (sp.Data(X, Y),), loss=lambda out, y: F.cross_entropy(out["logits"], y),
        batch_size=8, device="cpu", progress=False,
    )  # fmt: skip
    found, targets = learn.predictions()
    assert torch.equal(found["logits"], X[:, :3])
    assert found["size"].shape == (65,)
    assert torch.equal(targets, Y)
