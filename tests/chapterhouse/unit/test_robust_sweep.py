"""Sweeping a small course over the matrix, with a fake in place of the kernels."""

from __future__ import annotations

import dataclasses
import io
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chapterhouse import cli
from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import CourseError, ParameterError, RunError
from chapterhouse.run import chapter, origin
from chapterhouse.run.failure import Failure
from chapterhouse.run.record import CLAIM, Claim, collect_claims, history_path
from chapterhouse.run.robust import processor, sample, store, table
from chapterhouse.run.robust.claims import over_cells
from chapterhouse.run.robust.matrix import Cell, make_matrix
from chapterhouse.run.robust.processor import Processor
from chapterhouse.run.robust.progress import Progress
from chapterhouse.run.robust.sweep import Sweep, sweep
from chapterhouse.run.robust.work import Outcome, cell_plan, usual_seed
from chapterhouse.run.trace import Used
from chapterhouse.testing import FakeExecute, make_course, make_notebook

HERE = Processor("a processor", "AVX2", ("avx2",), 2, {"python": "3", "torch": "2"})
MATRIX = make_matrix("AVX2", seeds=range(3), design="full")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ABOVE_0 = [{"sign": ">", "number": 0, "within": 0}]


@dataclasses.dataclass
class Kernels:
    """A fake that claims what `value` says of each plan, and notes which plans it was given."""

    value: Callable[..., float] = lambda seed, isa, threads: 10.0 + seed
    limits: list[dict] = dataclasses.field(default_factory=lambda: ABOVE_0)
    broken: Callable[..., bool] = lambda seed, isa, threads: False
    stop_after: int = 10**6
    ran: list[tuple[str, str, str, int]] = dataclasses.field(default_factory=list)

    def __call__(self, plan, course, *, hashes, progress, stop):
        if len(self.ran) >= self.stop_after:
            raise KeyboardInterrupt
        isa = plan.variables["ATEN_CPU_CAPABILITY"] or "native"
        threads, seed = int(plan.variables["OMP_NUM_THREADS"]), plan.parameters.get("seed", 0)
        self.ran.append((plan.slug, isa, threads, seed))
        fake = FakeExecute(used={plan.slug: ["lib/tiny/a.py"]})
        made = fake(plan, course, hashes=hashes, progress=progress, stop=stop)
        value = self.value(seed, isa, threads)
        held = value > self.limits[0]["number"] if self.limits else bool(value)
        fields = {"text": "it is so", "held": held, "value": value, "limits": self.limits}
        shown = {"output_type": "display_data", "data": {CLAIM: fields}, "metadata": {}}
        if self.broken(seed, isa, threads):
            told = Failure(plan.path, 3, 3, "code-0", "", "", "ValueError: as scripted")
            return dataclasses.replace(made, failure=told, used=Used())
        return dataclasses.replace(made, outputs=[[shown], *made.outputs[1:]])


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_course(
        tmp_path,
        {
            "01_one": make_notebook(["print(1)"], parameters="seed = 1"),
            "02_two": make_notebook(["print(2)"], parameters="epochs = 1"),
        },
        library={"a.py": "x = 1\n", "b.py": "y = 1\n"},
    )


def try_out(course: Course, kernels: Kernels, **settings) -> tuple[Sweep, str]:
    cells = {
        path: MATRIX.cells(path.stem, seeded=usual_seed(course, path) is not None)
        for path in course.notebook_paths()
    }
    screen = io.StringIO()
    settings = {"matrix": MATRIX, "here": HERE, "jobs": 2, "execute": kernels, **settings}
    return sweep(course, cells, screen=screen, **settings), screen.getvalue()


def test_every_cell_is_run_once_and_ordinary_results_are_left_alone(course) -> None:
    kernels = Kernels()
    done, screen = try_out(course, kernels)
    assert len(kernels.ran) == len(set(kernels.ran)) == 2 * 2 * 3 + 2 * 2
    assert done.cells == 16
    assert "16/16" in screen
    assert "done" in screen
    assert not (course.build / "executed").exists()
    assert not history_path(course, "fast", "01_one").exists()


