"""Reuse is exact: after any edits, what is shown is what a run from nothing would show.

Chapters run in bare Python processes here, with the true tracing in them, because a property needs
many runs; the true kernels have tests of their own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.run import kernel, syscalls, trace
from chapterhouse.run.chapter import Execution
from chapterhouse.run.executor import run_course
from chapterhouse.run.gather import read_report
from chapterhouse.run.record import executed_path
from chapterhouse.run.tracer import Tracer
from chapterhouse.testing import make_course, make_notebook

# What one chapter does, cell by cell; each shows something that an edit can change.
CHAPTERS = {
    "01_direct": ["import tiny.a; print(tiny.a.VALUE + add)", "print('{mark}')"],
    "02_through": ["from tiny.b import twice; print(twice() * add)", "print('{mark}')"],
    "03_data": ["text = open({data!r}).read(); print(text, add)", "print('{mark}')"],
    "04_listed": ["import os; print(sorted(os.listdir({folder!r})))", "print('{mark}')"],
    "05_package": ["import envpkg; print(envpkg.VALUE)", "print('{mark}')"],
    "06_maybe": [
        "try:\n    import tiny.c as c\n    print(c.VALUE)\nexcept ImportError: print('none')",
        "try: print(open({extra!r}).read())\nexcept OSError: print('no file')",
    ],
    "07_forgets": [
        "import sys, tiny.a; value = tiny.a.VALUE; del sys.modules['tiny.a']; print(value)",
        "print(open({a!r}).read(), '{mark}')",
    ],
    "08_asks": [
        "import os; print(os.environ.get('COURSE_MODE'), 'COURSE_OTHER' in os.environ)",
        "os.environ['COURSE_OWN'] = '1'; print(os.getenv('COURSE_OWN'))",
    ],
    "09_looks": [
        "import os; print(os.path.exists({extra!r}), os.path.getsize({sized!r}))",
        "import glob; print(sorted(glob.glob({folder!r} + '/*.csv')))",
    ],
    "10_child": [
        "import subprocess; run = lambda *a: print(subprocess.run(a, capture_output=True).stdout)",
        "run('cat', {extra!r}); run('printenv', 'COURSE_MODE')",
        "run('sh', '-c', 'test -e ' + {flag!r} + ' && echo there')",
    ],
    "11_compiled": [
        "import sqlite3; print(sqlite3.connect({base!r}).execute('select * from t').fetchall())",
    ],
    "12_forks": [
        "import os; r, w = os.pipe()\nif os.fork() == 0:\n"
        "    os.write(w, open({extra!r}, 'rb').read() if os.path.exists({extra!r}) else b'none')\n"
        "    os._exit(0)\nos.wait(); print(os.read(r, 99))",
    ],
}
EDITS = (
    *("a", "b", "c", "data", "extra", "folder", "package", "add", "prose", "code", "new prose"),
    *("mode", "other", "own", "sized", "flag", "base"),
)
PROGRAM = """
import io, json, sys
from contextlib import redirect_stdout
from chapterhouse.run import inside
report, chapters = json.loads(sys.stdin.read())
if report:
    inside.watch().begin()
told = []
for cells in chapters:
    for name in [n for n in sys.modules if n.partition(".")[0] in ("tiny", "envpkg")]:
        del sys.modules[name]
    space, said = {}, []
    for cell in cells:
        with redirect_stdout(io.StringIO()) as out:
            exec(cell, space)
        said.append(out.getvalue())
    told.append(said)
if report:
    inside.report(report)
