"""Ending training when it no longer helps, and which of two numbers is the better one."""

import math
from typing import TYPE_CHECKING, Any, ClassVar

from sprat.callbacks import Callback, Cancel
from sprat.errors import TrainingError
from sprat.kinds import is_whole

if TYPE_CHECKING:
    from sprat.learner import Learner

_SMALL_IS_GOOD = ("loss", "error", "rate", "mae", "mse", "rmse", "perplexity", "distance")


class Monitor:
    """One column of the history, and which way it should go.

    Args:
        name: the column, ``"valid_loss"`` or a metric.
        better: ``"lower"`` or ``"higher"``; by default lower where the name ends with loss, error,
            rate, mae, mse, rmse, perplexity or distance, and else higher.

    Raises:
        TrainingError: `better` is neither.
    """

    def __init__(self, name: str, better: str | None = None) -> None:
        if better not in (None, "lower", "higher"):
            raise TrainingError(f"better is {better!r}.", fix='use "lower" or "higher"')
        small = name.endswith(_SMALL_IS_GOOD) if better is None else better == "lower"
        self.name, self.sign = name, -1.0 if small else 1.0

    def __repr__(self) -> str:
        return repr(self.name)

    def score(self, learn: "Learner") -> float:
        """The newest value, larger for better; −∞ where it is not a number.

        So it is, too, where the phase that gives it was cancelled or skipped in this epoch.

        Raises:
            TrainingError: no phase or metric gives this number.
        """
        row = learn.history.rows[-1]
        if self.name not in row:
            if any(self.name in earlier for earlier in learn.history.rows):
                return -math.inf
            raise TrainingError(
                f"The history has no {self.name!r}, only {', '.join(row)}.",
                fix="name one of these; valid_… needs validation data",
            )
        value = self.sign * row[self.name]
        return -math.inf if math.isnan(value) else value


class EarlyStopping(Callback):
    """End the fit when a number has not become better for some epochs.

    Source: Prechelt, "Early Stopping — But When?" (1998).

    Args:
        monitor: the column of the history to watch.
        patience: how many epochs in a row may bring nothing better.
        min_delta: how much better counts, in the number's own units.
        better: ``"lower"`` or ``"higher"``; by default as the name says, see `Monitor`.

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
        """Start afresh."""
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
