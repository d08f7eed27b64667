"""Cells: equal values are one category, whatever they come in, at every place of a table."""

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sprat as sp
from sprat.cells import in_order, in_words, plain
from sprat.errors import BlockError
from sprat.export import task_config
from sprat.interpret.columns import categories_of

NAN = float("nan")
MORNING = datetime.datetime(2020, 1, 2, 12, 0, 0, 500_000)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (None, None),
        (NAN, None),
        ("", None),
        (np.float32("nan"), None),
        (np.datetime64("NaT"), None),
        (Decimal("nan"), None),
        (b"", None),
        (np.int8(3), 3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), True),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), 0.1),
        (np.float16(0.1), 0.1),
        (torch.tensor(0.1), 0.1),
        (torch.tensor(0.1, dtype=torch.float64), 0.1),
        (torch.tensor(7), 7),
        (Decimal("0.5"), 0.5),
        (np.str_("gas"), "gas"),
        (b"gas", "gas"),
        (np.bytes_(b"gas"), "gas"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (datetime.datetime(2020, 1, 2), "2020-01-02"),
        (MORNING, "2020-01-02T12:00:00.5"),
        (MORNING.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
         "2020-01-02T10:00:00.5+00:00"),
        (np.datetime64("2020-01-02"), "2020-01-02"),
        (np.datetime64("2020-01-02", "ns"), "2020-01-02"),
        (np.datetime64("2020-01"), "2020-01-01"),
        (np.datetime64("2020-01-02T12:00:00.500", "ms"), "2020-01-02T12:00:00.5"),
        (np.datetime64("2020-01-02T12"), "2020-01-02T12:00:00"),
        (datetime.timedelta(minutes=1), "60 s"),
        (np.timedelta64(1, "m"), "60 s"),
    ],
)  # fmt: skip
def test_a_cell_is_what_it_is_worth(cell: Any, value: Any) -> None:
    found = plain(cell)
    assert found == value
    assert type(found) is type(value)


def test_a_cell_of_several_values_is_refused() -> None:
    with pytest.raises(BlockError, match="ndarray of shape"):
        plain(np.zeros(2))
    table = np.zeros((4, 2))
    with pytest.raises(BlockError, match=r"'a' has shape \(4, 2\)") as caught:
        sp.TableRow.of({"a": table})
    assert "values[:, 0]" in caught.value.fix
    assert sp.TableRow.of({"a": table[:, 0]}).continuous == ("a",)


def test_the_order_of_categories_is_by_value() -> None:
    assert in_order([10, 9, "b", 2.5, "a", None, True, "10"]) == [True, 2.5, 9, 10, "10", "a", "b"]
    assert [in_words(value) for value in (1.0, 2.5, 3, True, "x")] == ["1", "2.5", "3", "True", "x"]


values = st.one_of(
    st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(min_size=1)
)


@given(st.lists(st.integers(-5, 5) | st.sampled_from(["a", "-1x", "b"]), min_size=1, max_size=12))
def test_categories_come_back_from_another_type(column: list[Any]) -> None:
    block = sp.TableRow.of({"c": column}, categorical=["c"])
    categories = dict(block.categorical)["c"]
    codes = block.read({"c": column}).categorical[:, 0].tolist()
    assert [categories[code] for code in codes] == column
    others: list[list[Any]] = [
        [float(cell) if isinstance(cell, int) else np.str_(cell) for cell in column],
        [np.int64(cell) if isinstance(cell, int) else cell for cell in column],
        list(np.array(column, dtype=object)),
    ]
    for other in others:
        assert block.read({"c": other}).categorical[:, 0].tolist() == codes
    assert sp.TableRow.of({"c": others[0]}, categorical=["c"]) == block


@given(st.lists(values, min_size=1, max_size=8))
def test_categories_keep_their_types_in_a_file(categories: list[Any]) -> None:
    block = sp.TableRow({"c": categories})
    kept = task_config(sp.Task(block, None, encodings=()))
    again = json.loads(json.dumps(kept))["input"]["categorical"][0][1]
    first = dict(block.categorical)["c"]
    assert [(type(value), value) for value in again] == [(type(value), value) for value in first]


