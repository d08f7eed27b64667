"""The student's notebook: complete in itself, without answers, and its checks tell the truth."""

import json

import nbformat
import pytest
import torch

from chapterhouse.course import Course
from chapterhouse.errors import ExerciseError
from chapterhouse.exercise import student, visible
from chapterhouse.exercise.cases import Case
from chapterhouse.exercise.cells import parse
from chapterhouse.exercise.checkers import close, satisfies
from chapterhouse.exercise.extract import extract
from chapterhouse.exercise.folder import load_all
from chapterhouse.exercise.local import Check
from chapterhouse.exercise.source import drop_magics
from chapterhouse.install_cell import WheelSource

PROMPT = """\
---
id: 04_double
chapter: 04_shapes
title: Twice as much
points: 1
difficulty: 2
---
Write `double(x)`. It's {term}`easy`.

```{note}
Mind the *sign*.
```
"""
CASES = """\
import torch

from chapterhouse.exercise import Case


def cases(rng):
    x = torch.tensor(rng.normal(size=2), dtype=torch.float32)
    yield Case("it's two numbers", "double", args=(x,), visible=True)
    yield Case("a hidden name", "double", args=(x[:0],), message="Nothing doubled is nothing.")
"""
SOLUTION = """\
def double(x):
    # BEGIN SOLUTION
    return x + x
    # END SOLUTION
"""


@pytest.fixture
def course(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.chapterhouse]\n")
    folder = tmp_path / "exercises" / "04_double"
    folder.mkdir(parents=True)
    (folder / "exercise.md").write_text(PROMPT)
    (folder / "cases.py").write_text(CASES)
    (folder / "solution.py").write_text(SOLUTION)
    course = Course.find(tmp_path)
    cases = load_all(course)[0].cases(visible.SEED)
    expected = [2 * case.args[0] for case in cases]
    (folder / "visible.json").write_text(visible.dumps(cases, expected, name="04_double"))
    essay = tmp_path / "exercises" / "04_essay"
    essay.mkdir()
    (essay / "exercise.md").write_text(
        PROMPT.replace("04_double", "04_essay").replace("points: 1", "points: 1\nkind: manual")
    )
    return course


@pytest.fixture
def notebook(course):
    return student.build(course, "4")


def cell(notebook, identity):
    return next(cell for cell in notebook.cells if cell.id == identity)


def run(notebook, answer, capsys):
    """Run the setup and the check cell, as a kernel would, with an answer; what is printed."""
    namespace = {}
    exec(drop_magics(cell(notebook, "setup").source)[0], namespace)
    exec(answer, namespace)
    capsys.readouterr()
    exec(cell(notebook, "04-double-check").source, namespace)
    return capsys.readouterr().out


def test_it_is_a_valid_notebook_with_its_parts(notebook):
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells] == [
        "introduction", "setup", "04-double-prompt", "04-double-answer", "04-double-check",
        "04-essay-prompt", "04-essay-answer", "hand-in",
    ]  # fmt: skip


def test_it_holds_neither_the_solution_nor_a_hidden_case(notebook):
    text = json.dumps(notebook)
    assert "x + x" not in text
    assert "a hidden name" not in text
    assert "Nothing doubled" not in text


def test_the_prompt_is_plain_markdown(notebook):
    text = cell(notebook, "04-double-prompt").source
    assert "{term}" not in text
    assert "{note}" not in text
    assert "Mind the *sign*" in text
    assert "1 point · difficulty 2 of 3 · imports allowed: " in text
    assert "torch" in text.splitlines()[2]


def test_building_twice_gives_the_same(course, notebook):
    assert student.build(course, "04_shapes") == notebook


def test_the_wheel_and_the_site_are_named(course):
    source = WheelSource("sprat", address="https://a.example/w.whl")
    made = student.build(course, "4", base_url="https://a.example/", wheel=source)
    assert '"SPRAT_WHEEL", "https://a.example/w.whl")' in cell(made, "setup").source
    assert "https://a.example/chapters/04_shapes.html" in cell(made, "introduction").source