print(json.dumps(told))
"""


@dataclass
class World:
    """A course on disk whose every part has a number that edits raise."""

    root: Path
    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EDITS, 0))
    target: int = 0  # which chapter the edits of code and prose are for

    def write(self) -> Course:
        """Bring the files on disk up to date."""
        n, lib = self.numbers, self.root / "lib" / "tiny"
        if not lib.exists():
            make_course(self.root, {}, library={"__init__.py": ""})
        (lib / "a.py").write_text(f"VALUE = {n['a']}\n")
        (lib / "b.py").write_text(
            f"from tiny.a import VALUE\ndef twice(): return VALUE + {n['b']}\n"
        )
        _there(lib / "c.py", n["c"] % 2, f"VALUE = {n['c']}\n")
        data = self.root / "data"
        data.mkdir(exist_ok=True)
        (data / "table.csv").write_text(str(n["data"]))
        _there(data / "one_more.csv", n["folder"] % 2, "")
        _there(self.root / "extra.txt", n["extra"] % 2, str(n["extra"]))
        _there(self.root / "flag", n["flag"] % 2, "")
        (self.root / "sized.bin").write_bytes(bytes(n["sized"]))
        _base(self.root / "base.db", n["base"])
        for name in ("mode", "other", "own"):
            _set(f"COURSE_{name.upper()}", n[name])
        _package(self.root / ".env", n["package"])
        places = {"data": data / "table.csv", "folder": data, "extra": self.root / "extra.txt"}
        for name in ("flag", "sized.bin", "base.db"):
            places[name.partition(".")[0]] = self.root / name
        places["a"] = lib / "a.py"
        for number, (slug, cells) in enumerate(CHAPTERS.items()):
            mine = number == self.target
            mark = n["code"] if mine else 0
            text = [
                cell.replace("{mark}", str(mark)).format_map({k: str(p) for k, p in places.items()})
                if "{" in cell
                else cell
                for cell in cells
            ]
            made = make_notebook(
                text,
                parameters=f"add = {n['add'] if mine else 1}",
                prose=f"# Edition {n['prose'] if mine else 0}",
            )
            made.cells.extend(nb.strip(make_notebook([])).cells[:1] * (n["new prose"] % 2))
            made.cells[-1].id = "last" if n["new prose"] % 2 else made.cells[-1].id
            nb.write(made, self.root / "chapters" / f"{slug}.ipynb")
        return Course.find(self.root)


def _there(path: Path, exists: int, text: str) -> None:
    path.write_text(text) if exists else path.unlink(missing_ok=True)


def _set(variable: str, number: int) -> None:
    """Every other time it is set at all."""
    os.environ.pop(variable, None)
    if number % 2:
        os.environ[variable] = str(number)


def _base(path: Path, number: int) -> None:
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as made, made:
        made.execute("create table t (x)")
        made.execute("insert into t values (?)", [number])


def _package(site: Path, number: int) -> None:
    """An installed distribution whose version and value go together."""
    info = site / "envpkg-0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (site / "envpkg.py").write_text(f"VALUE = {number}\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: envpkg\nVersion: {number}\n")
    (info / "top_level.txt").write_text("envpkg\n")
    (info / "RECORD").write_text("envpkg.py,,\n")


def bare(
    course: Course, chapters: list[list[str]], report: Path | None, room: kernel.Room
) -> list[list[str]]:
    """What each cell of some chapters prints in a fresh Python."""
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", PROGRAM],
        input=json.dumps([str(report or ""), chapters]),
        env=kernel.environment(course, room),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class Bare:
    """What `chapter.execute` does, in a bare process.

    `asked` says whether the system tells what it sees.
    """

    asked: bool

    def __call__(self, plan, course, *, hashes, progress, stop) -> Execution:
        cells = [cell.source for cell in nb.code_cells(plan.notebook)]
        with kernel.room(course) as room:
            if self.asked:
                with Tracer(course, room) as tracer:
                    tracer.cell = "all of them"
                    (said,) = bare(course, [cells], room.report, room)
                    assert tracer.active
            else:
                tracer = None
                (said,) = bare(course, [cells], room.report, room)
            left = read_report(room.report, course, hashes, tracer)
        outputs = [
            [{"output_type": "stream", "name": "stdout", "text": text}] if text else []
            for text in said
        ]
        return Execution(
            outputs=outputs,
            wall_s=1.0,
            cpu_s=1.0,
            peak_memory_bytes=1,
            used=left.used,
            unsure=left.unsure,
        )


def asking() -> list[bool]:
    """With the system's help, where it gives it, and without."""
    return [False, True] if sys.platform == "linux" and syscalls.known() else [False]


def shown(course: Course) -> dict[str, list[tuple[str, str]]]:
    """Every executed copy: each cell's source and what it shows."""
    made = {}
    for path in course.chapter_paths():
        executed = nb.read(executed_path(course, "fast", path.stem))
        made[path.stem] = [
            (cell.source, "".join(o.text for o in cell.get("outputs", ())))
            for cell in executed.cells
        ]
    return made


