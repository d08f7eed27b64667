"""Loggers: the history on disk while training goes on, as CSV or for TensorBoard.

They read the history when an epoch or a phase has ended, so a training step pays nothing.
"""

import csv
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sprat.callbacks import Callback
from sprat.errors import TrainingError

if TYPE_CHECKING:
    from sprat.learner import Learner


class CSV(Callback):
    """Write a row an epoch, and if wanted a row a training step.

    The files are written anew after each epoch from the whole history, so they are right after a
    training that was taken up, too.

    Args:
        path: the file of epochs: a column for each number in the history.
        steps: the file of training steps: ``step``, ``loss``, ``lr``; none by default.
    """

    reads: ClassVar = {"history"}

    def __init__(self, path: str | Path, *, steps: str | Path | None = None) -> None:
        self.path = Path(path)
        self.steps = None if steps is None else Path(steps)

    def epoch_end(self, learn: "Learner") -> None:
        """Write both files.

        Raises:
            TrainingError: one can't be written.
        """
        rows = learn.history.rows
        names = list(dict.fromkeys(name for row in rows for name in row))
        _write(self.path, names, [[row.get(name, "") for name in names] for row in rows])
        if self.steps is not None:
            history = learn.history
            numbered = enumerate(zip(history.losses, history.lrs, strict=True))
            _write(self.steps, ["step", "loss", "lr"], [[i, *pair] for i, pair in numbered])


def _write(path: Path, names: list[str], rows: list[list[Any]]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows(rows)
        beside.replace(path)  # a reader never meets half a file
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise TrainingError(
            f"The log {path} can't be written: {error}.", fix="choose a path that can be written"
        ) from None


class TensorBoard(Callback):
    """Write what TensorBoard draws: loss and learning rate by step, everything else by epoch.

    Look at it with ``tensorboard --logdir FOLDER``.

    Args:
        folder: where the event files go; one folder a training.

    Raises:
        TrainingError: the package ``tensorboard`` is not installed.
    """

    reads: ClassVar = {"history"}

    def __init__(self, folder: str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise TrainingError(
                "TensorBoard is not installed.", fix="pip install tensorboard"
            ) from None
        self.folder, self._make = Path(folder), SummaryWriter

    def fit_begin(self, learn: "Learner") -> None:
        """Open an event file."""
        self.writer = self._make(str(self.folder))
        self.steps, self.rows = len(learn.history.losses), len(learn.history)

    def phase_end(self, learn: "Learner") -> None:
        """Write the steps of a phase that trained."""
        history = learn.history
        for step in range(self.steps, len(history.losses)):
            self.writer.add_scalar("step/loss", history.losses[step], step)
            self.writer.add_scalar("step/lr", history.lrs[step], step)
        self.steps = len(history.losses)

    def epoch_end(self, learn: "Learner") -> None:
        """Write the row of the epoch."""
        for number in range(self.rows, len(learn.history)):
            for name, value in learn.history.rows[number].items():
                if name != "epoch":
                    self.writer.add_scalar(name, value, number)
        self.rows = len(learn.history)
        self.writer.flush()

    def fit_end(self, learn: "Learner") -> None:
        """Close the file."""
        self.writer.close()
