"""The ways of training that are compared: by hand, with sprat, and with its peers.

Each function takes a `Case` and a model and gives a function that trains one epoch and returns the
processor seconds it took. Peers have everything off that can be switched off, and what they do once
before an epoch is not counted. Their packages are imported when they are first asked for.
"""

import contextlib
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import sprat as sp

BATCH_SIZE = 64
LR = 0.01
METRICS = [sp.metrics.accuracy, sp.metrics.error_rate]
Epoch = Callable[[], float]  # processor seconds


@dataclass(frozen=True)
class Case:
    """A model and the data that it is trained on.

    Args:
        name: what the tables call it.
        make: a new model.
        train: 200 batches in memory, ready for the model.
        valid: to validate on.
    """

    name: str
    make: Callable[[], nn.Module]
    train: sp.Data
    valid: sp.Data

    def loader(self, *, valid: bool = False) -> "DataLoader[Any]":
        """A plain loader, which shuffles where it is to train on."""
        data = self.valid if valid else self.train
        return DataLoader(TensorDataset(data.x, data.y), BATCH_SIZE, shuffle=not valid)


class Reader(nn.Module):
    """An LSTM that reads bytes and says which text they are from."""

    def __init__(self, num_outputs: int, width: int = 16, num_hiddens: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(256, width)
        self.lstm = nn.LSTM(width, num_hiddens, batch_first=True)
        self.head = nn.Linear(num_hiddens, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        _, (state, _) = self.lstm(self.embedding(x))  # state: (1, batch, num_hiddens)
        return self.head(state[0])


def cases(steps: int, valid: int) -> list[Case]:
    """Perceptron and small CNN on Fashion-MNIST; an LSTM on 32 bytes of a novel, to name it."""
    count = BATCH_SIZE * steps
    pictures = sp.datasets.fetch("fashion_mnist").map(lambda x: x.float() / 255)
    texts = passages(count + valid, 32)
    shown, read = ((data[:count], data[count : count + valid]) for data in (pictures, texts))
    return [
        Case("MLP 784-32-10", lambda: sp.models.MLP(784, 10, [32]), *shown),
        Case("LeNet", lambda: sp.models.LeNet(1, 10, width=8, num_hiddens=32), *shown),
        Case("LSTM", lambda: Reader(6), *read),
    ]


def passages(count: int, length: int) -> sp.Data:
    """Pieces of six novels as bytes, (count, length), each with the number of its novel."""
    novels = sp.datasets.fetch("janeausten")
    dice = torch.Generator().manual_seed(0)
    y = torch.randint(len(novels.x), (count,), generator=dice)
    encoded = [
        torch.frombuffer(bytearray(t, "latin-1", "replace"), dtype=torch.uint8) for t in novels.x
    ]
    rows = []
    for novel in y.tolist():
        start = int(torch.randint(len(encoded[novel]) - length, (1,), generator=dice))
        rows.append(encoded[novel][start : start + length])
    return sp.Data(torch.stack(rows).long(), y)


def timed(work: Callable[[], Any]) -> Epoch:
    """A function that does the work and says how long it took."""

    def epoch() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return epoch


def by_hand(case: Case, *, validates: bool = False) -> Epoch:
    """The loop that one writes; where it validates, it measures as sprat does."""
    model, loader = case.make(), case.loader()
    check = case.loader(valid=True) if validates else None
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)

    def epoch() -> None:
        model.train()
        losses = []
        for x, y in loader:
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        if check is not None:
            validate(model, check)

    return timed(epoch)


@torch.no_grad()
def validate(model: nn.Module, loader: Any) -> list[float]:
    """Loss and metrics over a loader."""
    model.eval()
    totals: list[Any] = [0.0] * (1 + len(METRICS))
    count = 0
    for x, y in loader:
        y_hat = model(x)
        for i, measure in enumerate([F.cross_entropy, *METRICS]):
            totals[i] += measure(y_hat, y) * len(y)
        count += len(y)
    return [float(total) / count for total in totals]


def by_sprat(case: Case, *, validates: bool = False, own_loader: bool = False) -> Epoch:
    """sprat, with progress bar, recorder and two metrics where it validates."""
    parts: Any = (
        (case.train, case.valid) if own_loader else (case.loader(), case.loader(valid=True))
    )
    learn = sp.Learner(
        case.make(),
        parts if validates else parts[:1],
        loss=F.cross_entropy,
        metrics=METRICS,
        optimizer=torch.optim.SGD,
        lr=LR,
        batch_size=BATCH_SIZE,
        device="cpu",
        progress=validates,
    )
    return timed(lambda: learn.fit(1))


def by_lightning(case: Case) -> Epoch:
    """Lightning's Trainer, barebones."""
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    clock = Clock()

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = case.make()

        def training_step(self, batch: Any, index: int) -> Tensor:
            return F.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=LR)

    class Watch(lightning.Callback):
        def on_train_epoch_start(self, *_: Any) -> None:
            clock.start()

        def on_train_epoch_end(self, *_: Any) -> None:
            clock.stop()

    module, loader = Module(), case.loader()

    def epoch() -> float:
        trainer = lightning.Trainer(
            max_epochs=1, accelerator="cpu", logger=False, barebones=True, callbacks=[]
        )
        trainer.callbacks.append(Watch())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it advises more workers for the loader
            trainer.fit(module, loader)
        return clock.taken

    return epoch


