"""Ending training when it no longer helps, and which of two numbers is the better one."""

import math
import re
from typing import TYPE_CHECKING, Any, ClassVar

from sprat import metrics as shipped
from sprat.callbacks import Callback, Cancel
from sprat.errors import CallbackError, TrainingError
from sprat.kinds import is_whole

if TYPE_CHECKING:
    from sprat.learner import Learner

_LOSSES = ("train_loss", "valid_loss")  # the columns of the phases that a learner has by default


class Monitor:
    """One column of the history, and which way it should go.

    A metric says so itself; the loss of a phase, ``<phase>_loss``, should fall. Of anything else
    nobody knows it, least of all from its name, so say it: ``better="lower"``.

    Args:
        name: the column, ``"valid_loss"`` or a metric.
        better: ``"lower"`` or ``"higher"``; by default what the metric says.

    Raises:
        TrainingError: `better` is neither.
    """

    def __init__(self, name: str, better: str | None = None) -> None:
        if better not in (None, "lower", "higher"):
            raise TrainingError(f"better is {better!r}.", fix='use "lower" or "higher"')
        self.name, self.better = name, better
        # Of a loss and of metrics of ours it is known at once; else from the learner watched.
        self._found = "lower" if name in _LOSSES else _declared(name)

    def watch(self, learn: "Learner") -> None:
        """Settle which way the number should go, before the time of a fit is spent.

        Raises:
            CallbackError: neither the caller nor a metric says it.
        """
        self._found = self.better or _direction(learn, self.name)

    @property
    def sign(self) -> float:
        """What makes a larger value the better one: 1, or −1 where lower is better.

        Raises:
            CallbackError: nobody has said it, and no learner is watched that could know.
        """
        known = self.better or self._found
        if known is None:
            raise _nobody_says(self.name, "")
        return 1.0 if known == "higher" else -1.0

    def __repr__(self) -> str:
        return repr(self.name)

    def score(self, learn: "Learner") -> float:
        """The newest value, larger for better; −∞ where it is not a number.

        So it is, too, where the phase that gives it was cancelled or skipped in this epoch.

        Raises:
            TrainingError: no phase or metric gives this number.
            CallbackError: nobody says which way it should go.
        """
        if self.better is None:
            self.watch(learn)  # a metric of the learner says it, also one by the name of ours
        row = learn.history.rows[-1]
        if self.name not in row:
            if any(self.name in earlier for earlier in learn.history.rows):
                return -math.inf
            raise TrainingError(
                f"The history has no {self.name!r}, only {', '.join(row)}.",
                fix="name one of these; valid_… needs validation data",
            )
        return self.of(row)

    def of(self, row: dict[str, float]) -> float:
        """The value in one row of the history, as `score` gives it."""
        value = self.sign * row.get(self.name, math.nan)
        return -math.inf if math.isnan(value) else value


def _declared(name: str) -> str | None:
    """Which way a metric that this library ships should go, as that says; None of other names.

    Of several targets each has its metrics, with the target's number behind: ``mae_2``.
    """
    plain = re.sub(r"_[1-9][0-9]*$", "", name)
    ours = [getattr(shipped, each) for each in shipped.__all__]
    known = {
        str(getattr(metric, "__name__", "")): getattr(metric, "lower_is_better", None)
        for metric in ours
        if not isinstance(metric, type)
    }
    tokenwise = (shipped.Perplexity, shipped.TokenAccuracy)
    known |= {made.name: made.lower_is_better for made in (metric() for metric in tokenwise)}
    lower = known.get(plain)
    return None if lower is None else "lower" if lower else "higher"


def _direction(learn: "Learner", name: str) -> str:
    """Which way a column should go, as the metric of that name says, or as it is a loss."""
    metric = next((m for m in learn.metrics if m.name == name), None)
    if metric is not None:
        if metric.lower_is_better is None:
            raise _nobody_says(name, ", not even the metric itself")
        return "lower" if metric.lower_is_better else "higher"
    losses = [f"{phase.name}_loss" for phase in learn.phases]
    if name in (*losses, *_LOSSES):
        return "lower"
    known = ", ".join(dict.fromkeys([*losses, *(m.name for m in learn.metrics)]))
    raise _nobody_says(name, f": it is no loss and no metric of this learner ({known})")


def _nobody_says(name: str, why: str) -> CallbackError:
    return CallbackError(
        f"Nobody says whether a lower or a higher {name!r} is the better one{why}.",
        fix='pass better="lower" or better="higher" to EarlyStopping or Checkpoint; or say it to '
        "the metric, before it is given to the learner: metric.lower_is_better = True, or False",
    )


class EarlyStopping(Callback):
    """End the fit when a number has not become better for some epochs.

    Source: Prechelt, "Early Stopping — But When?" (1998).

    Args:
        monitor: the column of the history to watch.
        patience: how many epochs in a row may bring nothing better.
        min_delta: how much better counts, in the number's own units.
        better: ``"lower"`` or ``"higher"``; by default as the metric says, see `Monitor`.

    Attributes:
        ended: why it ended the newest fit, in a sentence, which is also shown below the table of
            epochs; empty where it did not.

    Raises:
        TrainingError: `patience` is below 1, or `better` is neither.
    """

    reads: ClassVar = {"history"}

    def __init__(
        self,
        monitor: str = "valid_loss",
        *,
        patience: int = 3,
        min_delta: float = 0.0,
        better: str | None = None,
    ) -> None:
        if not is_whole(patience) or patience < 1:
            raise TrainingError(f"patience is {patience!r}.", fix="give 1 or more epochs")
        if not isinstance(monitor, str):
            raise TrainingError(
                f"monitor is {monitor!r}; the name of a column of the history was expected.",
                fix=f'name it: EarlyStopping("valid_loss", patience={monitor})'
                if is_whole(monitor)
                else 'name it: EarlyStopping("valid_loss")',
            )
        self.monitor, self.patience, self.min_delta = Monitor(monitor, better), patience, min_delta
        self.best, self.waited = -math.inf, 0
        self.ended = ""

    def fit_begin(self, learn: "Learner") -> None:
        """Start afresh.

        Raises:
            CallbackError: nobody says whether lower is better.
        """
        self.monitor.watch(learn)
        self.best, self.waited, self.ended = -math.inf, 0, ""

    def epoch_begin(self, learn: "Learner") -> None:
        """End a fit that was taken up after it had been ended here."""
        if self.waited >= self.patience:
            self._end()

    def epoch_end(self, learn: "Learner") -> None:
        """Compare, and cancel the fit where patience is at its end."""
        score = self.monitor.score(learn)
        if score > self.best + self.min_delta:
            self.best, self.waited = score, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self._end()

    def fit_end(self, learn: "Learner") -> None:
        """Say why it ended, where it did and training is shown."""
        if self.ended and learn.progress:
            from sprat.progress import canvas

            canvas().finish(self.ended)

    def _end(self) -> None:
        name, best = self.monitor.name, self.monitor.sign * self.best
        for_long = f"for {self.waited} epoch{'s' * (self.waited > 1)}"
        self.ended = (
            f"EarlyStopping ended the fit: {name} has not become better {for_long}"
            + (f" (the best was {best:.4g})." if math.isfinite(best) else "; it was no number.")
        )  # fmt: skip
        raise Cancel("fit")

    def state_dict(self) -> dict[str, Any]:
        """The best so far and how long ago it was."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.best, self.waited = state["best"], state["waited"]
