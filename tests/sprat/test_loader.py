"""Loaders: buckets of like length, and data that stays on the device whole."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sprat as sp
from sprat.bucket import bucketed, lengths_of
from sprat.errors import DataError
from sprat.loader import num_bytes
from sprat.text import Ragged


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=80),
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(0, 1000),
)
def test_buckets_hold_every_sample_once(
    lengths: list[int], batch_size: int, stretch: int, seed: int
) -> None:
    order = torch.randperm(len(lengths), generator=dice(seed))
    batches = bucketed(order, torch.tensor(lengths), batch_size, stretch, generator=dice(seed))
    assert sorted(torch.cat(batches).tolist()) == list(range(len(lengths)))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 1 <= len(batches[-1]) <= batch_size


def texts(count: int) -> sp.Data:
    lengths = torch.randint(1, 100, (count,), generator=dice(1)).tolist()
    rows = [torch.full((length,), 1 + i % 9) for i, length in enumerate(lengths)]
    return sp.Data(Ragged.of(rows), torch.arange(count))


def padding_share(loader: sp.Loader) -> float:
    batches = [batch.x for batch in loader]
    return sum(int((x == 0).sum()) for x in batches) / sum(x.numel() for x in batches)


def test_buckets_save_padding_and_stay_random() -> None:
    data = texts(640)
    plain = sp.Loader(data, 16, shuffle=True, generator=dice())
    buckets = sp.Loader(data, 16, shuffle=True, generator=dice(), bucket=20)
    assert padding_share(plain) > 0.4
    assert padding_share(buckets) < 0.1
    first, second = ([batch.y.tolist() for batch in buckets] for _ in range(2))
    assert first != second
    assert sorted(chain(*first)) == list(range(640))
    means = [float((batch.x > 0).sum(1).float().mean()) for batch in buckets]
    assert means != sorted(means)
    assert means != sorted(means, reverse=True)


def test_each_batch_is_as_wide_as_its_longest_row() -> None:
    data = texts(40)
    for batch in sp.Loader(data, 8, shuffle=True, generator=dice(), bucket=2):
        lengths = data.x.lengths[batch.index]
        assert batch.x.shape == (8, int(lengths.max()))
        assert (batch.x > 0).sum(1).tolist() == lengths.tolist()
        assert (batch.x[:, 0] == 1 + batch.y % 9).all()


def test_without_shuffling_the_order_is_the_datas() -> None:
    loader = sp.Loader(texts(20), 6, bucket=3)
    assert [y for batch in loader for y in batch.y.tolist()] == list(range(20))


def test_strings_and_graphs_have_lengths_too() -> None:
    assert lengths_of(["a", "abc"]).tolist() == [1, 3]
    graphs = sp.Graph(2).mock(5, generator=dice())
    assert lengths_of(graphs).tolist() == graphs.num_nodes.tolist()
    assert lengths_of((torch.zeros(2), ["ab", "c"])).tolist() == [2, 1]
    batches = list(sp.Loader(sp.Data(["aa", "b", "cc", "d"]), 2, shuffle=True, bucket=2))
    assert sorted(sorted(batch.x) for batch in batches) == [["aa", "cc"], ["b", "d"]]


def test_the_bytes_of_a_column() -> None:
    assert num_bytes(torch.zeros(10, dtype=torch.float64)) == 80
    assert num_bytes((torch.zeros(2), torch.zeros(3))) == 20
    assert num_bytes(sp.Rows(torch.zeros(2, 3).long(), torch.zeros(2, 1))) == 56
    assert num_bytes(["abc"]) == 0


def test_data_that_is_on_the_device_is_taken_as_it_is() -> None:
    data = sp.Data(torch.arange(10), torch.arange(10))
    loader = sp.Loader(data, 4, device="cpu", on_device=True)
    assert loader.data.x is data.x
    assert [batch.x.tolist() for batch in loader] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_another_device_holds_the_whole_set() -> None:
    """The device "meta" has shapes and no values, so this needs no GPU."""
    data = sp.Data(torch.zeros(10, 3), torch.zeros(10).long())
    loader = sp.Loader(data, 4, device="meta", on_device=True)
    assert loader.data.x.device.type == loader.data.y.device.type == "meta"
    assert [tuple(batch.x.shape) for batch in loader] == [(4, 3), (4, 3), (2, 3)]
    assert data.x.device.type == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_small_data_is_put_on_the_gpu_and_batches_are_the_same() -> None:
    data = sp.Data(torch.arange(1000)[:, None], torch.arange(1000))
    auto = sp.Loader(data, 64, device="cuda", on_device="auto", shuffle=True, generator=dice())
    assert auto.data.x.is_cuda
    copied = sp.Loader(data, 64, device="cuda", shuffle=True, generator=dice())
    assert not copied.data.x.is_cuda
    for a, b in zip(auto, copied, strict=True):
        assert a.x.is_cuda
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.y, b.y)
    graphs = sp.Graph(2, 3).mock(50, generator=dice())
    at_gpu = next(iter(sp.Loader(sp.Data(graphs), 8, device="cuda", on_device=True)))
    assert torch.equal(at_gpu.x.nodes.cpu(), graphs[:8].nodes)
    assert torch.equal(at_gpu.x.edges.cpu(), graphs[:8].edges)
    assert next(iter(sp.Loader(texts(50), 8, device="cuda", on_device=True))).x.is_cuda
    learn = sp.Learner(torch.nn.Linear(1, 1), (data,), loss=torch.nn.functional.mse_loss)
    assert learn.loaders["train"].data.x.is_cuda


MISTAKES: dict[str, Callable[[], Any]] = {
    "bucket is 0": lambda: sp.Loader(texts(4), 2, bucket=0),
    "fall into no buckets": lambda: sp.Loader(sp.Data(torch.zeros(4, 2)), 2, bucket=2),
    "on_device is True and device is None": lambda: sp.Loader(texts(4), 2, on_device=True),
    "on_device is 'yes'": lambda: sp.Loader(texts(4), 2, device="cpu", on_device="yes"),
}


@pytest.mark.parametrize("says", MISTAKES)
def test_mistakes_are_named_with_their_fix(says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        MISTAKES[says]()
    assert caught.value.fix
