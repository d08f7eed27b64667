"""What runs again and what does not: prose never, code always, a library file where it was used."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.run import cache, trace
from chapterhouse.run.executor import run_course
from chapterhouse.run.plan import make_plan
from chapterhouse.run.record import Run, executed_path, history, history_path
from chapterhouse.run.status import inspect, render
from chapterhouse.testing import FakeExecute, make_course, make_notebook

USED = ["lib/tiny/__init__.py", "lib/tiny/a.py"]


@pytest.fixture
def course(tmp_path) -> Course:
    chapters = {
        "01_one": make_notebook(["print(1)", "x = 2"]),
        "02_two": make_notebook(["print(2)"]),
    }
    library = {"__init__.py": "", "a.py": "A = 1\n", "b.py": "B = 1\n"}
    return make_course(tmp_path, chapters, library=library)


@pytest.fixture
def fake() -> FakeExecute:
    return FakeExecute(
        stdout={"01_one": "hello\n"}, used={"01_one": USED, "02_two": ["lib/tiny/b.py"]}
    )


def run(course: Course, fake: FakeExecute, *names: str, **settings) -> dict[str, str]:
    """slug → status of a fresh process's run."""
    trace.version_of.cache_clear()
    report = run_course(course, names, screen=io.StringIO(), execute=fake, jobs=1, **settings)
    return {row.slug: row.status for row in report.rows}


def edit(course: Course, slug: str, change: Callable[[nb.NotebookNode], None]) -> None:
    path = course.chapters / f"{slug}.ipynb"
    notebook = nb.read(path)
    change(notebook)
    nb.write(notebook, path)


def states(course: Course) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {row.slug: (row.state, row.reasons) for row in inspect(course)}


def test_a_second_run_takes_what_the_first_one_made(course, fake) -> None:
    assert run(course, fake) == {"01_one": "ran", "02_two": "ran"}
    assert run(course, fake) == {"01_one": "cached", "02_two": "cached"}
    assert sorted(fake.calls) == ["01_one", "02_two"]


def test_force_runs_again(course, fake) -> None:
    run(course, fake)
    assert run(course, fake, "1", force=True) == {"01_one": "ran"}


def test_an_edit_of_the_prose_runs_nothing_and_is_in_the_executed_copy(course, fake) -> None:
    run(course, fake)
    edit(course, "01_one", lambda n: n.cells[0].update(source="# Another title"))
    assert run(course, fake)["01_one"] == "cached"
    executed = nb.read(executed_path(course, "fast", "01_one"))
    assert executed.cells[0].source == "# Another title"
    assert executed.cells[1].outputs[0].text == "hello\n"


def test_a_new_markdown_cell_moves_the_outputs_with_their_cells(course, fake) -> None:
    run(course, fake)
    new = nbformat.v4.new_markdown_cell("More.", id="new")
    edit(course, "01_one", lambda n: n.cells.insert(1, new))
    assert run(course, fake)["01_one"] == "cached"
    executed = nb.read(executed_path(course, "fast", "01_one"))
    assert executed.cells[2].outputs[0].text == "hello\n"


def test_an_edit_of_the_code_runs_that_chapter(course, fake) -> None:
    run(course, fake)
    edit(course, "01_one", lambda n: n.cells[2].update(source="print(3)"))
    assert states(course)["01_one"] == ("stale", ("cell 3 changed",))
    assert run(course, fake) == {"01_one": "ran", "02_two": "cached"}


def test_going_back_finds_the_older_result(course, fake) -> None:
    run(course, fake)
    edit(course, "01_one", lambda n: n.cells[2].update(source="print(3)"))
    run(course, fake)
    edit(course, "01_one", lambda n: n.cells[2].update(source="print(1)"))
    assert run(course, fake)["01_one"] == "cached"


def test_another_cell_and_another_tag_are_changes(course, fake) -> None:
    run(course, fake)
    edit(course, "02_two", lambda n: n.cells[2].metadata.update(tags=["raises-exception"]))
    edit(course, "01_one", lambda n: n.cells.pop())
    assert states(course)["02_two"][0] == "stale"
    assert states(course)["01_one"][1] == ("2 code cells, 3 before",)


def test_a_tag_that_only_shows_is_no_change(course, fake) -> None:
    run(course, fake)
    edit(course, "02_two", lambda n: n.cells[2].metadata.update(tags=["hide-input"]))
    assert run(course, fake)["02_two"] == "cached"


def test_a_library_file_runs_only_the_chapters_that_used_it(course, fake) -> None:
    run(course, fake)
    (course.root / "lib/tiny/a.py").write_text("A = 2\n")
    assert states(course) == {
        "01_one": ("stale", ("lib/tiny/a.py changed",)),
        "02_two": ("fresh", ()),
    }
    assert run(course, fake) == {"01_one": "ran", "02_two": "cached"}


def test_a_library_file_that_is_gone_is_a_change(course, fake) -> None:
    run(course, fake)
    (course.root / "lib/tiny/b.py").unlink()
    assert states(course)["02_two"] == ("stale", ("lib/tiny/b.py is gone",))