def test_whole_numbers_with_and_without_holes_are_one_category() -> None:
    pandas = pytest.importorskip("pandas")
    whole = pandas.DataFrame({"zip": [1, 2, 3]})
    holes = pandas.DataFrame({"zip": [1, None, 3]})  # floats, as pandas has no other hole there
    for train, count in ((whole, 3), (holes, 2)):
        block = sp.TableRow.of(train, categorical=["zip"])
        assert block.sizes == (count,)
        places = [{1: 0, 2: 1, 3: 2}, {1: 0, 3: 1}][count == 2]
        for kind in (None, "Int64", "Float32", "Float64", "category", object):
            column = holes["zip"] if kind is None else holes["zip"].astype(kind)
            codes = block.read({"zip": column}).categorical[:, 0].tolist()
            assert codes == [places[1], -1, places[3]], kind
        assert block.read({"zip": torch.tensor([3, 1])}).categorical[:, 0].tolist() == [
            places[3], places[1],
        ]  # fmt: skip


def test_yes_and_no_are_one_and_nought() -> None:
    pandas = pytest.importorskip("pandas")
    block = sp.TableRow.of({"smokes": [True, False, None]})
    columns = (
        [1, 0], [1.0, 0.0], np.array([True, False]), torch.tensor([True, False]),
        pandas.Series([True, False], dtype="boolean"), pandas.Series([True, False], dtype=object),
    )  # fmt: skip
    for column in columns:
        assert block.read({"smokes": column}).categorical[:, 0].tolist() == [1, 0]
    gone = pandas.Series([True, pandas.NA], dtype="boolean")
    assert block.read({"smokes": gone}).categorical[:, 0].tolist() == [1, -1]


def test_words_of_pandas_and_numpy_are_words() -> None:
    pandas = pytest.importorskip("pandas")
    words = ["oil", "gas", "oil"]
    block = sp.TableRow.of({"heating": words})
    ordered = pandas.CategoricalDtype(["wood", "oil", "gas"], ordered=True)
    columns = [
        np.array(words), np.array(words, dtype=object), np.array(words, "S"), pandas.Series(words),
        *(pandas.Series(words, dtype=kind) for kind in (object, "string", "category", ordered)),
    ]  # fmt: skip
    for column in columns:
        assert sp.TableRow.of({"heating": column}) == block  # what never occurs is no category
        assert block.read({"heating": column}).categorical[:, 0].tolist() == [1, 0, 1]
    gone = pandas.Series(["gas", None, "oil"], dtype="string")
    assert block.read({"heating": gone}).categorical[:, 0].tolist() == [0, -1, 1]
    digits = pandas.DataFrame({"floor": pandas.Series([2, 1, 2], dtype="category")})
    assert sp.TableRow.of(digits).categorical == (("floor", (1, 2)),)


def test_dates_are_the_same_from_everywhere() -> None:
    pandas = pytest.importorskip("pandas")
    days = np.array(["2020-01-02", "2020-01-01"], dtype="datetime64[D]")
    block = sp.TableRow.of({"day": days})
    assert block.categorical == (("day", ("2020-01-01", "2020-01-02")),)
    for column in (days.astype("datetime64[ns]"), pandas.Series(days), pandas.to_datetime(days),
                   days.tolist(), ["2020-01-02", "2020-01-01"]):  # fmt: skip
        assert block.read({"day": column}).categorical[:, 0].tolist() == [1, 0]
    gone = pandas.Series([pandas.NaT, pandas.Timestamp("2020-01-01")])
    assert block.read({"day": gone}).categorical[:, 0].tolist() == [-1, 0]


def test_shorter_floats_stand_for_their_decimal() -> None:
    pandas = pytest.importorskip("pandas")
    long, short = np.array([0.1, 0.7]), np.array([0.1, 0.7], dtype=np.float32)
    for train in (long, short, torch.tensor(short)):
        block = sp.TableRow.of({"dose": train}, categorical=["dose"])
        assert block.categorical == (("dose", (0.1, 0.7)),)
        for column in (long, short, list(short), torch.tensor(short), pandas.Series(short),
                       pandas.Series(short, dtype="Float32")):  # fmt: skip
            assert block.read({"dose": column}).categorical[:, 0].tolist() == [0, 1]
    minus = sp.TableRow.of({"dose": [-0.0, 1.0]}, categorical=["dose"])
    assert minus.read({"dose": [0, 0.0, -0.0]}).categorical[:, 0].tolist() == [0, 0, 0]