def test_what_is_fresh_is_not_run_again_unless_forced(course) -> None:
    try_out(course, Kernels())
    again = Kernels()
    done, _ = try_out(course, again)
    assert again.ran == []
    assert done.summaries[0].cells["run"] == 12
    try_out(course, again, force=True)
    assert len(again.ran) == 16


def test_a_sweep_that_was_broken_off_goes_on_where_it_was(course) -> None:
    first, second = Kernels(stop_after=5), Kernels()
    with pytest.raises(KeyboardInterrupt):
        try_out(course, first, jobs=1)
    try_out(course, second, jobs=1)
    assert not set(first.ran) & set(second.ran)
    assert len(first.ran) + len(second.ran) == 16


def change_code(course: Course) -> None:
    nb.write(make_notebook(["print(9)"], parameters="seed = 1"), course.chapters / "01_one.ipynb")


def change_prose(course: Course) -> None:
    changed = make_notebook(["print(1)"], parameters="seed = 1", prose="# Other words")
    nb.write(changed, course.chapters / "01_one.ipynb")


def change_library(course: Course) -> None:
    (course.root / "lib" / "tiny" / "a.py").write_text("x = 2\n")


def change_unused(course: Course) -> None:
    (course.root / "lib" / "tiny" / "b.py").write_text("y = 2\n")


@pytest.mark.parametrize(
    ("change", "runs"),
    [(change_code, 12), (change_prose, 0), (change_library, 16), (change_unused, 0)],
)
def test_a_change_runs_what_it_can_affect(course, change, runs) -> None:
    try_out(course, Kernels())
    change(course)
    again = Kernels()
    try_out(course, again)
    assert len(again.ran) == runs


def test_another_processor_or_version_runs_everything_anew(course) -> None:
    try_out(course, Kernels())
    for here in (
        dataclasses.replace(HERE, model="another"),
        dataclasses.replace(HERE, versions={**HERE.versions, "torch": "3"}),
    ):
        again = Kernels()
        try_out(course, again, here=here)
        assert len(again.ran) == 16


def test_a_damaged_cell_is_run_again(course) -> None:
    try_out(course, Kernels())
    (course.build / "robust" / "cells" / "01_one" / "native-1t-seed2.json").write_text("{")
    again = Kernels()
    try_out(course, again)
    assert again.ran == [("01_one", "native", 1, 2)]


def test_a_claim_over_the_cells_has_its_spread_and_the_cells_it_failed_in(course) -> None:
    done, _ = try_out(
        course, Kernels(value=lambda seed, isa, threads: seed - (isa == "default") + 0.5)
    )
    claim = done.summaries[0].claims[0]
    assert (claim.text, claim.number, claim.kind, claim.runs, claim.held) == (
        "it is so", 1, "statistical", 12, 10,
    )  # fmt: skip
    assert claim.spread is not None
    assert (claim.spread.min, claim.spread.max) == (-0.5, 2.5)
    assert not claim.robust
    assert not done.robust
    assert [(f.isa, f.threads, f.seed, f.value) for f in claim.failed] == [
        ("default", 1, 0, -0.5), ("default", 2, 0, -0.5),
    ]  # fmt: skip
    text = table.render(done)
    assert "01_one: it is so (> 0)\n      default, 1 thread, seed 0: -0.5" in text
    assert "in 16 runs of 2 notebooks" in text


def test_a_claim_that_held_too_near_to_its_limit_is_told(course) -> None:
    done, _ = try_out(course, Kernels(value=lambda seed, isa, threads: 0.1 + seed))
    assert not done.robust
    text = table.render(done)
    assert "Claims that held, but too near to their limit:\n  01_one: it is so (> 0)" in text
    assert "did not hold" not in text
    assert "1.3 sd  01_one: it is so" in text


def test_what_is_the_same_in_every_cell_is_exact(course) -> None:
    done, _ = try_out(course, Kernels(value=lambda seed, isa, threads: 3))
    claim = done.summaries[0].claims[0]
    assert (claim.kind, claim.why) == ("exact", "has the same value in every run")
    assert done.robust


