"""Every claim of the sandbox's threat model meets a submission that attacks it.

The submissions lie in ``hostile/``, named by how they must end; each says in its first line what it
tries. None may get the right value, learn what the grader knows, change or leave anything, or
disturb the honest job that comes after it.
"""

from __future__ import annotations

import math
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import chapterhouse
from chapterhouse.errors import GradingError
from chapterhouse.grade.pool import Pool
from chapterhouse.grade.protocol import Call, Job, Limits, Outcome, Status

HOSTILE = sorted((Path(__file__).parent / "hostile").glob("*.py"))
PLACES = {
    "strong": ("strong", True),
    "watched": ("strong", False),
    "medium": ("medium", True),
    "medium-watched": ("medium", False),
}
LIMITS = Limits(
    cpu_s=3,
    wall_s=2.5,
    memory_bytes=256 << 20,
    output_bytes=1 << 16,
    value_bytes=1 << 24,
    files_bytes=16 << 20,
)
# Imports are no boundary: a submission can always get at a module that is loaded.
MODULES = tuple(sorted(sys.stdlib_module_names | {"torch", "numpy"}))
CANARY = f"CANARY-{secrets.token_hex(8)}"
# The medium level has no other process to start, and so meets these attacks earlier.
MEDIUM_STATUS = {"time_daemon": Status.FORBIDDEN, "memory_many_processes": Status.FORBIDDEN}
HONEST = "import torch\n\n\ndef answer(x):\n    return 2 * torch.ones(2).sum() * x\n"


@pytest.fixture(
    scope="module",
    params=[
        name if name == "strong" else pytest.param(name, marks=pytest.mark.slow) for name in PLACES
    ],
)
def place(request: pytest.FixtureRequest) -> Iterator[Pool]:
    level, use_cgroups = PLACES[request.param]
    # What a grader that marks this very class would hold.
    os.environ["GRADER_SECRET"] = CANARY
    try:
        pool = Pool(level, use_cgroups=use_cgroups)
    except GradingError as error:
        pytest.skip(f"this machine has no {level} sandbox: {error.found}")
    with pool:
        if pool.run(Job("answer = 1", (Call("answer"),))).status is Status.BROKEN:
            pytest.skip(f"this machine has no {level} sandbox")
        yield pool
    assert _processes(pool) == []
    del os.environ["GRADER_SECRET"]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def _processes(pool: Pool) -> list[int]:
    """Every process that comes from this pool's server, but the server itself."""
    own = pool._server.pid if pool._server else None
    return [number for number in _named(pool._home.name) if number != own]


