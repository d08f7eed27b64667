"""The history of a training: one row an epoch, one loss and one learning rate a step."""

from dataclasses import dataclass, field
from typing import Any

from sprat.errors import DataError
from sprat.tables import Table


@dataclass(repr=False)
class History:
    """What `Learner.fit` leaves behind; it grows when training goes on.

    Epochs are counted from 0 over all fits of a learner, so that ``epoch`` rises along the rows: a
    plot over it shows fits one after the other, as `plot` does over steps, and the loggers and the
    best models of a `Checkpoint` count alike. (A `Learner` counts the epochs of one fit.)

    Args:
        rows: one dict an epoch: ``epoch``, ``train_loss``, ``valid_loss``, each metric by name,
            and whatever numbers the phases named, as ``<phase>_<name>``.
        losses: the training loss of every step.
        lrs: the learning rate of every training step.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    lrs: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> list[float]:
        """One column, a value an epoch.

        Raises:
            DataError: no epoch recorded it.
        """
        if not any(name in row for row in self.rows):
            known = ", ".join(dict.fromkeys(key for row in self.rows for key in row))
            raise DataError(
                f"The history has no column {name!r}.", fix=f"use one of {known or 'none yet: fit'}"
            )
        return [row.get(name, float("nan")) for row in self.rows]

    def last(self, name: str) -> float:
        """The newest value of one column."""
        return self[name][-1]

    def table(self) -> Table:
        """All rows, four decimals."""
        names = list(dict.fromkeys(key for row in self.rows for key in row))
        rows = [
            tuple(
                f"{row[n]:.0f}" if n == "epoch" else f"{row[n]:.4f}" if n in row else ""
                for n in names
            )
            for row in self.rows
        ]
        return Table([n.replace("_", " ") for n in names], rows)

    def __repr__(self) -> str:
        return str(self.table()) if self.rows else "History(empty: nothing was trained yet)"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss of every step, and the validation loss where each epoch ended.

        Args:
            ax: matplotlib axes; new ones by default.

        Returns:
            The axes.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
        steps = range(1, len(self.losses) + 1)
        ax.plot(steps, self.losses, color="#8fb8de", linewidth=1, label="training, each step")
        if any("valid_loss" in row for row in self.rows):
            per_epoch = len(self.losses) / max(1, len(self.rows))
            ends = [per_epoch * (i + 1) for i in range(len(self.rows))]
            ax.plot(ends, self["valid_loss"], "o-", color="#b5510f", label="validation, each epoch")
        ax.set(xlabel="step", ylabel="loss", title="Loss while training")
        ax.legend(frameon=False)
        return ax
