"""Files graded end to end in the strongest sandbox: bad ones stop nothing, seeds repeat."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import nbformat
import pytest

from chapterhouse import cli
from chapterhouse.exercise import student
from chapterhouse.exercise.folder import load_all
from chapterhouse.grade import grader, report, sandbox
from chapterhouse.grade.fake import FakeSandbox
from chapterhouse.grade.protocol import Failure, Outcome, Status
from chapterhouse.grade.verdict import Verdict

HEAD = """\
---
id: 04_{name}
chapter: 04_shapes
title: An exercise
points: {points}
difficulty: 1
{more}---
Write it.
"""
DOUBLE = """\
from chapterhouse.exercise import Case


def cases(rng):
    x = float(rng.normal())
    yield Case("a number", "double", args=(x,), visible=True)
    yield Case("a large number", "double", args=(x * 1e9,), message="Numbers may be large.")
"""
# A model: trained by the student's function, scored on labels that it never sees.
CLASSIFY = """\
import torch

from chapterhouse.exercise import Case, accuracy, at_least, same_shape


def cases(rng):
    def blobs(n):
        y = torch.tensor(rng.integers(0, 2, size=n))
        x = torch.tensor(rng.normal(size=(n, 2)), dtype=torch.float32) + 4.0 * y[:, None]
        return x, y

    x, y = blobs(60)
    x_test, y_test = blobs(200)
    few = (x[:8], y[:8], x_test[:4])
    yield Case("form", "classify", args=few, check=same_shape(), visible=True)
    yield Case(
        "hidden data",
        "classify",
        args=(x, y, x_test),
        check=at_least(0.9, accuracy(y_test)),
        max_slowdown=20,
        message="Nine in ten of the test inputs should get their label.",
    )
"""
CENTRES = """\
import torch


def classify(x, y, x_test):
    # BEGIN SOLUTION
    centres = torch.stack([x[y == k].mean(0) for k in (0, 1)])
    return torch.cdist(x_test, centres).argmin(1)
    # END SOLUTION
"""


def write(folder, name, cases, solution, points=2, more=""):
    folder = folder / f"04_{name}"
    folder.mkdir(parents=True)
    (folder / "exercise.md").write_text(HEAD.format(name=name, points=points, more=more))
    if cases:
        (folder / "cases.py").write_text(cases)
        (folder / "solution.py").write_text(solution)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("course")
    (root / "pyproject.toml").write_text("[tool.chapterhouse]\n")
    double = "def double(x):\n    # BEGIN SOLUTION\n    return 2 * x\n    # END SOLUTION\n"
    write(root / "exercises", "double", DOUBLE, double, more="limits:\n  cpu_s: 2\n")
    write(root / "exercises", "classify", CLASSIFY, CENTRES, points=3, more="limits:\n  cpu_s: 8\n")
    write(root / "exercises", "essay", None, None, more="kind: manual\n")
    return root


@pytest.fixture(scope="module")
def exercises(course):
    from chapterhouse.course import Course

    return load_all(Course.find(course))


@pytest.fixture(scope="module")
def place():
    with sandbox.open() as place:
        yield place


@pytest.fixture
def started(place, monkeypatch):
    """Commands find the sandbox that is already running: starting one takes seconds."""

    monkeypatch.setattr(sandbox, "open", lambda level=None: Kept(place, level or place.level))


class Kept:
    """A sandbox that stays open when a command has done with it."""

    def __init__(self, place, level):
        self.run, self.level = place.run, level

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def close(self):
        return None


def submit(folder, name="ann.ipynb", **answers):
    """A notebook with an answer to each exercise named."""
    cells = [
        nbformat.v4.new_code_cell(f"# exercise: 04_{exercise}\n{source}")
        if exercise != "essay"
        else nbformat.v4.new_markdown_cell(f"<!-- exercise: 04_{exercise} -->\n{source}")
        for exercise, source in answers.items()
    ]
    path = folder / name
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)))
    return path


RIGHT = "def double(x):\n    return x + x"
KNN = """\
import torch

def classify(x, y, x_test):
    return y[torch.cdist(x_test, x).argmin(1)]