def test_another_parameter_is_another_result(course, fake) -> None:
    run(course, fake)
    assert run(course, fake, "1", overrides=["epochs=9"]) == {"01_one": "ran"}
    assert run(course, fake, "1") == {"01_one": "cached"}
    assert run(course, fake, "1", overrides=["epochs=9"]) == {"01_one": "cached"}


def test_profiles_keep_their_own_results(course, fake) -> None:
    run(course, fake)
    assert run(course, fake, "1", profile="full") == {"01_one": "ran"}
    assert executed_path(course, "full", "01_one").is_file()


def test_another_version_of_a_package_is_a_change(course, fake, monkeypatch) -> None:
    run(course, fake)
    edit_result(course, "01_one", lambda r: r["used"].update(distributions={"numpy": "1.0"}))
    monkeypatch.setattr(trace.metadata, "version", lambda name: "2.0")
    trace.version_of.cache_clear()
    assert states(course)["01_one"] == ("stale", ("numpy 1.0 → 2.0",))
    trace.version_of.cache_clear()


def test_what_another_machine_made_is_not_taken_for_ours(course, fake) -> None:
    def elsewhere(plan, course, **settings):
        made = fake(plan, course, **settings)
        return dataclasses.replace(made, machine={**made.machine, "accelerators": "H100"})

    run_course(course, ["1"], screen=io.StringIO(), execute=elsewhere)
    assert states(course)["01_one"] == ("stale", ("accelerators: H100 → none",))
    assert run(course, fake, "1") == {"01_one": "ran"}


def test_another_python_is_a_change(course, fake, monkeypatch) -> None:
    run(course, fake)
    other = {**trace.machine(), "python": "3.99.0"}
    monkeypatch.setattr(trace, "machine", lambda: other)
    state, reasons = states(course)["01_one"]
    assert state == "stale"
    assert reasons[0].endswith("→ 3.99.0")


def edit_result(course: Course, slug: str, change: Callable[[dict], None]) -> Path:
    (path,) = (cache.Cache(course).folder / "fast" / slug).glob("*.json")
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))
    return path


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"format": 1}', '{"format": 0}'])
def test_a_damaged_result_is_made_again(course, fake, damage) -> None:
    run(course, fake)
    edit_result(course, "01_one", lambda fields: None).write_text(damage)
    assert run(course, fake)["01_one"] == "ran"


@pytest.mark.parametrize(
    "change",
    [
        {"used": {"files": []}},
        {"used": {"files": {"x": 1}}},
        {"used": {"variables": None}},
        {"used": {"weather": {}}},
        {"machine": "mine"},
        {"users": {"x": 3}},
        {"run": {}},
    ],
    ids=lambda change: str(change),
)
def test_a_result_whose_parts_are_not_what_they_should_be_is_made_again(
    course, fake, change
) -> None:
    run(course, fake)
    edit_result(course, "01_one", lambda fields: fields.update(change))
    assert states(course)["01_one"][0] in ("new", "stale")
    assert run(course, fake)["01_one"] == "ran"


def test_an_older_versions_result_is_made_again(course, fake) -> None:
    run(course, fake)

    def age(fields: dict) -> None:
        fields["format"] = 2
        for name in ("looked", "outside", "variables"):
            del fields["used"][name]

    edit_result(course, "01_one", age)
    assert states(course)["01_one"] == ("new", ("never run in this profile",))
    assert run(course, fake)["01_one"] == "ran"


@pytest.mark.parametrize("damage", [b"", b"\xff\x00", b"{"], ids=["empty", "binary", "torn"])
@pytest.mark.parametrize("suffix", [".ipynb", ".json"])
def test_a_damaged_copy_is_written_anew(course, fake, damage, suffix) -> None:
    run(course, fake)
    path = executed_path(course, "fast", "01_one", suffix)
    before = path.read_bytes()
    path.write_bytes(damage)
    assert run(course, fake)["01_one"] == "cached"
    assert path.read_bytes() == before


def test_a_damaged_history_and_notebook_are_told_or_passed_over(course, fake) -> None:
    run(course, fake)
    path = history_path(course, "fast", "01_one")
    path.write_bytes(b"\xff\n" + path.read_bytes())
    run(course, fake, force=True)
    assert len(history(course, "fast", "01_one")) == 2
    (course.chapters / "02_two.ipynb").write_bytes(b"\xff\xfe")
    assert run(course, fake) == {"01_one": "cached", "02_two": "failed"}


def test_a_disk_that_is_full_for_the_cache_shows_no_result_as_good(
    course, fake, monkeypatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cache, "write_text", full)
        assert run(course, fake) == {"01_one": "failed", "02_two": "failed"}
    assert not executed_path(course, "fast", "01_one").exists()
    assert run(course, fake) == {"01_one": "ran", "02_two": "ran"}


