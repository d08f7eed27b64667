"""Real kernels: what they may use, what they leave, and that none outlives its runner."""

from __future__ import annotations

import io
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import nbformat
import psutil
import pytest

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.run import kernel, trace
from chapterhouse.run.executor import run_course
from chapterhouse.run.record import Run, executed_path, history
from chapterhouse.run.status import inspect
from chapterhouse.testing import make_course, make_notebook

pytestmark = pytest.mark.slow  # each test starts at least one kernel

LIMITS = """
[tool.chapterhouse.profiles.fast]
timeout_s = {timeout_s}
max_memory_bytes = {memory}
max_output_bytes = 1000000
"""
LIBRARY = {
    "__init__.py": "def __getattr__(name):\n    import importlib\n"
    "    return importlib.import_module(f'tiny.{name}')\n",
    "a.py": "VALUE = 1\n",
    "b.py": "VALUE = 2\n",
    "datasets.py": "def used():\n    return {'digits': 'abc'}\n",
}
SHOWS = """from IPython.display import display
def emit(kind, **data):
    display({f"application/vnd.sprat.{kind}+json": data, "text/plain": kind}, raw=True)
emit("claim", text="it learns", held=True, value=0.5, name="accuracy")
emit("record", values={"accuracy": epochs / 4, "name": "small"})
"""
FIGURE = """%config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
plt.title("a figure");"""


def course_of(
    tmp_path: Path, *, timeout_s: float = 60, memory: int = 10**9, **chapters: list[str]
) -> Course:
    made = {
        f"{i:02}_{name}": make_notebook(
            [f"import sys; sys.path.insert(0, {str(tmp_path / 'lib')!r})", *cells],
            settings={"profiles": {"full": {"epochs": 4}}},
        )
        for i, (name, cells) in enumerate(chapters.items(), 1)
    }
    limits = LIMITS.format(timeout_s=timeout_s, memory=memory)
    return make_course(tmp_path, made, library=LIBRARY, settings=limits)


def run(course: Course, **settings):
    screen = io.StringIO()
    report = run_course(course, screen=screen, **settings)
    return {row.slug.split("_", 1)[1]: row for row in report.rows}, screen.getvalue()


def record(course: Course, slug: str, profile: str = "fast") -> Run:
    return Run.load(executed_path(course, profile, slug, ".json"))


def test_a_chapter_is_executed_traced_and_recorded(tmp_path) -> None:
    cells = ["import tiny, tiny.a, tiny.datasets\nprint(tiny.a.VALUE)", SHOWS]
    cells.append(f"open({str(tmp_path / 'table.csv')!r}).read()")
    (tmp_path / "table.csv").write_text("1,2\n")
    course = course_of(tmp_path, first=cells)
    rows, screen = run(course)
    assert rows["first"].status == "ran", screen
    assert rows["first"].peak_memory_bytes > 10**7
    assert 0 < rows["first"].cpu_s < 60
    kept = record(course, "01_first")
    assert kept.values == {"accuracy": 0.5, "name": "small"}
    assert [(c.text, c.held, c.value, c.name) for c in kept.claims] == [
        ("it learns", True, 0.5, "accuracy")
    ]
    assert kept.data == {"digits": "abc"}
    assert set(kept.libraries) == {f"lib/tiny/{n}.py" for n in ("__init__", "a", "datasets")}
    assert [cell.id for cell in kept.cells][:2] == ["parameters", "code-0"]
    executed = nb.read(executed_path(course, "fast", "01_first"))
    assert executed.cells[3].outputs[0].text == "1\n"
    assert "papermill" not in nb.dumps(executed)
    (tmp_path / "table.csv").write_text("3,4\n")
    (row,) = inspect(course)
    assert row.reasons == ("table.csv changed (used by cell 6)",)


