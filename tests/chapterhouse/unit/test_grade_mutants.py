"""Mutants: the changes that are made, and those that are not."""

import ast

from chapterhouse.grade.mutants import mutants

REGION = "    # BEGIN SOLUTION\n{}    # END SOLUTION\n"


def changes(body):
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    source = "def f(x, y):\n" + REGION.format(lines)
    return {mutant.change: mutant.source for mutant in mutants(source, 24)}


def test_each_kind_of_mistake():
    found = changes("x += 1\nreturn -(x @ y.T).sum(0) if x < 3 else x.transpose(0, 1)")
    assert "x -= 1" in found["Add became Sub"]
    assert "x <= 3" in found["Lt became LtE"]
    assert "x @ y)" in found[".T was dropped"]
    assert ".mean(0)" in found["sum became mean"]
    assert "return (x @" in found["a minus or not was dropped"]
    assert "else x" in found[".transpose() was dropped"]
    assert "pass" in found["the line was dropped"]


def test_every_mutant_is_python_and_differs():
    source = "def f(x):\n" + REGION.format("    x = x * 2 + 1\n" * 40) + "    return x\n"
    found = mutants(source, 24)
    assert len(found) == 24
    for mutant in found:
        ast.parse(mutant.source)
        assert mutant.source != ast.unparse(ast.parse(source))
    assert max(mutant.line for mutant in found) > 30


def test_signatures_annotations_and_module_level_stay():
    source = "# BEGIN SOLUTION\nN = 1 + 2\ndef f(x: 'a' = 1 + 1) -> 1 + 1:\n    y: 1 + 1 = x\n"
    assert mutants(source, 24) == []


def test_lines_that_the_student_is_given_stay():
    source = "def f(x):\n    x = x + 1\n" + REGION.format("    x = x * 2\n") + "    return x - 1\n"
    assert {mutant.line for mutant in mutants(source, 24)} == {4}


def test_a_line_may_say_that_a_change_makes_no_difference():
    assert changes("return x + 1  # equivalent: rounding hides it") == {}
    assert changes("return (\n    x\n    + 1\n)  # equivalent: rounding hides it") == {}
