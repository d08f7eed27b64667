"""Residuals in the target's units, against scikit-learn's regression metrics."""

import pytest
import torch
from sklearn import metrics as sk
from torch import nn

import sprat as sp
from sprat.errors import DataError, TaskError


@pytest.fixture
def learn() -> sp.Learner:
    x = torch.randn(50, 3)
    y = x @ torch.tensor([[2.0, 0.0], [0.0, -1.0], [1.0, 1.0]]) + 0.1 * torch.randn(50, 2)
    task = sp.Task(sp.Continuous(3), sp.Continuous(2, ("height (cm)", "weight (kg)")))
    data = sp.Data(x, y)
    return sp.Learner(task, (data, data), model=nn.Linear(3, 2), device="cpu")


def test_each_figure_is_scikit_learns(learn: sp.Learner) -> None:
    found = sp.interpret.residuals(learn)
    y_hat, y = learn.predictions()
    assert torch.equal(found.values, y_hat - y)
    for name, ours, theirs in [
        ("mae", found.mae, sk.mean_absolute_error),
        ("rmse", found.rmse, sk.root_mean_squared_error),
        ("r2", found.r2, sk.r2_score),
    ]:
        expected = theirs(y, y_hat, multioutput="raw_values")
        assert ours.tolist() == pytest.approx(expected.tolist(), rel=1e-4), name
    assert found.names == ("height (cm)", "weight (kg)")


def test_worst_first(learn: sp.Learner) -> None:
    found = sp.interpret.residuals(learn)
    sizes = found.values.abs().max(1).values[found.worst(50)]
    assert sizes.tolist() == sorted(sizes.tolist(), reverse=True)


def test_points_are_in_pixels_again() -> None:
    block = sp.Keypoints(("nose",), (10, 20))
    task = sp.Task(sp.Image(1), block, encodings=[sp.ToFloat(), sp.ScalePoints((10, 20))])
    data = sp.Data(torch.zeros(4, 1, 10, 20, dtype=torch.uint8), torch.full((4, 1, 2), 5.0))
    model = nn.Sequential(nn.Flatten(), nn.Linear(200, 2))
    nn.init.zeros_(model[1].bias)  # black pictures: it says (0, 0), which is the middle
    found = sp.interpret.residuals(sp.Learner(task, (data, data), model=model, device="cpu"))
    assert found.predicted[0].tolist() == pytest.approx([10, 5])
    assert found.truth[0].tolist() == pytest.approx([5, 5])
    assert found.names == ("x of nose", "y of nose")


def test_a_plot_says_which_axis_is_the_truth(learn: sp.Learner) -> None:
    found = sp.interpret.residuals(learn)
    left, right = found.plot(1).axes
    assert left.get_xlabel() == "truth: weight (kg)"
    assert left.get_ylabel() == "predicted: weight (kg)"
    assert right.get_ylabel() == "predicted minus truth"
    with pytest.raises(DataError, match="number 2 is none"):
        found.plot(2)
    assert "R²" in str(found)
    assert "<table" in found._repr_html_()


def test_classes_have_no_residuals() -> None:
    task = sp.Task(sp.Continuous(2), sp.Label(["a", "b"]))
    data = sp.Data(torch.randn(4, 2), torch.tensor([0, 1, 0, 1]))
    learn = sp.Learner(task, (data,), model=nn.Linear(2, 2), device="cpu")
    with pytest.raises(TaskError, match=r"Continuous; .* Label") as caught:
        sp.interpret.residuals(learn)
    assert "confusion" in caught.value.fix
