"""Which inputs matter, and how: against scikit-learn's permutation importance and dependence."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn import inspection
from sklearn.base import BaseEstimator, RegressorMixin
from torch import nn

import sprat as sp
from sprat.errors import DataError, TaskError
from sprat.interpret import columns_of, partial_dependence, permutation_importance


class Wrapped(RegressorMixin, BaseEstimator):
    """A network as scikit-learn sees it."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def fit(self, X: Any, y: Any) -> "Wrapped":
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> Any:
        with torch.no_grad():
            return self.model(torch.as_tensor(np.asarray(X), dtype=torch.float32))[:, 0].numpy()


@pytest.fixture
def learn() -> sp.Learner:
    x = torch.randn(200, 3)
    model = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
    with torch.no_grad():
        model[0].weight *= torch.tensor([3.0, 1.0, 0.0])  # the third column is not looked at
        y = model(x) + 0.1 * torch.randn(200, 1)
    task = sp.Task(
        sp.Continuous(3, ("heat (K)", "wind (m/s)", "day")), sp.Continuous(1, ("yield",))
    )
    data = sp.Data(x, y)
    return sp.Learner(task, (data, data), model=model, device="cpu", metrics=[sp.metrics.mse])


def test_importance_as_scikit_learn_finds_it(learn: sp.Learner) -> None:
    ours = permutation_importance(learn, repeats=60, generator=torch.Generator().manual_seed(0))
    data = learn.loaders["valid"].data
    theirs = inspection.permutation_importance(
        Wrapped(learn.model),
        data.x.numpy(),
        data.y[:, 0].numpy(),
        scoring="neg_mean_squared_error",
        n_repeats=60,
        random_state=0,
    )
    # Both shuffle at random: their means differ by a few standard errors at most.
    error = theirs.importances_std / 60**0.5
    difference = np.abs(ours.mean.numpy() - theirs.importances_mean)
    assert (difference <= 5 * error + 1e-6).all()
    assert ours.std.numpy() == pytest.approx(theirs.importances_std, rel=0.35, abs=1e-6)
    assert float(ours.mean[2]) == pytest.approx(0, abs=1e-6)
    assert [name for name, _ in ours.ranked()] == ["heat (K)", "wind (m/s)", "day"]
    assert ours.baseline == pytest.approx(learn.evaluate()["mse"], rel=1e-5)


def test_importance_repeats_with_its_generator(learn: sp.Learner) -> None:
    def changes() -> torch.Tensor:
        dice = torch.Generator().manual_seed(4)
        return permutation_importance(
            learn, repeats=2, columns=["day", "heat (K)"], generator=dice
        ).changes

    assert torch.equal(changes(), changes())
    assert changes().shape == (2, 2)


def test_dependence_is_scikit_learns(learn: sp.Learner) -> None:
    grid = torch.linspace(-1.5, 1.5, 7)
    ours = partial_dependence(learn, "heat (K)", values=grid)
    data = learn.loaders["valid"].data
    theirs = inspection.partial_dependence(
        Wrapped(learn.model),
        data.x.numpy().astype(np.float64),
        [0],
        kind="both",
        method="brute",
        custom_values={0: grid.numpy().astype(np.float64)},
    )
    assert ours.lines.numpy() == pytest.approx(theirs["individual"][0], abs=1e-4)
    assert ours.mean.numpy() == pytest.approx(theirs["average"][0], abs=1e-4)
    assert ours.output == "yield"
    flat = partial_dependence(learn, "day")
    assert float(flat.mean.max() - flat.mean.min()) == pytest.approx(0, abs=1e-6)
    assert len(flat.values) == 20


def test_channels_of_a_picture() -> None:
    x = torch.randint(0, 256, (120, 3, 4, 4), dtype=torch.uint8)
    y = (x[:, 1].float().mean((1, 2)) > 127).long()  # only green matters
    task = sp.Task(sp.Image(3), sp.Label(["dark", "bright"]))
    data = sp.Data(x, y)
    learn = sp.Learner(task, (data, data), model=sp.models.MLP(48, 2, [16]), lr=0.02, device="cpu")
    learn.fit(30)
    found = permutation_importance(learn, generator=torch.Generator().manual_seed(0))
    assert found.columns == ("red", "green", "blue")
    assert found.ranked()[0][0] == "green"
    assert found.baseline > 0.9
    assert found.ranked()[0][1] < -0.2


