"""The learning rate finder: raise the rate step by step, and watch the loss.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from sprat.callbacks import Callback, Cancel
from sprat.errors import TrainingError
from sprat.kinds import is_number, is_whole
from sprat.schedule import exponential
from sprat.snapshot import unchanged
from sprat.tables import Table

if TYPE_CHECKING:
    from sprat.learner import Learner


@dataclass(frozen=True, repr=False)
class LRFind:
    """The learning rates tried, the smoothed loss at each, and what the curve suggests.

    Where the loss does not fall, because the model has learnt what it can or no rate tried helps,
    the curve suggests nothing, and asking for a suggestion is an error that says so.

    Args:
        lrs: learning rates a step, rising.
        losses: the smoothed training loss at each.
        noise: how far these fall by chance, because batches differ.
    """

    lrs: list[float]
    losses: list[float]
    noise: float = 0.0

    @property
    def falls(self) -> bool:
        """Whether the loss falls at all: farther than by chance, and by a thousandth of itself."""
        start, lowest = self._start(), self._lowest()
        enough = start - self.losses[lowest] > max(self.noise, abs(start) / 1000)
        return enough and lowest >= max(1, len(self.losses) // 10) and not self._unfinished()

    def _start(self) -> float:
        first = self.losses[: max(1, len(self.losses) // 10)]
        return sum(first) / len(first)

    def _unfinished(self) -> bool:
        """Whether a coarse sweep ended before the loss turned up, so its best may be far off."""
        return self._reach() == 1 and self._lowest() == len(self.losses) - 1

    @property
    def minimum(self) -> float:
        """A tenth of the rate where the loss is lowest: safe, often somewhat low."""
        self._refuse_plateau()
        return self.lrs[self._lowest()] / 10

    @property
    def steepest(self) -> float:
        """The rate where the loss falls fastest per decade, over windows of a few steps."""
        self._refuse_plateau()
        lowest, start = self._lowest(), self._start()
        left = start - 0.1 * (start - self.losses[lowest])  # what is above it is the plateau
        begin = max((i for i in range(lowest) if self.losses[i] >= left), default=0)
        found = min(range(max(1, begin), lowest + 1), key=self._slope, default=0)
        return self._careful(self.lrs[found])

    @property
    def valley(self) -> float:
        """Two thirds into the longest fall of the loss: between steepest and minimum."""
        self._refuse_plateau()
        best, start = (0, 0), 0
        for i in range(1, self._lowest() + 1):
            if self.losses[i] > self.losses[i - 1]:
                start = i
            elif i - start > best[1] - best[0]:
                best = (start, i)
        return self._careful(self.lrs[best[0] + (best[1] - best[0]) * 2 // 3])

    def _careful(self, lr: float) -> float:
        """In a coarse sweep a rate has no time to show its harm before the next one comes."""
        return min(lr, self.lrs[self._lowest()] / 10) if self._reach() == 1 else lr

    def _refuse_plateau(self) -> None:
        if not self.falls:
            raise TrainingError(
                self._nothing(),
                fix="train with a rate of your own, such as a tenth of the one it has learnt with: "
                "learn.fit(1, lr=1e-4); or look at found.plot()",
            )

    def _nothing(self) -> str:
        if self._unfinished():
            return (
                f"There is no suggestion: with {len(self.lrs)} steps the loss still fell at the "
                f"last rate, {self.lrs[-1]:.0e}; give lr_find more steps."
            )
        return (
            f"There is no suggestion: the loss, {self.losses[0]:.3g}, falls at none of the rates "
            f"from {self.lrs[0]:.0e} to {self.lrs[-1]:.0e} by more than chance."
        )

    def _lowest(self) -> int:
        return min(range(len(self.losses)), key=self.losses.__getitem__)

    def _slope(self, i: int) -> float:
        a, b = max(0, i - self._reach()), min(len(self.lrs) - 1, i + self._reach())
        return (self.losses[b] - self.losses[a]) / math.log(self.lrs[b] / self.lrs[a])

    def _reach(self) -> int:
        """Steps to each side that are a fifth of a decade, 1 to 3."""
        return max(1, min(3, round(0.21 / math.log10(self.lrs[1] / self.lrs[0]))))

    def __repr__(self) -> str:
        if not self.falls:
            return self._nothing()
        rows = [(n, f"{getattr(self, n):.1e}") for n in ("minimum", "steepest", "valley")]
        return str(Table(("suggestion", "lr"), rows))

    def plot(self, ax: Any = None) -> Any:
        """Draw loss against learning rate with the suggestions marked; returns the axes."""
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
        ax.plot(self.lrs, self.losses, color="#1f5a94")
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss", title="Learning rate finder")
        if not self.falls:
            ax.set_title("Learning rate finder: no suggestion")
            return ax
        for name, marker, colour in (
            ("steepest", "o", "#b5510f"), ("valley", "s", "#2f7d4f"), ("minimum", "^", "#6b4c9a"),
        ):  # fmt: skip
            lr = getattr(self, name)
            near = min(range(len(self.lrs)), key=lambda i: abs(math.log(self.lrs[i] / lr)))
            ax.plot(lr, self.losses[near], marker, color=colour, label=f"{name} {lr:.1e}")
        ax.legend(frameon=False)
        return ax


class _Sweep(Callback):
    """Raise the learning rate at every step; stop when the loss has grown fourfold."""

    reads: ClassVar = {"loss"}
    writes: ClassVar = {"lr"}

    def __init__(self, start: float, end: float, steps: int) -> None:
        self.curve, self.steps = exponential(start, end), steps
        # Over a tenth of the sweep: with few steps a longer average would lag behind by decades.
        self.smoothing = min(0.9, 1 - 10 / steps)
        self.lrs: list[float] = []
        self.losses: list[float] = []
        self.raw: list[float] = []
        self.average = 0.0

    def step_begin(self, learn: "Learner") -> None:
        learn.set_lr(self.curve(len(self.lrs) / (self.steps - 1)))

    def step_end(self, learn: "Learner") -> None:
        loss = learn.state["loss"].item()
        self.average = self.smoothing * self.average + (1 - self.smoothing) * loss
        smooth = self.average / (1 - self.smoothing ** (len(self.losses) + 1))
        self.raw.append(loss)
        if not math.isfinite(smooth) or (self.losses and self._blown_up(smooth)):
            raise Cancel("fit")
        self.lrs.append(learn.lr)
        self.losses.append(smooth)
        if len(self.lrs) == self.steps:
            raise Cancel("fit")

    def _blown_up(self, loss: float) -> bool:
        """Whether it is four times the lowest; of a loss that can be below 0, as far above it."""
        low = min(self.losses)
        scale = low if low > 0 else max(abs(low), self.losses[0] - low, 1.0)
        return loss - low > max(3 * scale, 4 * self._scatter())

    def _scatter(self) -> float:
        """The standard deviation of a batch's loss, from the steps whose rates hardly move it."""
        early = self.raw[: max(5, self.steps // 2)]
        if len(early) < 5:
            return math.inf
        jumps = [(b - a) ** 2 for a, b in pairwise(early)]
        return math.sqrt(sum(jumps) / len(jumps) / 2)

    @property
    def noise(self) -> float:
        """How far the smoothed loss falls by chance: of its start, and of its lowest of many."""
        smooth = math.sqrt((1 - self.smoothing) / (1 + self.smoothing))
        return self._scatter() * (2 + 3 * smooth)


def lr_find(
    learn: "Learner",
    *,
    start: float = 1e-6,
    end: float = 10.0,
    steps: int = 100,
    plot: bool = False,
) -> LRFind:
    """Try learning rates from `start` to `end` and see what the loss does. Changes nothing.

    Args:
        learn: what is tried.
        start: the first learning rate.
        end: the last one, unless the loss has blown up before.
        steps: how many to try, one training step each.
        plot: draw the curve too.

    Returns:
        The curve and what it suggests: ``.steepest``, ``.valley``, ``.minimum``; where ``.falls``
        is false it suggests nothing, and says why when it is shown.

    Raises:
        TrainingError: there is no training phase, or the loss blows up at the first rates.
    """
    learn.prepare(None)
    numbers = is_number(start) and is_number(end) and is_whole(steps)
    if not numbers or not 0 < start < end or steps < 10:
        raise TrainingError(
            f"lr_find got start={start!r}, end={end!r}, steps={steps!r}.",
            fix="use 0 < start < end and at least 10 steps",
        )
    phase = next((p for p in learn.phases if p.trains), None)
    if phase is None:
        raise TrainingError("No phase of this learner trains.", fix="give it a TrainPhase")
    sweep = _Sweep(start, end, steps)
    with unchanged(learn), learn.listening([sweep]):
        try:
            while len(sweep.lrs) < steps:
                learn.run(phase)
        except Cancel as cancel:
            if cancel.what != "fit":
                raise
    if len(sweep.lrs) < max(3, min(10, steps // 10)):
        raise TrainingError(
            f"The loss blew up after {len(sweep.lrs)} steps, at lr {start:.0e}.",
            fix="start lower, and look for values that are not finite in the data",
        )
    found = LRFind(sweep.lrs, sweep.losses, sweep.noise)
    if plot:
        found.plot()
    return found
