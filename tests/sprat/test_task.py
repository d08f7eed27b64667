"""What follows from the blocks of a task."""

import pytest
import torch
from torch.nn import functional as F

import sprat as sp
from sprat.errors import TaskError


def test_loss_metrics_and_head_follow_from_the_target(task: sp.Task) -> None:
    assert task.loss is F.cross_entropy
    assert task.metrics == (sp.metrics.accuracy,)
    assert task.num_outputs == 3
    assert task.in_channels == 1
    numbers = sp.Task(sp.Continuous(4), sp.Continuous(2))
    assert numbers.loss is F.mse_loss
    assert numbers.metrics == (sp.metrics.mae,)
    assert numbers.num_outputs == 2


def test_what_is_given_counts_more(task: sp.Task) -> None:
    own = sp.Task(task.input, task.target, loss=F.nll_loss, metrics=[sp.metrics.error_rate])
    assert own.loss is F.nll_loss
    assert own.metrics == [sp.metrics.error_rate]


def test_guesses_name_the_likeliest_class(task: sp.Task) -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [5.0, 0.0, 0.0]])
    guesses = task.decode_output(logits)
    assert [guess.name for guess in guesses] == ["middle", "top"]
    assert guesses[0].probability == pytest.approx(float(logits[0].softmax(0)[1]))
    assert str(guesses[1]) == "top 99%"


def test_mock_batches_pass_the_check_and_a_model(task: sp.Task) -> None:
    task = sp.Task(sp.Image(1, size=(9, 9)), task.target)
    batch = task.mock_batch(5, generator=torch.Generator().manual_seed(0))
    task.check(batch)
    encoded = task.encode(batch)
    assert task.loss is not None
    assert task.loss(sp.models.MLP(81, task.num_outputs)(encoded.x), encoded.y).ndim == 0


def test_describe_tells_how_values_are_stored(task: sp.Task) -> None:
    text = str(task.describe())
    for words in ("uint8 (B, 1, H, W)", "ToFloat", "float32 (B, 1, H, W)", "int64 (B,) of 3"):
        assert words in text
    assert "<table" in task.describe()._repr_html_()


def test_a_block_registers_its_own_loss_and_metric() -> None:
    class Angle(sp.Continuous):
        pass

    def around(y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (1 - (y_hat - y).cos()).mean()

    @sp.loss_for.register
    def _(block: Angle) -> object:
        return around

    assert sp.Task(sp.Continuous(1), Angle(1)).loss is around
    assert sp.Task(sp.Continuous(1), sp.Continuous(1)).loss is F.mse_loss


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: sp.Task(sp.Continuous(1), sp.Label(["a", "b"])).in_channels, "has no channels"),
        (lambda: sp.Task(sp.Image()).num_outputs, "no output"),
        (lambda: sp.Task(sp.Image(), output=sp.Image()).num_outputs, "does not settle"),
    ],
)
def test_what_a_task_cannot_know(ask: "object", says: str) -> None:
    with pytest.raises(TaskError, match=says):
        ask()  # type: ignore[operator]
