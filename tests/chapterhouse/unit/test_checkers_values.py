"""Each checker, on what is right, on what is wrong, and on what only looks right."""

import json
import math
import time

import numpy as np
import pytest
import torch

from chapterhouse.errors import ExerciseError
from chapterhouse.exercise import (
    accuracy,
    all_of,
    at_least,
    close,
    equal,
    same_set,
    same_shape,
    satisfies,
    sums_to,
    symmetric,
    text,
    within,
)
from chapterhouse.exercise.checkers import from_json

T = torch.tensor
A = np.array


@pytest.mark.parametrize(
    ("checker", "value", "expected"),
    [
        (close(), T([1.0, 2.0]), T([1.0, 2.00001])),
        (close(), T([1.0], dtype=torch.float64), T([1.0])),
        (close(), T([1.0], dtype=torch.bfloat16), T([1.0])),
        (close(), A([math.nan, math.inf]), A([math.nan, math.inf])),
        (close(), math.nan, math.nan),
        (close(), [1.0, (2.0,)], (1.0, [2.0])),
        (close(), 1, 1.0),
        (close(), {"a": T([1.0])}, {"a": T([1.0])}),
        (close(), None, None),
        (close(), T([], dtype=torch.float32), T([], dtype=torch.float32)),
        (close(), 10**400, 10**400),
        (close(), 1 + 1j, 1 + 1j),
        (equal(), T([1, 2]), T([1, 2])),
        (equal(), math.nan, math.nan),
        (equal(), {"a": [1, "b", b"c"]}, {"a": [1, "b", b"c"]}),
        (equal(), {1, 2}, {2, 1}),
        (same_set(), [1, 2, 2], [2, 1, 2]),
        (same_set(), T([3, 1]), T([1, 3])),
        (same_set(), [[1], {"a": 2}], [{"a": 2}, [1]]),
        (text(), " The  Cat\n", "the cat"),
        (within(0, 1), T([0.0, 1.0]), None),
        (sums_to(1, axis=1), T([[0.5, 0.5], [0.1, 0.9]]), None),
        (sums_to(6), [1, 2, 3], None),
        (symmetric(), T([[1.0, 2.0], [2.0, 1.0]]), None),
        (same_shape(), T([[1.0]]), T([[9.0]])),
        (at_least(0.5), T(0.7), None),
        (at_least(0.5, accuracy(T([0, 1, 1]))), T([0, 1, 0]), None),
        (all_of(same_shape(), within(0, 10)), T([1.0]), T([9.0])),
    ],
)
def test_accepts_what_is_right(checker, value, expected):
    assert checker(value, expected) is None


@pytest.mark.parametrize(
    ("checker", "value", "expected", "words"),
    [
        (close(), T([1.0, 2.0, 3.0]), T([[1.0], [2.0], [3.0]]), r"shape (3,) instead of (3, 1)"),
        (close(), T([[1.0, 2.5]]), T([[1.0, 2.0]]), "largest difference 0.5 at [0, 1]"),
        (close(), T([1, 2]), T([1.0, 2.0]), "whole number values instead of floating point"),
        (close(), T([True]), T([1]), "true/false values"),
        (close(), A([1.0]), T([1.0]), "a numpy array of shape (1,) instead of a tensor"),
        (close(), T(1.0), 1.0, "a tensor of shape () instead of a number"),
        (close(), None, T([1.0]), "is a `return` missing?"),
        (close(), True, 1, "True instead of a number"),
        (close(), A([math.nan, 1.0]), A([1.0, 1.0]), "1 of 2 values are NaN, the first at [0]"),
        (close(), A([1.0]), A([math.nan]), "largest difference"),
        (close(), math.nan, 1.0, "nan"),
        (close(), 1.0, math.inf, "1 is not the right number"),
        (close(), math.inf, -math.inf, "inf is not the right number"),
        (close(), [1.0], [1.0, 2.0], "1 elements instead of 2"),
        (close(), [1.0, [2.0, 4.0]], [1.0, [2.0, 3.0]], "at [1][1]"),
        (close(), [T([1.0])], [T([2.0])], "in [0]: largest difference 1"),
        (close(), {"a": 1}, {"b": 1}, "the key 'b' is missing"),
        (close(), {"a": 1, "b": 1}, {"a": 1}, "the key 'b' is too many"),
        (close(), "cat", "dog", "'cat' is not right"),
        (equal(), 1.0, 1, "instead of a whole number"),
        (equal(), T([1.0]), T([1.0000001]), "largest difference 1.192e-07"),
        (equal(), T([1, 3]), T([1, 2]), "1 of 2 values are wrong, the first at [1]"),
        (equal(), A(["a"]), A(["b"]), "1 of 1 values are wrong"),
        (same_set(), [1, 2], [1, 2, 2], "1 of 3 elements are missing"),
        (same_set(), [1, 2, 3], [1, 2], "1 elements too many"),
        (same_set(), [True], [1], "missing"),
        (same_set(), 3, [3], "the number 3 instead of a list of 1"),
        (text(), "cat", "car", "from character 3 on"),
        (text(case=True), "Cat", "cat", "from character 1 on"),
        (text(), 3, "3", "instead of text"),
        (within(0, 1), T([0.5, 1.5]), None, "0 to 1 allowed"),
        (within(0, 1), T([math.nan]), None, "allowed"),
        (within(0, 1), T([]), None, "instead of numbers"),
        (sums_to(1, axis=1), T([[0.5, 0.6]]), None, "a sum is 1.1 instead of 1"),
        (sums_to(1), T([math.nan]), None, "a sum is nan"),
        (sums_to(1, axis=3), T([1.0]), None, "instead of numbers to sum"),
        (symmetric(), T([[1.0, 2.0], [3.0, 1.0]]), None, "largest difference 1"),
        (symmetric(), T([[1.0, 2.0]]), None, "is not square"),
        (same_shape(), T([1.0]), A([1.0]), "a tensor of shape (1,) instead of"),
        (at_least(0.5), math.nan, None, "at least 0.5 needed"),
        (at_least(0.5), "high", None, "instead of a number"),
        (at_least(0.9, accuracy(T([0, 1]))), T([0, 0]), None, "0.5 reached, at least 0.9 needed"),
        (at_least(0.9, accuracy(T([0, 1]))), T([[0], [1]]), None, "shape (2, 1) instead of (2,)"),
        (at_least(0.9, accuracy(T([0, 1]))), [0, 1], None, "should be a tensor"),
        (all_of(same_shape(), within(0, 1)), T([5.0]), T([0.0]), "0 to 1 allowed"),
    ],
)
def test_says_how_it_differs(checker, value, expected, words):
    assert words in checker(value, expected)