def test_numbers_too_large_for_a_float_are_not_guessed() -> None:
    large = 2**53 + 1
    block = sp.TableRow.of({"id": [large, large - 1]}, categorical=["id"])
    assert block.read({"id": [large, large - 1]}).categorical[:, 0].tolist() == [1, 0]
    with pytest.raises(BlockError, match="stand for several whole numbers") as caught:
        block.read({"id": [float(large), NAN]})
    assert "Int64" in caught.value.fix
    pandas = pytest.importorskip("pandas")
    whole = pandas.Series([large, None], dtype="Int64")
    assert block.read({"id": whole}).categorical[:, 0].tolist() == [1, -1]
    with pytest.raises(BlockError, match="stand for several"):
        sp.TableRow.of({"id": [large, 1e18]}, categorical=["id"])


def test_a_word_is_never_the_number_that_it_spells() -> None:
    numbers = sp.TableRow.of({"zip": [1, 20]}, categorical=["zip"])
    column = ["1", "20", "300"]
    with pytest.raises(BlockError, match="word '1'; its category is the number 1") as caught:
        numbers.read({"zip": column})
    assert "[float(cell) for cell in column]" in caught.value.fix
    cells = [float(cell) for cell in column]
    assert numbers.read({"zip": cells}).categorical[:, 0].tolist() == [0, 1, -1]

    words = sp.TableRow.of({"zip": ["007", "1"]})
    with pytest.raises(BlockError, match="number 7; its category is the word '007'") as caught:
        words.read({"zip": [7]})
    assert "TableRow({'zip': [7, ...]})" in caught.value.fix
    assert sp.TableRow({"zip": [7, 1]}).read({"zip": [7.0]}).categorical.tolist() == [[0]]

    truth = sp.TableRow.of({"smokes": [True, False]})
    column = ["True", "False"]
    with pytest.raises(BlockError, match="the word 'True'") as caught:
        truth.read({"smokes": column})
    assert "cell == 'True'" in caught.value.fix
    assert truth.read({"smokes": [c == "True" for c in column]}).categorical[:, 0].tolist() == [
        1,
        0,
    ]

    both = sp.TableRow.of({"zip": [1, "1", "x"]})
    assert both.sizes == (3,)
    assert both.read({"zip": ["1", 1, "x", 2]}).categorical[:, 0].tolist() == [1, 0, 2, -1]


def test_names_of_columns_may_be_numbers_and_must_be_there() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([["a", 1.0], ["b", 2.0]])
    block = sp.TableRow.of(frame)
    assert block.names == ("0", "1")
    assert block.read(frame).categorical[:, 0].tolist() == [0, 1]
    with pytest.raises(BlockError, match="no column 'zpi', only zip"):
        sp.TableRow.of({"zip": [1]}, categorical=["zpi"])


def table(count: int = 200) -> dict[str, list[Any]]:
    rng = np.random.default_rng(0)
    return {
        "area": rng.normal(100, 20, count).tolist(),
        "heating": rng.choice(["gas", "oil"], count).tolist(),
    }


def learner(columns: dict[str, list[Any]]) -> tuple[sp.TableRow, sp.Task, sp.Learner]:
    block = sp.TableRow.of(columns)
    rows = block.read(columns)
    data = sp.Data(rows, torch.randn(len(rows), 1, generator=torch.Generator().manual_seed(0)))
    task = sp.Task(block, sp.Continuous(1), encodings=sp.tabular.prepare(block, rows))
    after = task.encoded(block)
    assert isinstance(after, sp.TableRow)
    model = sp.models.TabularNet(after.sizes, len(after.continuous), 1, num_hiddens=[4])
    return block, task, sp.Learner(task, data, model=model, device="cpu", progress=False)


