"""Tables: reading columns, and encodings that are fitted on the training part and come back."""

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import sprat as sp
from sprat.errors import BlockError, TaskError
from sprat.tabular import Categorise, FillMissing, NormalizeTable, prepare

NAN = float("nan")
TRAIN: dict[str, Any] = {
    "colour": ["red", "blue", None, "red", "blue", "red"],
    "age": [20.0, 30.0, NAN, 50.0, 40.0, 22.0],
    "shape": ["flat", "round", "flat", "flat", "round", "round"],
    "weight": [1, 2, 3, 4, 5, 6],
}
NEW = {
    "colour": ["green", "red"],
    "age": [None, 25],
    "shape": ["round", "flat"],
    "weight": [7, 8],
}


@pytest.fixture
def block() -> sp.TableRow:
    return sp.TableRow.of(TRAIN)


def equal(a: sp.Rows, b: sp.Rows) -> bool:
    return torch.equal(a.categorical, b.categorical) and torch.equal(
        a.continuous.nan_to_num(-99), b.continuous.nan_to_num(-99)
    )


def close(a: sp.Rows, b: sp.Rows) -> bool:
    return torch.equal(a.categorical, b.categorical) and torch.allclose(
        a.continuous, b.continuous, rtol=1e-5, atol=1e-4, equal_nan=True
    )


def test_columns_are_told_apart_and_read(block: sp.TableRow) -> None:
    assert block.categorical == (("colour", ("blue", "red")), ("shape", ("flat", "round")))
    assert block.continuous == ("age", "weight")
    assert block.missing == ("colour", "age")
    assert block.names == ("colour", "shape", "age", "weight")
    assert block.sizes == (2, 2)
    rows = block.read(TRAIN)
    assert rows.categorical.tolist() == [[1, 0], [0, 1], [-1, 0], [1, 0], [0, 1], [1, 1]]
    assert rows.continuous[:, 1].tolist() == [1, 2, 3, 4, 5, 6]
    block.check(rows)
    # A word that was not there in training is missing, as far as the stored rows can tell.
    assert block.read(NEW).categorical.tolist() == [[-1, 1], [1, 0]]


def test_numbers_may_be_categories_and_come_as_arrays() -> None:
    columns = {"month": numpy.array([1, 2, 1]), "heat": torch.tensor([1.0, 2.0, 3.0])}
    block = sp.TableRow.of(columns, categorical=["month"])
    assert block.categorical == (("month", (1, 2)),)
    assert block.read(columns).categorical.tolist() == [[0], [1], [0]]
    assert block.read(columns).continuous.flatten().tolist() == [1, 2, 3]


def test_a_data_frame_will_do() -> None:
    pandas = pytest.importorskip("pandas")
    whole = pandas.array([1, None, 3], dtype="Int64")
    frame = pandas.DataFrame({"c": ["a", None, "b"], "n": [1.5, None, 2], "k": whole})
    block = sp.TableRow.of(frame)
    rows = block.read(frame)
    assert block.missing == ("c", "n", "k")
    assert rows.categorical.tolist() == [[0], [-1], [1]]
    assert rows.continuous.nan_to_num(-9).tolist() == [[1.5, 1], [-9, -9], [2, 3]]


def test_rows_are_indexed_like_a_column() -> None:
    rows = sp.Rows(torch.arange(10)[:, None], torch.arange(10.0)[:, None])
    assert len(rows) == 10
    assert rows[3].categorical.tolist() == [[3]]
    assert rows[-1].categorical.tolist() == [[9]]
    assert rows[torch.tensor([4, 1])].continuous.flatten().tolist() == [4, 1]
    assert len(rows[rows.categorical[:, 0] > 6]) == 3
    assert [len(row) for row in rows] == [1] * 10
    assert rows.to("cpu") is rows
    with pytest.raises(IndexError):
        rows[10]


