"""Is an exercise fit to grade with? Every claim that its folder makes is tried in the sandbox.

The reference is accepted and gives the same twice; inputs follow the seed and differ between seeds;
the starter earns nothing; each submission gets the verdict that its name says; mutants of the
reference are noticed; ``visible.json`` holds what the reference returns.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from chapterhouse import notebook
from chapterhouse.errors import ChapterhouseError, ExerciseError
from chapterhouse.exercise import visible
from chapterhouse.exercise.compare import same
from chapterhouse.exercise.folder import Exercise
from chapterhouse.grade.grader import Grader
from chapterhouse.grade.judge import Grade, calls, expected_values
from chapterhouse.grade.mutants import mutants
from chapterhouse.grade.protocol import Sandbox
from chapterhouse.grade.verdict import Verdict

ESCAPE = "esc"
_PREFIXES = tuple(
    verdict.value
    for verdict in Verdict
    if verdict not in (Verdict.MISSING, Verdict.MANUAL, Verdict.BROKEN)
)
# A mutant that runs for ever need not run for as long as a student may.
_MUTANT_CPU_S = 3.0


@dataclass(frozen=True)
class Finding:
    """One thing that was tried: what, whether it is as it should be, and a sentence if it isn't."""

    exercise: str
    what: str
    fault: str | None = None


def verify(
    exercise: Exercise,
    sandbox: Sandbox,
    *,
    jobs: int = 1,
    submissions: bool = True,
    each: Callable[[Finding], None] | None = None,
) -> list[Finding]:
    """Try everything that an exercise claims; all findings, good and bad.

    Args:
        exercise: which one.
        sandbox: where its submissions run.
        jobs: how many run at a time.
        submissions: whether to run the example submissions, too.
        each: called with each finding as it is made.
    """
    findings: list[Finding] = []

    def note(what: str, fault: str | None = None) -> None:
        findings.append(Finding(exercise.id, what, fault))
        if each is not None:
            each(findings[-1])

    if exercise.kind == "manual":
        note("a person marks it")
        return findings
    grader = Grader([exercise], sandbox)
    try:
        _verify_cases(exercise, note)
        _verify_reference(exercise, grader, note)
        note("visible.json is up to date", _stale(exercise, grader))
    except ChapterhouseError as error:
        note("the exercise can be graded", str(error))
        return findings
    note("the starter earns nothing", _starter_fault(exercise, grader))
    note("there are submissions of both kinds", _balance(exercise))
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        files = exercise.submissions() if submissions else []
        for path, fault in zip(
            files, pool.map(lambda p: submission_fault(exercise, p, grader), files), strict=True
        ):
            note(f"submissions/{path.name}", fault)
        for what, fault in pool.map(
            lambda m: _mutant_fault(exercise, m, grader), _mutants(exercise)
        ):
            note(what, fault)
    return findings


def submission_fault(exercise: Exercise, path: Path, grader: Grader) -> str | None:
    """None when an example submission gets the verdict that its name says, else how it differs."""
    prefix = path.stem.split("_", 1)[0]
    if prefix not in (*_PREFIXES, ESCAPE):
        return f"its name must start with one of {', '.join(_PREFIXES)} or {ESCAPE}, and `_`"
    grade = grader.grade_source(exercise, path.read_text(encoding="utf-8"), seed=visible.SEED)
    if prefix == ESCAPE:
        if grade.verdict in (Verdict.ACCEPTED, Verdict.BROKEN):
            return f"an escape ended with {grade.verdict.label!r}: {_why(grade)}"
        return None
    if grade.verdict.value == prefix:
        return None
    return f"got {grade.verdict.value} ({grade.verdict.label}): {_why(grade)}"


def expect(exercise: Exercise, sandbox: Sandbox) -> Path | None:
    """Write ``visible.json`` from a run of the reference; None for an exercise without cases.

    Raises:
        ChapterhouseError: the reference fails, or a value cannot be written.
    """
    if exercise.kind == "manual":
        return None
    notebook.write_text(_visible_text(exercise, Grader([exercise], sandbox)), exercise.visible_path)
    return exercise.visible_path


def _visible_text(exercise: Exercise, grader: Grader) -> str:
    cases = exercise.cases(visible.SEED)
    reference = grader.reference(exercise, cases, seed=visible.SEED)
    values = [result.value for result in expected_values(cases, reference)]
    return visible.dumps(cases, values, name=exercise.id)