def _named(home: str) -> list[int]:
    """Every process whose command line names a pool's folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if home.encode() in line:
            found.append(int(folder.name))
    return found


def _attack(pool: Pool, path: Path, planted: Path, port: int) -> tuple[Outcome, list[float]]:
    source = path.read_text()
    names = {"PLANTED": str(planted), "PORT": port, "ABSTRACT": f"sprat-{port}"}
    head = "".join(f"{name} = {value!r}\n" for name, value in names.items() if name in source)
    numbers = [secrets.randbelow(10**6) + 0.25 for _ in range(2)]
    calls = tuple(Call("answer", (number,)) for number in numbers)
    # On a busy machine the clock must not be what ends the others.
    limits = LIMITS if path.stem.startswith("time") else replace(LIMITS, wall_s=20, cpu_s=20)
    return pool.run(Job(head + source, calls, limits, MODULES)), [4 * n for n in numbers]


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
def test_attack_fails(place: Pool, path: Path, tmp_path: Path, listener: socket.socket) -> None:
    planted = tmp_path / "solution.py"
    planted.write_text(f"ANSWER = {CANARY!r}\n")
    before = planted.stat()

    outcome, right = _attack(place, path, planted, listener.getsockname()[1])

    expected = {Status(path.stem.split("_")[0])}
    if place.level == "medium":
        expected = {MEDIUM_STATUS.get(path.stem, *expected)}
    if path.stem == "killed_deep_recursion" and sys.version_info >= (3, 12):
        # The stack has a limit of its own there, which no submission can move.
        expected |= {Status.OK}
        assert {r.failure.type for r in outcome.results if r.failure} <= {"RecursionError"}
    if path.stem == "time_thread_bomb":
        # At the strong level the clock ends it or its memory, whichever it meets first: each thread
        # takes address space too. At the medium one, where no control group refuses the threads,
        # the watcher counts them and ends the job.
        counted = place.level == "medium" and not place._use_cgroups
        expected = {Status.KILLED} if counted else expected | {Status.KILLED}
    assert outcome.status in expected, outcome
    numbers = [r.value for r in outcome.results if type(r.value) in (int, float)]
    assert not set(numbers) & set(right)
    assert CANARY not in repr(outcome)
    assert "\x1b" not in repr(outcome).encode().decode("unicode_escape")
    if path.stem in CLAIMS:
        assert CLAIMS[path.stem](outcome), outcome.results

    assert _processes(place) == []
    after = planted.stat()
    assert planted.read_text() == f"ANSWER = {CANARY!r}\n"
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    for folder in (tmp_path, Path("/"), Path("/tmp"), Path("/dev/shm"), Path("/var/tmp")):
        assert not list(folder.glob("HOSTILE*")), folder
    with pytest.raises(BlockingIOError):
        listener.accept()

    honest = place.run(Job(HONEST, (Call("answer", (3.0,)),)))
    assert honest.status is Status.OK
    assert float(honest.results[0].value) == 12.0
    assert honest.stdout == ""


def _value(outcome: Outcome) -> Any:
    return outcome.results[0].value


def _refused(outcome: Outcome) -> bool:
    """The value was one that cannot be graded, and the student is told so."""
    failure = outcome.results[0].failure
    return failure is not None and failure.type == "UnsupportedValue" and bool(failure.message)


def _plain(outcome: Outcome) -> bool:
    values = _value(outcome)
    return [type(v) for v in values] == [float, int, str, list] and values[3] == [1, 2]


def _not_numbers(outcome: Outcome) -> bool:
    number, tensor, one, none, endless = _value(outcome)
    shapes = [list(t.shape) for t in (tensor, one, none)] == [[], [1], [0]]
    return math.isnan(number) and bool(tensor.isnan()) and shapes and endless == math.inf


def _short_and_clean(outcome: Outcome) -> bool:
    failure = outcome.results[0].failure
    assert failure is not None
    return len(failure.message) <= 500 and "\x1b" not in failure.message


# What must hold beyond the status.
CLAIMS: dict[str, Callable[[Outcome], bool]] = {
    "ok_walks_frames": lambda o: _value(o) == "nothing",
    "ok_reads_memory": lambda o: _value(o) == "nothing",
    "ok_reads_secrets": lambda o: _value(o) == [],
    "ok_sees_processes": lambda o: _value(o) == [],
    "ok_limits_grader": lambda o: _value(o) == [],
    "ok_network": lambda o: _value(o) == [],
    "ok_execs": lambda o: _value(o) == [],
    "ok_writes_files": lambda o: _value(o) == [],
    "ok_shadows_libraries": lambda o: set(_value(o)) <= {".", "/tmp", "/dev/shm"},
    "ok_disk_bomb": lambda o: _value(o) <= LIMITS.files_bytes,
    "ok_shared_memory_bomb": lambda o: _value(o) <= LIMITS.files_bytes,
    "ok_inode_bomb": lambda o: _value(o) < 2000,
    "ok_descriptor_bomb": lambda o: _value(o) <= 256,
    "ok_equals_everything": _refused,
    "ok_lazy": _refused,
    "ok_reduce": _refused,
    "ok_lying_class": _refused,
    "ok_endless_values": _refused,
    "ok_huge_integer": _refused,
    "ok_large_value": _refused,
    "ok_number_subclasses": _plain,
    "ok_tensor_subclass": lambda o: type(_value(o)).__name__ == "Tensor" and sum(_value(o)) == 3,
    "ok_nan_and_broadcast": _not_numbers,
    "ok_smuggles_in_errors": _short_and_clean,
    "ok_error_that_raises": _short_and_clean,
    "ok_prints_verdict": lambda o: "accepted" in o.stdout and "\x1b" not in o.stdout,
    "ok_atexit": lambda o: "verdict: accepted" not in o.stdout or _value(o) == 5,
}


def test_every_claim_has_its_attack() -> None:
    assert CLAIMS.keys() <= {path.stem for path in HOSTILE}
    assert MEDIUM_STATUS.keys() <= {path.stem for path in HOSTILE}


def test_time_is_taken_outside(place: Pool) -> None:
    """A submission that stops every clock that it can reach is still timed."""
    source = (
        "import time\nreal = time.sleep\n"
        "for name in ('time', 'perf_counter', 'monotonic', 'process_time'):\n"
        "    setattr(time, name, lambda: 0.0)\n"
        "def answer():\n    real(0.3)\n    return 1\n"
    )
    outcome = place.run(Job(source, (Call("answer"), Call("answer")), imports=("time",)))
    assert [result.wall_s >= 0.3 for result in outcome.results] == [True, True]


ENDLESS = "def answer():\n    while True:\n        pass\n"


def _wait_for(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    deadline = time.perf_counter() + seconds
    while not condition() and time.perf_counter() < deadline:
        time.sleep(0.01)
    return bool(condition())


def test_a_server_that_is_killed_takes_its_jobs_along(place: Pool) -> None:
    with Pool(place.level, warm=()) as pool:
        _server_is_killed(pool)


def _server_is_killed(pool: Pool) -> None:
    server = pool._server
    assert server is not None
    job = Job(ENDLESS, (Call("answer"),), Limits(wall_s=60, cpu_s=60))
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(pool.run(job)))
    thread.start()
    assert _wait_for(lambda: _processes(pool))
    server.kill()
    thread.join(20)
    assert [outcome.status for outcome in outcomes] == [Status.BROKEN]
    assert _wait_for(lambda: not _processes(pool))
    # The pool mends itself: the next job finds a new server. Nothing is warm in this one, and a
    # torch for CUDA maps more than a job may have.
    assert pool.run(Job("def answer(x): return x", (Call("answer", (1.0,)),))).status is Status.OK


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT], ids=lambda s: s.name)
def test_a_grader_that_ends_leaves_nothing(place: Pool, ending: signal.Signals) -> None:
    script = (
        "import signal, sys\n"
        # A shell's background jobs, and so the tests in one, ignore SIGINT until somebody asks.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.path.insert(0, {str(Path(chapterhouse.__file__).parents[1])!r})\n"
        "from chapterhouse.grade.pool import Pool\n"
        "from chapterhouse.grade.protocol import *\n"
        f"pool = Pool({place.level!r}, warm=())\n"
        "print(pool._home.name, pool._server.pid, flush=True)\n"
        f"pool.run(Job({ENDLESS!r}, (Call('answer'),), Limits(wall_s=60, cpu_s=60)))\n"
    )
    command = [sys.executable, "-c", script]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as grader:
        assert grader.stdout is not None
        home, server = grader.stdout.readline().split()

        def jobs() -> list[int]:
            return [number for number in _named(home) if number not in (grader.pid, int(server))]

        assert _wait_for(jobs)
        grader.send_signal(ending)
        grader.wait(20)
    assert _wait_for(lambda: not _named(home))
    assert _wait_for(lambda: not Path(home).exists())
