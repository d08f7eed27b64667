"""An exercise's folder: what is read, and that each mistake in it names its place and its fix."""

import pytest

from chapterhouse.errors import ExerciseError
from chapterhouse.exercise import folder, frontmatter

MATTER = """\
---
id: 04_double
chapter: 04_under_the_hood
title: Twice as much
points: 2
difficulty: 1
limits:
  cpu_s: 2
  memory_bytes: 500_000_000
imports: [math, torch]
---
Write `double(x)`.
"""
SOLUTION = """\
def double(x):
    # BEGIN SOLUTION
    return 2 * x
    # END SOLUTION
"""
CASES = """\
from chapterhouse.exercise import Case


def cases(rng):
    x = float(rng.normal())
    yield Case("a number", "double", args=(x,), visible=True)
"""


@pytest.fixture
def make(tmp_path):
    def write(matter=MATTER, solution=SOLUTION, cases=CASES, name="04_double"):
        path = tmp_path / name
        path.mkdir()
        for file, text in (("exercise.md", matter), ("solution.py", solution), ("cases.py", cases)):
            (path / file).write_text(text)
        return path

    return write


def test_everything_is_read(make):
    exercise = folder.load(make())
    assert (exercise.id, exercise.points, exercise.difficulty) == ("04_double", 2.0, 1)
    assert exercise.imports == ("math", "torch")
    assert dict(exercise.limits) == {"cpu_s": 2.0, "memory_bytes": 500_000_000}
    assert exercise.names == ("double",)
    assert 'raise NotImplementedError("double: write this part")' in exercise.starter
    assert "2 * x" not in exercise.starter
    assert exercise.prompt == "Write `double(x)`.\n"


def test_the_seed_decides_the_inputs(make):
    exercise = folder.load(make())
    assert exercise.cases(1)[0].args == exercise.cases(1)[0].args
    assert exercise.cases(1)[0].args != exercise.cases(2)[0].args


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("points: 2", "points: many", "exercise.md:5 `points`: 'many' is not a number above 0"),
        ("points: 2", "points: 0", "`points`: 0 is not a number above 0"),
        ("points: 2", "points: true", "`points`: True is not a number"),
        ("points: 2\n", "", "exercise.md:1 has no `points`"),
        ("difficulty: 1", "difficulty: 4", "exercise.md:6 `difficulty`: 4 is not 1, 2 or 3"),
        ("id: 04_double", "id: 04_other", "is not the folder's name '04_double'"),
        ("id: 04_double", "id: double", "must look like 04_sgd_step"),
        ("chapter: 04_u", "chapter: 05_u", "has another number than the id"),
        ("title: Twice as much", "title: 7", "`title`: is not text"),
        ("points: 2", "points: 2\nweight: 3", "exercise.md:6 `weight`: unknown setting"),
        ("points: 2", "points: 2\npoints: 3", "exercise.md:6 sets 'points' again; line 5 already"),
        ("  cpu_s: 2", "  cpu: 2", "exercise.md:8 `limits.cpu`: unknown limit"),
        ("  cpu_s: 2", "  cpu_s: -1", "`limits.cpu_s`: -1 is not a number above 0"),
        ("limits:\n", "limits: 3\n", "is indented but belongs to no table"),
        ("imports: [math, torch]", "imports: math", "is not a list"),
        ("imports: [math, torch]", "imports: [math", "opens a list that is not closed"),
        ("title: Twice as much", "title: 'Twice", "opens a quote that is not closed"),
        ("title: Twice as much", "title Twice", "is not `key: value`"),
        ("---\nid", "id", "does not start with front matter"),
        ("]\n---\n", "]\n", "opens front matter that is never closed"),
        ("Write `double(x)`.\n", "", "has no prompt"),
        ("Write `double(x)`.", "See {nosuchrole}`x`.", "nosuchrole"),
        ("Write `double(x)`.", "![a](picture.png)", "shows the image"),
        ("points: 2", "points: 2\nmutants: 99", "`mutants`: 99 is not a whole number up to 24"),
        ("points: 2", "points: 2\nkind: essay", "'essay' is not auto or manual"),
    ],
)
def test_front_matter_mistakes_name_their_line(make, old, new, words):
    assert old in MATTER
    with pytest.raises(ExerciseError) as caught:
        folder.load(make(MATTER.replace(old, new, 1)))
    assert words in str(caught.value)
    assert "fix:" in str(caught.value)