def test_a_clock_that_was_put_back_loses_no_result(course, fake) -> None:
    for number in range(cache._KEPT):
        run(course, fake, "1", overrides=[f"epochs={number}"])
    for path in (cache.Cache(course).folder / "fast" / "01_one").glob("*.json"):
        os.utime(path, (4e9, 4e9))  # in the year 2096
    assert run(course, fake, "1") == {"01_one": "ran"}
    assert run(course, fake, "1") == {"01_one": "cached"}
    latest = cache.Cache(course).latest(make_plan(course, course.chapter_path("1")))
    assert latest is not None
    assert latest.overrides == {}


def test_what_a_killed_run_left_half_written_goes_with_the_next(course, fake) -> None:
    run(course, fake)
    place = cache.Cache(course).folder / "fast" / "01_one"
    (place / ".half.json.abc123").write_text('{"format"')
    assert run(course, fake)["01_one"] == "cached"
    assert run(course, fake, force=True)["01_one"] == "ran"
    assert [path.name for path in place.glob(".*")] == []


KILLED = """
import io, os, pathlib, signal, sys
from chapterhouse.course import Course
from chapterhouse.run.executor import run_course
from chapterhouse.testing import FakeExecute
replace, left = pathlib.Path.replace, int(sys.argv[2])
def dying(self, target):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
pathlib.Path.replace = dying
fake = FakeExecute(stdout={"01_one": "hello\\n"})
run_course(Course.find(pathlib.Path(sys.argv[1])), ["1"], screen=io.StringIO(), execute=fake)
"""


@pytest.mark.parametrize("at", [1, 3], ids=["cache", "record"])
def test_a_run_that_is_killed_as_it_writes_leaves_nothing_that_passes_for_whole(
    course, fake, at
) -> None:
    program = [sys.executable, "-c", KILLED, str(course.root), str(at)]
    done = subprocess.run(program, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    half = [path for path in course.build.rglob(".0*") if path.is_file()]
    half += [path for path in course.build.rglob("01_one/.*") if path.is_file()]
    assert len(half) == 1
    assert states(course)["01_one"][0] == ("new" if at == 1 else "fresh")
    assert run(course, fake, "1") == {"01_one": "ran" if at == 1 else "cached"}
    executed = nb.read(executed_path(course, "fast", "01_one"))
    assert executed.cells[1].outputs[0].text == "hello\n"
    for path in half:
        if path.exists():
            os.utime(path, (1, 1))
    run(course, fake, "1", force=True)
    assert not any(path.exists() for path in half)


def test_a_chapter_that_goes_or_gets_another_name_meanwhile(course, fake) -> None:
    def execute(plan, course, **settings):
        plan.path.unlink()
        return fake(plan, course, **settings)

    report = run_course(course, ["1"], screen=io.StringIO(), execute=execute)
    assert [row.status for row in report.rows] == ["ran"]
    assert list(states(course)) == ["02_two"]
    run(course, fake)
    (course.chapters / "02_two.ipynb").rename(course.chapters / "03_two.ipynb")
    assert states(course) == {"03_two": ("new", ("never run in this profile",))}
    assert run(course, fake) == {"03_two": "ran"}


def test_a_library_edited_during_the_run_is_not_kept(course, fake) -> None:
    def execute(plan, course, **settings):
        (course.root / "lib/tiny/a.py").write_text("A = 3\n")
        return fake(plan, course, **settings)

    run_course(course, ["1"], screen=io.StringIO(), execute=execute)
    assert Run.load(executed_path(course, "fast", "01_one", ".json")).key == ""
    assert run(course, fake, "1") == {"01_one": "ran"}


def test_old_results_are_forgotten(course, fake) -> None:
    for number in range(cache._KEPT + 3):
        run(course, fake, "1", overrides=[f"epochs={number}"])
    kept = list((cache.Cache(course).folder / "fast" / "01_one").glob("*.json"))
    assert len(kept) == cache._KEPT


def test_an_unchanged_copy_keeps_its_time(course, fake) -> None:
    run(course, fake)
    path = executed_path(course, "fast", "01_one")
    before = path.stat().st_mtime_ns
    run(course, fake)
    assert path.stat().st_mtime_ns == before


def test_a_lost_copy_comes_back_without_a_run(course, fake) -> None:
    run(course, fake)
    path = executed_path(course, "fast", "01_one")
    before = path.read_bytes()
    path.unlink()
    assert run(course, fake)["01_one"] == "cached"
    assert path.read_bytes() == before


def test_status_of_what_never_ran_and_of_what_is_broken(course, fake) -> None:
    (course.chapters / "02_two.ipynb").write_text("{")
    rows = inspect(course)
    assert [(row.slug, row.state) for row in rows] == [("01_one", "new"), ("02_two", "broken")]
    assert "02_two  broken" in render(rows)


def test_status_of_what_failed_last_time(course, fake) -> None:
    fake.failing = {"01_one"}
    run(course, fake)
    state, reasons = states(course)["01_one"]
    assert state == "failed"
    assert "as scripted" in reasons[0]
