"""Parts of data: by class, by time, by group; and grouping, filtering, shuffling."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

import sprat as sp
from sprat.errors import DataError
from sprat.splits import check_share
from sprat.whole_groups import _fitting


def numbered(count: int, classes: int = 2) -> sp.Data:
    return sp.Data(torch.arange(count), torch.arange(count) % classes)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.filterwarnings("ignore:by_time holds out")
@given(st.lists(st.integers(0, 9), min_size=2, max_size=40), st.floats(0.1, 0.9))
def test_by_time_nothing_is_learnt_from_the_future(times: list[int], share: float) -> None:
    size = round(share * len(times))
    assume(0 < size < len(times) and min(times) < max(times))
    when = torch.tensor(times)
    parts = numbered(len(times)).split(share, by_time=times)
    assert int(when[parts.train.x].max()) < int(when[parts.valid.x].min())
    assert sorted([*parts.train.x.tolist(), *parts.valid.x.tolist()]) == list(range(len(times)))
    possible = [sum(time >= border for time in times) for border in set(times) - {min(times)}]
    assert abs(len(parts.valid) - size) == min(abs(count - size) for count in possible)
    assert parts.train.x.tolist() == sorted(parts.train.x.tolist())  # order is kept


@given(st.lists(st.sampled_from("abcdefg"), min_size=4, max_size=60), st.integers(0, 1000))
def test_by_group_no_group_is_in_both_parts(groups: list[str], seed: int) -> None:
    assume(len(set(groups)) > 1)
    parts = numbered(len(groups)).split(0.3, by_group=groups, generator=dice(seed))
    here = {groups[i] for i in parts.train.x.tolist()}
    there = {groups[i] for i in parts.valid.x.tolist()}
    assert not here & there
    assert here | there == set(groups)
    assert len(parts.train) + len(parts.valid) == len(groups)


def nearest(groups: list[int], size: int) -> int:
    """How near to `size` samples whole groups come, by trying all choices."""
    counts = [groups.count(group) for group in set(groups)]
    sums = {sum(some) for n in range(1, len(counts)) for some in combinations(counts, n)}
    return min(abs(total - size) for total in sums)


@pytest.mark.filterwarnings("ignore:by_group holds out")
@given(
    st.lists(st.integers(0, 7), min_size=4, max_size=40), st.floats(0.05, 0.95), st.integers(0, 99)
)
def test_by_group_comes_as_near_as_any_choice_of_groups(
    groups: list[int], share: float, seed: int
) -> None:
    size = round(share * len(groups))
    assume(len(set(groups)) > 1 and 0 < size < len(groups))
    first, again = (
        numbered(len(groups)).split(share, by_group=groups, generator=dice(seed)) for _ in range(2)
    )
    assert abs(len(first.valid) - size) == nearest(groups, size)
    assert first.valid.x.tolist() == again.valid.x.tolist()


def test_by_group_takes_the_small_group_and_says_where_none_is_small() -> None:
    groups = ["a"] * 45 + ["b"] * 5
    for seed in range(6):
        assert len(numbered(50).split(0.2, by_group=groups, generator=dice(seed)).valid) == 5
    with pytest.warns(UserWarning, match="by_group holds out 25 samples where 10 were asked for"):
        assert len(numbered(50).split(0.2, by_group=["a", "b"] * 25).valid) == 25
    with pytest.warns(UserWarning, match="by_time holds out 40 samples where 5 were asked for"):
        assert len(numbered(50).split(0.1, by_time=[0] * 10 + [1] * 40).valid) == 40


def test_by_group_draws_among_choices_that_are_equally_near() -> None:
    sizes = [3, 3, 7, 7, 20]  # 10 = 3 + 7 in four ways
    groups = [group for group, size in enumerate(sizes) for _ in range(size)]
    drawn = set()
    for seed in range(60):
        valid = numbered(40).split(10, by_group=groups, generator=dice(seed)).valid
        assert len(valid) == 10
        drawn.add(frozenset(groups[i] for i in valid.x.tolist()))
    assert len(drawn) == 4


def test_more_groups_than_can_be_tried_are_filled_up() -> None:
    sizes = torch.arange(2000) % 7 + 1
    groups = torch.repeat_interleave(sizes)
    for share in (0.1, 0.5, 0.9):
        size = round(share * len(groups))
        chosen = _fitting(sizes.tolist(), size)
        assert abs(int(sizes[chosen].sum()) - size) <= 1
    assert _fitting([5, 4, 9], 3) == [1]
    assert _fitting([5, 5], 9) == [0]  # one is left to learn from
    assert _fitting([4, 6, 9], 9) == [0, 1]
    many = numbered(40_000)
    parts = many.split(0.2, by_group=torch.arange(40_000) // 2, generator=dice())
    assert len(parts.valid) == 8000


@given(
    st.lists(st.integers(0, 4), min_size=10, max_size=80), st.floats(0.1, 0.9), st.integers(0, 99)
)
def test_a_stratified_split_has_the_size_that_was_asked_for(
    labels: list[int], share: float, seed: int
) -> None:
    counts = {label: labels.count(label) for label in set(labels)}
    size = round(share * len(labels))
    assume(min(counts.values()) > 1 and len(counts) <= size <= len(labels) - len(counts))
    data = sp.Data(torch.arange(len(labels)), torch.tensor(labels))
    for valid in (share, size):
        parts = data.split(valid, stratify=True, generator=dice(seed))
        theirs = StratifiedShuffleSplit(1, test_size=size, random_state=seed)
        _, expected = next(theirs.split(labels, labels))
        assert len(parts.valid) == len(expected) == size
        for label, count in counts.items():
            held = int((parts.valid.y == label).sum())
            assert 0 < held < count
            if 1 <= size * count / len(labels) <= count - 1:
                assert abs(held - size * count / len(labels)) < len(counts)
    assert sorted([*parts.train.x.tolist(), *parts.valid.x.tolist()]) == list(range(len(labels)))


def test_a_stratified_split_goes_by_the_largest_remainder() -> None:
    y = torch.tensor([0] * 97 + [1] * 31 + [2] * 7)
    parts = sp.Data(torch.randn(135, 2), y).split(27, stratify=True, generator=dice())
    assert parts.valid.y.bincount().tolist() == [20, 6, 1]  # of 19.4, 6.2, 1.4


def test_a_class_may_be_missing_from_a_part_if_that_is_allowed() -> None:
    rare = sp.Data(torch.randn(41, 2), torch.tensor([0] * 20 + [1] * 20 + [2]))
    parts = rare.split(0.2, stratify=True, allow_missing=True, generator=dice())
    assert len(parts.valid) == 8
    assert parts.valid.y.bincount(minlength=3).tolist() == [4, 4, 0]
    with pytest.raises(DataError, match="Label 2 has 1 samples") as caught:
        rare.split(0.2, stratify=True)
    assert "allow_missing=True" in caught.value.fix
    with pytest.raises(DataError, match="1 of 9 samples with 3 labels") as caught:
        numbered(9, 3).split(1, stratify=True)
    assert "hold out 3 to 6" in caught.value.fix
    assert len(numbered(9, 3).split(3, stratify=True).valid) == 3


def test_numbers_of_numpy_say_how_many_too() -> None:
    assert check_share(np.int64(3), 10) == 3
    assert check_share(np.float32(0.3), 10) == 3


def test_by_group_comes_near_to_the_share_and_is_random() -> None:
    groups = torch.arange(1000) // 10
    drawn = set()
    for seed in range(5):
        parts = numbered(1000).split(0.2, by_group=groups, generator=dice(seed))
        assert abs(len(parts.valid) - 200) <= 5
        drawn.add(tuple(groups[parts.valid.x].unique().tolist()))
    assert len(drawn) == 5
    again = numbered(1000).split(0.2, by_group=groups, generator=dice(4))
    assert tuple(groups[again.valid.x].unique().tolist()) in drawn


def test_a_stratified_split_keeps_shares() -> None:
    data = sp.Data(torch.arange(100), (torch.arange(100) >= 90).long())
    parts = data.split(0.2, stratify=True, generator=dice())
    assert parts.valid.y.bincount().tolist() == [18, 2]


def rare() -> sp.Data:
    """A hundred samples, of which one is of the third class."""
    y = torch.arange(100) % 2
    y[7] = 2
    return sp.Data(torch.arange(100), y, classes=("cat", "dog", "owl"))


MISTAKES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "a class missing": (
        lambda: rare().split(0.2, generator=dice()), "no sample of class 'owl'", "stratify=True",
    ),
    "a class missing by time": (
        lambda: rare().split(0.2, by_time=torch.arange(100)), "validation part has no", "share",
    ),
    "a class of the last hour": (
        lambda: sp.Data(torch.arange(9), torch.arange(9) // 8, classes=("a", "b")).split(
            2, by_time=list(range(9))
        ),
        "training part has no sample of class 'b', of which the data has 1", "allow_missing",
    ),
    "two ways at once": (
        lambda: rare().split(0.2, stratify=True, by_group=[0] * 100), "not by several", "one of",
    ),
    "groups of another length": (
        lambda: rare().split(0.2, by_group=["a", "b"]), r"by_group has shape \(2,\)", "each sample",
    ),
    "times of another length": (
        lambda: rare().split(0.2, by_time=torch.zeros(3)), r"by_time has shape \(3,\)", "sample",
    ),
    "one group": (
        lambda: numbered(9).split(0.2, by_group=["a"] * 9), "leaves one part empty", "share",
    ),
    "one time": (
        lambda: numbered(9).split(0.2, by_time=[1] * 9), "leaves one part empty", "share",
    ),
    "keys of another length": (lambda: numbered(5).group([1, 2]), "2 keys for 5", "each sample"),
    "columns of unlike length": (
        lambda: sp.Data((torch.zeros(3), torch.zeros(4))), r"\[3, 4\] samples", "one entry",
    ),
    "a number for a batch": (lambda: sp.Batch.of(5), "yields 5, which is no batch", "yield"),
    "a word for a batch": (lambda: sp.Batch.of("abc"), "yields 'abc', which", "yield"),
    "nothing for a batch": (lambda: sp.Batch.of(()), "an empty tuple", "yield"),
    "None for a batch": (lambda: sp.Batch.of(None), "NoneType alone", "yield"),
    "a sample for a batch": (lambda: sp.Batch.of((torch.tensor(1.0), 2)), "no batch", "yield"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named_with_their_fix(name: str) -> None:
    make, says, fix = MISTAKES[name]
    with pytest.raises(DataError, match=says) as caught:
        make()
    assert fix in caught.value.fix


def test_a_missing_class_may_be_allowed_and_needs_names_to_be_seen() -> None:
    assert len(rare().split(0.2, allow_missing=True, generator=dice()).valid) == 20
    nameless = sp.Data(rare().x, rare().y)
    assert len(nameless.split(0.2, generator=dice()).valid) == 20


def test_a_plain_loader_of_no_batches_is_named_by_the_learner() -> None:
    learn = sp.Learner(
        torch.nn.Linear(1, 1), ([3, 4],), loss=torch.nn.functional.mse_loss, progress=False
    )
    with pytest.raises(DataError, match="yields 3, which is no batch"):
        learn.fit(1)


def test_groups_by_target_function_and_list() -> None:
    data = numbered(10, 3)
    assert {key: part.x.tolist() for key, part in data.group().items()} == {
        0: [0, 3, 6, 9], 1: [1, 4, 7], 2: [2, 5, 8],
    }  # fmt: skip
    halves = data.group(lambda x, y: x >= 5)
    assert {key: len(part) for key, part in halves.items()} == {False: 5, True: 5}
    assert list(data.group(["b", "a"] * 5)) == ["a", "b"]
    assert data.group(["b", "a"] * 5)["a"].x.tolist() == [1, 3, 5, 7, 9]


def test_groups_go_by_value() -> None:
    mixed = numbered(6).group([1, 1.0, "1", np.int64(2), True, "b"])
    assert {key: part.x.tolist() for key, part in mixed.items()} == {
        1: [0, 1, 4], 2: [3], "1": [2], "b": [5],
    }  # fmt: skip
    pairs = numbered(3).group([("b", 2), ("a", 10), ("b", 2)])
    assert {key: len(part) for key, part in pairs.items()} == {("a", 10): 1, ("b", 2): 2}
    for hole in (None, float("nan"), ""):
        with pytest.raises(DataError, match="missing for some") as caught:
            numbered(3).group(["a", hole, "b"])
        assert "data.filter" in caught.value.fix


def test_tuples_of_columns_go_through_everything() -> None:
    rows = sp.Rows(torch.arange(8)[:, None], torch.arange(8.0)[:, None])
    data = sp.Data((torch.arange(8), rows, list("abcdefgh")), torch.arange(8) % 2)
    assert len(data) == 8
    for part in (
        data.shuffle(generator=dice()),
        data.filter(lambda x, y: x[0] > 2),
        data.group()[1],
        data.split(0.5, generator=dice()).valid,
        data.take(3),
        data.map(lambda x: x),
    ):
        numbers, table, letters = part.x
        assert table.categorical[:, 0].tolist() == numbers.tolist()
        assert letters == [chr(ord("a") + i) for i in numbers.tolist()]
    (number, row, letter), target = data[5]
    assert (int(number), len(row), letter, int(target)) == (5, 1, "f", 1)
    batch = next(iter(sp.Loader(data, 3)))
    assert len(batch) == 3
    assert "Rows" in repr(data)


def test_by_time_in_nanoseconds_and_dates() -> None:
    start = 1_700_000_000_000_000_000
    parts = numbered(64).split(8, by_time=[start + i for i in range(64)])
    assert parts.valid.x.tolist() == list(range(56, 64))
    days = np.datetime64("2024-01-01") + np.arange(64).astype("timedelta64[D]")
    assert numbered(64).split(8, by_time=days).valid.x.tolist() == list(range(56, 64))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([None, "a", "b", "a"], "holds NoneType and str, which have no order"),
        ([float("nan"), 1.0, 2.0, 3.0], "is NaN for 1 samples"),
        (torch.tensor([1.0, 2.0, float("nan"), 0.0]), "is NaN for 1 samples"),
    ],
)
@pytest.mark.parametrize("by", ["by_time", "by_group"])
def test_keys_that_are_missing_are_named(by: str, keys: Any, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        numbered(4).split(0.5, **{by: keys})
    assert caught.value.fix