def test_only_what_imported_a_file_runs_again(tmp_path) -> None:
    course = course_of(
        tmp_path,
        one=["import tiny\nprint(tiny.a.VALUE)"],
        two=["import tiny\nprint(tiny.b.VALUE)"],
    )
    run(course)
    (tmp_path / "lib/tiny/a.py").write_text("VALUE = 7\n")
    rows, _ = run(course)
    assert {name: row.status for name, row in rows.items()} == {"one": "ran", "two": "cached"}
    executed = nb.read(executed_path(course, "fast", "01_one"))
    assert executed.cells[3].outputs[0].text == "7\n"


def test_status_names_the_cells_that_used_a_changed_file(tmp_path) -> None:
    cells = [
        "import tiny\nfrom tiny.a import VALUE",
        "class Mine(tiny.b.Base): pass",
        "print(VALUE)",
        "thing = {'held': [Mine()]}",
        "thing",
        "tiny.b.twice",
        "%time 1\nunknown = 3",
    ]
    course = course_of(tmp_path, first=cells)
    (tmp_path / "lib/tiny/b.py").write_text(
        "class Base:\n    @property\n    def never(self):\n        raise SystemExit\n"
        "def twice(x): return 2 * x\n"
    )
    rows, screen = run(course)
    assert rows["first"].status == "ran", screen
    (tmp_path / "lib/tiny/a.py").write_text("VALUE = 3\n")
    (tmp_path / "lib/tiny/b.py").write_text("")
    (row,) = inspect(course)
    assert row.reasons == (
        "lib/tiny/a.py changed (used by cell 4)",
        "lib/tiny/b.py changed (used by cells 5, 7, 8, 9)",
    )


@pytest.mark.parametrize(
    "deed",
    [
        "open(path, 'w')",
        "open(path, 'a')",
        "import pathlib; pathlib.Path(path).unlink()",
        "import os; os.rename(path, 'here')",
        "import os; os.rename('mine', path)",
        "import os; os.mkdir(path + '-folder')",
        "import shutil; shutil.rmtree(os.path.dirname(path))",
    ],
    ids=["write", "append", "remove", "take", "replace", "folder", "tree"],
)
def test_a_chapter_that_writes_outside_its_folder_fails_there(tmp_path, deed) -> None:
    own = "import os, tempfile, pathlib\npathlib.Path('mine').write_text('1')\n"
    own += "open(tempfile.mkdtemp() + '/x', 'w').close(); os.mkdir('sub'); os.remove('mine')\n"
    own += "pathlib.Path('mine').write_text('2')"
    (tmp_path / "data").mkdir()
    (tmp_path / "data/table.csv").write_text("1,2\n")
    path = f"path = {str(tmp_path / 'data/table.csv')!r}"
    course = course_of(tmp_path, rude=[own, path, deed])
    rows, screen = run(course)
    assert rows["rude"].status == "failed"
    assert "cell 6 of 6 (id code-3): PermissionError" in screen
    assert "is outside of the chapter's folder" in screen
    assert (tmp_path / "data/table.csv").read_text() == "1,2\n"
    assert sorted(each.name for each in (tmp_path / "data").iterdir()) == ["table.csv"]


def test_each_run_is_remembered_with_its_environment_and_a_reused_one_is_not(tmp_path) -> None:
    course = course_of(tmp_path, first=["import numpy", SHOWS], second=["print(1)"])
    run(course)
    run(course)
    run(course, force=True)
    moments = history(course, "fast", "01_first")
    assert [moment.status for moment in moments] == ["ran", "ran"]
    assert [moment.claims[0].value for moment in moments] == [0.5, 0.5]
    assert all(set(moment.cells) >= {"parameters", "code-0", "code-1"} for moment in moments)
    first, second = record(course, "01_first"), record(course, "02_second")
    assert first.environment["numpy"] == metadata.version("numpy")
    assert "numpy" not in second.environment  # though it was loaded before the fork
    assert first.machine == trace.machine()
    assert first.environment["ipykernel"] == second.environment["ipykernel"]


