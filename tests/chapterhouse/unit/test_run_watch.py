"""The watch, on processes that are no kernels: what it kills, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from chapterhouse.course import Limits
from chapterhouse.run import watch
from chapterhouse.run.watch import Watch, starved_s

SLEEP = "import time; time.sleep(60)"
WITH_A_CHILD = (
    "import subprocess, sys, time\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "time.sleep(60)"
)
Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    started = []

    def start_one(program: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def watched(process: subprocess.Popen[bytes], stop=None, **limits) -> Watch:
    made = Watch(Limits(**limits), stop or threading.Event())
    made.begin(process)
    return made


def test_time_is_up(start) -> None:
    process = start(SLEEP)
    guard = watched(process, timeout_s=0.3)
    assert process.wait(timeout=20) == -9
    assert guard.breach == "ran out of time: the chapter may take 0.3 s"


def test_time_spent_waiting_for_a_processor_does_not_count(start, monkeypatch) -> None:
    monkeypatch.setattr(watch, "starved_s", lambda pid: 100.0)
    process = start(SLEEP)
    guard = watched(process, timeout_s=0.3)
    time.sleep(1.0)
    assert process.poll() is None
    guard.end()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_starving_is_measured(start) -> None:
    here = psutil.Process().cpu_affinity()[0]
    spinners = [start("while True: pass") for _ in range(2)]
    for process in spinners:
        psutil.Process(process.pid).cpu_affinity([here])  # two on one processor: each waits
    deadline = time.monotonic() + 30
    while max(starved_s(p.pid) for p in spinners) < 0.2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert max(starved_s(p.pid) for p in spinners) >= 0.2


def test_a_process_that_is_gone_starved_nobody() -> None:
    assert starved_s(2**30) == 0.0


def test_memory_counts_children(start) -> None:
    child = "b = bytearray(b'1' * 150_000_000); import time; time.sleep(60)"
    program = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)"
    )
    process = start(program)
    guard = watched(process, timeout_s=60, max_memory_bytes=120_000_000)
    assert process.wait(timeout=60) == -9
    assert "114 MiB is the limit" in guard.breach
    assert guard.peak_memory_bytes > 120_000_000


def test_output_past_the_limit(start) -> None:
    process = start(SLEEP)
    guard = watched(process, max_output_bytes=1024**2)
    guard.count_output(1024**2)
    assert process.poll() is None
    guard.count_output(1)
    assert process.wait(timeout=20) == -9
    assert guard.breach == "printed more than 1 MiB"


def test_giving_up_kills(start) -> None:
    stop = threading.Event()
    process = start(SLEEP)
    guard = watched(process, stop)
    stop.set()
    assert process.wait(timeout=20) == -9
    assert guard.breach == "was interrupted"


def test_the_end_takes_children_along(start) -> None:
    process = start(WITH_A_CHILD)
    guard = watched(process)
    deadline = time.monotonic() + 30
    while not (children := psutil.Process(process.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    guard.end()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def test_a_process_that_ends_by_itself_breaks_nothing(start) -> None:
    process = start("raise SystemExit(3)")
    guard = watched(process)
    process.wait(timeout=20)
    guard.end()
    assert guard.breach == ""
    assert guard.cause_of_death() == "exit code 3"


def test_a_watch_that_never_began_can_end() -> None:
    guard = Watch(Limits(), threading.Event())
    guard.end()
    assert not guard.seen
    assert guard.cause_of_death() == "no reason known"