def test_what_a_network_gets_has_nothing_missing(block: sp.TableRow) -> None:
    rows = block.read(TRAIN)
    steps = prepare(block, rows)
    assert [type(step) for step in steps] == [Categorise, FillMissing, NormalizeTable]
    task = sp.Task(block, sp.Label(["no", "yes"]), encodings=steps)
    after = task.encoded(block)
    assert isinstance(after, sp.TableRow)
    assert after.missing == ()
    assert after.categorical == (
        ("colour", ("unknown", "blue", "red")),
        ("shape", ("unknown", "flat", "round")),
        ("age missing", ("no", "yes")),
    )
    encoded = task.encode(sp.Batch(rows)).x
    after.check(encoded)
    assert encoded.categorical.tolist()[2] == [0, 1, 1]
    filled = [20.0, 30.0, 30.0, 50.0, 40.0, 22.0]  # 30 is the median of the other five
    back = NormalizeTable.of(block, rows).decode(encoded).continuous[:, 0]
    torch.testing.assert_close(back, torch.tensor(filled))
    assert float(encoded.continuous[:, 1].mean()) == pytest.approx(0, abs=1e-6)
    assert float(encoded.continuous[:, 1].std(unbiased=False)) == pytest.approx(1, abs=1e-5)
    assert close(task.decode_input(encoded), rows)
    described = str(task.describe())
    assert "Categorise → FillMissing → NormalizeTable" in described
    assert "NormalizeTable → FillMissing → Categorise" in described


@given(st.lists(st.floats(-100, 100, width=32) | st.none(), min_size=1, max_size=12))
def test_the_median_is_that_of_numpy(column: list[float | None]) -> None:
    known = [value for value in column if value is not None]
    if not known:
        return
    block = sp.TableRow.of({"a": column})
    values = FillMissing.of(block, block.read({"a": column})).values
    assert values[0] == pytest.approx(float(numpy.median(known)), abs=1e-9)


def test_the_median_of_an_even_number_is_between_the_two_in_the_middle() -> None:
    for column, middle in (([1.0, 2.0, None, 4.0, 10.0], 3.0), ([0.0, 100.0, None], 50.0)):
        block = sp.TableRow.of({"a": column})
        assert FillMissing.of(block, block.read({"a": column})).values == (middle,)


def test_new_rows_are_treated_as_training_was(block: sp.TableRow) -> None:
    steps = prepare(block, block.read(TRAIN))
    task = sp.Task(block, None, encodings=steps)
    encoded = task.encode(sp.Batch(block.read(NEW))).x
    assert encoded.categorical.tolist() == [[0, 2, 1], [2, 1, 0]]  # green is unknown
    mean, std = steps[2].mean[1], steps[2].std[1]  # type: ignore[attr-defined]
    assert float(encoded.continuous[0, 1]) == pytest.approx((7 - mean) / std, rel=1e-5)


def test_a_category_that_training_never_saw_becomes_unknown() -> None:
    block = sp.TableRow({"colour": ["red", "green", "blue"]})
    numbers = torch.zeros(3, 0)
    step = Categorise.of(block, sp.Rows(torch.tensor([[2], [0], [2]]), numbers))
    assert step.kept == ((0, 2),)
    every = sp.Rows(torch.tensor([[0], [1], [2]]), numbers)
    assert step.encode(every).categorical.flatten().tolist() == [1, 0, 2]
    assert step.decode(step.encode(every)).categorical.flatten().tolist() == [0, -1, 2]


@given(
    st.integers(1, 20),
    st.lists(st.integers(1, 5), min_size=0, max_size=3),
    st.integers(0, 3),
    st.integers(0, 10_000),
)
def test_encodings_come_back(count: int, sizes: list[int], numbers: int, seed: int) -> None:
    if not sizes and not numbers:
        return
    named = {f"c{i}": [f"v{j}" for j in range(size)] for i, size in enumerate(sizes)}
    names = [f"n{i}" for i in range(numbers)]
    block = sp.TableRow(named, names, missing=[*named, *names])
    rows = block.mock(count + 30, generator=torch.Generator().manual_seed(seed))
    if bool(rows.continuous.isnan().all(0).any()):
        return
    task = sp.Task(block, None, encodings=prepare(block, rows))
    assert close(task.decode_input(task.encode(sp.Batch(rows)).x), rows)
    if numbers:
        fill = FillMissing.of(block, rows)
        assert equal(fill.decode(fill.encode(rows)), rows)  # bit for bit


