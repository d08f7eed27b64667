"""Running a whole course, with a fake in place of the kernels."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import threading

import pytest

from chapterhouse import cli, notebook
from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import CourseError, ParameterError
from chapterhouse.run import executor
from chapterhouse.run.executor import run_course
from chapterhouse.run.record import Run, executed_path, history
from chapterhouse.run.status import inspect
from chapterhouse.run.table import Progress
from chapterhouse.testing import FakeExecute, make_course, make_notebook

SLUGS = ("01_one", "02_two", "03_three")


@pytest.fixture
def course(tmp_path) -> Course:
    return make_course(tmp_path, {slug: make_notebook(["print(1)"]) for slug in SLUGS})


def run(course: Course, fake, *names: str, **settings):
    screen = io.StringIO()
    report = run_course(course, names, screen=screen, execute=fake, **settings)
    return report, screen.getvalue()


def test_rows_come_in_reading_order_whatever_ran_first(course) -> None:
    report, screen = run(course, FakeExecute(), jobs=3)
    assert [row.slug for row in report.rows] == list(SLUGS)
    assert "3 ran" in screen


def test_the_longest_chapter_of_last_time_goes_first(course) -> None:
    fake = FakeExecute(wall_s={"01_one": 1.0, "02_two": 9.0, "03_three": 5.0})
    run(course, fake, jobs=1)
    fake.calls.clear()
    run(course, fake, jobs=1, force=True)
    assert fake.calls == ["02_two", "03_three", "01_one"]


def test_chapters_run_at_the_same_time(course) -> None:
    together = threading.Barrier(3, timeout=20)

    def execute(plan, course, **settings):
        together.wait()
        return FakeExecute()(plan, course, **settings)

    report, _ = run(course, execute, jobs=3)
    assert not report.failed


def test_one_job_runs_one_at_a_time(course) -> None:
    running, most = [0], [0]

    def execute(plan, course, **settings):
        running[0] += 1
        most[0] = max(most[0], running[0])
        made = FakeExecute()(plan, course, **settings)
        running[0] -= 1
        return made

    run(course, execute, jobs=1)
    assert most == [1]


def test_a_failure_is_told_and_the_others_still_run(course) -> None:
    report, screen = run(course, FakeExecute(failing={"02_two"}), jobs=1)
    assert [row.status for row in report.rows] == ["ran", "failed", "ran"]
    assert "02_two.ipynb, cell 3 of 3 (id code-0): ValueError: as scripted" in screen
    assert "print(1)" in screen
    assert not executed_path(course, "fast", "02_two").exists()
    assert executed_path(course, "fast", "02_two", ".failed.ipynb").exists()
    assert Run.load(executed_path(course, "fast", "02_two", ".json")).status == "failed"


def test_a_mended_chapter_loses_its_partial_copy(course) -> None:
    fake = FakeExecute(failing={"02_two"})
    run(course, fake, "2")
    fake.failing.clear()
    report, _ = run(course, fake, "2")
    assert report.rows[0].status == "ran"
    assert not executed_path(course, "fast", "02_two", ".failed.ipynb").exists()


def test_a_failure_takes_the_old_copy_away(course) -> None:
    fake = FakeExecute()
    run(course, fake, "2")
    fake.failing = {"02_two"}
    run(course, fake, "2", force=True)
    assert not executed_path(course, "fast", "02_two").exists()


LIMIT = {"sign": "<", "number": 0.15, "within": 0}
NEAR = {"text": "points are near", "held": False, "value": 0.17, "limits": [LIMIT]}
LOST = {"text": "the loss is small", "held": False, "limits": [LIMIT], "found": "nan"}
TRUE = {"text": "one is one", "held": True}


def test_a_claim_that_does_not_hold_fails_a_run_that_is_whole(course) -> None:
    fake = FakeExecute(claims={"02_two": [TRUE, NEAR, LOST]}, used={"02_two": ["chapters"]})
    report, screen = run(course, fake, jobs=1)
    assert [row.status for row in report.rows] == ["ran", "failed", "ran"]
    assert "02_two    failed     1.0 s       0 MiB  1 claim held  2 FAILED" in screen
    told = (
        "what failed:\n02_two\n  ✗ points are near (0.17; must be < 0.15)\n"
        "  ✗ the loss is small (nan; must be < 0.15)\n2 ran, 1 failed in "
    )
    assert told in screen
    kept = Run.load(executed_path(course, "fast", "02_two", ".json"))
    assert (kept.status, kept.stopped, kept.key, kept.held) == ("failed", False, "", 1)
    assert kept.error.startswith("2 of 3 claims do not hold: points are near (0.17; must be")
    assert kept.libraries == {"chapters": kept.libraries["chapters"]}
    copy = nb.read(executed_path(course, "fast", "02_two"))
    assert len(nb.code_cells(copy)[0].outputs) == 3
    assert [cell.execution_count for cell in nb.code_cells(copy)] == [1, 2]
    assert not executed_path(course, "fast", "02_two", ".failed.ipynb").exists()


def test_a_failed_run_is_run_again_and_what_it_contradicts_is_forgotten(course) -> None:
    fake = FakeExecute(claims={"02_two": [{**NEAR, "held": True}]})
    run(course, fake, "2")
    fake.claims["02_two"] = [NEAR]
    run(course, fake, "2", force=True)  # the same code on the same data: it is not to be relied on
    (row,) = inspect(course, ["2"])
    assert (row.state, row.reasons[0][:25]) == ("failed", "1 of 1 claims does not ho")
    report, _ = run(course, fake, "2")
    assert report.rows[0].status == "failed"
    assert fake.calls == ["02_two"] * 3


def test_an_older_result_of_other_code_outlives_a_failure(course) -> None:
    fake, path = FakeExecute(), course.chapters / "02_two.ipynb"
    run(course, fake, "2")
    before = path.read_text()
    path.write_text(before.replace("print(1)", "print(2)"))
    fake.failing = {"02_two"}
    run(course, fake, "2")
    path.write_text(before)
    report, _ = run(course, fake, "2")
    assert report.rows[0].status == "cached"


def test_a_mended_claim_is_fresh_again(course) -> None:
    fake = FakeExecute(claims={"02_two": [NEAR]})
    run(course, fake, "2")
    fake.claims.clear()
    report, screen = run(course, fake, "2")
    assert report.rows[0].status == "ran"
    assert "what failed" not in screen
    assert inspect(course, ["2"])[0].state == "fresh"
    past = history(course, "fast", "02_two")
    assert [moment.status for moment in past] == ["failed", "ran"]
    assert all(moment.processor for moment in past)


def test_a_broken_notebook_is_a_row_and_the_others_run(course) -> None:
    (course.chapters / "02_two.ipynb").write_text("not json")
    report, screen = run(course, FakeExecute())
    assert [row.status for row in report.rows] == ["ran", "failed", "ran"]
    assert "02_two.ipynb is not a notebook" in screen
    assert "fix:" in screen


def test_a_notebook_with_the_same_id_twice_is_a_row_and_the_others_run(course) -> None:
    path = course.chapters / "02_two.ipynb"
    path.write_text(path.read_text().replace('"id": "code-0"', '"id": "prose"'))
    report, screen = run(course, FakeExecute())
    assert [row.status for row in report.rows] == ["ran", "failed", "ran"]
    assert "02_two.ipynb has cells with the same id 'prose': cells 1, 3." in screen
    assert "fix:" in screen


def test_a_notice_about_the_kernels_is_told_once(course) -> None:
    def execute(plan, course, **settings):
        made = FakeExecute()(plan, course, **settings)
        return dataclasses.replace(made, notice="an ordinary kernel was started")

    _, screen = run(course, execute)
    assert screen.count("notice: an ordinary kernel was started") == 1


def test_a_wrong_parameter_stops_before_anything_runs(course) -> None:
    fake = FakeExecute()
    with pytest.raises(ParameterError):
        run(course, fake, overrides=["epoch=1"])
    assert fake.calls == []


def test_an_unknown_chapter_lists_the_known_ones(course) -> None:
    with pytest.raises(CourseError, match="'9'") as refused:
        run(course, FakeExecute(), "9")
    assert "01_one, 02_two, 03_three" in refused.value.fix


def test_a_chapter_named_twice_runs_once(course) -> None:
    fake = FakeExecute()
    report, _ = run(course, fake, "2", "02_two", "chapters/02_two.ipynb")
    assert [row.slug for row in report.rows] == ["02_two"]
    assert fake.calls == ["02_two"]


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_jobs_is_refused(course, jobs) -> None:
    with pytest.raises(CourseError, match="at least 1"):
        run(course, FakeExecute(), jobs=jobs)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(course, monkeypatch, code) -> None:
    def refuse(handle, mode, **settings):
        raise OSError(code, "No space left on device", "result")

    monkeypatch.setattr(notebook.os, "fdopen", refuse)
    report, screen = run(course, FakeExecute(), "1")
    assert report.rows[0].status == "failed"
    assert "No space left on device" in screen
    assert "fix:" in screen
    written = [path for path in course.build.rglob("*") if path.is_file() and path.stat().st_size]
    assert written == []


def test_our_own_fault_is_told_as_ours_and_the_others_run(course) -> None:
    def execute(plan, course, **settings):
        if plan.slug == "02_two":
            raise ZeroDivisionError("in our code")
        return FakeExecute()(plan, course, **settings)

    report, screen = run(course, execute)
    assert [row.status for row in report.rows] == ["ran", "failed", "ran"]
    assert "chapterhouse broke on it: ZeroDivisionError: in our code" in screen


def test_an_interrupt_waits_for_the_workers_to_tidy_up(course, monkeypatch) -> None:
    begun, tidied = threading.Event(), []

    def execute(plan, course, *, stop, **settings):
        begun.set()
        assert stop.wait(20)
        tidied.append(plan.slug)
        return FakeExecute()(plan, course, stop=stop, **settings)

    class Interrupted(threading.Event):
        def wait(self, timeout=None):
            assert begun.wait(20)
            raise KeyboardInterrupt

    made = [threading.Event(), Interrupted()]  # first the one that stops the workers
    monkeypatch.setattr(executor.threading, "Event", lambda: made.pop(0))
    with pytest.raises(KeyboardInterrupt):
        run(course, execute, jobs=1)
    assert tidied == ["01_one"]
    assert not executed_path(course, "fast", "01_one").exists()


def test_json_has_exactly_the_promised_fields(course, monkeypatch, capsys) -> None:
    monkeypatch.setattr(run_course, "__kwdefaults__", {
        **run_course.__kwdefaults__, "execute": FakeExecute(failing={"03_three"}),
    })  # fmt: skip
    assert cli.main(["--course", str(course.root), "run", "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == {"wall_s", "chapters"}
    first, _, third = printed["chapters"]
    assert set(first) == {"slug", "status", "wall_s", "cpu_s", "peak_memory_bytes", "claims"}
    assert first["claims"] == {"held": 0, "failed": 0}
    assert third["status"] == "failed"
    assert "as scripted" in third["error"]


def test_json_lists_the_claims_that_did_not_hold(course, monkeypatch, capsys) -> None:
    monkeypatch.setattr(run_course, "__kwdefaults__", {
        **run_course.__kwdefaults__, "execute": FakeExecute(claims={"01_one": [TRUE, NEAR]}),
    })  # fmt: skip
    assert cli.main(["--course", str(course.root), "run", "--json"]) == 1
    first = json.loads(capsys.readouterr().out)["chapters"][0]
    assert first["claims"] == {"held": 1, "failed": 1}
    assert first["did_not_hold"] == [
        {"text": "points are near", "value": 0.17, "found": "", "limits": [LIMIT]}
    ]
    assert first["error"] == "1 of 2 claims does not hold: points are near (0.17; must be < 0.15)"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_table_with_progress_and_the_time_left(course) -> None:
    run(course, FakeExecute(wall_s=dict.fromkeys(SLUGS, 3.0)), jobs=1)
    screen = Terminal()
    with Progress(SLUGS, dict.fromkeys(SLUGS, 3.0), screen, jobs=1) as progress:
        progress.running("01_one", 5, 10)
        assert progress.left_s() == pytest.approx(9.0, abs=0.5)
    shown = screen.getvalue()
    assert "5/10 cells" in shown
    assert "3 to go" in shown


def test_no_estimate_is_given_for_what_never_ran() -> None:
    progress = Progress(["a", "b"], {"a": 3.0}, io.StringIO())
    assert progress.left_s() is None


def test_more_jobs_mean_less_time_but_not_less_than_the_longest() -> None:
    costs = {"a": 9.0, "b": 1.0, "c": 1.0}
    assert Progress(list(costs), costs, io.StringIO(), jobs=1).left_s() == 11.0
    assert Progress(list(costs), costs, io.StringIO(), jobs=4).left_s() == 9.0


def test_the_stored_notebook_is_never_written_to(course) -> None:
    before = {path: path.read_bytes() for path in course.chapter_paths()}
    run(course, FakeExecute())
    assert {path: path.read_bytes() for path in course.chapter_paths()} == before


def test_an_executed_copy_counts_its_cells(course) -> None:
    run(course, FakeExecute(), "1")
    executed = nb.read(executed_path(course, "fast", "01_one"))
    assert [cell.execution_count for cell in nb.code_cells(executed)] == [1, 2]


def test_two_runs_of_one_chapter_do_the_work_once(course) -> None:
    fake, begun, go_on = FakeExecute(), threading.Event(), threading.Event()

    def slow(plan, course, **settings):
        begun.set()
        assert go_on.wait(20)
        return fake(plan, course, **settings)

    reports = []
    first = threading.Thread(target=lambda: reports.append(run(course, slow, "1")[0]))
    first.start()
    assert begun.wait(20)
    second = threading.Thread(target=lambda: reports.append(run(course, fake, "1")[0]))
    second.start()
    second.join(0.5)
    assert second.is_alive()
    go_on.set()
    for thread in (first, second):
        thread.join(20)
    assert sorted(report.rows[0].status for report in reports) == ["cached", "ran"]
    assert fake.calls == ["01_one"]
