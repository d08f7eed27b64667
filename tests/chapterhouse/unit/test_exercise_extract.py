"""Answers are found again whatever happened to the cells, and every repair is told."""

import pytest

from chapterhouse.exercise.cells import Cell
from chapterhouse.exercise.extract import Wanted, extract
from chapterhouse.exercise.source import drop_magics, names, same_code, statements

STARTER = "import math\n\n\ndef area(r):\n    raise NotImplementedError('area: write this part')\n"
OTHER = "def double(x):\n    raise NotImplementedError('double: write this part')\n"
ANSWER = "import math\n\n\ndef area(r):\n    return math.pi * r**2\n"
CATALOGUE = [
    Wanted("04_area", "04_shapes", names=("area",), starter=STARTER),
    Wanted("04_double", "04_shapes", names=("double",), starter=OTHER),
    Wanted("05_triple", "05_more", names=("triple",), starter="def triple(x):\n    ...\n"),
    Wanted("05_essay", "05_more", kind="manual"),
]
SETUP = "# setup: chapterhouse\n# chapter: 04_shapes\nfrom chapterhouse.exercise import check"


def code(*sources):
    return [Cell(i, "code", source) for i, source in enumerate(sources, 1)]


def run(source, name="area", argument=2.0):
    namespace = {}
    exec(source, namespace)
    return namespace[name](argument)


def find(cells, exercise="04_area", only=None):
    answers = {answer.exercise: answer for answer in extract(cells, CATALOGUE, only=only)}
    return answers[exercise]


def mark(text, exercise="04_area"):
    return f"# exercise: {exercise}\n{text}"


def test_an_untouched_notebook_has_no_answers_and_needs_no_repair():
    cells = code(SETUP, mark(STARTER), "# check: 04_area\ncheck()", mark(OTHER, "04_double"))
    answers = extract(cells, CATALOGUE)
    assert [(a.exercise, a.source, a.repairs) for a in answers] == [
        ("04_area", None, ()),
        ("04_double", None, ()),
    ]


def test_an_answer_is_taken_as_it_stands():
    answer = find(code(SETUP, mark(ANSWER), "# check: 04_area\ncheck('04_area', globals())"))
    assert answer.source == mark(ANSWER)
    assert (answer.repairs, answer.offset) == ((), 0)


@pytest.mark.parametrize(
    "marker", ["#exercise:04_area", "  #  Exercise :  04_area  ", "## EXERCISE: 04_area"]
)
def test_a_marker_may_be_spaced_otherwise(marker):
    assert find(code(f"{marker}\n{ANSWER}")).source is not None


def repaired(cells, *words, exercise="04_area"):
    """The answer is found, is right, and its note says what was done."""
    answer = find(cells, exercise)
    assert answer.source is not None
    if exercise == "04_area":
        assert run(answer.source) == pytest.approx(12.566, abs=1e-3)
    notes = " | ".join(answer.repairs)
    for word in words:
        assert word in notes
    return answer


def test_a_deleted_marker():
    repaired(code(SETUP, ANSWER), "its marker is gone", "cell 2", "'area'")


def test_a_deleted_marker_in_a_notebook_without_any():
    repaired(code("x = 1", ANSWER), "its marker is gone")


def test_the_starter_left_alone_and_the_answer_below():
    repaired(code(SETUP, mark(STARTER), ANSWER), "the marked cell holds no answer", "cell 3")


def test_an_empty_marked_cell_and_the_answer_elsewhere():
    repaired(code(SETUP, mark(""), ANSWER), "the marked cell holds no answer")


def test_duplicated_cells_that_are_equal():
    repaired(code(mark(ANSWER), mark(ANSWER)), "cells 1, 2 all carry its marker", "count as one")


def test_a_copy_of_the_starter_does_not_win():
    repaired(code(mark(ANSWER), mark(STARTER)), "all carry its marker")


def test_of_two_answers_the_last_one_counts():
    wrong = ANSWER.replace("r**2", "r")
    repaired(code(mark(wrong), mark(ANSWER)), "the last different one is graded")


def test_of_two_answers_a_torso_does_not_win():
    repaired(code(mark(ANSWER), mark("area_of_one = 3.14")), "all carry its marker")


def test_a_function_split_in_its_middle():
    cells = code(
        mark("import math\ndef area(r):\n    square = r**2"), "    return math.pi * square"
    )
    repaired(cells, "cell 2 was joined to it")


def test_a_function_split_before_its_body():
    repaired(
        code(mark("import math\ndef area(r):"), "    return math.pi * r**2"), "cell 2 was joined"
    )


def test_an_answer_split_into_a_helper_and_the_rest():
    cells = code(
        mark("import math\n"),
        "def square(x):\n    return x**2",
        ANSWER.replace("r**2", "square(r)"),
    )
    repaired(cells, "'area' was taken from cell 3", "'square' was taken from cell 2")


def test_helpers_and_imports_in_other_cells_even_far_above():
    cells = code(
        "import math\nimport nosuchmodule\nPOWER = 2\nprint(undefined_name)",
        SETUP,
        mark("def area(r):\n    return math.pi * square(r)"),
        "# check: 04_area\ncheck('04_area', globals())",
        "def square(x):\n    return x**POWER",
    )
    answer = repaired(cells, "'math'", "'square'", "'POWER'")
    assert "nosuchmodule" not in answer.source
    assert "undefined_name" not in answer.source