def test_nothing_broadcasts():
    assert close()(T([1.0]), T([1.0, 1.0])) is not None
    assert close()(T(1.0), T([1.0])) is not None


def test_a_property_gets_the_arguments_and_may_speak():
    is_double = satisfies(lambda value, x: value == 2 * x)
    assert is_double(4, None, (2,)) is None
    assert is_double(5, None, (2,)) == "the property does not hold"
    assert satisfies(lambda value: "too small")(1, None) == "too small"


def test_a_property_that_meets_a_strange_value_fails_the_value_not_the_grader():
    fault = satisfies(lambda value: value.sum() == 1)(None, None)
    assert "not of the form that the check expects" in fault


@pytest.mark.parametrize(
    "checker",
    [close(1e-3, 0.1), equal(), same_set(), text(case=True), within(0, 1), sums_to(1, axis=0),
     symmetric(), same_shape(), at_least(0.5), all_of(same_shape(), within(0, 1))],
)  # fmt: skip
def test_a_checker_survives_json(checker):
    again = from_json(json.loads(json.dumps(checker.to_json())))
    assert again.to_json() == checker.to_json()
    assert again(T([[0.5]]), T([[0.5]])) == checker(T([[0.5]]), T([[0.5]]))


def test_an_unknown_checker_names_its_fix():
    with pytest.raises(ExerciseError, match="download the notebook again"):
        from_json({"kind": "from_the_future"})


def test_all_of_keeps_functions_with_the_grader():
    assert all_of(close(), satisfies(lambda value: True)).function is not None
    assert all_of(close(), within(0, 1)).function is None


HUGE = 2**1024 - 1  # the largest whole number that can cross; no float holds it


@pytest.mark.parametrize(
    ("checker", "value", "expected"),
    [
        (at_least(0.5), HUGE, None),
        (at_least(0.5), [0.9], None),
        (at_least(0.5, lambda value: value.mean()), 3, None),
        (at_least(0.5, lambda value: T([1.0, 1.0])), 3, None),
        (within(0, 1), [HUGE], None),
        (sums_to(1.0), [HUGE], None),
        (sums_to(1.0), 1 + 0j, None),
        (sums_to(1.0, axis=1), A([]).reshape(0, 3), None),
        (sums_to(1.0), A([1e308, 1e308]), None),
        (close(), HUGE, 1j),
        (close(), A([1e308]), A([-1e308])),
        (same_set(), [{1}], [1]),
        (same_set(), [{(1,): 2}], [1]),
        (same_set(), A([1]), [1]),
        (satisfies(lambda value: value == 1), T([1.0, 1.0]), None),
    ],
)
def test_a_strange_value_is_wrong_and_never_an_exception(checker, value, expected):
    assert isinstance(checker(value, expected), str)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([math.nan, 1.0], [1.0, math.nan]),
        (A([2.0, math.nan]), A([math.nan, 2.0])),
        ([-0.0], [0.0]),
        ([{2, 1}, {"a": [1]}], [{"a": [1]}, {1, 2}]),
    ],
)
def test_same_set_knows_nan_and_nested_elements(value, expected):
    assert same_set()(value, expected) is None


def test_same_set_is_quick_on_numbers_chosen_to_share_a_hash():
    # As keys of a dictionary these take minutes; a stranger may return them.
    numbers = [i * (2**61 - 1) for i in range(1, 50_001)]
    began = time.perf_counter()
    assert same_set()(numbers, [1]) is not None
    assert time.perf_counter() - began < 5