def test_two_runs_give_the_same_bytes(tmp_path) -> None:
    noisy = (
        "import os, sys, warnings\nprint(object(), os.getcwd())\nprint('e', file=sys.stderr)\n"
        "warnings.warn('careful')\nprint({'a', 'b', 'c'}, hash('x'))"
    )
    course = course_of(tmp_path, noisy=[noisy, FIGURE, "%time sum(range(10))", "object()"])
    run(course)
    path = executed_path(course, "fast", "01_noisy")
    before = path.read_text()
    rows, _ = run(course, force=True)
    assert rows["noisy"].status == "ran"
    assert path.read_text() == before
    assert "<svg" in before
    path.unlink()
    rows, _ = run(course)
    assert rows["noisy"].status == "cached"
    assert path.read_text() == before


def test_a_profile_and_an_override_reach_the_kernel_through_papermill(tmp_path) -> None:
    course = course_of(tmp_path, first=["print(epochs * 100)"])
    run(course, profile="full")
    executed = nb.read(executed_path(course, "full", "01_first"))
    assert "injected-parameters" in nb.tags(executed.cells[2])
    assert executed.cells[2].source.endswith("epochs = 4\n")
    assert executed.cells[4].outputs[0].text == "400\n"
    run(course, overrides=["epochs=5"])
    executed = nb.read(executed_path(course, "fast", "01_first"))
    assert executed.cells[4].outputs[0].text == "500\n"


def test_the_kernel_is_this_interpreter_in_an_empty_folder_on_one_thread(tmp_path) -> None:
    ask = (
        "import os, sys, json\nprint(json.dumps([sys.executable, os.listdir('.'), "
        "os.environ['OMP_NUM_THREADS'], os.environ['PYTHONHASHSEED'], "
        "'PYTEST_CURRENT_TEST' in os.environ]))"
    )
    course = course_of(tmp_path, asks=[ask])
    run(course)
    executed = nb.read(executed_path(course, "fast", "01_asks"))
    answer = json.loads(executed.cells[3].outputs[0].text)
    assert answer == [sys.executable, [], "1", "0", False]


def test_a_cell_that_is_meant_to_raise_does_not_fail_its_chapter(tmp_path) -> None:
    course = course_of(tmp_path, raises=["1 / 0", "print('after')"])
    path = course.chapter_path("1")
    notebook = nb.read(path)
    notebook.cells[3].metadata.tags = ["raises-exception"]
    nb.write(notebook, path)
    rows, screen = run(course)
    assert rows["raises"].status == "ran", screen
    executed = nb.read(executed_path(course, "fast", "01_raises"))
    assert executed.cells[3].outputs[0].ename == "ZeroDivisionError"
    assert executed.cells[4].outputs[0].text == "after\n"


def test_a_failure_shows_place_source_output_and_traceback(tmp_path) -> None:
    course = course_of(tmp_path, bad=["print('so far')\nwrong = 1 / 0", "print('never')"])
    rows, screen = run(course)
    assert rows["bad"].status == "failed"
    place = "01_bad.ipynb, cell 4 of 5 (id code-1): ZeroDivisionError: division by zero"
    assert place in screen
    for shown in ("wrong = 1 / 0", "so far", "traceback", "Cell In["):
        assert shown in screen
    assert "\x1b[" not in screen
    partial = nb.read(executed_path(course, "fast", "01_bad", ".failed.ipynb"))
    assert partial.cells[3].outputs[0].text == "so far\n"
    assert partial.cells[3].outputs[1].ename == "ZeroDivisionError"
    assert record(course, "01_bad").stopped
    assert partial.cells[4].outputs == []