def by_skorch(case: Case) -> Epoch:
    """skorch's NeuralNet without callbacks."""
    from skorch import NeuralNet

    net = NeuralNet(
        case.make(),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        lr=LR,
        batch_size=BATCH_SIZE,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks="disable",
        device="cpu",
        verbose=0,
    ).initialize()
    dataset = TensorDataset(case.train.x, case.train.y)
    return timed(lambda: net.fit_loop(dataset, epochs=1))


def by_keras(case: Case) -> Epoch:
    """Keras 3 on torch, fitting the same torch module without metrics."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    clock = Clock()

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            clock.start()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            clock.stop()

    with keras.device("cpu"):
        model = keras.Sequential([keras.layers.TorchModuleWrapper(case.make())])
    model.compile(
        optimizer=keras.optimizers.SGD(LR),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    loader, watch = case.loader(), Watch()

    def epoch() -> float:
        model.fit(loader, epochs=1, verbose=0, callbacks=[watch])
        return clock.taken

    return epoch


def by_fastai(case: Case) -> Epoch:
    """fastai's Learner with torch's optimiser, without its recorder and progress bar."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports use what torch has deprecated
        from fastai.callback.core import Callback, CancelValidException
        from fastai.callback.progress import ProgressCallback
        from fastai.data.core import DataLoaders
        from fastai.learner import Learner, Recorder
        from fastai.optimizer import OptimWrapper

    clock = Clock()

    class Watch(Callback):
        def before_train(self) -> None:
            clock.start()

        def after_train(self) -> None:
            clock.stop()

        def before_validate(self) -> None:
            raise CancelValidException

    learn = Learner(
        DataLoaders(case.loader(), case.loader(valid=True)),
        case.make(),
        loss_func=F.cross_entropy,
        opt_func=partial(OptimWrapper, opt=torch.optim.SGD),
        lr=LR,
        cbs=[Watch()],
    )
    learn.remove_cbs([ProgressCallback, Recorder])

    def epoch() -> float:
        learn.fit(1)
        return clock.taken

    return epoch


PEERS: dict[str, Callable[[Case], Epoch]] = {
    "skorch": by_skorch,
    "Lightning": by_lightning,
    "Keras on torch": by_keras,
    "fastai": by_fastai,
}


class Clock:
    """Processor seconds between two calls."""

    taken = 0.0

    def start(self) -> None:
        """Begin to count."""
        self._began = time.process_time()

    def stop(self) -> None:
        """Keep what has passed."""
        self.taken = time.process_time() - self._began


@contextlib.contextmanager
def at_hand(name: str) -> Iterator[None]:
    """Go on without a peer whose package is not installed, and say so."""
    try:
        yield
    except ImportError as error:
        print(f"{name} is left out: {error}")
