"""Kernels forked from a warmed process: like a cold one in all but the wait, and never orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from chapterhouse.run import forkclient, warm
from chapterhouse.run.warm import WarmKernelManager

pytestmark = [
    pytest.mark.slow,  # each test starts at least one process
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks on Linux only"),
]
STAMP = "import os\nPID = os.getpid()\n"  # who imported it


@pytest.fixture
def packages(tmp_path, monkeypatch) -> Iterator[Path]:
    """A folder whose modules a kernel can import; every process ends with the test."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "stamp.py").write_text(STAMP)
    yield tmp_path
    forkclient.close_all()


def run(*cells: str, modules: tuple[str, ...] = ("stamp",), **settings) -> list[str]:
    """What each cell printed or showed, in a kernel of its own."""
    made, _ = run_with_notice(*cells, modules=modules, **settings)
    return made


def run_with_notice(*cells: str, modules=("stamp",), **settings) -> tuple[list[str], str]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    manager = WarmKernelManager(modules=list(modules))
    client = NotebookClient(notebook, km=manager, **settings)
    try:
        client.execute()
        notice = manager.provisioner.notice
    finally:
        client._cleanup_kernel()
    shown = []
    for cell in notebook.cells:
        texts = [o.get("text") or o.data["text/plain"] for o in cell.outputs]
        shown.append("".join(texts).strip())
    return shown, notice


def test_an_import_finds_what_was_loaded_before_the_fork(packages) -> None:
    before, imported, me, parent = run(
        "import sys; 'stamp' in sys.modules",
        "import stamp; stamp.PID, stamp.__spec__.origin",
        "import os; os.getpid()",
        "os.getppid()",
    )
    pid, origin = eval(imported)
    assert before == "False"
    assert str(pid) == parent != me
    assert origin == str(packages / "stamp.py")


def test_a_kernel_of_no_course_is_not_looked_at(packages) -> None:
    (said,) = run("import os, stamp; type(os.environ).__name__, type(os.stat).__name__")
    assert eval(said) == ("_Environ", "builtin_function_or_method")


def test_kernels_share_the_process_but_not_their_fortune(packages) -> None:
    ask = "import os, random; os.getppid(), os.getpgid(0) == os.getpid(), random.random()"
    (one,), (two,) = run(ask), run(ask)
    (first, leads, luck), (second, leads_too, other_luck) = eval(one), eval(two)
    assert first == second
    assert leads
    assert leads_too
    assert luck != other_luck


def test_numpy_and_torch_are_seeded_anew(packages) -> None:
    # Stand-ins: importing the true ones would take seconds, and it is only who calls what.
    for name, text in {
        "numpy/__init__.py": "from . import random\n",
        "numpy/random.py": "calls = []\ndef seed(): calls.append('numpy')\n",
        "torch.py": """
            calls = []
            class cuda: is_initialized = staticmethod(lambda: False)
            class default_generator: seed = staticmethod(lambda: calls.append('torch'))
        """,
    }.items():
        (packages / name).parent.mkdir(exist_ok=True)
        (packages / name).write_text(dedent(text))
    before, seeded = run(
        "import sys; {'numpy', 'torch'} & set(sys.modules)",
        "import numpy.random, torch; numpy.random.calls + torch.calls",
        modules=("numpy", "torch"),
    )
    assert before == "set()"
    assert seeded == "['numpy', 'torch']"


def test_a_kernel_has_its_own_environment_folder_and_file_descriptors(packages) -> None:
    ask = "import os, sys; print(os.getcwd(), os.environ['IPYTHONDIR'], sys.path[0] == '')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ask)])
    folders = [packages / "a", packages / "b"]
    for folder in folders:
        folder.mkdir()
        manager = WarmKernelManager(modules=["stamp"])
        client = NotebookClient(notebook, km=manager)
        env = {**os.environ, "IPYTHONDIR": str(folder / "ipython")}
        client.execute(cwd=str(folder), env=env)
        client._cleanup_kernel()
        assert notebook.cells[0].outputs[0].text == f"{folder} {folder / 'ipython'} True\n"


