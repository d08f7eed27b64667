"""Any metric by any column, each group measured as if it were alone."""

from typing import Any

import numpy
import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import nn

import sprat as sp
from sprat.errors import DataError, TaskError
from sprat.interpret import group_metrics


def test_by_default_each_true_class(learn: sp.Learner) -> None:
    found = group_metrics(learn)
    y_hat, y = learn.predictions()
    recalls = sk.recall_score(y, y_hat.argmax(1), average=None, labels=range(3))
    by_name = dict(zip(("top", "middle", "bottom"), recalls.tolist(), strict=True))
    assert found["accuracy"] == pytest.approx(by_name)
    assert sum(found.counts) == 24
    assert found.groups == ("top", "middle", "bottom")
    assert found.overall["accuracy"] == pytest.approx(learn.evaluate()["accuracy"])
    assert found.gap("accuracy") == pytest.approx(max(recalls) - min(recalls))


def f1(y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.tensor(sk.f1_score(y, y_hat.argmax(1), average="macro", zero_division=0))


class Worst(sp.Metric):
    """No mean over samples: the lowest probability that the right class got."""

    def reset(self) -> None:
        self.lowest = 1.0

    def update(self, y_hat: Any, y: Any) -> None:
        chosen = y_hat.softmax(1).gather(1, y[:, None])
        self.lowest = min(self.lowest, float(chosen.min()))

    def value(self) -> float:
        return self.lowest


@pytest.mark.parametrize("way", ["function", "tensor", "list", "words", "numpy words"])
def test_any_column_and_any_metric(learn: sp.Learner, pictures: sp.Data, way: str) -> None:
    bright = (pictures.x.float().mean((1, 2, 3)) > 90).long()
    names = ["bright" if b else "dark" for b in bright]
    by: dict[str, Any] = {
        "function": lambda x, y: (x.float().mean((1, 2, 3)) > 90).long(),
        "tensor": bright,
        "list": bright.tolist(),
        "words": names,
        "numpy words": np.array(names),
    }
    found = group_metrics(learn, by[way], metrics=[f1, Worst("worst")], data=pictures)
    for i, name in enumerate(found.groups):
        mine = bright == (1 if name in ("1", "bright") else 0)
        y_hat, y = learn.predictions(pictures[mine])
        assert found.counts[i] == int(mine.sum())
        assert found["f1"][name] == pytest.approx(float(f1(y_hat, y)))
        lowest = float(y_hat.softmax(1).gather(1, y[:, None]).min())
        assert found["worst"][name] == pytest.approx(lowest, rel=1e-5)
    assert found.overall["worst"] == pytest.approx(min(found["worst"].values()))


def table_learner() -> tuple[sp.Learner, sp.Data]:
    block = sp.TableRow({"shop": ["north", "south"]}, ["age (years)", "price (€)"])
    rows = sp.Rows(torch.arange(60)[:, None] % 2, torch.rand(60, 2) * 100)
    data = sp.Data(rows, rows.continuous.sum(1, keepdim=True))
    task = sp.Task(block, sp.Continuous(1))
    model = Sum()
    return sp.Learner(task, (data, data), model=model, device="cpu"), data


class Sum(nn.Module):
    """Right in the north, ten too much in the south."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, rows: Any) -> torch.Tensor:
        return rows.continuous.sum(1, keepdim=True) + 10.0 * rows.categorical


def test_a_column_of_a_table_by_its_name() -> None:
    learn, data = table_learner()
    by_shop = group_metrics(learn, "shop")
    assert by_shop.groups == ("north", "south")
    assert list(by_shop["mae"].values()) == pytest.approx([0, 10], abs=1e-4)
    by_age = group_metrics(learn, "age (years)", bins=3)
    assert len(by_age.groups) == 3
    assert sum(by_age.counts) == 60
    assert max(by_age.counts) - min(by_age.counts) <= 1
    edges = data.x.continuous[:, 0].double().quantile(torch.tensor([0, 1 / 3, 2 / 3, 1]).double())
    assert by_age.groups[0] == f"{float(edges[0]):.4g} to {float(edges[1]):.4g}"
    with pytest.raises(TaskError, match="no column 'weight'") as caught:
        group_metrics(learn, "weight")
    assert "price (€)" in caught.value.fix
    with pytest.raises(TaskError, match="no classes to group by"):
        group_metrics(learn)


def test_what_is_missing_is_a_group_of_its_own(learn: sp.Learner, pictures: sp.Data) -> None:
    by = torch.rand(96)
    by[:7] = torch.nan
    found = group_metrics(learn, by, data=pictures)
    assert found.groups[-1] == "missing"
    assert found.counts[-1] == 7
    assert sum(found.counts) == 96


def test_shown_as_table_and_bars(learn: sp.Learner) -> None:
    found = group_metrics(learn)
    assert str(found).splitlines()[-1].startswith("all")
    assert "<table" in found._repr_html_()
    ax = found.plot().axes[0]
    assert ax.get_xlabel() == "accuracy"
    assert len(ax.patches) == 3
    with pytest.raises(DataError, match="'precision' was not measured"):
        found.plot("precision")


@pytest.mark.parametrize(
    ("by", "says"),
    [
        ([0, 1], "has 2 values"),
        (torch.zeros(96, 2), "has shape"),
        (list(range(96)), "makes 96 groups"),
        (torch.full((96,), torch.nan), "no finite number"),
        (3, "has no values"),
    ],
)
def test_columns_that_cannot_group(
    learn: sp.Learner, pictures: sp.Data, by: Any, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        group_metrics(learn, by, data=pictures)


def test_without_a_metric_there_is_nothing_to_group(pictures: sp.Data) -> None:
    learn = sp.Learner(sp.models.MLP(81, 3), (pictures, pictures), device="cpu")
    with pytest.raises(TaskError, match="no metric"):
        group_metrics(learn, torch.zeros(96))


def test_groups_go_by_value(learn: sp.Learner, pictures: sp.Data) -> None:
    nan = float("nan")

    def groups(values: list[Any]) -> dict[str, int]:
        found = group_metrics(learn, values * (96 // len(values)), data=pictures)
        return dict(zip(found.groups, found.counts, strict=True))

    assert groups([1, 1.0, True, 2]) == {"1": 72, "2": 24}
    assert groups([float("nan"), nan, None, "a"]) == {"a": 24, "missing": 72}
    assert groups([1, "1", 2, "1"]) == {"1": 24, "'1'": 48, "2": 24}
    assert groups([numpy.int64(10), 9, numpy.float32(9), 10]) == {"9": 48, "10": 48}
    words = numpy.array(["b", "a", "b"])
    assert groups(list(words)) == groups(["b", "a", "b"]) == {"b": 64, "a": 32}
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"n": [1, None, 2, 3] * 24, "c": ["x", None, "y", "x"] * 24})
    found = group_metrics(learn, frame["n"], data=pictures)
    assert found.counts == (24, 24, 24, 24)
    assert found.groups[-1] == "missing"
    for kind in (None, "category", "string", object):
        column = frame["c"] if kind is None else frame["c"].astype(kind)
        found = group_metrics(learn, column, data=pictures)
        assert dict(zip(found.groups, found.counts, strict=True)) == {
            "x": 48,
            "y": 24,
            "missing": 24,
        }
