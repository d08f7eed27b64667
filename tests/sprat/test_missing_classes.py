"""A class that is measured and never learnt is refused, one that is nowhere is pointed out."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import sprat as sp
from sprat.errors import DataError

NAMES = ["cat", "dog", "owl", "fox", "hen", "rat"]


def data(*labels: int, **options: Any) -> sp.Data:
    return sp.Data(torch.zeros(len(labels), 2), torch.tensor(labels), classes=NAMES[:3], **options)


def learner(parts: Any, *, names: int = 3, **options: Any) -> sp.Learner:
    task = sp.Task(sp.Continuous(2), sp.Label(NAMES[:names]))
    return sp.Learner(task, parts, model=nn.Linear(2, names), device="cpu", **options)


@pytest.fixture(autouse=True)
def _no_warning_goes_by() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_what_is_measured_must_be_learnt() -> None:
    with pytest.raises(DataError) as caught:
        learner((data(0, 0, 1), data(0, 2, 2)))
    assert "training part has no sample of class 'owl', of which the 'valid' part has 2" in str(
        caught.value
    )
    assert "stratify=True" in caught.value.fix
    assert "allow_missing=True" in caught.value.fix
    with pytest.raises(DataError, match=r"of 2 classes \('dog', 'owl'\), of which the 'test' part"):
        learner({"train": data(0), "valid": data(0), "test": data(1, 2)})
    with pytest.raises(DataError, match=r"5 classes \('dog', 'owl', 'fox', …\)"):
        learner((data(0), data(1, 2, 3, 4, 5)), names=6)


def test_what_is_not_measured_may_be_learnt() -> None:
    learner((data(0, 1, 2), data(0, 0)))
    learner((data(0, 1, 2),))


def test_what_is_nowhere_is_pointed_out() -> None:
    for parts in ((data(1, 2), data(1, 1)), (data(2, 1),)):
        with pytest.warns(UserWarning, match=r"no sample of class 'cat' of Label\(3: ") as caught:
            learner(parts)
        assert len(caught) == 1


@pytest.mark.parametrize("which", [0, 1])
def test_it_may_be_so_on_purpose(which: int) -> None:
    parts = [data(0, 0), data(0, 2)]
    parts[which].allow_missing = True
    learner(tuple(parts))
    learner((data(1, allow_missing=True)[:1],))  # parts and copies remember
    kept = data(1, 1, 1, allow_missing=True)
    train, valid = kept.map(lambda x: x + 1).split(valid=1)
    learner((train, valid))
    rare = data(0, 0, 0, 2, 2, 1)
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        learner(rare.split(valid=0.5, allow_missing=True, generator=generator))
    rare.allow_missing = True
    with pytest.raises(DataError, match="has no sample of class"):
        rare.split(valid=1, allow_missing=False)


def test_only_labels_of_data_in_memory_are_looked_at() -> None:
    class Counting(TensorDataset):
        looks = 0

        def __getitem__(self, index: int) -> Any:
            Counting.looks += 1
            return super().__getitem__(index)

    plain = DataLoader(Counting(torch.zeros(3, 2), torch.tensor([0, 0, 0])), 2)
    learner((plain, data(1, 2)))
    learner((data(0, 1, 2), plain))
    assert Counting.looks == 0
    learner((data(0), data(1)), phases=[sp.ValidPhase()])  # nothing is learnt
    numbers = sp.Task(sp.Continuous(2), sp.Continuous(1))
    x = torch.zeros(3, 2)
    sp.Learner(numbers, (sp.Data(x, x[:, :1]),), model=nn.Linear(2, 1), device="cpu")


def test_each_label_of_several_is_looked_at() -> None:
    def two(first: list[int], second: list[int]) -> sp.Data:
        x = torch.zeros(len(first), 2)
        return sp.Data(x, (torch.tensor(first), torch.tensor(second)))

    task = sp.Task(
        sp.Continuous(2), (sp.Label(NAMES[:2]), sp.Label(NAMES[2:4])),
        loss=lambda y_hat, y: y_hat.sum(), metrics=[],
    )  # fmt: skip
    model = nn.Linear(2, 4)
    sp.Learner(task, (two([0, 1], [0, 1]), two([0], [1])), model=model, device="cpu")
    with pytest.raises(DataError, match="no sample of class 'fox', of which"):
        sp.Learner(task, (two([0, 1], [0, 0]), two([0], [1])), model=model, device="cpu")