def from_nothing(course: Course) -> dict[str, list[tuple[str, str]]]:
    """The same, without any of the code that is tested: every cell run, nothing remembered."""
    made = {}
    notebooks = {path.stem: nb.read(path) for path in course.chapter_paths()}
    with kernel.room(course) as room:
        told = bare(
            course, [[c.source for c in nb.code_cells(n)] for n in notebooks.values()], None, room
        )
    for (slug, notebook), texts in zip(notebooks.items(), told, strict=True):
        said = iter(texts)
        made[slug] = [
            (cell.source, next(said) if cell.cell_type == "code" else "") for cell in notebook.cells
        ]
    return made


def reuse(course: Course, *, asked: bool) -> dict[str, str]:
    """slug → status, as a new process would have it."""
    trace.version_of.cache_clear()
    trace._packages_distributions.cache_clear()
    report = run_course(course, screen=io.StringIO(), jobs=2, execute=Bare(asked))
    assert not report.failed, report
    return {row.slug: row.status for row in report.rows}


steps = st.lists(
    st.tuples(
        st.integers(0, len(CHAPTERS) - 1), st.lists(st.sampled_from(EDITS), max_size=2).map(tuple)
    ),
    min_size=1,
    max_size=3,
)


def world_in(root: Path, patch: pytest.MonkeyPatch) -> World:
    """A world whose library and packages are on the path of what is started."""
    for name in ("COURSE_MODE", "COURSE_OTHER", "COURSE_OWN"):
        patch.setenv(name, "0")  # and so it is put back in the end
    paths = [root / "lib", root / ".env", *filter(None, sys.path)]
    patch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    patch.syspath_prepend(str(root / ".env"))
    return World(root)


@pytest.mark.slow  # each example runs chapters in many small processes
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(asked=st.sampled_from(asking()), edits=steps)
def test_reuse_shows_what_a_run_from_nothing_shows(asked, edits) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        world = world_in(Path(folder).resolve(), patch)
        reuse(world.write(), asked=asked)
        for target, names in edits:
            for name in names:
                world.numbers[name] += 1
            if {"code", "prose", "add"} & set(names):
                world.target = target
            course = world.write()
            reuse(course, asked=asked)
            assert shown(course) == from_nothing(course)


# One edit at a time: which chapters run again, and that no other does.
AFFECTED = {
    "a": {"01_direct", "02_through", "07_forgets"},
    "b": {"02_through"},
    "c": {"06_maybe"},
    "data": {"03_data"},
    "folder": {"04_listed", "09_looks"},
    "extra": {"06_maybe", "09_looks", "10_child", "12_forks"},
    "package": {"05_package"},
    "add": {"01_direct"},
    "code": {"01_direct"},
    "prose": set(),
    "new prose": set(),
    "mode": {"08_asks", "10_child", "12_forks"},
    "other": {"08_asks", "10_child", "12_forks"},  # a child inherits every variable
    "own": {"10_child", "12_forks"},
    "sized": {"09_looks"},
    "flag": {"10_child"},
    "base": {"11_compiled"},
}
UNKEPT = {"10_child", "12_forks"}  # where nobody sees what their children open
# Edits made at once: no chapter is affected by two of them, so each is known by its own.
TOGETHER = (
    *(("a", "data"), ("b", "folder"), ("c", "package"), ("add", "other"), ("code", "mode")),
    *(("prose", "sized"), ("new prose", "flag"), ("own", "base"), ("extra",)),
)


@pytest.mark.slow  # runs chapters in many small processes
@pytest.mark.parametrize("asked", asking())
def test_an_edit_runs_what_it_can_affect_and_nothing_else(tmp_path, monkeypatch, asked) -> None:
    assert set(AFFECTED) == set(EDITS) == {name for names in TOGETHER for name in names}
    world = world_in(tmp_path.resolve(), monkeypatch)
    world.numbers["add"] = 1
    reuse(world.write(), asked=asked)
    for names in TOGETHER if asked else TOGETHER[3:6]:
        for name in names:
            world.numbers[name] += 1
        course = world.write()
        ran = {slug for slug, status in reuse(course, asked=asked).items() if status == "ran"}
        affected = set().union(*(AFFECTED[name] for name in names))
        assert (names, ran) == (names, affected | (set() if asked else UNKEPT))
        assert shown(course) == from_nothing(course)
    shutil.rmtree(course.build)
    assert set(reuse(course, asked=asked).values()) == {"ran"}
