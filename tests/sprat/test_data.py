"""Data in memory: nothing is lost, nothing is doubled, inputs stay with their targets."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import sprat as sp
from sprat.errors import DataError

sizes = st.integers(2, 60)


def numbered(count: int, classes: int = 4) -> sp.Data:
    """Sample i has the input i and the target i mod classes."""
    return sp.Data(torch.arange(count), torch.arange(count) % classes, name="numbered")


def pairs_hold(data: sp.Data, classes: int = 4) -> bool:
    return bool((data.x % classes == data.y).all())


@given(sizes, st.floats(0.0, 1.0), st.integers(0, 2**31))
def test_split_is_a_partition(count: int, share: float, seed: int) -> None:
    data, size = numbered(count), round(share * count)
    generator = torch.Generator().manual_seed(seed)
    if not 0 < size < count:
        with pytest.raises(DataError, match="leaves one part empty"):
            data.split(valid=share, generator=generator)
        return
    train, valid = data.split(valid=share, generator=generator)
    assert len(valid) == size
    assert sorted(torch.cat([train.x, valid.x]).tolist()) == list(range(count))
    assert pairs_hold(train)
    assert pairs_hold(valid)


@given(st.integers(8, 80), st.integers(0, 2**31))
def test_stratified_split_keeps_shares(count: int, seed: int) -> None:
    data = numbered(count, classes=2)
    parts = data.split(0.25, stratify=True, generator=torch.Generator().manual_seed(seed))
    for value in range(2):
        whole = int((data.y == value).sum())
        held = int((parts.valid.y == value).sum())
        assert abs(held - 0.25 * whole) < 1
    assert len(parts.valid) == round(0.25 * count)
    assert sorted(torch.cat([parts.train.x, parts.valid.x]).tolist()) == list(range(count))


@given(sizes, st.integers(0, 2**31))
def test_shuffle_is_a_permutation(count: int, seed: int) -> None:
    data = numbered(count).shuffle(generator=torch.Generator().manual_seed(seed))
    assert sorted(data.x.tolist()) == list(range(count))
    assert pairs_hold(data)


@given(sizes, st.integers(1, 7))
def test_groups_are_a_partition(count: int, kinds: int) -> None:
    groups = numbered(count).group(lambda x, y: x % kinds)
    assert sum(map(len, groups.values())) == count
    for key, part in groups.items():
        assert (part.x % kinds == key).all()
        assert pairs_hold(part)


@given(sizes, st.integers(0, 59))
def test_filter_keeps_what_it_says(count: int, limit: int) -> None:
    limit = min(limit, count - 1)
    kept = numbered(count).filter(lambda x, y: x >= limit)
    assert kept.x.tolist() == list(range(limit, count))
    assert pairs_hold(kept)


@given(sizes, st.integers(1, 20), st.booleans(), st.booleans())
def test_loader_gives_every_sample_once(
    count: int, batch_size: int, shuffle: bool, drop_last: bool
) -> None:
    data = numbered(count)
    if drop_last and count < batch_size:
        with pytest.raises(DataError, match="make no whole batch"):
            sp.Loader(data, batch_size, drop_last=True)
        return
    loader = sp.Loader(data, batch_size, shuffle=shuffle, drop_last=drop_last)
    batches = list(loader)
    assert len(batches) == len(loader)
    assert all(len(batch) == batch_size for batch in batches[:-1])
    seen = torch.cat([batch.x for batch in batches])
    expected = count - count % batch_size if drop_last else count
    assert len(seen) == len(seen.unique()) == expected
    if not shuffle:
        assert seen.tolist() == list(range(expected))
    for batch in batches:
        assert torch.equal(batch.x % 4, batch.y)
        assert batch.index is not None
        assert torch.equal(data.x[batch.index], batch.x)


def test_every_pass_has_a_new_order_and_seeds_repeat_it() -> None:
    def passes(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        loader = sp.Loader(numbered(40), 8, shuffle=True, generator=generator)
        return [torch.cat([b.x for b in loader]).tolist() for _ in range(2)]

    first, second = passes(1)
    assert first != second
    assert passes(1) == [first, second]
    assert passes(2)[0] != first


def test_group_by_numbers_that_are_not_whole() -> None:
    data = sp.Data(torch.arange(4), torch.tensor([0.25, 0.75, 0.25, 0.75]))
    assert {key: part.x.tolist() for key, part in data.group().items()} == {
        0.25: [0, 2],
        0.75: [1, 3],
    }


@pytest.mark.parametrize(
    "index",
    [[1, 3], np.array([1, 3]), torch.tensor([1, 3]), [-4, -2], [False, True, False, True, False]],
)
def test_indices_of_several_kinds(index: object) -> None:
    assert numbered(5)[index].x.tolist() == [1, 3]
    assert sp.Data(list("abcde"))[index].x == ["b", "d"]


@pytest.mark.parametrize("place", [3, -2, np.int64(3), torch.tensor(3)])
def test_one_sample_by_numbers_of_several_kinds(place: object) -> None:
    assert numbered(5)[place] == (torch.tensor(3), torch.tensor(3))


def test_a_loader_may_yield_dicts() -> None:
    """As many do that read texts: samples are counted, and what is inside is moved."""
    batch = sp.Batch.of({"ids": torch.ones(3, 7), "mask": torch.ones(3, 7)})
    assert len(batch) == 3
    assert batch.to("meta").x["mask"].device.type == "meta"

    class Own(sp.TrainPhase):
        def step(self, learn: sp.Learner, batch: sp.Batch) -> dict:
            return learn.update(loss=learn.model(batch.x["ids"]).mean())

    loader = [{"ids": torch.full((n, 7), float(n)), "name": ["a"] * n} for n in (4, 1)]
    model = torch.nn.Linear(7, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    learn = sp.Learner(model, loader, phases=[Own()], device="cpu", progress=False)
    learn.fit(1, lr=0.0)
    assert learn.history.last("train_loss") == pytest.approx((4 * 28 + 7) / 5)


def test_map_is_called_once_with_the_whole_column() -> None:
    calls = []

    def double(x: Tensor) -> Tensor:
        calls.append(x.shape)
        return x * 2

    data = numbered(10).map(double)
    assert calls == [(10,)]
    assert data.x.tolist() == list(range(0, 20, 2))
    assert data.y.tolist() == [i % 4 for i in range(10)]


def test_indexing() -> None:
    data = numbered(10)
    assert data[3] == (torch.tensor(3), torch.tensor(3))
    assert data[-2:].x.tolist() == [8, 9]
    assert data[torch.tensor([5, 1])].x.tolist() == [5, 1]
    assert data[data.y == 3].x.tolist() == [3, 7]


@pytest.mark.parametrize("x", [np.arange(6), list(range(6)), tuple(range(6)), torch.arange(6)])
def test_columns_of_several_kinds(x: object) -> None:
    data = sp.Data(x, [i % 2 for i in range(6)])
    batch = next(iter(sp.Loader(data, 4)))
    assert [int(v) for v in batch.x] == [0, 1, 2, 3]
    assert [int(v) for v in batch.y] == [0, 1, 0, 1]


def test_texts_stay_a_list() -> None:
    data = sp.Data(["a", "b", "c"], torch.tensor([0, 1, 0]))
    assert data[torch.tensor([2, 0])].x == ["c", "a"]
    assert "list of str" in repr(data)


def test_repr_says_what_is_inside(pictures: sp.Data) -> None:
    assert repr(pictures) == (
        "Data('pictures': 96 samples, x uint8 (1, 9, 9), y int64 (), 3 classes)"
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: sp.Data([]), "There are no samples"),
        (lambda: sp.Data(torch.empty(0, 3)), "There are no samples"),
        (lambda: sp.Data(torch.ones(3), torch.ones(4)), "x has 3 samples and y has 4"),
        (lambda: sp.Data(5), "one entry for each sample; int has not"),
        (lambda: sp.Data(torch.tensor(5)), "one entry for each sample"),
        (lambda: numbered(5).take(6), "6 samples asked for; 'numbered' has 5"),
        (lambda: numbered(5).take(0), "0 samples asked for"),
        (lambda: numbered(5).take(-1), "-1 samples asked for"),
        (lambda: numbered(5).filter(lambda x, y: x > 9), "There are no samples"),
        (lambda: numbered(5).filter(lambda x, y: x[:2] > 0), "The mask has shape"),
        (lambda: numbered(5)[torch.tensor([True, False])], "The mask has shape"),
        (lambda: numbered(5).map(lambda x: x[:2]), "x has 2 samples and y has 5"),
        (lambda: numbered(5).split(valid=0.0), "leaves one part empty"),
        (lambda: numbered(5).split(valid=1.0), "leaves one part empty"),
        (lambda: numbered(5).split(valid=7), "leaves one part empty"),
        (lambda: numbered(5).split(valid=-2), "leaves one part empty"),
        (lambda: numbered(5).split(valid=-0.5), "leaves one part empty"),
        (lambda: numbered(5, 5).split(valid=0.4, stratify=True), "leaves one part without it"),
        (lambda: sp.Data([1, 2]).split(valid=0.5, stratify=True), "no column of label indices"),
        (lambda: sp.Data([1, 2]).group(), "no column of label indices"),
        (lambda: numbered(5)[torch.tensor([5])], "5 samples; those from 5 to 5 were asked for"),
        (lambda: numbered(5)[[0, -6]], "those from -6 to 0"),
        (lambda: numbered(5)[[0.5]], "indexed by torch.float32"),
        (lambda: numbered(5)[["a"]], "indexed by list"),
        (lambda: numbered(5)[[]], "There are no samples"),
        (
            lambda: sp.Data(torch.ones(4), torch.ones(4, 2)).split(0.5, stratify=True),
            r"no column of label indices; its targets are float32 \(2,\)",
        ),
        (lambda: sp.Data(torch.ones(4), torch.ones(4, 2)).group(), "no column of label indices"),
        (lambda: sp.Loader(numbered(5), 0), "batch_size is 0"),
        (lambda: sp.Batch.of((1, 2, 3)), "yields 3 things"),
    ],
)
def test_mistakes_are_named_with_their_fix(make: "object", says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        make()  # type: ignore[operator]
    assert caught.value.fix


@pytest.mark.parametrize(
    ("raw", "x", "y"),
    [
        (([1], 2), [1], 2),
        ([[1], 2], [1], 2),
        (([1],), [1], None),
        (sp.Batch(1, 2), 1, 2),
        ({"a": 1}, {"a": 1}, None),
    ],
)
def test_what_loaders_may_yield(raw: object, x: object, y: object) -> None:
    batch = sp.Batch.of(raw)
    assert (batch.x, batch.y) == (x, y)


def test_a_device_that_is_not_there_is_named() -> None:
    data = sp.Data(torch.zeros(3, 2))
    assert data.to("cpu").x.device.type == "cpu"
    with pytest.raises(DataError, match=r"'abacus' can't be used(.|\n)*cpu"):
        data.to("abacus")