@pytest.mark.parametrize("strange", ["solar", None])
@pytest.mark.parametrize("place", [0, 63, 64, 199])
def test_an_unseen_category_is_unknown_at_every_place(
    place: int, strange: Any, tmp_path: Path
) -> None:
    columns = table()
    block, task, learn = learner(columns)
    columns["heating"][place] = strange
    rows = block.read(columns)
    said = learn.predict(rows)
    assert torch.isfinite(said).all()
    assert task.encode(sp.Batch(rows)).x.categorical[place].tolist() == [0]
    exported = sp.load(learn.export(tmp_path / "model"))
    torch.testing.assert_close(exported.predict(rows), said)
    valid = sp.Data(rows, torch.zeros(len(rows), 1))
    assert "loss" in sp.Learner(task, (valid, valid), model=learn.model, progress=False).evaluate()


@pytest.mark.parametrize("place", [0, 63, 64, 199])
def test_a_hole_in_numbers_that_had_none_is_named_at_every_place(place: int) -> None:
    columns = table()
    block, task, learn = learner(columns)
    columns["area"][place] = None
    rows = block.read(columns)
    with pytest.raises(BlockError, match=f"'area' has missing values, the first in row {place}"):
        learn.predict(rows)
    valid = sp.Data(rows, torch.zeros(len(rows), 1))
    with pytest.raises(BlockError, match=f"row {place}") as caught:
        sp.Learner(task, (valid, valid), model=learn.model, progress=False)
    assert "[*block.missing, 'area']" in caught.value.fix
    mended = sp.TableRow(block.categorical, block.continuous, [*block.missing, "area"])
    steps = sp.tabular.prepare(mended, rows)
    sp.Task(mended, sp.Continuous(1), encodings=steps).check(sp.Batch(rows, valid.y))


def test_without_a_place_for_it_an_unseen_category_is_refused() -> None:
    block = sp.TableRow({"heating": ["gas", "oil"]})
    task = sp.Task(block, None, encodings=())
    with pytest.raises(BlockError, match="none of its categories") as caught:
        task.check_input(block.read({"heating": ["gas", "solar"]}))
    assert "Categorise.of(block, rows)" in caught.value.fix


def test_tables_that_the_first_version_saved_are_read_as_it_did(tmp_path: Path) -> None:
    columns = {"zip": [1, 2, 3] * 20, "half": [0.5, 1.0, 1.5] * 20}
    now = sp.TableRow.of(columns, categorical=["zip", "half"])
    written = {name: [str(value) for value in kept] for name, kept in now.categorical}
    task = sp.Task(now, sp.Continuous(1), encodings=sp.tabular.prepare(now, now.read(columns)))
    after = task.encoded(now)
    assert isinstance(after, sp.TableRow)
    model = sp.models.TabularNet(after.sizes, 0, 1, num_hiddens=[4])
    data = sp.Data(now.read(columns), torch.zeros(60, 1))
    folder = sp.Learner(task, data, model=model, progress=False, device="cpu").export(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["format"], config["task"]["input"]["categorical"] = 1, list(written.items())
    del config["task"]["input"]["as_text"]
    (folder / "config.json").write_text(json.dumps(config))
    loaded = sp.load(folder)
    assert loaded.task is not None
    old = loaded.task.input
    assert isinstance(old, sp.TableRow)
    for zips in ([1, 2, 3, 4], [1.0, 2.0, 3.0, NAN], ["1", "2", "3", "x"], np.array([1, 2, 3, 9])):
        rows = old.read({"zip": zips, "half": [0.5, 1, 1.5, 7]})
        assert rows.categorical.tolist() == [[0, 0], [1, 1], [2, 2], [-1, -1]]
        assert torch.isfinite(loaded.predict(rows)).all()
    learn = sp.Learner(loaded.task, data, model=loaded.model, progress=False, device="cpu")
    assert sp.load(learn.export(tmp_path / "again")).task == loaded.task


def test_a_column_that_shows_numbers_shows_them_as_people_write_them() -> None:
    block = sp.TableRow.of({"zip": [1.0, 2.0, NAN]}, categorical=["zip"])
    assert block.cells(block.read({"zip": [2]}))[0] == ("zip", "2")
    assert categories_of(block, "zip") == ("1", "2")
