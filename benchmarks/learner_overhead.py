"""What `Learner` adds to training, beside a loop written by hand, Lightning and skorch.

All ways train the same model on the same 12,800 pictures of Fashion-MNIST, one epoch a turn, on one
thread, and take turns. Ratios are of processor time to the hand-written loop of the same round, so
they hardly depend on what else the machine does. Peers run with logging, checkpoints and bars off;
what they do once before an epoch is not counted.
"""

import argparse
import io
import logging
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from report import save, spread
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import sprat as sp

BATCH_SIZE, STEPS, VALID = 64, 200, 2_000
MODELS: dict[str, Callable[[], nn.Module]] = {
    "MLP 784-32-10": lambda: sp.models.MLP(784, 10, [32]),
    "LeNet": lambda: sp.models.LeNet(1, 10, width=8, num_hiddens=32),
}
METRICS = [sp.metrics.accuracy, sp.metrics.error_rate]
Epoch = Callable[[], float]  # processor seconds


def pictures() -> tuple[sp.Data, sp.Data]:
    """Pictures as floats, to train on and to validate on."""
    data = sp.datasets.fetch("fashion_mnist").map(lambda x: x.float() / 255)
    count = BATCH_SIZE * STEPS
    return data[:count], data[count : count + VALID]


def plain(data: sp.Data, *, shuffle: bool = True) -> DataLoader[Any]:
    return DataLoader(TensorDataset(data.x, data.y), BATCH_SIZE, shuffle=shuffle)


def timed(work: Callable[[], Any]) -> Epoch:
    def epoch() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return epoch


def by_hand(model: nn.Module, loader: Any, check: Any = None) -> Epoch:
    """The loop that one writes; with `check`, it validates and measures as sprat does."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

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
    model.eval()
    totals: list[Any] = [0.0] * (1 + len(METRICS))
    count = 0
    for x, y in loader:
        y_hat = model(x)
        for i, measure in enumerate([F.cross_entropy, *METRICS]):
            totals[i] += measure(y_hat, y) * len(y)
        count += len(y)
    return [float(total) / count for total in totals]


def by_sprat(model: nn.Module, data: Any, *, progress: bool) -> Epoch:
    learn = sp.Learner(
        model,
        data,
        loss=F.cross_entropy,
        metrics=METRICS,
        optimizer=torch.optim.SGD,
        lr=0.01,
        batch_size=BATCH_SIZE,
        device="cpu",
        progress=progress,
    )
    return timed(lambda: learn.fit(1))


def by_lightning(model: nn.Module, loader: Any) -> Epoch:
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    taken = [0.0]

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: Any, index: int) -> Tensor:
            return F.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    class Clock(lightning.Callback):
        def on_train_epoch_start(self, *_: Any) -> None:
            taken[0] = time.process_time()

        def on_train_epoch_end(self, *_: Any) -> None:
            taken[0] = time.process_time() - taken[0]

    module = Module()

    def epoch() -> float:
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            barebones=True,
            callbacks=[],
        )
        trainer.callbacks.append(Clock())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it advises more workers for the loader
            trainer.fit(module, loader)
        return taken[0]

    return epoch


def by_skorch(model: nn.Module, data: sp.Data) -> Epoch:
    from skorch import NeuralNet

    net = NeuralNet(
        model,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        lr=0.01,
        batch_size=BATCH_SIZE,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks="disable",
        device="cpu",
        verbose=0,
    ).initialize()
    dataset = TensorDataset(data.x, data.y)
    return timed(lambda: net.fit_loop(dataset, epochs=1))


def own_step_us(rounds: int) -> list[float]:
    """Microseconds that the learner itself takes a step: a model of five weights, fixed batches."""
    batches = [(torch.rand(4, 4), torch.rand(4, 1))] * 1000

    def hand() -> None:
        for x, y in batches:
            optimizer.zero_grad(set_to_none=True)
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    learn = sp.Learner(
        nn.Linear(4, 1),
        (batches,),
        loss=F.mse_loss,
        optimizer=torch.optim.SGD,
        lr=0.0,
        device="cpu",
    )
    ways = timed(hand), timed(lambda: learn.fit(1))
    pairs = [(ways[0](), ways[1]()) for _ in range(rounds + 1)][1:]
    return [(ours - theirs) / len(batches) * 1e6 for theirs, ours in pairs]


def measure(rounds: int) -> dict[str, Any]:
    train, valid = pictures()
    rows: dict[str, Any] = {}
    for name, make in MODELS.items():
        loader, check = plain(train), plain(valid, shuffle=False)
        ways: dict[str, Epoch] = {
            "hand": by_hand(make(), loader),
            "sprat": by_sprat(make(), (loader,), progress=False),
            "hand, validating": by_hand(make(), loader, check),
            "sprat, all on": by_sprat(make(), (loader, check), progress=True),
            "sprat, all on, own loader": by_sprat(make(), (train, valid), progress=True),
            "skorch": by_skorch(make(), train),
            "Lightning": by_lightning(make(), loader),
        }
        for epoch in ways.values():
            epoch()
        times = {way: [] for way in ways}
        for _ in range(rounds):
            for way, epoch in ways.items():
                times[way].append(epoch())
        for way, taken in times.items():
            base = times["hand, validating" if "all on" in way else "hand"]
            rows[f"{name}: {way}"] = {
                "seconds_an_epoch": spread(taken),
                "ratio": spread([t / b for t, b in zip(taken, base, strict=True)]),
                "ratio_of_fastest": round(min(taken) / min(base), 3),
            }
    return rows


def peak_mb(way: str) -> float:
    """The most memory that a process of its own needs for two epochs, in MB."""
    done = subprocess.run(
        [sys.executable, __file__, "--only", way], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def only(way: str) -> None:
    train, _ = pictures()
    model = MODELS["MLP 784-32-10"]()
    loader = plain(train)
    epoch = by_hand(model, loader) if way == "hand" else by_sprat(model, (loader,), progress=True)
    for _ in range(2):
        epoch()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="how often each way takes its turn")
    parser.add_argument("--only", choices=("hand", "sprat"), help="print one way's peak memory")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # The bar is drawn as in a terminal, into nothing.
    os.environ["SPRAT_PROGRESS"] = "terminal"
    sys.stderr = io.StringIO()
    if arguments.only:
        return only(arguments.only)
    rows = measure(arguments.rounds)
    step = own_step_us(4 * arguments.rounds)
    memory = {way: peak_mb(way) for way in ("hand", "sprat")}
    rows["MLP 784-32-10: sprat"]["own_us_a_step"] = spread(step, 1)
    rows["MLP 784-32-10: sprat"]["memory_ratio"] = round(memory["sprat"] / memory["hand"], 3)
    for way, row in rows.items():
        print(f"{way:42} {row['seconds_an_epoch']['median']:7.3f} s  {row['ratio']['median']:.3f}×")
    own, more = statistics.median(step), memory["sprat"] / memory["hand"]
    print(f"own: {own:.1f} µs a step, memory {more:.3f}×")
    what = (
        "processor seconds an epoch of 200 steps with batches of 64; ratios to the hand-written "
        "loop: median (smallest–largest), and the fastest of each"
    )
    save("learner_overhead", what, rows, ["torch", "sprat", "lightning", "skorch"])
    return None


if __name__ == "__main__":
    main()
