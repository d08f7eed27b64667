"""Tables: what becomes an input, what is left out, and that nothing leaks from what is held out."""

import lzma
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import sprat as sp
from sprat.datasets import plans, splits
from sprat.datasets.plans import Plan
from sprat.datasets.registry import Columns
from sprat.errors import DataError

ROWS = 50


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> Columns:
    """A table with words, numbers, gaps and time, that stands for what a file holds."""
    table: Columns = {
        "rownames": np.arange(1, ROWS + 1),
        "day": np.arange(ROWS)[::-1].copy(),
        "kind": np.array([["a", "b", None][i % 3] for i in range(ROWS)], dtype=object),
        "size": np.where(np.arange(ROWS) % 7 == 0, np.nan, np.arange(ROWS) / 2),
        "user": np.array([10, 9, 100] * 16 + [9, 10]),
        "late": np.array(["old"] * 48 + ["old", "new"], dtype=object)[::-1].copy(),
        "price": np.where(np.arange(ROWS) == 20, np.nan, np.arange(ROWS) * 10.0),
    }
    monkeypatch.setattr(plans, "frame", lambda content: dict(table))
    return table


def read(name: str) -> bytearray:
    return bytearray()


def test_targets_that_are_missing_drop_their_row(columns: Columns) -> None:
    plan = Plan("t", "price", by="day")
    x, y = plans.parse(plan, (), read, "train")
    more, last = plans.parse(plan, (), read, "test")
    assert len(x) + len(more) == ROWS - 1
    assert len(more) == round(0.2 * (ROWS - 1))
    assert y.shape == (len(x), 1)
    assert 200.0 not in torch.cat([y, last]).flatten().tolist()


def test_the_last_rows_by_time_are_held_out(columns: Columns) -> None:
    plan = Plan("t", "price", by="day")
    _, train = plans.parse(plan, (), read, "train")
    _, test = plans.parse(plan, (), read, "test")
    assert float(train.min()) > float(test.max())  # days run backwards in this table


def test_blocks_fit_the_rows(columns: Columns) -> None:
    plan = Plan("t", "price", without=("day",), categories=("user",), by="day")
    block, target = plans.blocks(plan, "Continuous", ("price, dollars",), read)
    assert isinstance(block, sp.TableRow)
    assert dict(block.categorical)["user"] == (9, 10, 100)  # numbers in their own order
    assert dict(block.categorical)["kind"] == ("a", "b")
    assert block.continuous == ("size",)
    assert target == sp.Continuous(1, ("price, dollars",))
    for split in ("train", "test"):
        x, y = plans.parse(plan, (), read, split)
        block.check(x)
        target.check(y)
    assert set(block.missing) == {"kind", "size", "late"}


def test_categories_come_from_the_training_rows(columns: Columns) -> None:
    plan = Plan("t", "price", by="day")
    block, _ = plans.blocks(plan, "Continuous", ("price",), read)
    assert dict(block.categorical)["late"] == ("old",)
    x, _ = plans.parse(plan, (), read, "test")
    late = [name for name, _ in block.categorical].index("late")
    assert x.categorical[:, late].tolist().count(-1) == 1
    everything = Plan("t", "price", by="day", all_known=True)
    block, _ = plans.blocks(everything, "Continuous", ("price",), read)
    assert dict(block.categorical)["late"] == ("new", "old")


def test_numbers_and_codes_are_those_of_the_table(columns: Columns) -> None:
    x, y = plans.parse(Plan("t", "price", categories=("user",)), (), read, "train")
    places = [int(price) // 10 for price in y.flatten().tolist()]
    sizes = torch.from_numpy(columns["size"][places].astype(np.float32))
    torch.testing.assert_close(x.continuous[:, 1], sizes, equal_nan=True)
    users = [(9, 10, 100).index(columns["user"][place]) for place in places]
    assert x.categorical[:, 1].tolist() == users


def test_no_row_numbers_reach_anybody(columns: Columns) -> None:
    assert "rownames" not in plans.raw_columns(Plan("t", "price"), read)


def test_penguins_become_a_task() -> None:
    packed = Path(__file__).with_name("penguins.pkl.xz").read_bytes()
    penguins = sp.datasets.describe("penguins")

    def content(name: str) -> bytearray:
        return bytearray(lzma.decompress(packed))

    assert penguins.blocks is not None
    block, target = penguins.blocks(content)
    for split, count in penguins.splits.items():
        x, y = penguins.parse(content, split)
        assert len(x) == len(y) == count
        block.check(x)
        target.check(y)
    task = sp.Task(block, target, encodings=sp.tabular.prepare(block, x))
    assert task.encode(sp.Batch(x, y)).x.continuous.isfinite().all()
    assert penguins.columns is not None
    assert len(penguins.columns(content)) == 8


def test_columns_of_what_is_no_table() -> None:
    with pytest.raises(DataError, match="'fashion_mnist' is no table") as caught:
        sp.datasets.columns("fashion_mnist")
    assert "penguins" in caught.value.fix


def test_random_splits_share_nothing_and_stay_the_same() -> None:
    train = splits.at_random(100, "train", test_share=0.2)
    test = splits.at_random(100, "test", test_share=0.2)
    assert sorted([*train, *test]) == list(range(100))
    assert test[:5].tolist() == [37, 62, 26, 41, 35]  # the same for everybody, for ever


def test_splits_by_hash_keep_equals_together() -> None:
    keys = [f"key {i % 200}" for i in range(1000)]
    chosen = partial(splits.by_hash, keys, test_share=0.2)
    train, test = ({keys[i] for i in chosen(split)} for split in ("train", "test"))
    assert not train & test
    assert len(train | test) == 200
    assert 20 <= len(test) <= 60
    with_emoji = splits.by_hash(["\ud800", "é", "🐟"], "train", test_share=0.0)
    assert with_emoji == [0, 1, 2]


def test_pickles_of_these_tests_are_no_tables() -> None:
    with pytest.raises(DataError):
        plans.raw_columns(Plan("t", "price"), lambda name: bytearray(pickle.dumps([])))