class Shop(nn.Module):
    """Takes 10 for the south and 2 for each year; forgets the price."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, rows: Any) -> torch.Tensor:
        return self.scale * (10.0 * rows.categorical + 2 * rows.continuous[:, :1])


@pytest.fixture
def table() -> sp.Learner:
    block = sp.TableRow({"shop": ["north", "south"]}, ["age (years)", "price (€)"])
    rows = sp.Rows(torch.arange(80)[:, None] % 2, torch.rand(80, 2))
    task = sp.Task(block, sp.Continuous(1, ("profit (€)",)))
    y = Shop()(rows).detach()
    data = sp.Data(rows, y)
    return sp.Learner(task, (data, data), model=Shop(), device="cpu")


def test_columns_of_a_table(table: sp.Learner) -> None:
    assert columns_of(table.require_task().input) == ["shop", "age (years)", "price (€)"]
    found = permutation_importance(table, generator=torch.Generator().manual_seed(0))
    assert found.metric == "mae"
    assert found.baseline == pytest.approx(0, abs=1e-6)
    assert [name for name, _ in found.ranked()] == ["shop", "age (years)", "price (€)"]
    # Half of the shuffled shops are wrong, by ten.
    assert float(found.mean[0]) == pytest.approx(5, abs=1)
    by_shop = partial_dependence(table, "shop")
    assert by_shop.values == ("north", "south")
    assert float(by_shop.mean[1] - by_shop.mean[0]) == pytest.approx(10, abs=1e-4)
    by_age = partial_dependence(table, "age (years)", values=[0.0, 1.0])
    assert (by_age.lines[:, 1] - by_age.lines[:, 0]).tolist() == pytest.approx([2.0] * 80, abs=1e-4)


def test_columns_of_several_inputs_at_once() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, parts: Any) -> torch.Tensor:
            numbers, rows = parts
            return self.scale * (numbers[:, 1:] + 5.0 * rows.categorical)

    blocks = (sp.Continuous(2, ("a", "b")), sp.TableRow({"shop": ["north", "south"]}))
    task = sp.Task(blocks, sp.Continuous(1))
    x = (torch.randn(60, 2), sp.Rows(torch.arange(60)[:, None] % 2, torch.zeros(60, 0)))
    data = sp.Data(x, Both()(x).detach())
    learn = sp.Learner(task, (data, data), model=Both(), device="cpu")
    assert columns_of(task.input) == ["0: a", "0: b", "1: shop"]
    found = permutation_importance(learn, generator=torch.Generator().manual_seed(0))
    assert [name for name, _ in found.ranked()] == ["1: shop", "0: b", "0: a"]
    assert float(found.mean[0]) == pytest.approx(0, abs=1e-6)
    assert partial_dependence(learn, "1: shop").values == ("north", "south")
    by_shop = sp.interpret.group_metrics(learn, "1: shop")
    assert by_shop.groups == ("north", "south")


@pytest.mark.parametrize("output", [1, "bright"])
def test_dependence_of_a_class_is_a_probability(output: Any) -> None:
    task = sp.Task(sp.Continuous(2), sp.Label(["dark", "bright"]))
    data = sp.Data(torch.randn(30, 2), torch.arange(30) % 2)
    learn = sp.Learner(task, (data, data), model=nn.Linear(2, 2), device="cpu")
    found = partial_dependence(learn, "number 0", output=output)
    assert found.output == "probability of bright"
    x = data.x.clone()
    x[:, 0] = found.values[3]
    expected = learn.model(x).softmax(1)[:, 1]
    assert torch.allclose(found.lines[:, 3], expected, atol=1e-6)


def test_plots_name_column_and_output(learn: sp.Learner, table: sp.Learner) -> None:
    ax = partial_dependence(learn, "heat (K)").plot(ice=10).axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("heat (K)", "yield")
    assert len(ax.lines) == 11
    centred = partial_dependence(table, "shop").plot(centred=True).axes[0]
    assert centred.get_ylabel() == "change of profit (€)"
    assert centred.lines[-1].get_ydata()[0] == 0
    bars = permutation_importance(learn, repeats=2)
    assert len(bars.plot().axes[0].patches) == 3
    assert "nothing shuffled" in str(bars)
    assert "<table" in bars._repr_html_()


def test_mistakes_are_named(learn: sp.Learner, table: sp.Learner) -> None:
    with pytest.raises(TaskError, match="no column 'rain'") as caught:
        permutation_importance(learn, columns=["rain"])
    assert "heat (K), wind (m/s), day" in caught.value.fix
    with pytest.raises(DataError, match="repeats is 0"):
        permutation_importance(learn, repeats=0)
    with pytest.raises(DataError, match="no output 'loss'") as caught:
        partial_dependence(learn, "day", output="loss")
    assert "yield" in caught.value.fix
    with pytest.raises(DataError, match="no value to set"):
        partial_dependence(learn, "day", values=[])
    words = sp.Task(sp.Text(), sp.Label(["a", "b"]))
    data = sp.Data(["x", "y"], torch.tensor([0, 1]))
    texts = sp.Learner(words, (data,), model=nn.Linear(1, 2), device="cpu")
    with pytest.raises(TaskError, match="has no columns"):
        permutation_importance(texts)
