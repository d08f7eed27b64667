"""How a recipe is run: ten seeds, a clock, an end, and a rule for runs that fail.

The rules are those of MLPerf Training (Mattson et al., "MLPerf Training Benchmark", 2020,
https://arxiv.org/abs/1910.01500, section 3): the clock runs from the first touch of the data to the
first evaluation that reaches the target; a run has another seed than the others; of all runs the
fastest and the slowest are dropped and the rest averaged. A run that does not reach the target in
its epochs has failed and counts as the slowest, so one may fail and two make the result invalid.
What comes out is no result of MLPerf: it has its own benchmarks, and its results are reviewed.
"""

import json
import math
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from sprat import datasets
from sprat.callbacks import Callback, Cancel
from sprat.device import choose_device
from sprat.learner import Learner
from sprat.recipes.mllog import Log
from sprat.recipes.recipe import Recipe, Settings

_MAY_FAIL = 1
_NO_RESULT = "This file has MLPerf's format. It is not an MLPerf result."


@dataclass(frozen=True)
class Run:
    """One run of a recipe.

    Args:
        seed: where its randomness came from.
        seconds: from the first touch of the data to the end, by the clock on the wall.
        epochs: how many it took.
        quality: on the test split, at the end.
        reached: whether that is the target.
    """

    seed: int
    seconds: float
    epochs: int
    quality: float
    reached: bool


@dataclass(frozen=True)
class Result:
    """What all runs of a recipe came to.

    Args:
        recipe: its name.
        size: ``"fast"`` or ``"full"``.
        target: the quality that was to be reached.
        runs: all of them, in the order of their seeds.
        device: what it was computed on.
        threads: of the processor, that torch used.
    """

    recipe: str
    size: str
    target: float
    runs: tuple[Run, ...]
    device: str
    threads: int

    @property
    def valid(self) -> bool:
        """At most one run failed, and enough are left to drop two."""
        return sum(not run.reached for run in self.runs) <= _MAY_FAIL and len(self.runs) > 2

    def kept(self) -> list[Run]:
        """The runs without the fastest and the slowest; a failed one is the slowest."""
        order = sorted(self.runs, key=lambda run: run.seconds if run.reached else math.inf)
        return order[1:-1]

    @property
    def seconds(self) -> float:
        """The mean time of the runs that are kept; NaN where the result is not valid."""
        return statistics.mean(r.seconds for r in self.kept()) if self.valid else math.nan

    @property
    def epochs(self) -> float:
        """The mean number of epochs of the runs that are kept; NaN where it is not valid."""
        return statistics.mean(r.epochs for r in self.kept()) if self.valid else math.nan

    def summary(self) -> dict[str, Any]:
        """All of it as plain data, for a file."""
        numbers = {"seconds": self.seconds, "epochs": self.epochs}
        rounded = {k: round(v, 3) if math.isfinite(v) else None for k, v in numbers.items()}
        return {"note": _NO_RESULT, "valid": self.valid, **rounded, **asdict(self)}

    def __str__(self) -> str:
        head = f"{self.recipe} ({self.size}) to {self.target:g}, {len(self.runs)} runs: "
        failed = sum(not run.reached for run in self.runs)
        if self.valid:
            return (
                f"{head}{self.seconds:.1f} s and {self.epochs:.1f} epochs, the mean without the "
                f"fastest and the slowest run; {failed} failed. {_NO_RESULT}"
            )
        few = "fewer than three runs" if len(self.runs) < 3 else f"{failed} failed"
        return f"{head}no valid result, {few}."


class _UntilTarget(Callback):
    """Logs epochs and evaluations, and ends training when the target is reached."""

    reads = frozenset({"history"})

    def __init__(self, recipe: Recipe, settings: Settings, log: Log) -> None:
        self.recipe, self.settings, self.log = recipe, settings, log
        self.epochs, self.quality = 0, math.nan

    def phase_begin(self, learn: Learner) -> None:
        """An epoch of training, or an evaluation, begins."""
        key = "epoch_start" if learn.phase.trains else "eval_start"
        self.log.start(key, epoch_num=learn.epoch + 1)

    def phase_end(self, learn: Learner) -> None:
        """It ends."""
        key = "epoch_stop" if learn.phase.trains else "eval_stop"
        self.log.stop(key, epoch_num=learn.epoch + 1)

    def epoch_end(self, learn: Learner) -> None:
        """Look at what was measured."""
        self.epochs = learn.epoch + 1
        self.quality = self.recipe.measure(learn.history.rows[-1])
        self.log.event("eval_accuracy", self.quality, epoch_num=self.epochs)
        if self.recipe.reached(self.quality, self.settings.target):
            raise Cancel("fit")


