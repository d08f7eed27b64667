"""What is remembered of each run, and what a chapter's record says of its surroundings."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from chapterhouse.course import Course
from chapterhouse.run import record, trace
from chapterhouse.run.executor import run_course
from chapterhouse.run.record import Claim, Run, history, history_path, remember
from chapterhouse.testing import FakeExecute, make_course, make_notebook

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def course(tmp_path) -> Course:
    return make_course(tmp_path, {"01_one": make_notebook(["print(1)"])})


def a_run(value: float = 0.5) -> Run:
    return Run(
        slug="01_one",
        status="ran",
        profile="fast",
        wall_s=1.5,
        cpu_s=1.0,
        peak_memory_bytes=7,
        claims=(Claim("it learns", True, value),),
        cells=(record.CellTime("code-0", 0.25),),
        key="k",
    )


def test_a_moment_says_when_and_what(course) -> None:
    remember(a_run(), course, now=NOON.astimezone(timezone(timedelta(hours=2))))
    (moment,) = history(course, "fast", "01_one")
    assert moment.when == "2026-03-01T12:00:00+00:00"
    assert moment.cells == {"code-0": 0.25}
    assert moment.claims == (Claim("it learns", True, 0.5),)
    assert (moment.status, moment.key, moment.wall_s) == ("ran", "k", 1.5)


def test_a_claim_keeps_its_limits_and_an_old_one_has_none(course) -> None:
    limit = {"sign": ">", "number": 0.4, "within": 0}
    run = replace(a_run(), claims=(Claim("it learns", True, 0.5, limits=(limit,)),))
    remember(run, course, now=NOON)
    path = history_path(course, "fast", "01_one")
    old = json.loads(path.read_text())
    del old["claims"][0]["limits"]
    path.write_text(path.read_text() + json.dumps(old) + "\n")
    first, second = history(course, "fast", "01_one")
    assert first.claims == run.claims
    assert second.claims == (Claim("it learns", True, 0.5),)
    (shown,) = record.collect_claims([{"data": {record.CLAIM: {"text": "a", "limits": [limit]}}}])
    assert shown.limits == (limit,)


def test_a_claim_keeps_where_it_holds_and_that_it_is_certain() -> None:
    said = {"text": "a", "held": True, "on": "cpu, one thread", "by_construction": True}
    outputs = [{"data": {record.CLAIM: said}}, {"data": {record.CLAIM: {"text": "b"}}}]
    certain, other = record.collect_claims(outputs)
    assert (certain.on, certain.by_construction) == ("cpu, one thread", True)
    assert (other.on, other.by_construction) == ("", False)


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (Claim("it learns", True, 0.5), "it learns (0.5)"),
        (Claim("two ways agree", False), "two ways agree"),
        (Claim("it is small", False, found="nan"), "it is small (nan)"),
        (
            Claim("many", False, 3, limits=({"sign": ">", "number": 100_000},)),
            "many (3; must be > 100,000)",
        ),
        (
            Claim("it is so", False, 2.75, limits=({"sign": "≈", "number": 2, "within": 0.5},)),
            "it is so (2.75; must be ≈ 2 ± 0.5)",
        ),
        (
            Claim(
                "between",
                False,
                3,
                limits=({"sign": ">", "number": 1}, {"sign": "<", "number": 2}),
            ),
            "between (3; must be > 1 and < 2)",
        ),
    ],
)
def test_a_claim_as_text_has_its_value_and_its_limit(claim, told) -> None:
    assert str(claim) == told


def test_a_moment_says_where_and_an_old_one_does_not(course) -> None:
    remember(replace(a_run(), processor="a fast one"), course, now=NOON, commit="abc1234")
    path = history_path(course, "fast", "01_one")
    old = json.loads(path.read_text())
    del old["commit"], old["processor"]
    path.write_text(path.read_text() + json.dumps(old) + "\n")
    first, second = history(course, "fast", "01_one")
    assert (first.commit, first.processor) == ("abc1234", "a fast one")
    assert (second.commit, second.processor) == ("", "")


def test_the_newest_is_last_and_the_oldest_are_forgotten(course, monkeypatch) -> None:
    monkeypatch.setattr(record, "_REMEMBERED", 3)
    for number in range(5):
        remember(a_run(number), course, now=NOON + timedelta(hours=number))
    assert [m.claims[0].value for m in history(course, "fast", "01_one")] == [2, 3, 4]


@pytest.mark.parametrize("damage", ["{", "[]", '{"when": "x"}', '{"claims": [3]}', ""])
def test_a_damaged_line_is_passed_over(course, damage) -> None:
    remember(a_run(), course, now=NOON)
    path = history_path(course, "fast", "01_one")
    path.write_text(f"{damage}\n{path.read_text()}")
    remember(a_run(0.75), course, now=NOON)
    assert [m.claims[0].value for m in history(course, "fast", "01_one")] == [0.5, 0.75]


def test_what_never_ran_has_no_history(course) -> None:
    assert history(course, "fast", "01_one") == []


def test_runs_and_failures_are_remembered_and_reuse_is_not(course) -> None:
    fake = FakeExecute()
    for force in (False, False, True):
        run_course(course, screen=io.StringIO(), execute=fake, force=force)
    fake.failing = {"01_one"}
    run_course(course, screen=io.StringIO(), execute=fake, force=True)
    assert [m.status for m in history(course, "fast", "01_one")] == ["ran", "ran", "failed"]


def test_the_record_names_the_machine_and_no_history_is_in_it(course) -> None:
    run_course(course, screen=io.StringIO(), execute=FakeExecute())
    path = record.executed_path(course, "fast", "01_one", ".json")
    assert json.loads(path.read_text())["machine"] == trace.machine()
    before = path.read_bytes()
    run_course(course, screen=io.StringIO(), execute=FakeExecute(), force=True)
    assert path.read_bytes() == before
