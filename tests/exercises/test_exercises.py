"""Every exercise of the course is fit to grade with: each named submission gets its verdict."""

import json
from pathlib import Path

import nbformat
import pytest

from chapterhouse.course import Course
from chapterhouse.exercise import load, prompt, student
from chapterhouse.exercise.cells import parse
from chapterhouse.exercise.extract import extract
from chapterhouse.grade import sandbox
from chapterhouse.grade.grader import Grader
from chapterhouse.grade.verify import submission_fault, verify

COURSE = Course.find(Path(__file__).parent)
FOLDERS = COURSE.exercise_paths()
CHAPTERS = sorted({load(folder).chapter for folder in FOLDERS})
# These run until a limit ends them.
SLOW = ("tle_", "mle_", "ole_")


def submissions():
    found = []
    for folder in FOLDERS:
        for path in sorted((folder / "submissions").glob("*.py")):
            marks = [pytest.mark.slow] if path.name.startswith(SLOW) else []
            identity = f"{folder.name}/{path.stem}"
            found.append(pytest.param(folder, path, id=identity, marks=marks))
    return found


@pytest.fixture(scope="module")
def place():
    with sandbox.open() as place:
        yield place


def test_there_are_exercises():
    assert FOLDERS


@pytest.mark.parametrize(("folder", "path"), submissions())
def test_a_named_submission_gets_its_verdict(folder, path, place):
    exercise = load(folder)
    assert submission_fault(exercise, path, Grader([exercise], place)) is None


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_claims_hold_and_no_mutant_survives(folder, place):
    findings = verify(load(folder), place, submissions=False)
    assert [finding for finding in findings if finding.fault is not None] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_prompt_names_what_to_write(folder):
    exercise = load(folder)
    text = prompt.plain(exercise.prompt, name=folder.name)
    for name in exercise.names:
        assert name in text, f"the prompt does not mention {name}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_starter_says_what_to_write_and_does_not_tell(folder):
    exercise = load(folder)
    compile(exercise.starter, "starter", "exec")
    assert "SOLUTION" not in exercise.starter
    assert exercise.starter != exercise.solution


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_student_notebook_is_whole_and_keeps_the_secrets(chapter):
    notebook = student.build(COURSE, chapter)
    nbformat.validate(notebook)
    text = json.dumps(notebook)
    exercises = [load(folder) for folder in FOLDERS if load(folder).chapter == chapter]
    for exercise in exercises:
        for case in exercise.cases(0):
            if not case.visible:
                assert json.dumps(case.message)[1:-1] not in text
    cells = parse(nbformat.writes(notebook).encode(), name="handed_in.ipynb")
    answers = extract(cells, [student.wanted(exercise) for exercise in exercises])
    automatic = {exercise.id for exercise in exercises if exercise.kind == "auto"}
    assert {answer.exercise for answer in answers if answer.source is None} == automatic