def test_a_run_that_ends_early_is_told_does_not_hold_and_is_tried_again(course) -> None:
    kernels = Kernels(broken=lambda seed, isa, threads: (seed, isa, threads) == (2, "native", 2))
    done, screen = try_out(course, kernels)
    summary = done.summaries[0]
    assert len(summary.errors) == 1
    assert "ValueError: as scripted" in summary.errors[0]
    assert "ValueError: as scripted" in screen
    claim = summary.claims[0]
    assert [(f.cell, f.reached) for f in claim.failed] == [("native, 2 threads, seed 2", False)]
    assert "native, 2 threads, seed 2: not reached" in table.render(done)
    again = Kernels()
    done, _ = try_out(course, again)
    assert again.ran == [("01_one", "native", 2, 2)]
    assert done.robust


def test_a_system_that_refuses_something_is_told_and_the_other_cells_run(course) -> None:
    kernels = Kernels()

    def execute(plan, course, **settings):
        if plan.slug == "01_one":
            raise OSError(28, "No space left on device", "/x")
        return kernels(plan, course, **settings)

    done, _ = try_out(course, execute)
    assert len(kernels.ran) == 4
    assert "No space left" in done.summaries[0].errors[0]
    assert "and in 11 more runs" in table.render(done)


def test_a_cell_with_two_threads_takes_two_places(course) -> None:
    computing, most, lock = [0], [0], threading.Lock()
    kernels = Kernels()

    def execute(plan, course, **settings):
        threads = int(plan.variables["OMP_NUM_THREADS"])
        with lock:
            computing[0] += threads
            most[0] = max(most[0], computing[0])
        made = kernels(plan, course, **settings)
        threading.Event().wait(0.005)
        with lock:
            computing[0] -= threads
        return made

    try_out(course, execute, jobs=3)
    assert most[0] <= 3
    assert len(kernels.ran) == 16


def test_one_place_is_enough_for_two_threads(course) -> None:
    kernels = Kernels()
    try_out(course, kernels, jobs=1)
    assert len(kernels.ran) == 16


def test_fewer_than_one_place_is_refused(course) -> None:
    with pytest.raises(CourseError, match="--jobs is 0"):
        try_out(course, Kernels(), jobs=0)


def test_a_seed_that_is_no_number_is_refused(tmp_path) -> None:
    course = make_course(tmp_path, {"01_one": make_notebook(["print(1)"], parameters="seed = [1]")})
    with pytest.raises(ParameterError, match="seed of 01_one is a list"):
        try_out(course, Kernels())


def test_slow_instruction_sets_get_more_time(course) -> None:
    plan = cell_plan(course, course.chapters / "01_one.ipynb", Cell("01_one", "default", 1, 4))
    assert plan.limits.timeout_s > course.limits("fast").timeout_s
    assert plan.overrides == {"seed": 4}


def outcome(*claims: tuple[str, float, list[dict]]) -> Outcome:
    outputs = [
        {"data": {CLAIM: {"text": text, "held": value > 0, "value": value, "limits": limits}}}
        for text, value, limits in claims
    ]
    return Outcome("", collect_claims(outputs), 1.0, 1.0)


def test_two_claims_with_one_text_are_two() -> None:
    made = outcome(("same", 1.0, ABOVE_0), ("same", 2.0, ABOVE_0))
    claims = over_cells([(Cell("a", "native", 1, seed), made) for seed in range(2)])
    assert [(claim.number, claim.nth, claim.spread.max) for claim in claims] == [
        (1, 0, 1.0), (2, 1, 2.0),
    ]  # fmt: skip