def test_a_failed_claim_fails_the_chapter_and_stops_nothing(tmp_path) -> None:
    cells = ["import sprat as sp", "sp.claim('it learns', 0.17 * epochs / 2, below=0.15)"]
    cells += ["sp.claim('one is one', 1, exactly=1)", "print('after')"]
    course = course_of(tmp_path, claims=cells)
    rows, screen = run(course)
    assert rows["claims"].status == "failed"
    assert (rows["claims"].held, rows["claims"].broken) == (1, 1)
    assert "  ✗ it learns (0.17; must be < 0.15)\n" in screen
    executed = nb.read(executed_path(course, "fast", "01_claims"))
    assert executed.cells[-1].outputs[0].text == "after\n"
    kept = record(course, "01_claims")
    assert [cell.id for cell in kept.cells] == ["parameters", *(f"code-{i}" for i in range(5))]
    assert kept.environment["ipykernel"]
    assert kept.machine == trace.machine()
    rows, _ = run(course)
    assert rows["claims"].status == "failed"  # executed again, not taken for a result
    assert len(history(course, "fast", "01_claims")) == 2


@pytest.mark.parametrize(
    ("cell", "limits", "told"),
    [
        ("import time\nwhile True: time.sleep(1)", {"timeout_s": 4}, "ran out of time"),
        ("while True: pass", {"timeout_s": 4}, "ran out of time"),
        ("import os; os._exit(3)", {}, "its kernel died (exit code 3)"),
        ("import ctypes; ctypes.string_at(0)", {}, "its kernel died (SIGSEGV)"),
        (
            "big = [bytearray(b'1' * 10**7) for _ in range(40)]\nimport time; time.sleep(30)",
            {"memory": 3 * 10**8},
            "MiB of memory; 286 MiB is the limit",
        ),
        ("while True: print('y' * 10000)", {}, "printed more than 1 MiB"),
    ],
    ids=["sleeps", "spins", "exits", "crashes", "grows", "floods"],
)
def test_a_cell_beyond_a_limit_is_named_and_killed(tmp_path, cell, limits, told) -> None:
    course = course_of(tmp_path, bad=[cell], good=["print('fine')"], **limits)
    rows, screen = run(course, jobs=1)
    assert rows["bad"].status == "failed"
    assert rows["good"].status == "ran"
    assert "01_bad.ipynb, cell 4 of 4 (id code-1)" in screen
    assert told in screen
    assert psutil.Process().children(recursive=True) == []


def test_children_of_a_chapter_do_not_outlive_it(tmp_path) -> None:
    spawn = (
        "import subprocess, sys\n"
        "wait = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "print(subprocess.Popen(wait).pid)\n"
        "print(subprocess.Popen(wait, start_new_session=True).pid)"
    )
    course = course_of(tmp_path, spawns=[spawn])
    run(course)
    executed = nb.read(executed_path(course, "fast", "01_spawns"))
    children = [int(line) for line in executed.cells[3].outputs[0].text.split()]
    deadline = time.monotonic() + 10
    while any(map(_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_alive, children))


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def files_with_content(course: Course) -> list[Path]:
    """What lies in the build folder, but for the empty files that are locks."""
    return [path for path in course.build.rglob("*") if path.is_file() and path.stat().st_size]


def start_command(course: Course, *arguments: str, **settings) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "chapterhouse.cli", "--course", str(course.root), "run"]
    return subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **settings,
    )


def kernels_of(process: subprocess.Popen[str], flag: Path) -> list[psutil.Process]:
    """The command's kernels, once the hanging cell has written `flag`."""
    deadline = time.monotonic() + 60
    while not flag.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, "the chapter never reached its cell"
        time.sleep(0.05)
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["ctrl-c", "terminate", "kill"],
)
def test_no_kernel_outlives_an_interrupted_run(tmp_path, number, code) -> None:
    flag = tmp_path / ".flag"
    hang = f"open({str(flag)!r}, 'w').close()\nwhile True: pass"
    course = course_of(tmp_path, hangs=[hang])
    process = start_command(course)
    kernels = kernels_of(process, flag)
    assert kernels
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in output
    _, alive = psutil.wait_procs(kernels, timeout=10)
    assert alive == []
    assert not executed_path(course, "fast", "01_hangs").exists()
    if number == signal.SIGKILL:
        with kernel.room(course):
            pass  # sweeps, so that this test leaves nothing in the system's temporary folder
    assert files_with_content(course) == []