def test_a_library_file_is_read_anew_by_each_kernel(packages) -> None:
    (packages / "fresh.py").write_text("VALUE = 1\n")
    assert run("import fresh; fresh.VALUE") == ["1"]
    (packages / "fresh.py").write_text("VALUE = 22\n")
    assert run("import fresh; fresh.VALUE") == ["22"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True)"
         ".start()\nclass cuda: is_initialized = staticmethod(lambda: False)",
         "has started threads: 2"),
        ("import os; os._exit(7)", "the warmed process ended"),
        ("class cuda: is_initialized = staticmethod(lambda: True)", "CUDA is initialised"),
    ],
    ids=["threads", "dies", "cuda"],
)  # fmt: skip
def test_where_no_fork_is_safe_the_kernel_is_an_ordinary_one(packages, source, told) -> None:
    (packages / "torch.py").write_text(source)
    shown, notice = run_with_notice("print('fine')", modules=("torch",))
    assert shown == ["fine"]
    assert "an ordinary kernel was started" in notice
    assert told in notice
    assert run_with_notice("1", modules=("torch",))[1] == notice  # told again, not tried again


def test_on_another_system_the_kernel_is_an_ordinary_one(packages, monkeypatch) -> None:
    monkeypatch.setattr(forkclient, "PLATFORM", "darwin")
    shown, notice = run_with_notice("import os, stamp; stamp.PID == os.getpid()")
    assert shown == ["True"]
    assert "not safe on darwin" in notice


def test_what_cannot_be_imported_is_left_to_the_chapter(packages) -> None:
    (packages / "broken.py").write_text("1 / 0")
    shown, notice = run_with_notice(
        "try:\n    import broken\nexcept ZeroDivisionError: print('told')",
        modules=("broken", "no_such_module", "stamp"),
    )
    assert shown == ["told"]
    assert notice == ""


def test_papermill_finds_the_engine_and_jupyter_the_provisioner(packages, monkeypatch) -> None:
    monkeypatch.setattr(warm, "MODULES", ("stamp",))
    from papermill.execute import execute_notebook

    (found,) = entry_points(group="jupyter_client.kernel_provisioners", name=warm.NAME)
    assert found.load() is warm.WarmProvisioner
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import os, stamp; stamp.PID == os.getppid()")],
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "P"}},
    )
    path = packages / "in.ipynb"
    nbformat.write(notebook, path)
    made = execute_notebook(str(path), None, engine_name="warm", progress_bar=False)
    assert made.cells[0].outputs[0].data["text/plain"] == "True"


def test_no_process_outlives_a_program_that_is_killed(packages) -> None:
    # The kernel's child leaves its process group, so that only its adoption can find it.
    spawn = (
        "import os, subprocess, sys\n"
        "wait = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "child = subprocess.Popen(wait, start_new_session=True)\n"
        f"print(os.getppid(), os.getpid(), child.pid, file=open({str(packages / 'new')!r}, 'w'))\n"
        f"os.rename({str(packages / 'new')!r}, {str(packages / 'pids')!r})\n"
        "while True: pass"
    )
    program = (
        "import nbformat; from nbclient import NotebookClient\n"
        "from chapterhouse.run.warm import WarmKernelManager\n"
        f"notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell({spawn!r})])\n"
        "NotebookClient(notebook, km=WarmKernelManager(modules=['stamp'])).execute()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (packages / "pids").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pids = [int(word) for word in (packages / "pids").read_text().split()]
        started = [psutil.Process(pid) for pid in pids]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    _, alive = psutil.wait_procs(started, timeout=20)
    assert alive == []


def test_a_kernel_whose_warmed_process_is_gone_is_dead(packages) -> None:
    server = forkclient.Server(sys.executable, ["stamp"], dict(os.environ))
    with Path(os.devnull).open("w") as null:
        kernel = server.fork(
            ["-f", str(packages / "connection.json")],
            env=os.environ, cwd=str(packages), stdout=null.fileno(), stderr=null.fileno(),
        )  # fmt: skip
        assert kernel.poll() is None
        process = psutil.Process(kernel.pid)
        server._process.kill()
        assert kernel.wait(20) == -signal.SIGKILL
        with pytest.raises(forkclient.CannotFork, match=r"gone|ended"):
            server.fork([], env={}, cwd="/", stdout=null.fileno(), stderr=null.fileno())
    server.close()
    _, alive = psutil.wait_procs([process], timeout=20)
    assert alive == []