def _stale(exercise: Exercise, grader: Grader) -> str | None:
    """Whether ``visible.json`` differs from what the reference gives now, beyond rounding."""
    fix = f"run `chapterhouse exercise expect {exercise.id}`"
    if not exercise.visible_path.is_file():
        return f"it does not exist; {fix}"
    try:
        stored = visible.loads(exercise.visible_path.read_text(encoding="utf-8"))
    except ExerciseError as error:
        return f"{error.found} {fix}"
    now = visible.loads(_visible_text(exercise, grader))
    if [_static(case) for case in stored] != [_static(case) for case in now]:
        return f"the visible cases have changed; {fix}"
    for old, new in zip(stored, now, strict=True):
        # Another processor rounds otherwise, so the last digits may differ.
        for was, is_now in ((old.args, new.args), (old.expected, new.expected)):
            if same(was, is_now, rtol=1e-4, atol=1e-5) is not None:
                return f"the case {old.name!r} has changed; {fix}"
    return None


def _static(case: visible.Visible) -> tuple[object, ...]:
    """What must be the same to the letter in a stored case."""
    return (case.name, case.target, case.seed, case.keep_inputs, case.check, case.message)


def _verify_cases(exercise: Exercise, note: Callable[[str, str | None], None]) -> None:
    """The seed, and only the seed, decides the inputs."""
    first, again, other = (exercise.cases(seed) for seed in (1, 1, 2))
    fault = "two draws with one seed differ; draw everything from `rng`"
    equal = same(_inputs(first), _inputs(again)) is None
    note("inputs follow the seed", None if equal else fault)
    fixed = same(_inputs(first), _inputs(other)) is None
    fault = "two seeds give the same inputs, so hard-coded answers would pass; draw from `rng`"
    note("inputs are fresh for each submission", fault if fixed else None)


def _inputs(cases: Sequence[object]) -> list[object]:
    rows = calls(cases)  # type: ignore[arg-type]
    return [[row.target, list(row.args), dict(row.kwargs), list(row.steps)] for row in rows]


def _verify_reference(
    exercise: Exercise, grader: Grader, note: Callable[[str, str | None], None]
) -> None:
    """The reference, graded as if a student had handed it in, with several seeds."""
    for seed in (visible.SEED, 1, 2):
        grade = grader.grade_source(exercise, exercise.solution, seed=seed)
        fault = None if grade.verdict is Verdict.ACCEPTED else _why(grade)
        note(f"the reference is accepted (seed {seed})", fault)


def _starter_fault(exercise: Exercise, grader: Grader) -> str | None:
    grade = grader.grade_source(exercise, exercise.starter, seed=visible.SEED)
    if grade.verdict is Verdict.BROKEN:
        return _why(grade)
    return None if not grade.points else f"it earns {grade.points:g} of {grade.out_of:g}"


def _balance(exercise: Exercise) -> str | None:
    """At least one other right answer, and two wrong ones."""
    prefixes = [path.stem.split("_", 1)[0] for path in exercise.submissions()]
    if "ac" not in prefixes:
        return "no submission starts with ac_; add another right way to do it"
    # Where the machine makes no mistakes, a person has to think of more of them.
    needed = 2 if exercise.mutants else 4
    if sum(prefix != "ac" for prefix in prefixes) < needed:
        return f"fewer than {needed} submissions must fail; add the mistakes that students make"
    return None


def _mutants(exercise: Exercise) -> list[tuple[str, str]]:
    return [
        (f"mutant of line {mutant.line}: {mutant.change}", mutant.source)
        for mutant in mutants(exercise.solution, exercise.mutants)
    ]


def _mutant_fault(
    exercise: Exercise, mutant: tuple[str, str], grader: Grader
) -> tuple[str, str | None]:
    what, source = mutant
    limits = {**dict(exercise.limits)}
    limits["cpu_s"] = min(limits.get("cpu_s", _MUTANT_CPU_S), _MUTANT_CPU_S)
    hurried = dataclasses.replace(exercise, limits=tuple(limits.items()))
    grade = grader.grade_source(hurried, source, seed=visible.SEED)
    if grade.verdict is Verdict.BROKEN:
        return what, _why(grade)
    if grade.verdict is not Verdict.ACCEPTED:
        return what, None
    return what, (
        "it is accepted; add a case that notices, or mark the line with `# equivalent: why`"
    )


def _why(grade: Grade) -> str:
    """The first thing that a grade says about what went wrong."""
    for case in grade.cases:
        if case.verdict is not Verdict.ACCEPTED:
            return f"{case.name}: {case.message}"
    return grade.message or grade.verdict.meaning
