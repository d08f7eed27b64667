"""Where augmentation runs: on the device beside the model, or on the CPU ahead of the step.

On the device it adds its time to every step. On the CPU, in a thread that works ahead, it is free
as long as it takes less time than a step. Which is faster depends on the machine, so it is
measured: reports range from three times faster on the device to slower (lerobot#4627).
"""

import copy
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.data import Batch, Encoded
from sprat.loader import Loader, first_batch

if TYPE_CHECKING:
    from sprat.learner import Learner

AHEAD = 2  # batches that wait; more would only take memory
TRIES = 3


@dataclass(frozen=True)
class Choice:
    """Where augmentation runs, and why.

    Args:
        on_cpu: on the CPU, ahead of the step; else on the device.
        reason: in words.
    """

    on_cpu: bool
    reason: str

    def __str__(self) -> str:
        where = "ahead of the step, on the CPU" if self.on_cpu else "beside the model"
        return f"Augment runs {where}: {self.reason}"


def cheaper(cpu_s: float, device_s: float, step_s: float) -> Choice:
    """The place with the shorter step, all in seconds a batch.

    Args:
        cpu_s: encoding and augmentation on the CPU.
        device_s: augmentation on the device.
        step_s: the model forwards and backwards, on the device.
    """
    ahead, beside = max(cpu_s, step_s), step_s + device_s
    return Choice(
        ahead < beside,
        f"a step takes {1e3 * step_s:.1f} ms, augmentation {1e3 * device_s:.1f} ms more on the "
        f"device, or {1e3 * cpu_s:.1f} ms at the same time on the CPU",
    )


def choose(
    learn: "Learner",
    loader: Any,
    change: Callable[[Batch, torch.Generator], Batch],
    *,
    clock: Callable[[], float] = perf_counter,
) -> Choice:
    """Decide by a short measurement; no weight, no statistic and no random number changes.

    Args:
        learn: whose model and device it is.
        loader: whose batches are augmented.
        change: what augmentation does to an encoded batch, with a generator on its device.
        clock: seconds.
    """
    if learn.device.type == "cpu":
        return Choice(False, "the only device is the CPU")
    if not isinstance(loader, Loader):
        return Choice(False, "a plain loader may be a stream, so nothing was tried out on it")
    raw = first_batch(loader, loader.batch_size)
    if isinstance(raw.x, Tensor) and raw.x.device.type != "cpu":
        return Choice(False, "the data is there already")
    encode = learn.task.encode if learn.task else (lambda batch: batch)
    here, there = torch.Generator(), torch.Generator(learn.device)
    ready = encode(raw.to(learn.device))
    return cheaper(
        _seconds(lambda: change(encode(raw), here), learn.device, clock),
        _seconds(lambda: change(ready, there), learn.device, clock),
        _seconds(lambda: _step(learn, ready), learn.device, clock),
    )


def _step(learn: "Learner", batch: Batch) -> None:
    """Forwards and backwards, leaving no trace: in evaluation mode, gradients thrown away."""
    learn.model.eval()
    with torch.enable_grad(), learn.autocast():
        y_hat = learn.model(batch.x)
    weights = [p for p in learn.model.parameters() if p.requires_grad]
    if isinstance(y_hat, Tensor) and weights:
        torch.autograd.grad(y_hat.float().mean(), weights, allow_unused=True)


def _seconds(work: Callable[[], object], device: torch.device, clock: Callable[[], float]) -> float:
    """The shortest of a few tries, after one to warm up."""
    times = []
    for _ in range(TRIES + 1):
        began = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(clock() - began)
    return min(times[1:])


class Ahead:
    """A loader whose batches are prepared on the CPU in a thread, while the step before computes.

    Args:
        loader: gives raw batches.
        prepare: encodes and augments one, on the CPU.
    """

    def __init__(self, loader: Any, prepare: Callable[[Batch], Batch]) -> None:
        if isinstance(loader, Loader):
            loader = copy.copy(loader)
            loader.device = None  # the batch goes to the device after it is prepared
        self.loader, self.prepare = loader, prepare

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Encoded]:
        waiting: queue.Queue[Any] = queue.Queue(AHEAD)
        over = threading.Event()

        def put(item: Any) -> bool:
            while not over.is_set():
                try:
                    waiting.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        def work() -> None:
            try:
                for raw in self.loader:
                    batch = self.prepare(Batch.of(raw))
                    if not put(Encoded(batch.x, batch.y, batch.index)):
                        return
                put(None)
            except BaseException as error:
                put(error)

        thread = threading.Thread(target=work, name="sprat augments ahead", daemon=True)
        thread.start()
        try:
            while (item := waiting.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:  # also when the loop ends early
            over.set()
            thread.join()
