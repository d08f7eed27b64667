"""Real kernels whose compiled code and child processes use files, or try to change the course."""

from __future__ import annotations

import io
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from chapterhouse.course import Course
from chapterhouse.run import syscalls
from chapterhouse.run.executor import run_course
from chapterhouse.run.record import Run, executed_path
from chapterhouse.run.status import inspect
from chapterhouse.testing import make_course, make_notebook

asked = pytest.mark.skipif(not syscalls.known(), reason="the system does not tell what it sees")
pytestmark = pytest.mark.slow  # each test starts kernels


def course_of(tmp_path: Path, **chapters: list[str]) -> Course:
    """A course with some data, whose chapters know where it is as ``root``."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "table.csv").write_text("1,2\n")
    with closing(sqlite3.connect(data / "base.db")) as base, base:
        base.execute("create table t (x)")
    known = f"import subprocess, sys\nroot = {str(tmp_path)!r}"
    made = {
        f"{i:02}_{name}": make_notebook([known, *cells])
        for i, (name, cells) in enumerate(chapters.items(), 1)
    }
    return make_course(tmp_path, made, library={"__init__.py": ""})


def run(course: Course, *names: str) -> tuple[dict[str, str], str]:
    """slug → status, and what was shown."""
    screen = io.StringIO()
    report = run_course(course, names, screen=screen)
    return {row.slug[3:]: row.status for row in report.rows}, screen.getvalue()


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


RUDE = {
    "child": ["subprocess.run(['sh', '-c', f'echo 3 > {root}/data/table.csv'])", "print('on')"],
    "grandchild": [
        'code = f\'open({root + chr(47)!r} + "data/new.csv", "w")\'\n'
        "subprocess.run(['sh', '-c', '\"$0\" -S -c \"$1\"; true', sys.executable, code])"
    ],
    "base": [
        "import sqlite3\nbase = sqlite3.connect(f'{root}/data/base.db')\n"
        "base.execute('insert into t values (1)'); base.commit()"
    ],
    "removes": ["subprocess.run(['rm', '-rf', f'{root}/data'])"],
    "link": [
        "import os; os.symlink(f'{root}/data', 'mine')\n"
        "subprocess.run(['sh', '-c', 'echo 3 > mine/table.csv'])"
    ],
    "background": [
        "wait = f'sleep 0.3; echo 3 > {root}/data/table.csv; touch done'\n"
        "subprocess.Popen(['sh', '-c', wait]); import os, time\n"
        "while not os.path.exists('done'): time.sleep(0.02)"
    ],
}


@asked
def test_what_children_and_compiled_code_would_change_stays_and_the_chapter_fails(tmp_path) -> None:
    polite = (
        "import sqlite3; base = sqlite3.connect('own.db'); base.execute('create table t (x)')\n"
        "subprocess.run(['sh', '-c', 'mkdir sub; echo 1 > sub/x; echo 2 > $TMPDIR/y'],\n"
        "    env={'TMPDIR': __import__('tempfile').mkdtemp()}, check=True)\n"
        "print(sqlite3.connect(f'{root}/data/base.db').execute('select * from t').fetchall())"
    )
    course = course_of(tmp_path, polite=[polite], **RUDE)
    before = content(tmp_path / "data")
    statuses, screen = run(course)
    assert statuses == {"polite": "ran"} | dict.fromkeys(RUDE, "failed"), screen
    assert content(tmp_path / "data") == before
    for slug in ("child", "removes", "link", "background"):
        assert f"_{slug}.ipynb, cell 4 of " in screen
    assert "(id code-1): tried to change" in screen
    assert "readonly database" in screen
    rows = {row.slug[3:]: row.state for row in inspect(course)}
    assert rows == {"polite": "fresh"} | dict.fromkeys(RUDE, "failed")


@asked
def test_torch_cannot_save_into_the_course_and_what_it_reads_counts(tmp_path) -> None:
    course = course_of(
        tmp_path,
        saves=["try: import torch; torch.save(torch.ones(2), f'{root}/data/w.pt')\nexcept: pass"],
        reads=[
            "from safetensors.numpy import load_file\n"
            "print(load_file(f'{root}/data/w.safetensors')['w'].sum())"
        ],
    )
    from numpy import ones, zeros
    from safetensors.numpy import save_file

    save_file({"w": ones(3)}, tmp_path / "data/w.safetensors")
    statuses, screen = run(course)
    assert statuses == {"saves": "failed", "reads": "ran"}, screen
    assert not (tmp_path / "data/w.pt").exists()
    save_file({"w": zeros(3)}, tmp_path / "data/w.safetensors")
    (row,) = inspect(course, ["2"])
    assert row.reasons == ("data/w.safetensors changed (used by cell 4)",)


def test_status_tells_variables_and_what_appeared(tmp_path, monkeypatch) -> None:
    cells = [
        "import os; print(len(os.environ.get('COURSE_MODE', '')))",
        "print(os.path.exists(f'{root}/data/more.csv'), os.path.isdir(f'{root}/more'))",
        "print('COURSE_MODE' in os.environ, os.getenv('PATH') is None, os.environ['TZ'])",
    ]
    monkeypatch.delenv("COURSE_MODE", raising=False)
    course = course_of(tmp_path, asks=cells)
    assert run(course)[0] == {"asks": "ran"}
    kept = (course.build / ".chapterhouse/results").rglob("*.json")
    assert "COURSE_MODE" in next(kept).read_text()
    monkeypatch.setenv("COURSE_MODE", "loud secret")
    monkeypatch.setenv("COURSE_UNREAD", "1")
    monkeypatch.setenv("TERM", "another")
    (tmp_path / "data/more.csv").write_text("")
    (row,) = inspect(course)
    assert row.reasons == (
        f"data/more.csv appeared{' (used by cell 5)' if syscalls.known() else ''}",
        "environment variable COURSE_MODE is set now (used by cells 4, 6)",
    )
    assert run(course)[0] == {"asks": "ran"}
    texts = [path.read_text() for path in (course.build / ".chapterhouse").rglob("*.json")]
    assert not any("loud secret" in text for text in texts)
    monkeypatch.setenv("COURSE_MODE", "other")
    (row,) = inspect(course)
    assert row.reasons == ("environment variable COURSE_MODE changed (used by cells 4, 6)",)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    (row,) = inspect(course)
    assert row.reasons[1] == "environment variable OMP_WAIT_POLICY is set now"


def test_a_data_file_that_is_edited_while_a_chapter_runs_is_not_kept_with_it(tmp_path) -> None:
    wait = (
        "print(open(f'{root}/data/table.csv').read()); open(f'{root}/.flag', 'w').close()\n"
        "import os, time\nwhile os.path.exists(f'{root}/.flag'): time.sleep(0.01)"
    )
    course = course_of(tmp_path, reads=[wait])

    def edit() -> None:
        while not (tmp_path / ".flag").exists():
            if done.wait(0.01):
                return
        (tmp_path / "data/table.csv").write_text("3,4\n")
        (tmp_path / ".flag").unlink()

    done = threading.Event()
    author = threading.Thread(target=edit)
    author.start()
    try:
        assert run(course)[0] == {"reads": "ran"}
    finally:
        done.set()
        author.join()
    assert Run.load(executed_path(course, "fast", "01_reads", ".json")).key == ""
    (row,) = inspect(course)
    assert row.state != "fresh"


@pytest.fixture
def unasked(monkeypatch) -> None:
    """A system that does not tell what it sees."""
    monkeypatch.setattr(syscalls, "known", dict)


def test_without_the_systems_help_a_changed_course_fails_all_who_may_have_done_it(
    tmp_path, unasked
) -> None:
    wait = "import os, time\nwhile not os.path.exists(f'{root}/.go'): time.sleep(0.02)"
    course = course_of(
        tmp_path,
        rude=[
            "subprocess.run(['sh', '-c', f'echo 3 > {root}/data/table.csv'])",
            "open(f'{root}/.go', 'w').close()",
        ],
        beside=[wait],
    )
    screen = io.StringIO()
    report = run_course(course, screen=screen, jobs=2)
    assert {row.slug: row.status for row in report.rows} == {
        "01_rude": "failed",
        "02_beside": "failed",
    }
    assert "table.csv was changed while it ran, and while 02_beside ran" in screen.getvalue()
    assert {row.state for row in inspect(course)} == {"failed"}


def test_without_the_systems_help_what_starts_programs_is_not_kept(tmp_path, unasked) -> None:
    course = course_of(
        tmp_path,
        starts=["print(subprocess.run(['true']).returncode)"],
        looks=["import os; print(os.path.exists(f'{root}/data/more.csv'), os.stat(root).st_mode)"],
    )
    assert run(course)[0] == {"starts": "ran", "looks": "ran"}
    assert run(course)[0] == {"starts": "ran", "looks": "cached"}
    (tmp_path / "data/more.csv").write_text("")
    (row,) = inspect(course, ["2"])
    assert row.reasons == ("data/more.csv appeared",)
