"""Reuse is exact: after any edits, what is shown is what a run from nothing would show.

Chapters run in bare Python processes here, with the true tracing in them, because a property needs
many runs; the true kernels have tests of their own.
"""

from __future__ import annotations

import io
import json
import os
import shutil
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
from chapterhouse.run import inside, trace
from chapterhouse.run.chapter import Execution
from chapterhouse.run.executor import run_course
from chapterhouse.run.record import executed_path
from chapterhouse.run.trace import read_report
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
}
EDITS = ("a", "b", "c", "data", "extra", "folder", "package", "add", "prose", "code", "new prose")
PROGRAM = """
import io, json, sys
from contextlib import redirect_stdout
from chapterhouse.run import inside
root, report, chapters = json.loads(sys.stdin.read())
inside.note_opened_files(root)
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
        _package(self.root / ".env", n["package"])
        places = {"data": data / "table.csv", "folder": data, "extra": self.root / "extra.txt"}
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


def _package(site: Path, number: int) -> None:
    """An installed distribution whose version and value go together."""
    info = site / "envpkg-0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (site / "envpkg.py").write_text(f"VALUE = {number}\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: envpkg\nVersion: {number}\n")
    (info / "top_level.txt").write_text("envpkg\n")
    (info / "RECORD").write_text("envpkg.py,,\n")


def bare(course: Course, chapters: list[list[str]], report: Path | None) -> list[list[str]]:
    """What each cell of some chapters prints in a fresh Python."""
    paths = [course.root / "lib", course.root / ".env", *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", PROGRAM],
        input=json.dumps([str(course.root), str(report or ""), chapters]),
        env={
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            inside.ROOT: str(course.root),
            inside.LIBRARIES: str(course.libraries[0]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def execute(plan, course, *, hashes, progress, stop) -> Execution:
    """What `chapter.execute` does, in a bare process."""
    report = course.root / ".report.json"
    cells = [cell.source for cell in nb.code_cells(plan.notebook)]
    (said,) = bare(course, [cells], report)
    used, _ = read_report(report, course, hashes)
    outputs = [
        [{"output_type": "stream", "name": "stdout", "text": text}] if text else [] for text in said
    ]
    return Execution(outputs=outputs, wall_s=1.0, cpu_s=1.0, peak_memory_bytes=1, used=used)


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
    told = bare(course, [[c.source for c in nb.code_cells(n)] for n in notebooks.values()], None)
    for (slug, notebook), texts in zip(notebooks.items(), told, strict=True):
        said = iter(texts)
        made[slug] = [
            (cell.source, next(said) if cell.cell_type == "code" else "") for cell in notebook.cells
        ]
    return made


def reuse(course: Course) -> dict[str, str]:
    """slug → status, as a new process would have it."""
    trace.version_of.cache_clear()
    trace._packages_distributions.cache_clear()
    report = run_course(course, screen=io.StringIO(), jobs=1, execute=execute)
    assert not report.failed, report
    return {row.slug: row.status for row in report.rows}


steps = st.lists(
    st.tuples(
        st.integers(0, len(CHAPTERS) - 1), st.lists(st.sampled_from(EDITS), max_size=2).map(tuple)
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.slow  # each example runs chapters in many small processes
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(edits=steps)
def test_reuse_shows_what_a_run_from_nothing_shows(edits) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        world = World(Path(folder).resolve())
        patch.syspath_prepend(str(world.root / ".env"))
        reuse(world.write())
        for target, names in edits:
            for name in names:
                world.numbers[name] += 1
            if {"code", "prose", "add"} & set(names):
                world.target = target
            course = world.write()
            reuse(course)
            assert shown(course) == from_nothing(course)


# One edit at a time: which chapters run again, and that no other does.
AFFECTED = {
    "a": {"01_direct", "02_through", "07_forgets"},
    "b": {"02_through"},
    "c": {"06_maybe"},
    "data": {"03_data"},
    "folder": {"04_listed"},
    "extra": {"06_maybe"},
    "package": {"05_package"},
    "add": {"01_direct"},
    "code": {"01_direct"},
    "prose": set(),
    "new prose": set(),
}


@pytest.mark.slow  # runs chapters in many small processes
def test_an_edit_runs_what_it_can_affect_and_nothing_else(tmp_path, monkeypatch) -> None:
    assert set(AFFECTED) == set(EDITS)
    world = World(tmp_path.resolve())
    monkeypatch.syspath_prepend(str(world.root / ".env"))
    world.numbers["add"] = 1
    reuse(world.write())
    for name, affected in AFFECTED.items():
        world.numbers[name] += 1
        course = world.write()
        ran = {slug for slug, status in reuse(course).items() if status == "ran"}
        assert (name, ran) == (name, affected)
        assert shown(course) == from_nothing(course)
    shutil.rmtree(course.build)
    assert set(reuse(course).values()) == {"ran"}