@pytest.mark.parametrize(("on", "holds", "runs"), [("cpu, one thread", True, 1), ("cpu", False, 2)])
def test_an_equality_of_one_thread_is_tried_with_one_and_any_other_with_both(
    on, holds, runs
) -> None:
    equal = [{"sign": "=", "number": 0, "within": 0}]
    cells = [
        (
            Cell("a", "native", threads, 0),
            Outcome("", (Claim("same", gap == 0, gap, None, equal, on=on),), 1, 1),
        )
        for threads, gap in ((1, 0.0), (2, 1e-8))
    ]
    (claim,) = over_cells(cells)
    assert (claim.robust, claim.runs, claim.on) == (holds, runs, on)


def test_where_the_limit_is_computed_the_margin_is_what_spreads() -> None:
    cells = [
        (
            Cell("a", "native", 1, seed),
            outcome(("better", value, [{**ABOVE_0[0], "number": limit}])),
        )
        for seed, (value, limit) in enumerate([(10.0, 9.0), (20.0, 18.5), (30.0, 28.9)])
    ]
    (claim,) = over_cells(cells)
    assert claim.of == "margin"
    assert claim.limits[0]["number"] == 0
    assert (claim.spread.min, claim.spread.max) == pytest.approx((1.0, 1.5))


def test_what_is_stored_is_read_again_as_it_was(course) -> None:
    done, _ = try_out(course, Kernels(), finished=lambda summary: store.save(summary, course))
    for summary in done.summaries:
        stored = store.load(course, summary.slug)
        assert stored.as_json() == json.loads(json.dumps(summary.as_json()))
    fields = json.loads((course.book / "robust" / "01_one.json").read_text())
    assert fields["code"] == nb.code_sha256(nb.read(course.chapters / "01_one.ipynb"))
    assert fields["library"]["files"] == ["lib/tiny/a.py"]
    assert fields["processor"]["model"] == "a processor"
    assert fields["cells"] == {
        "isas": ["default", "native"], "alike": {"avx2": "native"}, "threads": [1, 2],
        "design": "full", "seeds": [0, 1, 2], "run": 12,
    }  # fmt: skip


def test_the_commit_is_the_one_at_the_start(course, monkeypatch) -> None:
    asked = iter(["abc", "abc-dirty", "abc-dirty"])  # what is stored changes the course
    monkeypatch.setattr(origin, "commit", lambda course: next(asked))
    done, _ = try_out(course, Kernels(), finished=lambda summary: store.save(summary, course))
    assert [summary.versions["commit"] for summary in done.summaries] == ["abc", "abc"]


def test_nothing_stored_is_none_and_damage_an_error_with_a_fix(course) -> None:
    assert store.load(course, "01_one") is None
    place = store.place(course, "01_one")
    place.parent.mkdir(parents=True)
    for text in ("{", "[]", '{"format": 0}', '{"format": 1, "claims": []}'):
        place.write_text(text)
        with pytest.raises(RunError, match="fix: chapterhouse robust 01_one"):
            store.load(course, "01_one")


def test_the_slice_is_chosen_by_the_commit_alone(course) -> None:
    paths = course.notebook_paths()

    def choose(commit: str):
        return sample.sample(course, paths, make_matrix("AVX512"), chosen_by=commit, costs={})

    assert choose("a") == choose("a")
    chosen = {json.dumps([cell.name for (cell,) in choose(str(n)).values()]) for n in range(40)}
    assert len(chosen) > 5, "other commits choose other cells"
    for commit in map(str, range(40)):
        for path, (cell,) in choose(commit).items():
            assert cell.isa != "native"
            assert cell.seed is None or cell.seed != usual_seed(course, path)


def test_the_slice_keeps_to_its_budget(tmp_path) -> None:
    slugs = [f"{n:02d}_x" for n in range(1, 9)]
    course = make_course(tmp_path, {slug: make_notebook([], parameters="seed=1") for slug in slugs})
    costs = dict.fromkeys(slugs, 25.0) | {"01_x": 500.0}
    for commit in map(str, range(20)):
        taken = sample.sample(
            course, course.notebook_paths(), MATRIX, chosen_by=commit, costs=costs
        )
        assert 1 <= len(taken) <= sample.NOTEBOOKS
        assert sum(costs[path.stem] for path in taken) <= sample.BUDGET_S


