"""The judge: points, verdicts, and what a student may read of a hidden case."""

import dataclasses

import pytest

from chapterhouse.errors import GradingError
from chapterhouse.exercise.cases import Case
from chapterhouse.grade.judge import calls, judge
from chapterhouse.grade.protocol import Failure, Outcome, Result, Status
from chapterhouse.grade.verdict import Verdict, of_status

CASES = (
    Case("one", "f", args=(1.0,), visible=True, points=1),
    Case("two", "f", args=(12345.0,), points=3, message="Mind the edge."),
)
REFERENCE = Outcome(Status.OK, (Result(10.0, wall_s=0.1), Result(20.0, wall_s=0.1)))


def grade(*results, status=Status.OK, cases=CASES, **more):
    results = tuple(r if isinstance(r, Result) else Result(r) for r in results)
    return judge("04_f", 8.0, cases, REFERENCE, Outcome(status, results, **more))


def test_all_right():
    got = grade(10.0, 20.0)
    assert (got.verdict, got.score, got.points, got.out_of) == (Verdict.ACCEPTED, 1.0, 8.0, 8.0)


def test_shares_are_scaled_to_the_points():
    assert grade(10.0, 0.0).points == 2.0
    assert grade(0.0, 20.0).points == 6.0
    assert grade(10.0, 0.0).verdict is Verdict.PARTIAL


def test_all_wrong():
    got = grade(0.0, 0.0)
    assert (got.verdict, got.points) == (Verdict.WRONG, 0.0)


def test_exceptions():
    failure = Result(failure=Failure("ValueError", "bad", 3))
    assert grade(failure, failure).verdict is Verdict.RUNTIME
    assert grade(failure, 0.0).verdict is Verdict.WRONG
    assert grade(failure, 20.0).verdict is Verdict.PARTIAL
    assert grade(failure, 0.0).cases[0].message == "Raised ValueError in line 3 of your answer: bad"


@pytest.mark.parametrize("status", [s for s in Status if s not in (Status.OK, Status.BROKEN)])
def test_a_run_that_ends_early_keeps_what_it_earned(status):
    got = grade(10.0, status=status)
    assert got.verdict is of_status(status)
    assert got.points == 2.0
    assert got.cases[1].verdict in (got.verdict, None)
    assert got.cases[1].points == 0.0


def test_cases_after_the_end_are_not_called_wrong():
    got = grade(status=Status.TIME)
    assert [case.verdict for case in got.cases] == [Verdict.TIME, None]
    assert "Not run" in got.cases[1].message


def test_our_fault_has_no_score():
    got = grade(status=Status.BROKEN, failure=Failure("OSError", "no memory for us"))
    assert (got.verdict, got.score, got.points) == (Verdict.BROKEN, None, None)
    assert "no memory for us" in got.message


@pytest.mark.parametrize(
    "reference",
    [
        Outcome(Status.TIME),
        Outcome(Status.OK, (Result(1.0),)),
        Outcome(Status.OK, (Result(1.0), Result(failure=Failure("ValueError", "x")))),
    ],
)
def test_a_reference_that_fails_is_never_the_students_fault(reference):
    with pytest.raises(GradingError, match="The reference"):
        judge("04_f", 1.0, CASES, reference, REFERENCE)


def test_fewer_results_than_calls_is_not_accepted():
    assert grade(10.0).verdict is Verdict.PARTIAL
    assert grade().verdict is not Verdict.ACCEPTED


def test_a_hidden_case_shows_the_authors_words_only():
    secret = "12345"
    loud = Result(failure=Failure(f"Secret{secret}", f"got {secret}", 2))
    for second in (Result(float(secret)), loud, Result("value " + secret)):
        got = grade(10.0, second)
        shown = repr(dataclasses.asdict(got.cases[1])) + got.message
        assert secret not in shown
        assert "Mind the edge." in shown


def test_text_of_a_refusal_could_carry_a_hidden_input_out():
    failure = Failure("ForbiddenImport", "secret12345 may not be imported")
    hidden_first = tuple(reversed(CASES))
    assert "12345" not in repr(grade(status=Status.FORBIDDEN, failure=failure, cases=hidden_first))
    assert "12345" in grade(status=Status.COMPILE, failure=failure).message


def test_a_visible_case_shows_everything():
    case = grade(3.5, 20.0).cases[0]
    assert (case.inputs, case.expected, case.given) == ("f(1)", "10", "3.5")


def test_escape_sequences_do_not_reach_the_feedback():
    got = grade(Result(failure=Failure("ValueError", "\x1b[2J\u202egone")), 20.0)
    assert "\x1b" not in got.cases[0].message
    assert "\u202e" not in got.cases[0].message


def test_a_changed_argument_fails_unless_allowed():
    changed = Result(10.0, mutated=("x",))
    assert grade(changed, 20.0).cases[0].message.endswith("an argument was changed in place: x.")
    allowed = (dataclasses.replace(CASES[0], keep_inputs=False), CASES[1])
    assert grade(changed, 20.0, cases=allowed).verdict is Verdict.ACCEPTED


def test_the_name_of_a_changed_argument_cannot_carry_a_hidden_input_out():
    # A function that gives itself a signature of its own chooses these names while it runs.
    got = grade(10.0, Result(20.0, mutated=("x12345",))).cases[1]
    assert got.verdict is Verdict.WRONG
    assert "changed in place" in got.message
    assert "12345" not in repr(dataclasses.asdict(got))


def test_an_exception_without_text_ends_without_a_colon():
    got = grade(Result(failure=Failure("AssertionError", "", 2)), 20.0).cases[0]
    assert got.message == "Raised AssertionError in line 2 of your answer"


def test_run_time_relative_to_the_reference():
    cases = (dataclasses.replace(CASES[0], max_slowdown=5), CASES[1])
    assert grade(Result(10.0, wall_s=0.4), 20.0, cases=cases).verdict is Verdict.ACCEPTED
    slow = grade(Result(10.0, wall_s=0.6), 20.0, cases=cases)
    assert slow.cases[0].verdict is Verdict.TIME
    assert "Right, but too slow: 0.60 s; 0.50 s allowed." in slow.cases[0].message


def test_noise_of_a_quick_reference_is_allowed():
    reference = Outcome(Status.OK, (Result(10.0, wall_s=1e-5), Result(20.0)))
    cases = (dataclasses.replace(CASES[0], max_slowdown=2), CASES[1])
    outcome = Outcome(Status.OK, (Result(10.0, wall_s=0.15), Result(20.0)))
    assert judge("04_f", 1.0, cases, reference, outcome).verdict is Verdict.ACCEPTED


def test_a_call_holds_nothing_that_tells_the_answer():
    text = repr(calls(CASES))
    assert "Mind the edge" not in text
    assert "points" not in text
    assert "close" not in text


def test_verdicts_are_a_closed_set_with_words_for_each():
    assert len({verdict.value for verdict in Verdict}) == len(Verdict)
    for verdict in Verdict:
        assert verdict.label
        assert verdict.symbol
        assert verdict.meaning.endswith(".")
        assert verdict.advice.endswith(".")


def test_only_one_verdict_is_ours_and_every_status_has_one():
    assert [verdict for verdict in Verdict if verdict.is_ours] == [Verdict.BROKEN]
    assert of_status(Status.OK) is None
    assert (
        len({of_status(status) for status in Status if status is not Status.OK}) == len(Status) - 1
    )
