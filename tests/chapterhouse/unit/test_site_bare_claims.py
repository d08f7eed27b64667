"""Claims that compare a number without telling its limit are found; a yes or no is left alone."""

import pytest

from chapterhouse.site.measured.bare import bare


@pytest.mark.parametrize(
    "condition",
    [
        "accuracy > 0.85",
        "accuracy > other",
        "0.5 < ratio < 1.5",
        "difference == 0",
        "count(net) == 12",
        "count != -1",
        "len(a) + len(b) == total",
        "total == sum(parts)",
        "torch.allclose(a, b)",
        "math.isclose(a, b)",
        "good and accuracy > 0.85",
        "good or not accuracy <= 0.85",
        "all(x > 0 for x in found)",
        "bool((scores >= 0).all())",
        "(low > 1) & same",
    ],
)
def test_what_decides_by_a_number_is_found(condition):
    (found,) = bare([f'sp.claim("so it is", {condition})'])
    assert found.startswith("sp.claim('so it is', ")


@pytest.mark.parametrize(
    "condition",
    [
        "answers == before",
        'worst == "shirt"',
        "torch.equal(a, b)",
        "not here & there",
        '"torchrun" in error.fix',
        "all(map(torch.equal, before, after))",
        "unlucky.valid and not worse.valid",
        "done is None",
        "unknown",
        "good",
        'found == {"C": 8}',
    ],
)
def test_a_yes_or_no_is_left_alone(condition):
    assert bare([f'good = True\nclaim("so it is", {condition}, value=3)']) == []


@pytest.mark.parametrize("limit", ["above=1", "below=1", "near=(1, 2)", "exactly=1"])
def test_a_claim_with_a_limit_is_as_it_should_be(limit):
    assert bare([f'claim("so it is", number, {limit})']) == []


def test_a_name_stands_for_what_was_assigned_to_it_last():
    claim = 'claim("so it is", close)'
    assert bare(["close = gap < 1", claim]) == ["claim('so it is', close)"]
    assert bare(["close = gap < 1\nclose = a == b", claim]) == []
    assert bare([claim, "close = gap < 1"]) == []
    assert bare(["close = near_by\nnear_by = gap < 1", claim]) == ["claim('so it is', close)"]
    assert bare(["close = close", claim]) == []


def test_a_cell_that_is_no_plain_python_and_other_calls_are_passed_over():
    assert bare(["%time claim('a', x > 1)", "other('a', x > 1)", "claim('a')"]) == []