def run_once(
    recipe: Recipe,
    size: str,
    seed: int,
    path: Path,
    *,
    device: torch.device | str = "auto",
    clock: Callable[[], float] = time.perf_counter,
) -> Run:
    """One run: from untouched data to the target, or to the last epoch.

    Args:
        recipe: what is run.
        size: ``"fast"`` or ``"full"``.
        seed: of the weights and of the order of batches.
        path: where the log goes.
        device: ``"auto"`` is CUDA, then MPS, then CPU.
        clock: seconds that only grow.
    """
    settings, data = recipe.sizes[size], recipe.data[size]
    place = choose_device(device)
    with Log(path) as log:
        log.event("cache_clear", False, note="pages that the system holds are not cleared")
        log.start("init_start")
        _log_settings(log, recipe, size, seed)
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        if place.type == "cuda":
            torch.cuda.init()
        log.stop("init_stop")
        watch = _UntilTarget(recipe, settings, log)
        log.start("run_start")
        began = clock()
        learn = recipe.build(settings, data, generator, place)  # touches the data first
        learn.fit(settings.max_epochs, callbacks=[watch])
        if place.type == "cuda":
            torch.cuda.synchronize()
        seconds = clock() - began
        reached = recipe.reached(watch.quality, settings.target)
        log.stop("run_stop", status="success" if reached else "aborted", epoch_num=watch.epochs)
    return Run(seed, seconds, watch.epochs, watch.quality, reached)


def _log_settings(log: Log, recipe: Recipe, size: str, seed: int) -> None:
    settings, data = recipe.sizes[size], datasets.describe(recipe.data[size])
    for key, value in {
        "submission_benchmark": f"sprat_{recipe.name}_{size}",
        "submission_org": "Out of the Shallows",
        "submission_division": "open",
        "submission_status": "research",
        "submission_platform": f"{platform.machine()} {platform.system()}, torch "
        f"{torch.__version__}, {torch.get_num_threads()} threads",
        "seed": seed,
        "global_batch_size": settings.batch_size,
        "gradient_accumulation_steps": 1,
        "opt_name": "adamw",
        "opt_base_learning_rate": settings.lr,
        "train_samples": data.splits["train"],
        "eval_samples": data.splits["test"],
        "target_quality": settings.target,
    }.items():
        note = {"note": _NO_RESULT} if key == "submission_benchmark" else {}
        log.event(key, value, **note)


def run(
    recipe: Recipe,
    size: str,
    seeds: Sequence[int],
    folder: Path,
    *,
    device: torch.device | str = "auto",
    say: Callable[[str], None] = print,
) -> Result:
    """All runs of a recipe, one after the other.

    Args:
        recipe: what is run.
        size: ``"fast"`` or ``"full"``.
        seeds: one a run.
        folder: where ``result_0.txt`` and so on go, and ``summary.json``.
        device: ``"auto"`` is CUDA, then MPS, then CPU.
        say: called with a line when something has happened.
    """
    # Fetching over a network is not what is timed, nor is the first use of torch.
    datasets.prepare(recipe.data[size])
    torch.nn.Linear(1, 1)(torch.zeros(1, 1)).sum().backward()
    runs = []
    for number, seed in enumerate(seeds):
        done = run_once(recipe, size, seed, folder / f"result_{number}.txt", device=device)
        runs.append(done)
        say(
            f"run {number + 1} of {len(seeds)}, seed {seed}: {done.epochs} epochs, "
            f"{done.seconds:.1f} s, {recipe.quality} {done.quality:.4f} "
            f"{'✔' if done.reached else '✘'}"
        )
    result = Result(
        recipe.name,
        size,
        recipe.sizes[size].target,
        tuple(runs),
        str(choose_device(device)),
        torch.get_num_threads(),
    )
    text = json.dumps(result.summary(), indent=1)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    return result
