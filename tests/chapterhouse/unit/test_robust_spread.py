"""The rule for claims: distributions, distances from limits, and what holds anywhere."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from chapterhouse.run.robust import spread as rule

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
samples = st.lists(numbers, min_size=1, max_size=40)


def above(number: float) -> list[dict]:
    return [{"sign": ">", "number": number, "within": 0}]


def below(number: float) -> list[dict]:
    return [{"sign": "<", "number": number, "within": 0}]


def near(number: float, within: float) -> list[dict]:
    return [{"sign": "≈", "number": number, "within": within}]


def exactly(number: float) -> list[dict]:
    return [{"sign": "=", "number": number, "within": 0}]


@given(samples)
@example([1.7e308, -1.7e308, 1.7e308])
@example([5e-324, 0.0])
def test_a_distribution_is_that_of_the_standard_library(values) -> None:
    over = rule.spread(values)
    assert over is not None
    assert (over.n, over.min, over.max) == (len(values), min(values), max(values))
    assert over.min <= over.mean <= over.max
    if max(map(abs, values)) < 1e150:
        scale = max(map(abs, values)) or 1.0
        assert over.mean == pytest.approx(statistics.fmean(values), abs=1e-12 * scale)
        assert over.median == pytest.approx(statistics.median(values), abs=1e-12 * scale)
        if len(values) > 1:
            assert over.sd == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-9 * scale)


def test_of_no_number_there_is_no_distribution_and_of_one_no_deviation() -> None:
    assert rule.spread([]) is None
    one = rule.spread([2.0])
    assert one is not None
    assert one.sd is None
    assert rule.distance_sd(above(0), one) is None
    assert not rule.holds(above(0), [2.0], held=1, runs=1), "one run says nothing of a spread"


@given(samples, numbers, st.floats(min_value=1e-3, max_value=1e3))
def test_distances_do_not_depend_on_the_unit(values, limit, unit) -> None:
    over = rule.spread(values)
    assume(over is not None and over.sd is not None and over.width > 1e-3 * (abs(limit) + 1))
    assume(over.width > 1e-3 * max(map(abs, values)))
    scaled = rule.spread([value * unit for value in values])
    for distance in (rule.distance_sd, rule.distance_range):
        before, after = distance(above(limit), over), distance(above(limit * unit), scaled)
        assert after == pytest.approx(before, rel=1e-3, abs=1e-3)


@given(samples, numbers)
def test_a_limit_below_is_the_mirror_of_a_limit_above(values, limit) -> None:
    mirrored = [-value for value in values]
    held = sum(value > limit for value in values)
    runs = len(values)
    assert rule.holds(above(limit), values, held=held, runs=runs) == rule.holds(
        below(-limit), mirrored, held=held, runs=runs
    )


@given(samples, numbers, numbers)
def test_a_wider_limit_holds_where_a_narrower_one_does(values, one, other) -> None:
    low, high = sorted((one, other))
    runs = len(values)

    def holds(limit: float) -> bool:
        held = sum(value > limit for value in values)
        return rule.holds(above(limit), values, held=held, runs=runs)

    assert holds(low) or not holds(high)


@given(samples, numbers)
def test_what_failed_once_does_not_hold(values, limit) -> None:
    assert not rule.holds(above(limit), values, held=len(values) - 1, runs=len(values))


def test_three_standard_deviations_are_enough_and_less_is_not() -> None:
    values = [-1.0, 0.0, 1.0]  # mean 0, sd 1, symmetric
    assert rule.holds(above(-3.0), values, held=3, runs=3)
    assert not rule.holds(above(-2.99), values, held=3, runs=3)


def test_both_ends_of_an_interval_count() -> None:
    values = [-1.0, 0.0, 1.0]
    assert rule.holds(near(0, 3.0), values, held=3, runs=3)
    assert not rule.holds(near(0.5, 3.0), values, held=3, runs=3)
    between = [*above(-5.0), *below(2.5)]
    over = rule.spread(values)
    assert over is not None
    assert rule.distance_sd(between, over) == pytest.approx(2.5)
    assert rule.distance_range(between, over) == pytest.approx(0.75)


def test_of_a_skewed_distribution_the_long_tail_may_lie_on_the_safe_side() -> None:
    values = [1.0] * 8 + [11.0] * 2  # mean 3, sd 4.2, range 10
    over = rule.spread(values)
    assert over is not None
    assert over.skewness > rule.SKEWED
    far, close = above(1.0 - 5.0), above(1.0 - 4.9)
    assert rule.distance_sd(far, over) < rule.LEAST_SD
    assert rule.holds(far, values, held=10, runs=10)
    assert not rule.holds(close, values, held=10, runs=10)


def test_without_skewness_the_range_does_not_excuse() -> None:
    values = [0.0, 10.0]  # two heaps: mean 5, sd 7.07
    assert rule.distance_range(above(-6.0), rule.spread(values)) == pytest.approx(0.6)
    assert not rule.holds(above(-6.0), values, held=2, runs=2)


@pytest.mark.parametrize(
    ("limits", "values", "kind"),
    [
        ([], [], ("exact", rule.YES_OR_NO)),
        ([], [1.0, 2.0], ("exact", rule.YES_OR_NO)),
        (exactly(0), [0.0, 0.0], ("exact", rule.EQUALITY)),
        (exactly(0), [0.0, 1.0], ("exact", rule.EQUALITY)),
        (above(1), [2.0, 2.0], ("exact", rule.SAME)),
        (above(1), [2.0], ("statistical", "")),
        (above(1), [2.0, 3.0], ("statistical", "")),
        (near(0, 1e-6), [0.0, 1e-8], ("statistical", "")),
    ],
)
def test_exact_claims_are_told_from_statistical_ones(limits, values, kind) -> None:
    assert rule.kind(limits, values) == kind


def test_an_exact_claim_holds_if_it_held_in_every_run() -> None:
    assert rule.holds([], [], held=4, runs=4)
    assert not rule.holds([], [], held=3, runs=4)
    assert rule.holds(above(1), [1.5] * 4, held=4, runs=4)
    assert not rule.holds([], [], held=0, runs=0), "without runs nothing is known"


def test_a_claim_that_holds_by_construction_may_lie_near_its_limit() -> None:
    values = [0.5001, 0.52, 0.6]
    assert not rule.holds(above(0.5), values, held=3, runs=3)
    assert rule.holds(above(0.5), values, held=3, runs=3, certain=True)
    assert not rule.holds(above(0.5), values, held=2, runs=3, certain=True)


def test_limits_leave_an_interval() -> None:
    assert rule.allowed([]) == (-math.inf, math.inf)
    assert rule.allowed([*above(1), *below(2)]) == (1, 2)
    assert rule.allowed(near(1, 0.5)) == (0.5, 1.5)
    assert rule.allowed(exactly(3)) == (3, 3)
