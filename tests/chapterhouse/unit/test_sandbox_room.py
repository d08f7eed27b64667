"""What shares a process with a submission knows nothing of chapterhouse."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import chapterhouse.grade
from chapterhouse.errors import GradingError
from chapterhouse.grade import sandbox
from chapterhouse.grade.conversation import clean
from chapterhouse.grade.sandbox import cgroup, root

GRADE = Path(chapterhouse.grade.__file__).parent
INSIDE = [
    GRADE / "wire.py",
    GRADE / "harness.py",
    *(p for p in sorted((GRADE / "sandbox").glob("*.py")) if p.name != "__init__.py"),
]
LOADED = """
import sys
sys.argv = ["", "{}"]
import importlib.util
spec = importlib.util.spec_from_file_location("server", sys.path.pop())
server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(server)
server._open_room(server.Path(spec.origin).parent.parent)
for name in ("harness", "sandbox.strong", "sandbox.medium", "sandbox.none"):
    server.importlib.import_module(f"{server.ROOM}.{name}")
print(*sorted(sys.modules))
"""


@pytest.mark.parametrize("path", INSIDE, ids=lambda path: path.stem)
def test_what_is_inside_imports_only_its_room_and_the_standard_library(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names | {"numpy", "torch"}, (path.name, name)


@pytest.mark.skipif(sys.platform != "linux", reason="the levels are Linux's")
def test_the_room_is_complete_without_the_package() -> None:
    script = f"import sys; sys.path.append({str(GRADE / 'sandbox' / 'forkserver.py')!r})\n{LOADED}"
    command = [sys.executable, "-I", "-S", "-c", script]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "grading_room.harness" in loaded
    assert not [name for name in loaded if name.startswith(("chapterhouse", "sprat"))]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_root_shows_the_interpreter_and_not_the_course() -> None:
    shown = root.sources(["numpy"])
    assert any(Path(os.__file__).is_relative_to(path) for path in shown)
    here = Path(__file__).resolve()
    assert not [path for path in shown if here.is_relative_to(path)]
    assert not {"/", "/root", "/home", "/tmp", "/etc", "/usr"} & set(shown)
    # None lies below another, so that nothing is mounted twice.
    for path in shown:
        assert not [p for p in shown if p != path and Path(path).is_relative_to(p)]


def test_a_root_is_never_built_over_what_it_shows() -> None:
    shown = ["/mnt/venv/lib", "/media/x", "/srv/y", "/usr/lib"]
    place = root._free_place(shown)
    assert not [path for path in shown if Path(path).is_relative_to(place)]


def test_no_place_for_a_root_is_said_with_the_reason() -> None:
    with pytest.raises(OSError, match="no folder to build a root on"):
        root._free_place([f"{place}/x" for place in root._PLACES])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_watcher_counts_what_a_job_adds() -> None:
    watcher = cgroup.Watcher()
    code = "import sys, time; kept = b'x' * (64 << 20); print('up', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        limits = {"memory_bytes": 1 << 40, "processes": 4}
        watcher.create(process.pid, limits)
        watcher._own_bytes = 0
        assert watcher.check(process.pid) is None
        limits["memory_bytes"] = 32 << 20
        assert watcher.check(process.pid) == "memory"
        limits |= {"memory_bytes": 1 << 40, "processes": 0}
        assert "more than 0 processes" in str(watcher.check(process.pid))
        process.kill()
    assert watcher.release(process.pid)["peak_memory_bytes"] > 64 << 20
    assert watcher.check(process.pid) is None


@pytest.mark.parametrize("unified", [True, False], ids=["v2", "v1"])
def test_a_group_is_made_limited_read_and_removed(
    unified: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On plain folders: the kernel's files are made beforehand, as the kernel makes them."""
    folders = [tmp_path / "memory", tmp_path / "pids"][: 1 if unified else 2]
    names = ["memory.max", "memory.oom.group", "pids.max", "memory.peak"]
    names += ["memory.limit_in_bytes", "memory.max_usage_in_bytes", "cgroup.procs"]
    make = Path.mkdir

    def mkdir(path: Path) -> None:
        make(path)
        for name in names:
            (path / name).write_text("0")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    groups = cgroup.Groups(tuple(folders), unified)
    for folder in folders:
        make(folder)
    groups.create(42, {"memory_bytes": 1000, "processes": 7})
    own = folders[0] / f"sprat-{os.getpid()}-42"
    assert (own / "cgroup.procs").read_text() == "42"
    assert (own / ("memory.max" if unified else "memory.limit_in_bytes")).read_text() == "1000"
    last = folders[-1] / own.name
    assert (last / "pids.max").read_text() == "7"
    assert groups.check(42) is None
    events = own / ("memory.events" if unified else "memory.oom_control")
    events.write_text("under_oom 0\noom_kill 2\n")
    assert groups.check(42) == "memory"
    assert groups.release(42) == {"peak_memory_bytes": 0, "reason": "memory"}


def test_an_unknown_level_names_those_that_exist() -> None:
    with pytest.raises(GradingError, match="strong, medium, none"):
        sandbox.open("weak")


def test_text_is_cleaned_of_what_steers_a_terminal() -> None:
    assert clean("a\x1b[2Jb\x00c\u202ed\r\ne\tf\x9bg") == "a[2Jbcd\ne\tfg"
    assert len(clean("x" * 10**6)) == 2000