@pytest.mark.parametrize(
    ("solution", "words"),
    [
        ("def double(x):\n    return 2 * x\n", "has no solution region"),
        (SOLUTION.replace("    # END SOLUTION\n", ""), ":2 opens a solution region that is never"),
        (SOLUTION.replace("    # BEGIN SOLUTION\n", ""), "closes a solution region that was not"),
        (
            SOLUTION.replace("    return", "    # BEGIN SOLUTION\n    return"),
            "inside that of line 2",
        ),
        (
            "def double(x):\n# BEGIN SOLUTION\n    return 2 * x\n# END SOLUTION\n",
            "the starter made from it is not valid Python",
        ),
    ],
)
def test_solution_mistakes(make, solution, words):
    with pytest.raises(ExerciseError) as caught:
        _ = folder.load(make(solution=solution)).starter
    assert words in str(caught.value)


def test_a_stated_replacement_stands_in_the_starter(make):
    solution = SOLUTION.replace("    return", "    # STARTER: return x  # mend this\n    return")
    assert (
        folder.load(make(solution=solution)).starter
        == "def double(x):\n    return x  # mend this\n"
    )


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        ("def cases(rng):\n    return\n    yield\n", "yields no case"),
        ("def cases(rng):\n    yield 3\n", "yields a int, not a Case"),
        ("def other(rng): ...\n", "has no function `cases`"),
        ("import nosuchmodule\n", "cannot be imported: ModuleNotFoundError"),
        ("def cases(rng):\n    yield 1 / 0\n", "failed with ZeroDivisionError"),
        (CASES.replace('"double", args', '"triple", args'), "which the starter does not define"),
        (CASES.replace(", visible=True", ""), "is hidden and has no message"),
        (CASES.replace(", visible=True", ', message="m"'), "has no visible case"),
        (CASES.replace(", visible", ", points=0, visible"), "is worth nothing"),
        (CASES + CASES.splitlines()[-1] + "\n", "has a name that is empty or taken"),
        (
            CASES.replace("import Case", "import Case, satisfies").replace(
                ", visible", ", check=satisfies(lambda v, x: True), visible"
            ),
            "which the notebook cannot carry",
        ),
    ],
)
def test_case_mistakes(make, cases, words):
    exercise = folder.load(make(cases=cases))
    with pytest.raises(ExerciseError) as caught:
        exercise.cases(0)
    assert words in str(caught.value)


def test_a_manual_exercise_is_its_prompt_alone(tmp_path):
    path = tmp_path / "04_double"
    path.mkdir()
    (path / "exercise.md").write_text(MATTER.replace("points: 2", "points: 2\nkind: manual"))
    exercise = folder.load(path)
    assert exercise.cases(0) == ()
    assert (exercise.starter, exercise.names) == ("", ())


def test_missing_files_are_named(make):
    path = make()
    (path / "solution.py").unlink()
    (path / "cases.py").unlink()
    exercise = folder.load(path)
    with pytest.raises(ExerciseError, match=r"solution\.py does not exist"):
        _ = exercise.starter
    with pytest.raises(ExerciseError, match=r"cases\.py does not exist"):
        exercise.cases(0)


def test_front_matter_values():
    matter = frontmatter.parse(
        "---\na: 1\nb: 1.5\nc: '1'\nd: []\ne: 04\n# note\nf: [x, 2]\ng: true\n---\nBody\n", name="x"
    )
    assert matter.values == {
        "a": 1, "b": 1.5, "c": "1", "d": [], "e": "04", "f": ["x", 2], "g": True,
    }  # fmt: skip
    assert matter.lines["f"] == 8
