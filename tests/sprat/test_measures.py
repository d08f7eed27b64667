"""Metrics of all samples are of all samples, whatever the batches; and each has one direction."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sprat as sp
from sprat import measures
from sprat.errors import TaskError, TrainingError
from sprat.metrics import Mean, PartOf, Whole


def rmse(y_hat: Tensor, y: Tensor) -> Tensor:
    return (y_hat - y).square().mean().sqrt()


def worst(y_hat: Tensor, y: Tensor) -> Tensor:
    return (y_hat - y).abs().max()


def regression(**options: Any) -> sp.Learner:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(103, 1, generator=g)
    data = sp.Data(x, 2 * x + torch.randn(103, 1, generator=g) ** 3)
    torch.manual_seed(0)
    options = {"device": "cpu", "progress": False, "model": nn.Linear(1, 1)} | options
    return sp.Learner(sp.Task(sp.Continuous(1), sp.Continuous(1)), (data, data), **options)


@pytest.mark.parametrize("batch_size", [1, 5, 64, 200])
@pytest.mark.parametrize("function", [rmse, worst])
def test_a_function_is_of_all_samples_for_any_batch_size(function: Any, batch_size: int) -> None:
    learn = regression(metrics=[function], batch_size=batch_size)
    learn.fit(1)
    expected = float(function(*learn.predictions()))
    assert learn.evaluate()[function.__name__] == pytest.approx(expected, rel=1e-6)
    assert learn.history.last(function.__name__) == pytest.approx(expected, rel=1e-6)


def test_what_is_known_to_be_a_mean_keeps_no_outputs() -> None:
    kinds = [type(m) for m in regression(metrics=[sp.metrics.mae, rmse, Mean(worst)]).metrics]
    assert kinds == [Mean, Whole, Mean]
    top = measures.metric_of(partial(sp.metrics.top_k_accuracy, k=2))
    assert (type(top), top.name, top.lower_is_better) == (Mean, "top_k_accuracy", False)


def test_more_batches_than_are_fetched_at_once() -> None:
    metric, values = Whole(rmse), torch.randn(2, 300, 1)
    for i in range(300):
        metric.update(values[0, i : i + 1], values[1, i : i + 1])
    assert metric.value() == pytest.approx(float(rmse(*values)), rel=1e-6)
    assert metric.value() == metric.value()  # reading changes nothing
    again = Whole(rmse)
    again.load_state_dict(metric.state_dict())
    assert again.value() == metric.value()
    metric.reset()
    assert math.isnan(metric.value())


def test_outputs_of_several_parts() -> None:
    def sums(y_hat: Any, y: Any) -> Tensor:
        return (y_hat[0].max() + y_hat[1].max()) * len(y[0])

    metric, mean = Whole(sums), Mean(lambda y_hat, y: y_hat[0].mean())
    for size in (4, 3):
        batch = ((torch.full((size, 1), size), torch.ones(size, 2)), (torch.zeros(size),) * 2)
        metric.update(*batch)
        mean.update((torch.full((size, 1), float(size)), torch.ones(size, 2)), None)
    assert metric.value() == (4 + 1) * 7
    assert mean.value() == pytest.approx((4 * 4 + 3 * 3) / 7)  # by samples, not by parts
    assert PartOf(0, rmse, "rmse_1").metric.name == "rmse"


def test_low_precision_is_measured_in_float32() -> None:
    found = []
    metric = Whole(lambda y_hat, y: found.append(y_hat.dtype) or y_hat.mean())
    metric.update(torch.ones(2, 1, dtype=torch.bfloat16), torch.ones(2))
    metric.value()
    assert found == [torch.float32]


def test_texts_of_several_lengths_are_refused_with_a_way_out() -> None:
    def batches(metric: Any) -> None:
        for length in (3, 5):
            metric.update(torch.zeros(2, length), torch.zeros(2, length))
        metric.value()

    with pytest.raises(TrainingError, match=r"shapes \(3,\) and \(5,\) can't be put") as caught:
        batches(Whole(rmse))
    assert "Mean(function)" in caught.value.fix
    batches(Mean(rmse))


def test_more_than_it_may_keep_is_refused_with_a_way_out() -> None:
    learn = regression(metrics=[Whole(rmse, max_memory_bytes=100)], batch_size=5)
    with pytest.raises(TrainingError, match=r"rmse has 0\.0 GB of outputs"):
        learn.evaluate()
    regression(metrics=[Whole(rmse, max_memory_bytes=1000)], batch_size=5).evaluate()


def test_a_function_that_fails_is_named_with_what_it_got() -> None:
    def fails(y_hat: Tensor, y: Tensor) -> Tensor:
        return y_hat @ y

    with pytest.raises(TrainingError, match=r"metric fails can't compare outputs float32 \(103"):
        regression(metrics=[fails]).fit(1)


def test_two_of_one_name_are_refused_with_a_way_out() -> None:
    tops = [partial(sp.metrics.top_k_accuracy, k=k) for k in (2, 3)]
    with pytest.raises(TaskError, match="Two metrics are called 'top_k_accuracy'"):
        measures.metrics_of(tops)
    named = measures.metrics_of([Mean(t, f"top_{t.keywords['k']}") for t in tops])
    assert [m.name for m in named] == ["top_2", "top_3"]


class Late(sp.Metric):
    """Nothing in the first epoch, then rising."""

    def __init__(self) -> None:
        super().__init__("recall_2", lower_is_better=False)
        self.epochs = -1

    def reset(self) -> None: ...

    def update(self, y_hat: Any, y: Any) -> None: ...

    def value(self) -> float:
        self.epochs += 1
        return math.nan if self.epochs == 0 else 0.5 + 0.1 * self.epochs


def test_a_metric_that_is_no_number_is_kept_and_counts_as_the_worst(tmp_path: Path) -> None:
    assert math.isnan(regression(metrics=[Late()]).evaluate()["recall_2"])
    keep = sp.Checkpoint(tmp_path, best=1, monitor="recall_2")
    learn = regression(metrics=[Late()])
    learn.fit(4, callbacks=[sp.EarlyStopping("recall_2", patience=3), keep])
    assert len(learn.history) == 4
    assert math.isnan(learn.history["recall_2"][0])
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["epoch-003"]
    assert "nan" in str(learn.history)