def test_a_right_answer_passes_its_check(notebook, capsys):
    out = run(notebook, "def double(x):\n    return 2 * x", capsys)
    assert "✔ it's two numbers" in out
    assert "1 of 1" in out


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("double = lambda x: x", "Largest difference"),
        ("double = lambda x: (2 * x).numpy()", "A numpy array of shape (2,) instead of a tensor"),
        ("double = lambda x: 1 / 0", "raised ZeroDivisionError"),
        ("double = lambda x: x.mul_(2)", "an argument was changed in place"),
        ("other = 1", "double is not defined. Run the cell above"),
        (
            "def double(x):\n    raise NotImplementedError('write this part')",
            "Not written yet: write",
        ),
        ("class Odd:\n    __class__ = property(lambda s: 1/0)\ndouble = lambda x: Odd()", "✘"),
    ],
)
def test_a_wrong_answer_is_told_how_it_differs(notebook, capsys, answer, words):
    out = run(notebook, answer, capsys)
    assert words in out
    assert "0 of 1" in out


def test_a_trained_value_with_a_graph_is_compared_as_data(notebook, capsys):
    out = run(notebook, "def double(x):\n    return 2 * x.requires_grad_()", capsys)
    assert "1 of 1" in out


def test_a_check_without_its_setup_says_what_to_run(capsys):
    Check()("04_double", {})
    assert "Run the first cell" in capsys.readouterr().out


def test_its_own_cells_are_read_back_as_no_answer(course, notebook):
    cells = parse(nbformat.writes(notebook).encode(), name="a.ipynb")
    wanted = [student.wanted(exercise) for exercise in load_all(course)]
    answers = extract(cells, wanted)
    assert answers[0].source is None
    assert answers[0].repairs == ()
    assert answers[1].source == "*Write your answer here. A person will read it.*"


def test_without_visible_json_the_fix_is_named(course):
    (course.exercises / "04_double" / "visible.json").unlink()
    with pytest.raises(ExerciseError, match="exercise expect 04_double"):
        student.build(course, "4")


def test_a_chapter_without_exercises(course):
    with pytest.raises(ExerciseError, match="has no exercises"):
        student.build(course, "9")


VALUES = [
    1, 0.1, float("inf"), True, None, "it's", b"\x00\xff", [1, (2, 3)], {"a": {1: [2]}}, {3, 1},
    torch.tensor([[1.0, -0.0]]), torch.tensor(3), torch.tensor([True]), torch.zeros(0, 2),
    torch.tensor([1.5], dtype=torch.bfloat16), torch.tensor([1, 2]).numpy(),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=[str(i) for i in range(len(VALUES))])
def test_values_survive_the_notebook(value):
    case = Case("a", "f", args=(value,), kwargs={"k": value}, visible=True)
    (again,) = visible.loads(visible.dumps([case], [value], name="x"))
    for copy in (again.args[0], again.kwargs["k"], again.expected):
        assert close(0, 0)(copy, value) is None
        assert type(copy) is type(value)
        assert getattr(copy, "dtype", None) == getattr(value, "dtype", None)


def test_what_cannot_be_carried_is_refused():
    case = Case("a", "f", args=(object(),), visible=True)
    with pytest.raises(ExerciseError, match="which a notebook cannot carry"):
        visible.dumps([case], [1], name="x")
    case = Case("a", "f", args=(torch.zeros(20_000),), visible=True)
    with pytest.raises(ExerciseError, match="make their inputs smaller"):
        visible.dumps([case], [1], name="x")


def test_hidden_cases_are_not_written():
    cases = [Case("a", "f", check=satisfies(lambda v: True), message="m")]
    assert "f" not in visible.dumps(cases, [1], name="x")


@pytest.mark.parametrize("text", ["{}", "3", "[1]", '[{"name": 1}]', "nonsense"])
def test_a_broken_visible_json_names_its_fix(text):
    if text == "{}":
        assert visible.loads(text) == ()
        return
    with pytest.raises(ExerciseError, match="exercise expect"):
        visible.loads(text)


def test_a_name_that_holds_a_value_is_judged_as_the_grader_does(notebook, capsys):
    check = Check()
    case = Case("a number", "best_lr", check=close(), visible=True)
    check.load("04_value", visible.dumps([case], [0.5], name="x"))
    check("04_value", {"best_lr": 0.5})
    check("04_value", {"best_lr": 0.7})
    text = capsys.readouterr().out
    assert "Visible cases that pass: 1 of 1" in text
    assert "0.7 is not the right number" in text.lower()
