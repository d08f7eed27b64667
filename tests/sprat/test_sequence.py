"""Places of samples are those of the user's data, whatever order a loader gives them in."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import data as torch_data
from torch.utils.data import DataLoader, TensorDataset

import sprat as sp
from sprat.errors import DataError
from sprat.sequence import in_sequence, knows_its_order, steady_batches

COUNT = 40
X = torch.arange(COUNT * 1.0)[:, None] / COUNT
Y = (X * 2).sin()
WRONG = (3, 17, 31)
DATASET = TensorDataset(X, Y)


def spoiled() -> torch.Tensor:
    y = Y.clone()
    y[list(WRONG)] += torch.tensor([[30.0], [20.0], [10.0]])
    return y


@pytest.fixture
def learn() -> sp.Learner:
    model = nn.Linear(1, 1)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    task = sp.Task(sp.Continuous(1), sp.Continuous(1))
    return sp.Learner(task, sp.Data(X, Y), model=model, device="cpu", progress=False)


class Backwards(torch_data.Sampler[int]):
    """Every sample once, from the end."""

    def __iter__(self) -> Any:
        return reversed(range(COUNT))

    def __len__(self) -> int:
        return COUNT


def dice() -> torch.Generator:
    return torch.Generator().manual_seed(0)


SHUFFLED: dict[str, Callable[[Any], Any]] = {
    "torch's": lambda data: DataLoader(data, 7, shuffle=True, generator=dice()),
    "a last batch dropped": lambda data: DataLoader(data, 7, shuffle=True, drop_last=True),
    "a sampler": lambda data: DataLoader(data, 7, sampler=Backwards()),
    "batches of a sampler": lambda data: DataLoader(
        data, batch_sampler=torch_data.BatchSampler(torch_data.RandomSampler(data), 7, False)
    ),
    "arranged": lambda data: sp.Arranged(DataLoader(data, 7, shuffle=True)),
    "ours": lambda data: sp.Loader(sp.Data(*data.tensors), 7, shuffle=True, drop_last=True),
    "a loader in order": lambda data: DataLoader(data, 7),
    "of single samples": lambda data: DataLoader(
        data, None, sampler=torch_data.BatchSampler(torch_data.SequentialSampler(data), 7, False)
    ),
    "a list of batches": lambda data: list(DataLoader(data, 7)),
}


@pytest.mark.parametrize("name", SHUFFLED)
def test_places_are_those_of_the_data(learn: sp.Learner, name: str) -> None:
    loader = SHUFFLED[name](TensorDataset(X, spoiled()))
    found = sp.interpret.top_losses(learn, 3, data=loader)
    assert found.indices == list(WRONG)
    assert sp.interpret.residuals(learn, loader).worst(3) == list(WRONG)
    y_hat, y = learn.predictions(loader)
    assert torch.equal(y, spoiled())
    assert y_hat.shape == y.shape
    by = ["wrong" if i in WRONG else "right" for i in range(COUNT)]
    groups = sp.interpret.group_metrics(learn, by, metrics=[sp.metrics.mae], data=loader)
    assert groups["mae"]["wrong"] > 9 > 3 > groups["mae"]["right"]
    assert torch.equal(sp.interpret.sample_losses(learn, loader).argsort(descending=True)[:3],
                       torch.tensor(WRONG))  # fmt: skip


def test_suspicious_labels_are_dropped_where_they_are() -> None:
    x = torch.cat([torch.randn(30, 2, generator=dice()) - 4, torch.randn(30, 2) + 4])
    y = (torch.arange(60) >= 30).long()
    y[[5, 44]] = 1 - y[[5, 44]]
    data = sp.Data(x, y)
    task = sp.Task(sp.Continuous(2), sp.Label(["low", "high"]))
    learn = sp.Learner(task, data, model=nn.Linear(2, 2), device="cpu", progress=False)
    learn.fit(20, lr=0.05)
    found = sp.interpret.suspects(learn, DataLoader(TensorDataset(x, y), 9, shuffle=True))
    assert sorted(found.indices) == [5, 44]
    assert torch.equal(found.drop(data).x, data[[i for i in range(60) if i not in (5, 44)]].x)
    part = data.filter(lambda x, y: torch.arange(60) >= 20)
    assert sorted(sp.interpret.suspects(learn, part).indices) == [24]  # places of the part


class Restless:
    """A loader of another kind, with an order of its own each time."""

    def __len__(self) -> int:
        return 4

    def __iter__(self) -> Any:
        return iter(DataLoader(DATASET, 10, shuffle=True))


REFUSED: dict[str, Callable[[], Any]] = {
    "some samples": lambda: DataLoader(
        DATASET, 7, sampler=torch_data.SubsetRandomSampler(range(10))
    ),
    "with replacement": lambda: DataLoader(
        DATASET, 7, sampler=torch_data.WeightedRandomSampler(torch.ones(COUNT), COUNT)
    ),
    "fewer samples": lambda: DataLoader(
        DATASET, 7, sampler=torch_data.RandomSampler(DATASET, num_samples=9)
    ),
    "another kind": Restless,
    "arranged": lambda: sp.Arranged(Restless()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_places_that_would_mean_nothing_are_refused(learn: sp.Learner, name: str) -> None:
    loader = REFUSED[name]()
    assert not knows_its_order(loader)
    with pytest.raises(DataError, match="where a sample stands can't be said") as caught:
        sp.interpret.top_losses(learn, 3, data=loader)
    assert "sprat.Data(x, y)" in caught.value.fix
    part = torch_data.Subset(DATASET, [4, 2, 9])
    batches = steady_batches(DataLoader(part, 2, shuffle=True))
    assert torch.equal(torch.cat([batch.x for batch in batches]), X[[4, 2, 9]])


def test_the_loader_itself_stays_as_it_was() -> None:
    generator = dice()
    loader = DataLoader(DATASET, 7, shuffle=True, generator=generator)
    before = generator.get_state()
    list(in_sequence(loader))
    assert torch.equal(generator.get_state(), before)
    assert isinstance(loader.sampler, torch_data.RandomSampler)
    ours = sp.Loader(sp.Data(X, Y), 7, shuffle=True, drop_last=True)
    assert len(in_sequence(ours)) == 6
    assert ours.shuffle
    assert ours.drop_last
    calm = sp.Loader(sp.Data(X, Y), 7)
    assert in_sequence(calm) is calm


def test_batches_of_tables_and_of_several_inputs_are_joined() -> None:
    rows = sp.Rows(torch.arange(8)[:, None], torch.arange(8.0)[:, None])
    data = sp.Data((rows, torch.arange(8.0)[:, None]), torch.arange(8.0)[:, None])
    block = sp.TableRow({"c": list(range(8))}, ["n"])
    task = sp.Task((block, sp.Continuous(1)), sp.Continuous(1), encodings=())

    class Net(nn.Module):
        def forward(self, x: Any) -> torch.Tensor:
            return x[0].continuous + x[1]

    learn = sp.Learner(task, data, model=Net(), device="cpu", progress=False)
    found = sp.interpret.top_losses(learn, 2, data=list(sp.Loader(data, 3)))
    assert found.indices == [7, 6]