def test_without_git_the_week_chooses(course, monkeypatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(course.root.parent))
    week = sample.commit_or_week(course)
    assert week == "{}-{:02d}".format(*datetime.now(UTC).isocalendar()[:2])
    monkeypatch.setenv("PATH", "")
    assert sample.commit_or_week(course) == week


def test_progress_tells_what_is_left() -> None:
    cells = [Cell("a", "native", threads, 0) for threads in (1, 2)]
    screen = io.StringIO()
    progress = Progress(cells, {}, screen, places=2)
    assert progress.left() == "no estimate yet"
    progress.ended(cells[0], Outcome("", (), 300.0, 1.0))
    assert "✔ 1/2 a  native, 1 thread, seed 0: 0 held, 300.0 s; about 5 min left" in (
        screen.getvalue()
    )
    progress.ended(cells[1], Outcome("", (), 1.0, 1.0, error="a.ipynb: died"))
    assert "✘ 2/2" in screen.getvalue()
    assert "a.ipynb: died" in screen.getvalue()


@pytest.fixture
def command(course, monkeypatch, capsys):
    """The command on the small course, with fake kernels; returns code, stdout and stderr."""
    monkeypatch.setattr(processor, "ask", lambda: HERE)

    def call(*arguments: str, kernels: Kernels | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(chapter, "execute", kernels or Kernels())
        code = cli.main(["--course", str(course.root), "robust", *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def test_the_command_stores_the_spread_of_each_notebook(command, course) -> None:
    kernels = Kernels(value=lambda seed, isa, threads: 100 + seed)
    code, out, _ = command(kernels=kernels)
    assert code == 0
    assert "02_two has no parameter 'seed'" in out
    assert "avx2 is native here" in out
    assert "2 of 2 claims hold by the rule" in out
    assert store.load(course, "01_one").cells["seeds"] == list(range(10))
    assert store.load(course, "02_two").cells["run"] == 4


def test_fewer_seeds_than_the_rule_asks_for_store_nothing(command, course) -> None:
    kernels = Kernels(value=lambda seed, isa, threads: 100 + seed)
    code, out, _ = command("1", "--seeds", "3", kernels=kernels)
    assert code == 0
    assert "Nothing was stored: the rule asks for 10 seeds." in out
    assert len(kernels.ran) == 9
    assert store.load(course, "01_one") is None


def test_a_claim_that_fails_somewhere_is_exit_code_1(command) -> None:
    code, out, _ = command("1", kernels=Kernels(value=lambda seed, isa, threads: 8.5 - seed))
    assert code == 1
    assert "Claims that did not hold in every run:" in out


def test_json_alone_is_on_stdout(command) -> None:
    code, out, err = command("1", "--json")
    told = json.loads(out)
    assert code == (0 if told["robust"] else 1)
    assert told["notebooks"][0]["claims"][0]["text"] == "it is so"
    assert "30/30" in err


def test_a_slice_is_small_stores_nothing_and_asserts_that_claims_held(command, course) -> None:
    kernels = Kernels()
    code, out, _ = command("--slice", kernels=kernels)
    assert code == 0
    assert len(kernels.ran) == 2
    assert {isa for _, isa, _, _ in kernels.ran} == {"default"}
    assert "The slice of " in out
    assert "2 of 2 claims held" in out
    assert "fix: " not in out
    assert store.load(course, "01_one") is None
    (course.build / "robust").rename(course.build / "away")
    code, out, _ = command("--slice", kernels=Kernels(value=lambda *_, **__: -1.0))
    assert code == 1
    assert "it is so (> 0)" in out
    assert "fix: chapterhouse robust 01_one 02_two" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("9",), "No chapter is called '9'"),
        (("--seeds", "0"), "--seeds is 0; at least 1"),
        (("--jobs", "0"), "--jobs is 0; at least 1"),
    ],
)
def test_wrong_input_is_exit_code_2_with_a_fix(command, arguments, words) -> None:
    code, _, err = command(*arguments)
    assert code == 2
    assert words in err
    assert "fix: " in err