def test_a_constant_column_stays_finite() -> None:
    block = sp.TableRow((), ["same"])
    rows = sp.Rows(torch.zeros(4, 0, dtype=torch.int64), torch.full((4, 1), 1e6))
    step = NormalizeTable.of(block, rows)
    assert step.encode(rows).continuous.flatten().tolist() == [0, 0, 0, 0]


def test_a_table_trains_and_its_export_reads_new_rows(block: sp.TableRow, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = block.mock(200, generator=generator)
    y = (rows.continuous[:, 1] > 0).long()
    data = sp.Data(rows, y, classes=("low", "high")).split(0.25, generator=generator)
    steps = prepare(block, data.train.x)
    task = sp.Task(block, sp.Label(data.train.classes), encodings=steps)
    after = task.encoded(block)
    assert isinstance(after, sp.TableRow)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(len(after.names), 2)

        def forward(self, x: sp.Rows) -> torch.Tensor:
            return self.out(torch.cat([x.categorical.float(), x.continuous], 1))

    learn = sp.Learner(task, data, model=Net(), progress=False, device="cpu")
    learn.fit(20, lr=0.05)
    assert learn.evaluate()["accuracy"] > 0.9
    text = learn.show_results(3, backend="text")
    assert "weight: " in text
    assert "age: " in text
    loaded = sp.load(learn.export(tmp_path / "model"), model=Net())
    assert loaded.task == task
    guesses = loaded.predict(data.valid.x[:5])
    assert [g.name for g in guesses] == [g.name for g in learn.predict(data.valid.x[:5])]


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: sp.TableRow.of(TRAIN).read({"age": [1]}), BlockError, "no column 'colour'"),
        (
            lambda: sp.TableRow.of(TRAIN).read({**NEW, "age": [1]}),
            BlockError,
            "different lengths",
        ),
        (
            lambda: sp.TableRow.of(TRAIN).read({**NEW, "age": ["x", "1"]}),
            BlockError,
            "'age' should hold numbers",
        ),
        (
            lambda: sp.Task(sp.TableRow.of(TRAIN), None),
            TaskError,
            "colour, age may have missing values",
        ),
        (
            lambda: FillMissing.of(
                sp.TableRow((), ["a"], ["a"]),
                sp.Rows(torch.zeros(2, 0).long(), torch.full((2, 1), NAN)),
            ),
            TaskError,
            "'a' is missing in all",
        ),
        (
            lambda: sp.Task(
                sp.TableRow({"a": ["x", "y"]}, ["n"]),
                None,
                encodings=[NormalizeTable(("other",), (0.0,), (1.0,))],
            ),
            TaskError,
            "NormalizeTable has the columns other",
        ),
        (
            lambda: sp.Task(
                sp.TableRow({"a": ["x", "y"]}),
                None,
                encodings=[Categorise(("b",), ((0,),), (2,))],
            ),
            TaskError,
            "Categorise has the columns b",
        ),
        (lambda: NormalizeTable(("a",), (0.0,), (0.0,)), TaskError, "std above 0"),
    ],
)
def test_mistakes_are_named_with_their_fix(make: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        make()
    assert caught.value.fix


def test_both_parts_of_rows_have_the_same_number() -> None:
    # Under the shapes that tests check, rows would not even be made of these.
    uneven = SimpleNamespace(categorical=torch.zeros(2, 1), continuous=torch.zeros(3, 1))
    with pytest.raises(BlockError, match="2 rows of categories and 3 of numbers"):
        inspect.unwrap(sp.Rows.__post_init__)(uneven)


def test_yes_and_no_are_categories_unless_said_otherwise() -> None:
    columns = {"smokes": [True, False, None, True], "age": [30, 41.5, 22, 60]}
    block = sp.TableRow.of(columns)
    assert block.categorical == (("smokes", (False, True)),)
    assert block.read(columns).categorical[:, 0].tolist() == [1, 0, sp.tabular.MISSING, 1]
    numbers = sp.TableRow.of(columns, categorical=[])
    smokes = numbers.read(columns).continuous[:, 0]
    assert smokes.nan_to_num(-1).tolist() == [1, 0, -1, 1]
    array = {"smokes": numpy.array([True, False]), "age": numpy.array([3, 4])}
    assert sp.TableRow.of(array).categorical == block.categorical
