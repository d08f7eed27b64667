"""Plans: parameters from three places, and every wrong one told with its fix."""

from __future__ import annotations

import nbformat
import pytest

from chapterhouse import notebook as nb
from chapterhouse.errors import CourseError, NotebookError, ParameterError
from chapterhouse.run.plan import make_plan, parse_assignments
from chapterhouse.testing import make_course, make_notebook

CELL = 'epochs = 2\nlr = 0.1\nname = "a"\nquick = True\nsizes = [1, 2]\nseed = None'


def plan_for(tmp_path, *, settings=None, parameters=CELL, profile="fast", **assignments):
    notebook = make_notebook(["x = 1"], parameters=parameters, settings=settings)
    course = make_course(tmp_path, {"01_one": notebook})
    return make_plan(course, course.chapter_path("1"), profile=profile, assignments={**assignments})


def test_defaults_stand_without_overrides(tmp_path) -> None:
    plan = plan_for(tmp_path)
    assert plan.overrides == {}
    assert plan.parameters["epochs"] == 2


def test_the_profile_changes_the_cell_and_the_command_line_changes_both(tmp_path) -> None:
    settings = {"profiles": {"full": {"epochs": 30, "lr": 1}}}
    plan = plan_for(tmp_path, settings=settings, profile="full", lr="0.5")
    assert plan.overrides == {"epochs": 30, "lr": 0.5}
    assert plan.parameters["name"] == "a"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "3", 3),
        ("lr", "3", 3.0),
        ("lr", "1e-3", 1e-3),
        ("name", "3", "3"),
        ("name", "two words=yes", "two words=yes"),
        ("quick", "False", False),
        ("sizes", "(3,)", (3,)),
        ("seed", "7", 7),
        ("seed", "tomorrow", "tomorrow"),
    ],
)
def test_a_value_takes_the_type_of_its_default(tmp_path, name, text, value) -> None:
    got = plan_for(tmp_path, **{name: text}).overrides[name]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("epochs", "three"),
        ("epochs", "3.5"),
        ("epochs", "True"),
        ("lr", "'0.1'"),
        ("lr", "True"),
        ("quick", "1"),
        ("sizes", "3"),
        ("epochs", "("),
        ("epochs", "(" * 500),
    ],
)
def test_a_value_of_another_type_is_refused(tmp_path, name, text) -> None:
    with pytest.raises(ParameterError, match=f"parameter {name} of 01_one is") as refused:
        plan_for(tmp_path, **{name: text})
    assert f"-p {name}=" in refused.value.fix


def test_an_unknown_parameter_lists_the_known_ones(tmp_path) -> None:
    with pytest.raises(ParameterError, match="no parameter 'epoch'") as refused:
        plan_for(tmp_path, epoch="3")
    assert "epochs, lr, name, quick, seed, sizes" in str(refused.value)


def test_an_unknown_parameter_in_a_profile_is_the_notebooks_fault(tmp_path) -> None:
    with pytest.raises(NotebookError, match=r"profiles.full .* unknown parameter 'epoch'"):
        plan_for(tmp_path, settings={"profiles": {"full": {"epoch": 3}}}, profile="full")


def test_a_profile_value_of_another_type_is_the_notebooks_fault(tmp_path) -> None:
    with pytest.raises(NotebookError, match="sets epochs to '3'; an int was expected"):
        plan_for(tmp_path, settings={"profiles": {"full": {"epochs": "3"}}}, profile="full")


@pytest.mark.parametrize("text", ["epochs", "=3", "two words=3", "", "1a=3"])
def test_an_assignment_without_a_name_or_a_value_is_refused(text) -> None:
    with pytest.raises(ParameterError, match="is not NAME=VALUE"):
        parse_assignments([text])


def test_an_assignment_keeps_later_equals_signs() -> None:
    assert parse_assignments(["a=b=c", "d="]) == {"a": "b=c", "d": ""}


@pytest.mark.parametrize(
    ("own", "profile", "expected"),
    [
        (90, "fast", 90.0),
        (90, "full", 7200.0),
        ({"full": 9000}, "full", 9000.0),
        ({"full": 9000}, "fast", 120.0),
    ],
)
def test_a_chapter_may_set_its_own_time_limit(tmp_path, own, profile, expected) -> None:
    plan = plan_for(tmp_path, settings={"timeout_s": own}, profile=profile)
    assert plan.limits.timeout_s == expected


@pytest.mark.parametrize("own", [0, -1, "90", True])
def test_a_time_limit_that_is_none_is_refused(tmp_path, own) -> None:
    with pytest.raises(NotebookError, match="timeout_s"):
        plan_for(tmp_path, settings={"timeout_s": own})


def test_an_unknown_profile_lists_the_known_ones(tmp_path) -> None:
    with pytest.raises(CourseError, match="no profile 'slow'") as refused:
        plan_for(tmp_path, profile="slow")
    assert "fast, full" in refused.value.fix


def broken_course(tmp_path, text: str):
    course = make_course(tmp_path, {"01_one": make_notebook([])})
    path = course.chapter_path("1")
    path.write_text(text)
    return course, path


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"nbformat": 4}', '{"cells": []}'])
def test_what_is_no_notebook_is_refused_with_its_path(tmp_path, text) -> None:
    course, path = broken_course(tmp_path, text)
    with pytest.raises(NotebookError, match=r"01_one\.ipynb") as refused:
        make_plan(course, path)
    assert refused.value.fix


def test_a_missing_notebook_is_named(tmp_path) -> None:
    course = make_course(tmp_path, {"01_one": make_notebook([])})
    with pytest.raises(NotebookError, match=r"02_gone\.ipynb does not exist"):
        make_plan(course, course.chapters / "02_gone.ipynb")


def test_stored_outputs_are_refused(tmp_path) -> None:
    notebook = make_notebook(["print(1)"])
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="1\n")]
    course = make_course(tmp_path, {"01_one": notebook})
    with pytest.raises(NotebookError, match="stored with outputs") as refused:
        make_plan(course, course.chapter_path("1"))
    assert "chapterhouse notebook clean" in refused.value.fix


@pytest.mark.parametrize("count", [0, 2])
def test_one_parameters_cell_is_expected(tmp_path, count) -> None:
    notebook = make_notebook(["a = 1"])
    for cell in nb.code_cells(notebook):
        cell.metadata.tags = ["parameters"] if count else []
    course = make_course(tmp_path, {"01_one": notebook})
    with pytest.raises(NotebookError, match="exactly one cell tagged 'parameters'"):
        make_plan(course, course.chapter_path("1"))


@pytest.mark.parametrize("source", ["epochs = f()", "print(1)", "epochs ="])
def test_a_parameters_cell_holds_only_literals(tmp_path, source) -> None:
    with pytest.raises(NotebookError, match="parameters cell is not"):
        plan_for(tmp_path, parameters=source)
