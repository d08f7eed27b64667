"""What loaders yield: tuples, lists, dicts, named tuples; several parts, and more than two."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset

import sprat as sp
from sprat.errors import DataError, TrainingError

COUNT = 10
A = torch.arange(COUNT * 2.0).reshape(COUNT, 2) / 20
B = torch.arange(COUNT * 1.0)[:, None] / 10
Y = A.sum(1, keepdim=True) + B
WEIGHT = torch.ones(COUNT)


class Sample(NamedTuple):
    """In another order than x, y."""

    y: Tensor
    x: Tensor


class Named(NamedTuple):
    """With a part too many."""

    picture: Tensor
    age: Tensor
    target: Tensor


class Made(Dataset[Any]):
    """What a function makes of each place."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, i: int) -> Any:
        return self.make(i)


def loader(make: Any, batch_size: int = 4) -> "DataLoader[Any]":
    return DataLoader(Made(make), batch_size)


class Two(nn.Module):
    """Of two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(3, 1)

    def forward(self, x: Any) -> Tensor:
        a, b = x
        return self.out(torch.cat([a, b], 1))


def fit(model: nn.Module, data: Any) -> float:
    learn = sp.Learner(model, data, loss=F.mse_loss, device="cpu", progress=False)
    learn.fit(1, lr=1e-3)
    return learn.history.last("train_loss")


@pytest.mark.parametrize(
    "make",
    [
        lambda i: (A[i], Y[i]),
        lambda i: [A[i], Y[i]],
        lambda i: Sample(x=A[i], y=Y[i]),
        lambda i: {"y": Y[i], "x": A[i]},
    ],
)
def test_inputs_and_targets_are_found_in_any_pair(make: Any) -> None:
    batch = sp.Batch.of(next(iter(loader(make))))
    assert torch.equal(batch.x, A[:4])
    assert torch.equal(batch.y, Y[:4])
    assert fit(nn.Linear(2, 1), loader(make)) > 0


@pytest.mark.parametrize("batch_size", [2, 3, 4])  # of two, a list has as many parts as samples
def test_several_inputs_in_a_pair_are_several_columns(batch_size: int) -> None:
    def make(i: int) -> Any:
        return (A[i], B[i]), Y[i]

    batch = sp.Batch.of(next(iter(loader(make, batch_size))))
    assert isinstance(batch.x, tuple)
    assert len(batch) == batch_size
    torch.manual_seed(0)
    mine = fit(Two(), loader(make, batch_size))
    torch.manual_seed(0)
    data = sp.Loader(sp.Data((A, B), Y), batch_size)
    assert mine == pytest.approx(fit(Two(), data))


def test_several_targets_in_a_pair_are_several_columns() -> None:
    batch = sp.Batch.of(next(iter(loader(lambda i: (A[i], [Y[i], B[i]])))))
    assert isinstance(batch.y, tuple)
    assert torch.equal(batch.y[1], B[:4])


def test_lists_of_samples_stay_lists() -> None:
    pictures = [torch.zeros(3, 5, 5), torch.zeros(3, 6, 6)]
    assert sp.Batch.of((pictures, torch.zeros(2))).x is pictures
    boxes = [{"box": torch.zeros(4)}] * 2
    assert sp.Batch.of((pictures, boxes)).y is boxes
    words = ["a", "b"]
    assert sp.Batch.of((words, torch.zeros(2))).x is words


TOO_MANY: list[tuple[Any, str, dict[str, Any], nn.Module]] = [
    (lambda i: (A[i], Y[i], WEIGHT[i]), "sprat.Arranged(loader, x=0, y=1)", {}, nn.Linear(2, 1)),
    (lambda i: (A[i], B[i], Y[i]), "x=(0, 1), y=2", {"x": (0, 1), "y": 2}, Two()),
    (lambda i: [A[i], B[i], Y[i], i], "x=(0, 1, 2), y=3", {"x": (0, 1), "y": -2}, Two()),
    (
        lambda i: Named(A[i], B[i], Y[i]), "x=('picture', 'age'), y='target'",
        {"x": ("picture", "age"), "y": "target"}, Two(),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(TOO_MANY)))
def test_a_tuple_of_three_is_refused_with_what_works(case: int) -> None:
    make, fix, how, model = TOO_MANY[case]
    with pytest.raises(DataError, match=r"yields [34] things in a batch") as caught:
        fit(model, loader(make))
    assert fix in caught.value.fix
    arranged = sp.Arranged(loader(make), **how)
    assert len(arranged) == 3
    assert fit(model, arranged) > 0


def test_a_dict_without_x_and_y_is_the_inputs_and_says_how_to_arrange_it() -> None:
    def make(i: int) -> Any:
        return {"image": A[i], "label": Y[i], "id": i}

    class Takes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(2, 1)

        def forward(self, x: Any) -> Tensor:
            return self.out(x["image"])

    with pytest.raises(TrainingError, match="no targets") as caught:
        fit(Takes(), loader(make))
    assert "sprat.Arranged(loader, x='image', y='label')" in caught.value.fix
    with pytest.raises(TrainingError, match="can't take inputs of dict") as caught:
        fit(nn.Linear(2, 1), loader(make))
    assert "sprat.Arranged(loader, x='image', y='label')" in caught.value.fix
    assert fit(nn.Linear(2, 1), sp.Arranged(loader(make), x="image", y="label")) > 0


def test_parts_that_are_not_there_are_named() -> None:
    for raw, says in (
        (loader(lambda i: {"image": A[i]}), "use one of 'image'"),
        (loader(lambda i: Named(A[i], B[i], Y[i])), "use one of 'picture', 'age', 'target'"),
        (loader(lambda i: (A[i], Y[i])), "use one of 0 to 1"),
        (loader(lambda i: A[i]), "use one of Tensor"),
    ):
        with pytest.raises(DataError, match="has no part 'scan'") as caught:
            next(iter(sp.Arranged(raw, x="scan", y=None)))
        assert says in caught.value.fix
    assert next(iter(sp.Arranged(loader(lambda i: (A[i], Y[i])), y=None))).y is None


class Stream(IterableDataset[Any]):
    """Ten samples, one after the other."""

    def __iter__(self) -> Any:
        return iter([(A[i], Y[i]) for i in range(COUNT)])


class Counted(Stream):
    """The same, with the fix."""

    def __len__(self) -> int:
        return COUNT


def test_a_stream_without_a_length_says_how_to_give_it_one() -> None:
    with pytest.raises(DataError, match="DataLoader does not know its length") as caught:
        fit(nn.Linear(2, 1), DataLoader(Stream(), 4))
    assert "__len__" in caught.value.fix
    assert "list(loader)" in caught.value.fix
    assert fit(nn.Linear(2, 1), DataLoader(Counted(), 4)) > 0
    assert fit(nn.Linear(2, 1), list(DataLoader(Stream(), 4))) > 0


def test_samples_are_not_taken_for_batches() -> None:
    pandas = pytest.importorskip("pandas")
    task = sp.Task(sp.Continuous(2), sp.Continuous(1))
    learn = sp.Learner(task, sp.Data(A, Y), model=nn.Linear(2, 1), device="cpu", progress=False)
    samples = [
        A, A.numpy(), (A, Y), {"a": A}, pandas.DataFrame(A.numpy()), ["a b", "c"],
        sp.Rows(torch.zeros(3, 1).long(), torch.zeros(3, 1)),
    ]  # fmt: skip
    for each in samples:
        for ask in (
            learn.predictions,
            learn.evaluate,
            lambda d: sp.interpret.top_losses(learn, data=d),
        ):
            with pytest.raises(DataError, match=r"holds samples|a pair of Tensor") as caught:
                ask(each)
            assert "sprat.Data(" in caught.value.fix
    assert learn.predictions(sp.Data(A))[0].shape == (COUNT, 1)
    with pytest.raises(DataError, match=r"holds samples|a pair of Tensor"):
        sp.Learner(nn.Linear(2, 1), (A, Y), loss=F.mse_loss)


def test_one_sample_alone_is_refused_by_predict_with_what_works() -> None:
    task = sp.Task(sp.Continuous(2), sp.Continuous(1))
    learn = sp.Learner(task, sp.Data(A, Y), model=nn.Linear(2, 1), device="cpu", progress=False)
    with pytest.raises(sp.SpratError, match="1 axes instead of 2") as caught:
        learn.predict(A[0])
    assert "values[None]" in caught.value.fix
    assert learn.predict(A[0][None]).shape == (1, 1)
    holes = A.clone()
    holes[8, 1] = float("nan")
    with pytest.raises(sp.SpratError, match="not finite"):
        learn.predict(holes)


def test_columns_of_pandas_and_numpy_become_tensors_or_lists() -> None:
    pandas = pytest.importorskip("pandas")
    y = torch.tensor([0, 1])
    for words in (
        pandas.Series(["a b", "c"]), pandas.Series(["a b", "c"], dtype=object),
        pandas.Series(["a b", "c"], dtype="string"), pandas.Series(["a b", "c"], dtype="category"),
        np.array(["a b", "c"]), np.array(["a b", "c"], dtype=object),
    ):  # fmt: skip
        assert sp.Data(words, y).x == ["a b", "c"]
    for numbers in (
        pandas.Series([1, 2]), pandas.Series([1, 2], dtype="Int64"), pandas.Series([1.0, 2.0]),
        pandas.Series([1, 2], dtype=object), np.array([2, 1])[::-1], np.array([1, 2], dtype=">i4"),
    ):  # fmt: skip
        assert sp.Data(numbers, y).x.tolist() == [1, 2]
    flags = sp.Data(pandas.Series([True, False], dtype="boolean")).x
    assert flags.tolist() == [True, False]
    parts = [torch.zeros(2), torch.zeros(3)]
    assert sp.Data(pandas.Series(parts)).x[1].shape == (3,)
    for bad in (
        np.array([None, 1], dtype=object),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
    ):
        with pytest.raises(DataError, match="torch has no tensor for") as caught:
            sp.Data(bad)
        assert "TableRow" in caught.value.fix
    with pytest.raises(DataError, match="a DataFrame with") as caught:
        sp.Data(pandas.DataFrame({"a": ["x"], "b": [1]}))
    assert "TableRow" in caught.value.fix