def test_the_next_run_sweeps_up_after_a_killed_one(tmp_path) -> None:
    flag = tmp_path / ".flag"
    hang = f"open({str(flag)!r}, 'w').close()\nwhile epochs: pass"
    course = course_of(tmp_path, hangs=[hang])
    process = start_command(course)
    kernels_of(process, flag)
    process.kill()
    process.communicate(timeout=60)
    work = course.build / ".chapterhouse" / "work"
    sockets = [(room / "sockets").resolve() for room in work.iterdir()]
    assert sockets
    rows, screen = run(course, overrides=["epochs=0"])
    assert rows["hangs"].status == "ran", screen
    assert list(work.iterdir()) == []
    assert not any(folder.exists() for folder in sockets)


def test_two_commands_at_once_do_not_disturb_each_other(tmp_path) -> None:
    cells = ["import time; time.sleep(1)\nprint('done')"]
    course = course_of(tmp_path, one=cells, two=cells)
    processes = [start_command(course, "--force", "--json") for _ in range(2)]
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    for slug in ("01_one", "02_two"):
        executed = nb.read(executed_path(course, "fast", slug))
        assert executed.cells[3].outputs[0].text == "done\n"
    assert {row.state for row in inspect(course)} == {"fresh"}


def test_a_disk_that_fills_up_is_told_and_nothing_is_half_written(tmp_path) -> None:
    # A limit on file size stands in for a full disk: the write fails half-way in the same place.
    big = "from IPython.display import display\ndisplay({'text/plain': 'x' * 900_000}, raw=True)"
    course = course_of(tmp_path, big=[big])
    limit = 500_000
    process = start_command(
        course, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "File too large" in output
    assert "fix:" in output
    assert "Traceback" not in output
    assert files_with_content(course) == []


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path) -> None:
    course = course_of(tmp_path, one=["print(1)"])
    course.build.write_text("a file stands where the folder should be")
    process = start_command(course)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "_build" in output
    assert "Traceback" not in output


def test_a_cached_run_is_quick_and_imports_no_papermill(tmp_path) -> None:
    course = course_of(tmp_path, one=["print(1)"])
    run(course)
    program = (
        "import sys; from chapterhouse.cli import main\n"
        f"assert main(['--course', {str(tmp_path)!r}, 'run']) == 0\n"
        "heavy = {'papermill', 'nbclient', 'torch', 'IPython', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1 cached" in done.stdout


def test_a_deleted_working_folder_or_log_does_not_hide_the_result(tmp_path) -> None:
    course = course_of(tmp_path, rude=["import os\nos.rmdir(os.getcwd())\nprint('gone')"])
    rows, screen = run(course)
    assert rows["rude"].status == "ran", screen


def test_nothing_is_left_in_the_systems_temporary_folder(tmp_path, monkeypatch) -> None:
    place = tempfile.mkdtemp(prefix="ch-")  # short, for the sockets' sake
    monkeypatch.setattr(tempfile, "tempdir", place)
    rows, screen = run(course_of(tmp_path, one=["print(1)"]))
    assert rows["one"].status == "ran", screen
    assert list(Path(place).glob("chapterhouse-*")) == []


def test_a_markdown_only_rest_and_empty_cells_are_fine(tmp_path) -> None:
    course = course_of(tmp_path, odd=["", "   \n"])
    path = course.chapter_path("1")
    notebook = nb.read(path)
    notebook.cells.append(nbformat.v4.new_markdown_cell("The end.", id="end"))
    nb.write(notebook, path)
    rows, screen = run(course)
    assert rows["odd"].status == "ran", screen
