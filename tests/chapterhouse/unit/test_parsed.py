"""What cannot be parsed is a SyntaxError in every version of Python, wherever text is read."""

import ast
import warnings

import nbformat
import pytest

from chapterhouse import notebook as nb
from chapterhouse.errors import ExerciseError, NotebookError
from chapterhouse.exercise.source import names, statements
from chapterhouse.exercise.starter import make
from chapterhouse.grade.fake import FakeSandbox
from chapterhouse.grade.protocol import Job, Status
from chapterhouse.parsed import parse
from chapterhouse.site.measured import bare, margins
from chapterhouse.site.typed import _literals

# A NUL is a ValueError before Python 3.11.4; depth is a MemoryError, a RecursionError or both.
UNREADABLE = {
    "nul": "x = 1\0",
    "unclosed": "x = (",
    "magic": "%matplotlib inline",
    "deep": "(" * 50_000,
    "operators": "-" * 100_000 + "1",
    "surrogate": "x = '\ud800'",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_python_is_a_syntax_error(text):
    with pytest.raises(SyntaxError) as caught:
        parse(text)
    assert caught.value.msg
    assert "\n" not in caught.value.msg


def test_a_tree_is_what_ast_makes_of_it_and_nothing_is_warned_of():
    text = "x = '\\d'\nif x is 1: pass\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = parse(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ast.dump(tree) == ast.dump(ast.parse(text))


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_everybody_who_reads_source_can_be_given_any_text(text):
    assert statements(text) == ()
    assert names(text).defined == frozenset()
    assert bare.bare([text]) == []
    assert margins.limits(text) == {}
    assert all(isinstance(number, float) for number in _literals(text))


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_the_parameters_cell_is_named_when_it_cannot_be_read(text):
    cell = nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})
    cell.source = text
    notebook = nbformat.v4.new_notebook(cells=[cell])
    with pytest.raises(NotebookError, match="parameters cell is not Python: "):
        nb.parameters(notebook, name="chapter")


def test_a_starter_that_cannot_be_read_is_refused_in_words():
    solution = "def f():\n    # BEGIN SOLUTION\n    return 1\n    # END SOLUTION\nx = '\0'\n"
    with pytest.raises(ExerciseError, match="not valid Python"):
        make(solution, name="solution.py")


def test_a_submission_with_a_nul_does_not_compile():
    outcome = FakeSandbox().run(Job("x = 1\0", ()))
    assert outcome.status is Status.COMPILE
    assert outcome.failure.type == "SyntaxError"