def test_line_numbers_are_those_of_the_own_cell():
    cells = code(
        "import math",
        "def square(x):\n    return x**2",
        mark("def area(r):\n    return math.pi * square(r)"),
    )
    answer = repaired(cells)
    lines = answer.source.splitlines()
    assert lines[answer.offset] == "# exercise: 04_area"


def test_re_ordered_cells():
    cells = code("# check: 04_area\ncheck()", mark(OTHER, "04_double"), mark(ANSWER), SETUP)
    assert repaired(cells).repairs == ()


def test_merged_cells():
    both = mark(ANSWER) + "\n" + mark("def double(x):\n    return 2 * x", "04_double")
    assert repaired(code(both)).repairs == ()
    assert run(find(code(both), "04_double").source, "double", 4) == 8


def test_an_answer_merged_with_its_check():
    merged = mark(ANSWER) + "\n# check: 04_area\ncheck('04_area', globals())"
    assert "globals" not in repaired(code(merged)).source


@pytest.mark.parametrize("wrap", ["{}", "```python\n{}\n```", "Here it is:\n\n```\n{}\n```\n"])
def test_a_code_cell_turned_into_text(wrap):
    text = "# exercise: 04_area\n" + wrap.format(ANSWER)
    if wrap.startswith("Here"):
        text = wrap.format("# exercise: 04_area\n" + ANSWER)
    answer = find([Cell(1, "text", text)])
    assert run(answer.source) == pytest.approx(12.566, abs=1e-3)
    assert "text cell" in answer.repairs[0]


@pytest.mark.parametrize("spelt", ["4_area", "04-area", "04_areas", "04_Area"])
def test_a_misspelt_marker(spelt):
    repaired(code(f"# exercise: {spelt}\n{ANSWER}"), f"says {spelt!r}; it was read as '04_area'")


def test_magics_are_dropped_with_a_note():
    text = mark("!pip install torch\n%matplotlib inline\n" + ANSWER + "\nfiles = !ls\narea?")
    answer = repaired(
        code(text), "'!pip install torch'", "'%matplotlib inline'", "'files = !ls'", "'area?'"
    )
    assert answer.source.count("\n") == text.count("\n")


def test_a_cell_magic_goes_and_its_python_stays():
    repaired(code("%%time\n" + mark(ANSWER)), "'%%time'")


def test_every_exercise_of_a_chapter_is_reported_missing_or_not():
    answers = extract(code(mark(ANSWER)), CATALOGUE)
    assert [answer.exercise for answer in answers] == ["04_area", "04_double"]


def test_without_markers_and_names_there_is_nothing():
    assert extract(code("x = 1"), CATALOGUE) == []


def test_a_name_that_two_exercises_ask_for_decides_nothing():
    twice = [*CATALOGUE, Wanted("06_area", "06_again", names=("area",), starter=STARTER)]
    assert extract(code(ANSWER), twice) == []
    assert [a.exercise for a in extract(code(ANSWER), twice, only="06_area")] == ["06_area"]


def test_only_takes_a_whole_script():
    answer = find(code("def area(r):\n    return 1"), only="04_area")
    assert answer.source == "def area(r):\n    return 1"


def test_manual_text_is_kept_in_order():
    cells = [
        Cell(1, "text", "<!-- exercise: 05_essay -->\nFirst."),
        Cell(2, "text", "<!-- exercise: 05_essay -->\n\nSecond."),
    ]
    answer = find(cells, "05_essay")
    assert answer.source == "First.\n\nSecond."
    assert "all of them are kept" in answer.repairs[0]


def test_an_answer_that_is_not_python_is_kept_for_the_grader_to_name():
    broken = mark("def area(r:\n    return 1")
    assert find(code(broken)).source == broken


@pytest.mark.parametrize(
    "source",
    [
        "(" * 5000,
        "-" * 100_000 + "1",
        "\0",
        "def f(:\n",
        "x = " + "[" * 300,
        "a+" * 50_000 + "a",
        "é" * 10,
    ],
)
def test_no_text_breaks_the_reading_of_names(source):
    names(source)
    statements(source)
    drop_magics(source)


def test_names_see_globals_inside_functions_only():
    found = names(
        "import a\ndef f(x, k=c):\n    y = x + b\n    def g(): return y + d\n    return g"
    )
    assert found.defined == {"a", "f"}
    assert found.needed == {"b", "c", "d"}


def test_a_magic_inside_a_string_stays():
    text = 'x = """\n%matplotlib\n"""'
    assert drop_magics(text) == (text, ())


def test_same_code_ignores_comments_and_blank_lines():
    assert same_code("# a\n\nx = 1  \n", "x = 1")
    assert not same_code("x = 1", "x = 2")


def test_a_renamed_function_is_told_by_name():
    answer = find(code(mark(ANSWER.replace("def area", "def my_area"))))
    (note,) = answer.repairs
    assert "does not define 'area', and defines my_area" in note


def test_code_that_does_not_parse_gets_no_note_on_its_names():
    assert find(code(mark("def my_area(r)\n    return r"))).repairs == ()
