"""The progress bar in a terminal, in a notebook and on a stored page."""

import io
import sys
import types
from typing import Any

import pytest

from sprat import progress
from sprat.errors import SpratError


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    return clock


class Recording:
    """A canvas that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.last: str | None = None

    def draw(self, line: str, share: float | None) -> None:
        self.lines.append(line)

    def finish(self, line: str) -> None:
        self.last = line


def test_draws_at_most_ten_times_a_second(clock: Clock) -> None:
    canvas = Recording()
    bar = progress.Bar(3000, "work", canvas=canvas)
    for _ in range(3000):
        clock.now += 0.001
        bar.advance()
    assert 28 <= len(canvas.lines) <= 30


def test_says_how_far_and_how_long(clock: Clock) -> None:
    canvas = Recording()
    bar = progress.Bar(400, "work", canvas=canvas)
    clock.now += 65
    bar.advance(100)
    assert canvas.lines == ["work: 100 of 400 · 3:15 left"]


def test_bytes_are_shown_as_megabytes(clock: Clock) -> None:
    canvas = Recording()
    bar = progress.Bar(30_900_652, "file", unit="B", canvas=canvas)
    clock.now += 1
    bar.advance(15_450_326)
    assert canvas.lines == ["file: 15.5 of 30.9 MB · 0:01 left"]


def test_unknown_total(clock: Clock) -> None:
    canvas = Recording()
    bar = progress.Bar(None, "lists", canvas=canvas)
    clock.now += 1
    bar.advance(7)
    bar.finish()
    assert canvas.lines == ["lists: 7"]
    assert canvas.last == "lists: 7"


@pytest.mark.parametrize("seconds", [0.0, 3.0, 4000.0])
def test_the_last_line_does_not_depend_on_time(clock: Clock, seconds: float) -> None:
    canvas = Recording()
    with progress.Bar(2, "epoch 1", canvas=canvas) as bar:
        bar.note = "loss 0.25"
        for _ in range(2):
            clock.now += seconds
            bar.advance()
    assert canvas.last == "epoch 1: 2 · loss 0.25"


def test_an_error_is_a_stop(clock: Clock) -> None:
    canvas = Recording()
    bar = progress.Bar(9, "work", canvas=canvas)
    bar.advance(4)
    with pytest.raises(ZeroDivisionError), bar:
        _ = 1 // 0
    assert canvas.last == "work: stopped at 4 of 9"


def test_a_note_is_computed_only_when_drawn(clock: Clock) -> None:
    calls = []
    bar = progress.Bar(1000, "work", canvas=Recording())
    bar.note = lambda: str(calls.append(1))
    for _ in range(1000):
        clock.now += 0.001
        bar.advance()
    assert len(calls) <= 10


def test_terminal_rewrites_one_line() -> None:
    stream = io.StringIO()
    canvas = progress.Terminal(stream)
    canvas.draw("work: 1 of 2", 0.5)
    canvas.draw("work: 2 of 2", 1.0)
    canvas.finish("work: 2")
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().count("\r") == 3
    assert "█" in stream.getvalue()


def test_terminal_lines_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    progress.Terminal(stream).draw("word " * 40, 0.5)
    progress.Terminal(stream).draw("word " * 5, 0.5)
    for line in stream.getvalue().split("\r\x1b[2K"):
        assert len(line) < 40


def test_terminal_that_knows_ascii_only() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    progress.Terminal(stream).draw("work: 1 of 2", 0.5)
    assert b"###" in raw.getvalue()


def test_terminal_can_leave_no_trace() -> None:
    stream = io.StringIO()
    progress.Terminal(stream).finish("")
    assert "\n" not in stream.getvalue()


class FakeIPython(types.ModuleType):
    """As much of IPython as a bar uses, in a kernel."""

    def __init__(self) -> None:
        super().__init__("IPython")
        self.shown: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.display = types.ModuleType("IPython.display")
        self.display.display = self._display  # type: ignore[attr-defined]

    def _display(self, bundle: dict[str, str], **options: Any) -> None:
        self.shown.append((bundle, options))

    def get_ipython(self) -> object:
        return types.SimpleNamespace(kernel=object())


@pytest.fixture
def ipython(monkeypatch: pytest.MonkeyPatch) -> FakeIPython:
    fake = FakeIPython()
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "IPython.display", fake.display)
    monkeypatch.delenv("SPRAT_PROGRESS", raising=False)
    return fake


def test_notebook_updates_one_output(ipython: FakeIPython, clock: Clock) -> None:
    with progress.bar(2, "a < b") as bar:
        for _ in range(2):
            clock.now += 1
            bar.advance()
    assert [options["update"] for _, options in ipython.shown] == [False, True, True]
    assert len({options["display_id"] for _, options in ipython.shown}) == 1
    first, last = ipython.shown[0][0], ipython.shown[-1][0]
    assert "<progress" in first["text/html"]
    assert "aria-label" in first["text/html"]
    assert last == {"text/plain": "a < b: 2", "text/html": "<div>a &lt; b: 2</div>"}


def test_quick_work_leaves_nothing_in_a_notebook(ipython: FakeIPython, clock: Clock) -> None:
    with progress.bar(2, "download", leave=False) as bar:
        bar.advance(2)
    assert ipython.shown == []


def test_a_log_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    monkeypatch.setenv("SPRAT_PROGRESS", "plain")
    with progress.bar(3, "work") as bar:
        for _ in range(3):
            clock.now += 1
            bar.advance()
    assert capsys.readouterr() == ("work: 3\n", "")


def test_off_is_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SPRAT_PROGRESS", "off")
    with progress.bar(1, "work") as bar:
        bar.advance()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("tty", "expected"), [(True, progress.Terminal), (False, progress.Plain)])
def test_surroundings_are_found_out(
    monkeypatch: pytest.MonkeyPatch, tty: bool, expected: type
) -> None:
    monkeypatch.delenv("SPRAT_PROGRESS", raising=False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: tty, raising=False)
    assert isinstance(progress.canvas(), expected)


def test_unknown_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAT_PROGRESS", "fancy")
    with pytest.raises(SpratError, match="fancy"):
        progress.bar(1, "work")
