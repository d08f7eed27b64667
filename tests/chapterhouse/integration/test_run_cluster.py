"""Chapters on the workers of a real scheduler, of which one is killed in the middle."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from chapterhouse import cli
from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import CourseError
from chapterhouse.run.executor import run_course
from chapterhouse.run.record import executed_path
from chapterhouse.testing import make_course, make_notebook

cluster = pytest.importorskip("chapterhouse.run.cluster")
pytest.importorskip("distributed")
pytestmark = pytest.mark.slow  # starts a scheduler and its workers

# The first time it says where it is and waits to be killed; the second time it goes through.
MORTAL = """
import os, pathlib, time
flag = pathlib.Path({flag!r})
if not flag.exists():
    new = flag.with_suffix(".new")
    new.write_text(f"{{os.getppid()}} {{os.getpid()}}")
    new.rename(flag)
    time.sleep(600)
print("second time", epochs)
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    quiet = {"DASK_DISTRIBUTED__DASHBOARD__LINK": "", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **quiet},
    )


def await_file(path: Path, *alive: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert all(process.poll() is None for process in alive)
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def workers(tmp_path_factory) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A scheduler's address, and two workers with one thread each; the second has a GPU."""
    import json

    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    scheduler = start(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(file),
    )  # fmt: skip
    started = [scheduler]
    try:
        await_file(file, scheduler)
        address = json.loads(file.read_text())["address"]
        for extra in ([], ["--resources", "GPU=1"]):
            started.append(
                start("worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard",
                      "--host", "127.0.0.1", "--local-directory", str(folder), *extra)
            )  # fmt: skip
        yield address, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.communicate()


def connected(address: str, count: int):
    """The cluster, once it has `count` workers."""
    made = cluster.connect(address)
    ready = made.__enter__()
    ready._client.wait_for_workers(count, timeout=60)
    return made, cluster.Cluster(ready._client, address)


def run(course: Course, execute, *names: str, **settings):
    screen = io.StringIO()
    report = run_course(
        course, names, screen=screen, execute=execute, jobs=execute.jobs, **settings
    )
    return {row.slug: row for row in report.rows}, screen.getvalue()


def printed(course: Course, slug: str) -> str:
    executed = nb.read(executed_path(course, "fast", slug))
    return "".join(o.text for cell in nb.code_cells(executed) for o in cell.outputs)


def test_a_lost_workers_chapter_runs_again_elsewhere(tmp_path, workers) -> None:
    address, processes = workers
    flag = tmp_path / ".flag"
    who = "import os; print(os.getppid())"
    course = make_course(
        tmp_path,
        {
            "01_mortal": make_notebook([MORTAL.format(flag=str(flag))]),
            "02_gpu": make_notebook([who], settings={"gpu": "required"}),
            "03_fails": make_notebook(["1 / 0"]),
        },
    )
    context, execute = connected(address, 2)
    try:
        assert execute.jobs == 2
        rows, screen = run(course, execute, "2", "3")
        assert rows["02_gpu"].status == "ran", screen
        server = psutil.Process(int(printed(course, "02_gpu")))
        assert server.ppid() == processes[1].pid
        assert rows["03_fails"].error.endswith("ZeroDivisionError: division by zero")
        done = []
        thread = threading.Thread(target=lambda: done.append(run(course, execute, "1")))
        thread.start()
        await_file(flag, *processes)
        server_pid, kernel_pid = map(int, flag.read_text().split())
        lost = [psutil.Process(server_pid), psutil.Process(kernel_pid)]
        worker = lost[0].ppid()
        (victim,) = [process for process in processes if process.pid == worker]
        victim.kill()
        thread.join(60)
        ((rows, screen),) = done
        assert rows["01_mortal"].status == "ran", screen
        assert printed(course, "01_mortal") == "second time 2\n"
        _, alive = psutil.wait_procs(lost, timeout=20)
        assert alive == []
    finally:
        context.__exit__(None, None, None)


def test_a_chapter_that_is_given_up_is_killed_on_its_worker(tmp_path, workers) -> None:
    address, _ = workers
    flag = tmp_path / ".flag"
    course = make_course(tmp_path, {"01_hangs": make_notebook([MORTAL.format(flag=str(flag))])})
    program = f"from chapterhouse.cli import main; main(['--course', {str(tmp_path)!r}, 'run', "
    process = subprocess.Popen(
        [sys.executable, "-c", f"{program}'--scheduler', {address!r}])"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    await_file(flag, process)
    kernel = psutil.Process(int(flag.read_text().split()[1]))
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs([kernel], timeout=30)
    assert alive == []
    assert not executed_path(course, "fast", "01_hangs").exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://somewhere", "127.0.0.1:9"])
def test_a_scheduler_that_does_not_answer_is_told(tmp_path, capsys, monkeypatch, address) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE_S", 0.5)
    make_course(tmp_path, {"01_one": make_notebook(["1"])})
    assert cli.main(["--course", str(tmp_path), "run", "--scheduler", address]) == 2
    said = capsys.readouterr().err
    assert f"No scheduler answers at {address}" in said
    assert "fix: start one with `dask scheduler`" in said
    assert "Traceback" not in said


def test_a_scheduler_without_workers_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "_WORKERS_S", 0.5)
    file = tmp_path / "scheduler.json"
    scheduler = start(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(file),
    )  # fmt: skip
    try:
        await_file(file, scheduler)
        import json

        address = json.loads(file.read_text())["address"]
        with pytest.raises(CourseError, match="has no workers"), cluster.connect(address):
            pass
    finally:
        scheduler.kill()
        scheduler.communicate()
