"""What a training shows while it runs: a gauge, and a table that gains a row an epoch.

A terminal gets the gauge on its last line, a notebook one output that is updated in place, a log or
a stored page the finished table alone. No row says how long it took, so equal runs leave equal
text.
"""

import html
from typing import TYPE_CHECKING, ClassVar

from sprat.callbacks import Callback
from sprat.history import History
from sprat.progress import Bar, Canvas, Notebook, canvas

if TYPE_CHECKING:
    from sprat.learner import Learner


class Progress(Callback):
    """Show how far training has come and what it has reached."""

    reads: ClassVar = {"history"}
    writes: ClassVar = {"display"}

    def fit_begin(self, learn: "Learner") -> None:
        """Start the gauge, over all steps of all phases."""
        self.first = len(learn.history)
        steps = learn.epochs * sum(len(learn.loader(phase.split)) for phase in learn.phases)
        where = canvas()
        self.canvas: Canvas = (
            TableCanvas(learn.history, self.first) if isinstance(where, Notebook) else where
        )
        self.bar = Bar(steps, "training", canvas=self.canvas)

    def phase_begin(self, learn: "Learner") -> None:
        """Name the phase."""
        self.bar.text = f"epoch {learn.epoch + 1} of {learn.epochs}, {learn.phase.name}"

    def step_end(self, learn: "Learner") -> None:
        """Move the gauge."""
        self.bar.advance()

    def epoch_end(self, learn: "Learner") -> None:
        """Add the row; a notebook's table is drawn at the next step or at the end."""
        if not isinstance(self.canvas, TableCanvas):
            lines = str(_since(learn.history, self.first)).splitlines()
            for line in lines if len(lines) == 3 else lines[-1:]:
                self.canvas.finish(line)

    def fit_end(self, learn: "Learner") -> None:
        """Leave the table alone."""
        self.canvas.finish("")


class TableCanvas(Notebook):
    """One output of a notebook cell: the table so far, and a gauge below it while work goes on.

    Args:
        history: what grows.
        first: how many of its rows belong to earlier fits.
    """

    def __init__(self, history: History, first: int) -> None:
        super().__init__()
        self.history, self.first = history, first

    def draw(self, line: str, share: float | None) -> None:
        """The rows so far and the gauge."""
        gauge = f'<progress value="{share or 0:.3f}" max="1" aria-label="training"></progress>'
        text, markup = self._table()
        self._show(f"{text}\n{line}".strip(), f"{markup}<div>{gauge} {html.escape(line)}</div>")

    def finish(self, line: str) -> None:
        """The table without the gauge."""
        self._show(*self._table())

    def _table(self) -> tuple[str, str]:
        if len(self.history) == self.first:
            return "", ""
        table = _since(self.history, self.first).table()
        return str(table), table._repr_html_()


def _since(history: History, first: int) -> History:
    return History(history.rows[first:])
