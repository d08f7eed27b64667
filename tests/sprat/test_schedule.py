"""Schedules, against torch's own where it has one."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sprat import schedule
from sprat.errors import TrainingError

shares = st.floats(0, 1)


@pytest.mark.parametrize("warmup", [0.1, 0.25, 0.5])
def test_one_cycle_is_torchs(warmup: float) -> None:
    steps = 101
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    # torch counts so that the rise ends one step before `pct_start` of all steps.
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, total_steps=steps, pct_start=(warmup * (steps - 1) + 1) / steps,
        div_factor=25, final_div_factor=1e5 / 25, cycle_momentum=False,
    )  # fmt: skip
    ours = schedule.one_cycle(0.1, warmup=warmup)
    for step in range(steps):
        assert ours(step / (steps - 1)) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_one_cycle_starts_peaks_and_ends_where_it_says() -> None:
    curve = schedule.one_cycle(0.5, warmup=0.25)
    assert curve(0) == pytest.approx(0.5 / 25)
    assert curve(0.25) == pytest.approx(0.5)
    assert curve(1) == pytest.approx(0.5 / 1e5)


@given(shares, st.floats(1e-6, 1), st.floats(1e-6, 1))
def test_curves_stay_between_their_ends(t: float, start: float, end: float) -> None:
    low, high = min(start, end), max(start, end)
    for make in (schedule.linear, schedule.cosine, schedule.exponential):
        assert low * (1 - 1e-9) <= make(start, end)(t) <= high * (1 + 1e-9)


@given(st.floats(1e-6, 1), st.floats(1e-6, 1))
def test_curves_meet_their_ends(start: float, end: float) -> None:
    for make in (schedule.linear, schedule.cosine, schedule.exponential):
        curve = make(start, end)
        assert curve(0.0) == pytest.approx(start)
        assert curve(1.0) == pytest.approx(end)


def test_exponential_has_equal_factors() -> None:
    curve = schedule.exponential(1e-4, 1.0)
    ratios = [curve((i + 1) / 8) / curve(i / 8) for i in range(8)]
    assert max(ratios) == pytest.approx(min(ratios))


def test_join_runs_each_part_over_its_share() -> None:
    curve = schedule.join([(0.5, schedule.constant(1.0)), (0.5, schedule.linear(1.0, 0.0))])
    assert [curve(t) for t in (0.0, 0.4, 0.5, 0.75, 1.0)] == [1.0, 1.0, 1.0, 0.5, 0.0]


def test_shares_that_do_not_sum_to_one() -> None:
    with pytest.raises(TrainingError, match="sum to 1"):
        schedule.join([(0.5, schedule.constant(1.0))])


def test_cosine_is_half_way_in_the_middle() -> None:
    assert schedule.cosine(0.0, 2.0)(0.5) == pytest.approx(1.0)
    assert schedule.cosine(1.0, 0.0)(0.25) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)


def test_a_curve_may_stand_in_several_places() -> None:
    up, hold = schedule.linear(0.0, 1.0), schedule.constant(0.1)
    saw = schedule.join([(0.5, up), (0.5, up)])
    assert [saw(t) for t in (0, 0.25, 0.5, 0.75, 1)] == [0.0, 0.5, 1.0, 0.5, 1.0]
    three = schedule.join([(0.3, hold), (0.4, schedule.linear(0.1, 1.0)), (0.3, hold)])
    assert three(0.5) == pytest.approx(0.55)
    assert three(1.0) == 0.1
