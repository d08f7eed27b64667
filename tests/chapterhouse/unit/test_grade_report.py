"""What a grading prints: safe to show, complete for scripts, one exit code for one thing."""

import json
from pathlib import Path

from chapterhouse.grade import report
from chapterhouse.grade.grader import FileReport
from chapterhouse.grade.judge import CaseResult, Grade
from chapterhouse.grade.verdict import Verdict


def grade(verdict, points=1.0, **more):
    score = None if points is None else points / 2
    return Grade("04_f", verdict, score, points, 2.0, **more)


GOOD = FileReport(Path("a/ann.ipynb"), "00", (grade(Verdict.ACCEPTED, 2.0),), seed=7)
BAD = FileReport(Path("b.txt"), fault="b.txt is not a notebook.", fix="save it again")
OURS = FileReport(Path("c.ipynb"), "11", (grade(Verdict.BROKEN, None),), seed=8)


def test_exit_codes():
    assert report.exit_code([GOOD]) == 0
    assert report.exit_code([GOOD, BAD]) == 1
    assert report.exit_code([GOOD, BAD, OURS]) == 3
    wrong = FileReport(Path("d.ipynb"), "22", (grade(Verdict.WRONG, 0.0),), seed=1)
    assert report.exit_code([wrong]) == 0


def test_the_summary_counts_every_verdict():
    text = report.summary([GOOD, GOOD, BAD, OURS], wall_s=0.3)
    assert text == " ✔ 2 accepted   ! 1 our fault   ? 1 unreadable      0.10 s each"


def test_nothing_graded_divides_nothing():
    assert "each" not in report.summary([BAD], wall_s=1.0)


def test_names_cannot_write_on_the_terminal():
    nasty = FileReport(Path("x\x1b[2J\u202e.ipynb"), fault="\x1b]0;owned\x07", fix="y")
    for text in (report.line(nasty), report.details(nasty)):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_json_is_complete_and_ascii_safe():
    case = CaseResult("one", True, Verdict.WRONG, 0.0, 1.0, "m", "f(1)", "2", "3")
    skipped = CaseResult("two", False, None, 0.0, 1.0, "Not run.")
    graded = FileReport(
        Path("e.ipynb"), "33", (grade(Verdict.WRONG, 0.0, cases=(case, skipped), seed=5),), seed=5
    )
    data = json.loads(json.dumps(report.as_json([graded, BAD], level="strong", wall_s=1.23456)))
    assert (data["level"], data["wall_s"], data["unreadable"]) == ("strong", 1.235, 1)
    assert data["summary"] == {"wrong": 1}
    assert data["files"][1]["fault"] == {
        "found": "b.txt is not a notebook.",
        "fix": "save it again",
    }
    exercise = data["files"][0]["exercises"][0]
    assert (exercise["id"], exercise["verdict"], exercise["seed"]) == ("04_f", "wa", 5)
    assert exercise["cases"][0]["given"] == "3"
    assert exercise["cases"][1]["verdict"] is None


def test_details_show_values_of_visible_cases_and_the_advice():
    case = CaseResult("one", True, Verdict.WRONG, 0.0, 1.0, "Off by one.", "f(1)", "2", "3")
    graded = FileReport(Path("e.ipynb"), "33", (grade(Verdict.WRONG, 0.0, cases=(case,)),), seed=5)
    text = report.details(graded)
    assert "✘ one: Off by one." in text
    assert "f(1) gave 3, expected 2" in text
    assert Verdict.WRONG.advice in text
