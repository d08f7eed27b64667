"""What `Learner` adds to training, beside a loop written by hand, Lightning, skorch, Keras, fastai.

All ways train the same model on the same 12,800 samples, one epoch a turn, on one thread, and take
turns: a perceptron and a small CNN on Fashion-MNIST, an LSTM on text. Ratios are of processor time
to the hand-written loop of the same round, so they hardly depend on what else the machine does.
Peers run with logging, checkpoints and bars off; what they do once before an epoch is not counted.
"""

import argparse
import contextlib
import importlib.metadata
import io
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import peers_env

if __name__ == "__main__" and "--here" not in sys.argv:
    peers_env.enter()

import torch
from peers import PEERS, Case, Epoch, at_hand, by_hand, by_sprat, cases, timed
from report import save, spread
from torch import nn
from torch.nn import functional as F

import sprat as sp

STEPS, VALID, FEWEST_ROUNDS, OWN_ROUNDS = 200, 2_000, 5, 60


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


def ways_of(case: Case) -> dict[str, Epoch]:
    """All ways to train one case whose packages are installed."""
    ways: dict[str, Epoch] = {
        "hand": by_hand(case),
        "sprat": by_sprat(case),
        "hand, validating": by_hand(case, validates=True),
        "sprat, all on": by_sprat(case, validates=True),
        "sprat, all on, own loader": by_sprat(case, validates=True, own_loader=True),
    }
    for name, make in PEERS.items():
        with at_hand(name):
            ways[name] = make(case)
    return ways


def measure(seconds: float, steps: int, valid: int) -> dict[str, Any]:
    """A row for each case and way, from as many rounds as the seconds for a case allow."""
    rows: dict[str, Any] = {}
    for case in cases(steps, valid):
        ways = ways_of(case)
        for epoch in ways.values():
            epoch()
        times: dict[str, list[float]] = {way: [] for way in ways}
        order, until = list(ways), time.monotonic() + seconds
        while time.monotonic() < until or len(times["hand"]) < FEWEST_ROUNDS:
            for way in order:
                times[way].append(ways[way]())
            order.append(order.pop(0))  # so that no way always comes behind the same one
        for way, taken in times.items():
            base = times["hand, validating" if "all on" in way else "hand"]
            rows[f"{case.name}: {way}"] = {
                "seconds_an_epoch": spread(taken),
                "ratio": spread([t / b for t, b in zip(taken, base, strict=True)]),
                "ratio_of_medians": round(statistics.median(taken) / statistics.median(base), 3),
                "rounds": len(taken),
            }
    return rows


def peak_mb(case: str, way: str, times: int = 3) -> float:
    """The most memory that a process of its own needs for two epochs, in MB: the least of some."""
    command = [sys.executable, __file__, "--here", "--only", f"{case}: {way}"]
    found = [
        float(
            subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
        )
        for _ in range(times)
    ]
    return min(found)


def only(named: str) -> None:
    """Train two epochs of one case in one way, and print the peak memory."""
    name, _, way = named.partition(": ")
    case = next(case for case in cases(STEPS, VALID) if case.name == name)
    makers = {"hand": by_hand, "sprat": by_sprat}
    # Linux counts the peak anew from here; else that of reading the data would hide all others.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    epoch = makers[way](case)
    for _ in range(2):
        epoch()
    status = Path("/proc/self/status").read_text()
    print(int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1]) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="for each of the three cases")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps an epoch")
    parser.add_argument("--here", action="store_true", help="no environment of its own for peers")
    parser.add_argument("--try", action="store_true", dest="trial", help="print, store nothing")
    parser.add_argument("--only", help="print one way's peak memory, as in 'LSTM: sprat'")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # The bar is drawn as in a terminal, into nothing.
    os.environ["SPRAT_PROGRESS"] = "terminal"
    with contextlib.redirect_stderr(io.StringIO()):
        if arguments.only:
            return only(arguments.only)
        rows = measure(arguments.seconds, arguments.steps, VALID)
        step = own_step_us(OWN_ROUNDS)
    rows["MLP 784-32-10: sprat"]["own_us_a_step"] = spread(step, 1)
    for case in ("MLP 784-32-10", "LeNet", "LSTM"):
        ours, theirs = peak_mb(case, "sprat"), peak_mb(case, "hand")
        rows[f"{case}: sprat"]["memory_ratio"] = round(ours / theirs, 3)
    for way, row in rows.items():
        memory = f"  memory {row['memory_ratio']:.3f}×" if "memory_ratio" in row else ""
        print(
            f"{way:42} {row['seconds_an_epoch']['median']:7.3f} s  "
            f"{row['ratio']['median']:.3f}×  {row['ratio_of_medians']:.3f}×{memory}"
        )
    print(f"own: {statistics.median(step):.1f} µs a step")
    if arguments.trial:
        return None
    known = ("torch", "sprat", "lightning", "skorch", "keras", "fastai")
    save(
        "learner_overhead",
        f"processor seconds an epoch of {arguments.steps} steps with batches of 64; ratios to the "
        "hand-written loop of the same round: median (smallest–largest), and that of the medians",
        rows,
        [package for package in known if installed(package)],
    )
    return None


def installed(package: str) -> bool:
    """Whether a package's version can be named."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
