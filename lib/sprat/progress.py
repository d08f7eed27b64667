"""A progress bar that reads well where it is shown: in a terminal, in a notebook, on a stored page.

A terminal gets one line that is rewritten; a notebook gets one output that is updated in place.
Anything else, such as a log file, gets a single line at the end. That last line never says how
long the work took, so two equal runs leave equal text behind.

Drawing happens at most ten times a second. Between two drawings `Bar.advance` adds a number and
looks at the clock (under a microsecond), so it may be called in a training step.

Set ``SPRAT_PROGRESS`` to ``terminal``, ``notebook``, ``plain`` (the last line alone) or ``off``
to choose what would otherwise be found out.
"""

import html
import os
import shutil
import sys
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Protocol, TextIO, runtime_checkable

from sprat.errors import SpratError

_REDRAW_S = 0.1  # ten times a second is as often as an eye can use


@runtime_checkable
class Canvas(Protocol):
    """Where a bar is drawn."""

    def draw(self, line: str, share: float | None) -> None:
        """Show the state of work that goes on; `share` is in [0, 1], None when unknown."""

    def finish(self, line: str) -> None:
        """Show the last line; the empty one leaves no trace."""


class Terminal:
    """One line of a terminal, rewritten in place."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def draw(self, line: str, share: float | None) -> None:
        """Rewrite the line, shortened to the terminal's width."""
        width = shutil.get_terminal_size().columns - 1
        gauge = ""
        if share is not None and width - len(line) > 12:
            cells = min(30, width - len(line) - 2)
            gauge = "█" * int(share * cells) + "·" * (cells - int(share * cells)) + "  "
        self._write(f"\r\x1b[2K{gauge}{line[:width]}")

    def finish(self, line: str) -> None:
        """Replace the line by its last form and go to the next one."""
        self._write(f"\r\x1b[2K{line}\n" if line else "\r\x1b[2K")

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:  # a terminal without block characters
            self.stream.write(text.replace("█", "#").replace("·", "."))
        self.stream.flush()


class Notebook:
    """One output of a notebook cell, updated in place."""

    def __init__(self) -> None:
        self._id = f"sprat-{os.urandom(6).hex()}"
        self._shown = False

    def draw(self, line: str, share: float | None) -> None:
        """Update the output: a gauge and the line as HTML, the line alone as text."""
        value = "" if share is None else f'value="{share:.3f}" '
        gauge = f'<progress {value}max="1" aria-label="progress"></progress>'
        self._show(line, f"<div>{gauge} {html.escape(line)}</div>")

    def finish(self, line: str) -> None:
        """Update the output to its last form, without the gauge."""
        if line or self._shown:
            self._show(line, f"<div>{html.escape(line)}</div>" if line else "")

    def _show(self, text: str, markup: str) -> None:
        from IPython.display import display

        bundle = {"text/plain": text, "text/html": markup}
        display(bundle, raw=True, display_id=self._id, update=self._shown)
        self._shown = True


class Plain:
    """A log or a stored page: nothing while the work goes on, one line at its end."""

    def draw(self, line: str, share: float | None) -> None:
        """Show nothing yet."""

    def finish(self, line: str) -> None:
        """Print the line."""
        if line:
            print(line, flush=True)


class Off(Plain):
    """No output at all."""

    def finish(self, line: str) -> None:
        """Show nothing."""


class Bar:
    """How far a piece of work has come. `bar` makes one.

    Args:
        total: how many units the work has; None when nobody knows.
        text: what is being done.
        unit: ``"B"`` for bytes, shown as MB; otherwise the units are counted.
        leave: whether a last line stays when the work is done.
        canvas: where to draw.
    """

    def __init__(
        self, total: int | None, text: str, *, unit: str = "", leave: bool = True, canvas: Canvas
    ) -> None:
        self.total, self.text, self.unit, self.leave = total, text, unit, leave
        self.done = 0
        #: Shown behind the count. A function is called only when something is drawn, so that
        #: reading a loss off the device costs ten reads a second at most.
        self.note: str | Callable[[], str] = ""
        self._canvas = canvas
        self._began = monotonic()
        self._due = self._began + _REDRAW_S

    def advance(self, count: int = 1) -> None:
        """Say that `count` more units are done."""
        self.done += count
        now = monotonic()
        if now >= self._due:
            self._due = now + _REDRAW_S
            self._canvas.draw(self._line(now), self._share())

    def finish(self, *, completed: bool = True) -> None:
        """Draw the last line; entering and leaving ``with`` does this for you."""
        if not completed:
            self._canvas.finish(f"{self.text}: stopped at {self._count()}")
        elif self.leave:
            self._canvas.finish(
                " · ".join(filter(None, [f"{self.text}: {self._count()}", self._said()]))
            )
        else:
            self._canvas.finish("")

    def __enter__(self) -> "Bar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish(completed=kind is None)

    def _share(self) -> float | None:
        return min(1.0, self.done / self.total) if self.total else None

    def _said(self) -> str:
        return self.note() if callable(self.note) else self.note

    def _count(self) -> str:
        if self.unit == "B":
            done, total = f"{self.done / 1e6:.1f}", f"{(self.total or 0) / 1e6:.1f}"
            unit = " MB"
        else:
            done, total, unit = f"{self.done:,}", f"{self.total or 0:,}", ""
        if self.total is None or self.done == self.total:
            return f"{done}{unit}"
        return f"{done} of {total}{unit}"

    def _line(self, now: float) -> str:
        parts = [f"{self.text}: {self._count()}"]
        if self.total and self.done:
            left = (now - self._began) * max(0, self.total - self.done) / self.done
            parts.append(f"{_clock(left)} left")
        return _joined(*parts, self._said())


def bar(total: int | None, text: str, *, unit: str = "", leave: bool = True) -> Bar:
    """A progress bar for ``with``, drawn where the output goes.

    Args:
        total: how many units the work has; None when nobody knows.
        text: what is being done.
        unit: ``"B"`` for bytes, shown as MB; otherwise the units are counted.
        leave: whether a last line stays when the work is done.

    Raises:
        SpratError: ``SPRAT_PROGRESS`` has a value that means nothing.
    """
    return Bar(total, text, unit=unit, leave=leave, canvas=canvas())


def canvas() -> Canvas:
    """The canvas that the environment asks for, or the one that fits the output."""
    wish = os.environ.get("SPRAT_PROGRESS", "auto")
    if wish == "auto":
        wish = _surroundings()
    if wish == "terminal":
        return Terminal(sys.stderr)
    if wish == "notebook":
        return Notebook()
    if wish in ("plain", "off"):
        return Plain() if wish == "plain" else Off()
    raise SpratError(
        f"SPRAT_PROGRESS is {wish!r}.", fix="set it to auto, terminal, notebook, plain or off"
    )


def _surroundings() -> str:
    # Whoever runs in a notebook has imported IPython already; importing it here would cost others.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and getattr(shell, "kernel", None) is not None:
        return "notebook"
    return "terminal" if sys.stderr.isatty() else "plain"


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