"""


def verdicts(one):
    return {grade.exercise: grade.verdict.value for grade in one.grades}


def test_a_whole_notebook(exercises, place, tmp_path):
    path = submit(tmp_path, double=RIGHT, classify=KNN, essay="Because it is so.")
    (one,) = grader.grade_files([path], exercises, place)
    assert verdicts(one) == {"04_double": "ac", "04_classify": "ac", "04_essay": "mn"}
    essay = one.grades[2]
    assert (essay.points, essay.answer) == (None, "Because it is so.")
    assert {grade.level for grade in one.grades[:2]} == {place.level}
    assert len(one.sha256) == 64


def test_a_model_is_scored_on_data_it_never_saw(exercises, place, tmp_path):
    ones = "def classify(x, y, x_test):\n    return x_test.new_ones(len(x_test)).long()"
    (one,) = grader.grade_files([submit(tmp_path, classify=ones)], exercises, place)
    grade = next(grade for grade in one.grades if grade.exercise == "04_classify")
    assert grade.verdict is Verdict.PARTIAL
    assert grade.cases[1].message == "Nine in ten of the test inputs should get their label."


def test_right_but_far_slower_than_the_reference(exercises, place, tmp_path):
    slow = (
        KNN
        + "    \n_quick = classify\ndef classify(*args):\n    import math\n"
        + (
            "    for i in range(20_000_000 if len(args[0]) > 8 else 1):\n        math.sqrt(i)\n"
            "    return _quick(*args)\n"
        )
    )
    (one,) = grader.grade_files([submit(tmp_path, classify=slow)], exercises, place)
    grade = next(grade for grade in one.grades if grade.exercise == "04_classify")
    assert grade.cases[1].verdict is Verdict.TIME
    assert grade.verdict is Verdict.PARTIAL


def test_a_slow_case_is_tried_once_more_before_it_counts(exercises, tmp_path):
    class Busy(FakeSandbox):
        """Slow the first time that a source runs, as on a machine that does something else."""

        def run(self, job):
            first = sum(other.source == job.source for other in self.jobs) == 0
            outcome = super().run(job)
            wall_s = 9.0 if first and "argmin(1)]" in job.source else 0.01
            results = tuple(replace(result, wall_s=wall_s) for result in outcome.results)
            return replace(outcome, results=results)

    place = Busy()
    (one,) = grader.grade_files([submit(tmp_path, classify=KNN)], exercises, place)
    assert verdicts(one)["04_classify"] == "ac"
    assert len(place.jobs) == 4


def test_hard_coded_answers_fail_with_a_fresh_seed(exercises, place, tmp_path):
    x = exercises[1].cases(0)[0].args[0]
    coded = f"def double(x):\n    return {{{x!r}: {2 * x!r}, {x * 1e9!r}: {2e9 * x!r}}}.get(x, 0.0)"
    path = submit(tmp_path, double=coded)
    (known,) = grader.grade_files([path], exercises, place, seed=0)
    (fresh,) = grader.grade_files([path], exercises, place)
    assert verdicts(known)["04_double"] == "ac"
    assert verdicts(fresh)["04_double"] == "wa"


def test_a_recorded_seed_repeats_a_grading(exercises, place, tmp_path):
    path = submit(tmp_path, double="def double(x):\n    return x * 3 if x > 0 else x * 2.0001")
    (first,) = grader.grade_files([path], exercises, place)
    (again,) = grader.grade_files([path], exercises, place, seed=first.seed)
    other = [grader.grade_files([path], exercises, place)[0].grades[1].cases for _ in range(2)]
    assert first.grades[1].cases == again.grades[1].cases
    assert other[0] != other[1]


def test_line_numbers_are_those_of_the_answers_cell(exercises, place, tmp_path):
    path = submit(tmp_path, double="def double(x):\n    y = helper(x)\n    return y / 0")
    notebook = nbformat.read(path, 4)
    helper = "def helper(x):\n    z = x\n    return z"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(helper))
    path.write_text(nbformat.writes(notebook))
    (one,) = grader.grade_files([path], exercises, place)
    double = next(grade for grade in one.grades if grade.exercise == "04_double")
    assert "ZeroDivisionError in line 4 of your answer" in double.cases[0].message
    assert "'helper' was taken from cell 1" in double.repairs[0]


def test_a_bad_file_never_stops_a_batch(exercises, place, tmp_path):
    files = [submit(tmp_path, "a.ipynb", double=RIGHT)]
    for name, data in (
        ("b.ipynb", b""),
        ("c.ipynb", b"[" * 100_000),
        ("d.ipynb", b"\xff\xfe"),
        ("e.pdf", b"%PDF"),
        ("f.ipynb", b'{"cells": []}'),
    ):
        (tmp_path / name).write_bytes(data)
        files.append(tmp_path / name)
    files += [tmp_path / "missing.ipynb", submit(tmp_path, "z.ipynb", double="while True: pass")]
    seen = []
    reports = grader.grade_files(files, exercises, place, jobs=2, each=seen.append)
    assert seen == reports
    assert [one.path.name for one in reports] == [path.name for path in files]
    assert verdicts(reports[0])["04_double"] == "ac"
    assert all(one.fault and one.fix and not one.grades for one in reports[1:-1])
    assert verdicts(reports[-1])["04_double"] == "tle"
    assert report.exit_code(reports) == 1


def test_a_folder_is_searched_but_links_are_not_followed(tmp_path):
    submit(tmp_path, "a.ipynb", double=RIGHT)
    (tmp_path / ".ipynb_checkpoints").mkdir()
    submit(tmp_path / ".ipynb_checkpoints", "a.ipynb", double=RIGHT)
    (tmp_path / "link.ipynb").symlink_to("/etc/passwd")
    (tmp_path / "b.pdf").write_bytes(b"%PDF")
    (tmp_path / "ben").mkdir()
    found, passed_over = grader.find_files([tmp_path, tmp_path / "ben"])
    assert [path.name for path in found] == ["a.ipynb", "ben"]
    assert [path.name for path in passed_over] == ["b.pdf", "link.ipynb"]


def test_a_grader_that_fails_says_so_and_takes_no_points(exercises, tmp_path):
    fake = FakeSandbox(
        endings={
            f"# exercise: 04_double\n{RIGHT}": Outcome(
                Status.BROKEN, failure=Failure("OSError", "no room for a process")
            )
        }
    )
    (one,) = grader.grade_files([submit(tmp_path, double=RIGHT)], exercises, fake)
    double = next(grade for grade in one.grades if grade.exercise == "04_double")
    assert (double.verdict, double.points) == (Verdict.BROKEN, None)
    assert report.exit_code([one]) == 3


def test_an_exercise_that_fails_is_our_fault_too(course, tmp_path):
    from chapterhouse.course import Course

    other = tmp_path / "exercises"
    broken = DOUBLE.replace("float(rng.normal())", "nonsense")
    write(other, "double", broken, (course / "exercises/04_double/solution.py").read_text())
    (tmp_path / "pyproject.toml").write_text("[tool.chapterhouse]\n")
    exercises = load_all(Course.find(tmp_path))
    (one,) = grader.grade_files([submit(tmp_path, double=RIGHT)], exercises, FakeSandbox())
    assert one.grades[0].verdict is Verdict.BROKEN
    assert "NameError" in one.grades[0].message


def test_no_expected_value_and_no_checker_enters_the_sandbox(exercises, tmp_path):
    fake = FakeSandbox()
    grader.grade_files([submit(tmp_path, double=RIGHT)], exercises, fake)
    text = repr(fake.jobs)
    assert "Numbers may be large" not in text
    assert "Checker" not in text
    sources = {job.source for job in fake.jobs}
    assert len(sources) == len(fake.jobs) == 2  # the reference and the answer, each on its own


def run(course, *arguments):
    return cli.main(["--course", str(course), *map(str, arguments)])


def test_the_command_prints_json_and_stores_it(course, started, tmp_path, capsys):
    path = submit(tmp_path, double=RIGHT)
    out = tmp_path / "grades.json"
    assert run(course, "grade", path, "--json", "-o", out) == 0
    data = json.loads(capsys.readouterr().out)
    assert data == json.loads(out.read_text())
    double = next(e for e in data["files"][0]["exercises"] if e["id"] == "04_double")
    assert (double["verdict"], double["points"], double["score"]) == ("ac", 2.0, 1.0)


def test_official_grading_refuses_no_sandbox(course, started, tmp_path, capsys):
    path = submit(tmp_path, double=RIGHT)
    assert run(course, "grade", path, "--level", "none") == 2
    assert "--accept-no-sandbox" in capsys.readouterr().err
    assert run(course, "grade", path, "--level", "none", "--accept-no-sandbox") == 0


def test_a_machine_without_a_sandbox_grades_nothing(course, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "open", lambda level=None: FakeSandbox(level="none"))
    assert run(course, "grade", submit(tmp_path, double=RIGHT)) == 3
    assert "has no sandbox but level none" in capsys.readouterr().err


def test_an_unreadable_file_is_exit_code_one(course, started, tmp_path, capsys):
    (tmp_path / "b.ipynb").write_text("nonsense")
    assert run(course, "grade", tmp_path / "b.ipynb", submit(tmp_path, double=RIGHT)) == 1
    text = capsys.readouterr().out
    assert "is not a notebook" in text
    assert "fix:" in text


def test_a_student_who_handed_in_something_else_is_named(course, started, tmp_path, capsys):
    for name in ("ann", "ben", "cai"):
        (tmp_path / name).mkdir()
    submit(tmp_path / "ann", "exercises.ipynb", double=RIGHT)
    submit(tmp_path / "ben", "exercises.ipynb", double=RIGHT)
    (tmp_path / "cai" / "cai.pdf").write_bytes(b"%PDF")
    assert run(course, "grade", tmp_path / "ann", tmp_path / "ben", tmp_path / "cai") == 1
    text = capsys.readouterr().out
    assert text.count("ann/exercises.ipynb") == text.count("ben/exercises.ipynb") == 1
    assert "cai/cai.pdf" in text
    assert f"{tmp_path / 'cai'} is a folder without" in text
    assert run(course, "grade", tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["passed_over"] == [str(tmp_path / "cai/cai.pdf")]


@pytest.mark.parametrize("option", [("--seed", "-5"), ("--jobs", "0"), ("--seed", "x")])
def test_a_senseless_number_is_refused_before_anything_runs(course, tmp_path, capsys, option):
    path = submit(tmp_path, double=RIGHT)
    with pytest.raises(SystemExit) as ended:
        run(course, "grade", path, *option)
    assert ended.value.code == 2
    assert "is not a whole number" in capsys.readouterr().err


def test_grades_are_shown_even_where_they_cannot_be_stored(course, started, tmp_path, capsys):
    path = submit(tmp_path, double=RIGHT)
    (tmp_path / "file").write_text("")
    assert run(course, "grade", path, "--json", "-o", tmp_path / "file" / "grades.json") == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["summary"]["accepted"] == 1
    assert "fix:" in shown.err


def test_a_mistake_in_the_judge_ends_one_answer_and_not_the_batch(exercises, tmp_path, monkeypatch):
    def judge(*arguments):
        raise ZeroDivisionError("judge")

    monkeypatch.setattr(grader, "judge", judge)
    (one,) = grader.grade_files([submit(tmp_path, double=RIGHT)], exercises, FakeSandbox())
    double = next(grade for grade in one.grades if grade.exercise == "04_double")
    assert (double.verdict, double.score) == (Verdict.BROKEN, None)
    assert "ZeroDivisionError" in double.message


def test_a_script_without_marker_is_graded_as_the_exercise_named(course, started, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(RIGHT)
    assert run(course, "grade", path, "--exercise", "04_double") == 0
    assert "✔ 1 accepted" in capsys.readouterr().out
    assert run(course, "grade", path, "--exercise", "04_nothing") == 2
    assert "use one of" in capsys.readouterr().err


def test_check_runs_the_visible_cases_only(course, started, tmp_path, capsys):
    assert run(course, "check", submit(tmp_path, double=RIGHT)) == 1  # two exercises are missing
    text = capsys.readouterr().out
    assert "✔ a number" in text
    assert "a large number" not in text
    path = tmp_path / "mine.py"
    path.write_text("def double(x):\n    return x")
    assert run(course, "check", path, "--exercise", "04_double") == 1
    assert "✘ a number" in capsys.readouterr().out


def test_list_and_student_and_expect(course, started, tmp_path, capsys):
    assert run(course, "exercise", "list") == 0
    assert "04_essay" in capsys.readouterr().out
    out = tmp_path / "students.ipynb"
    assert run(course, "exercise", "student", "04", "-o", out) == 2
    assert "exercise expect 04_classify" in capsys.readouterr().err
    assert run(course, "exercise", "expect") == 0
    assert run(course, "exercise", "student", "04", "-o", out) == 0
    nbformat.validate(nbformat.read(out, 4))
    assert student.file_name("04_shapes") == "04_shapes_exercises.ipynb"


def test_no_file_and_no_traceback(course):
    command = [sys.executable, "-m", "chapterhouse.cli", "--course", str(course), "grade"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 2
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr
