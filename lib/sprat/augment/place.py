"""Where augmentation runs: on the device beside the model, or on the CPU ahead of the step.

On the device it adds its time to every step. On the CPU, in a thread that works ahead, it is free
as long as it takes less time than a step. Which is faster depends on the machine, so it is
measured: reports range from three times faster on the device to slower (lerobot#4627).
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.data import Batch
from sprat.loader import Loader, first_batch

if TYPE_CHECKING:
    from sprat.learner import Learner

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
    if learn.group is not None:
        return Choice(False, "several processes share each batch")
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
