"""Metrics against scikit-learn or arithmetic, and exact means over batches of any size."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sprat import metrics
from sprat.metrics import Mean


@given(st.lists(st.integers(1, 9), min_size=1, max_size=200), st.integers(0, 99))
def test_mean_over_batches_is_the_mean_over_samples(sizes: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mean, every = Mean(lambda a, b: (a - b).mean()), []
    for size in sizes:
        a, b = torch.randn(2, size, generator=generator)
        mean.update(a, b)
        every.append(a - b)
    whole = torch.cat(every)
    assert mean.count == len(whole)
    assert mean.value() == pytest.approx(float(whole.double().mean()), abs=1e-5)
    assert mean.value() == mean.value()  # reading changes nothing


def test_more_steps_than_are_summed_at_once() -> None:
    mean = Mean(lambda a, b: a.mean())
    for i in range(1000):
        mean.update(torch.full((4,), float(i)), None)
    assert mean.value() == pytest.approx(499.5)
    mean.update(torch.full((4,), 499.5), None)
    assert mean.value() == pytest.approx(499.5)


def test_nothing_measured_is_not_a_number() -> None:
    mean = Mean(metrics.accuracy)
    assert mean.name == "accuracy"
    assert math.isnan(mean.value())
    mean.update(torch.eye(3), torch.arange(3))
    assert mean.value() == 1.0
    mean.reset()
    assert math.isnan(mean.value())


def test_means_keep_no_graph() -> None:
    mean = Mean(lambda a, b: a.mean())
    weight = torch.ones(3, requires_grad=True)
    mean.update(weight * 2, None)
    assert not mean._waiting[0].requires_grad


def test_classification_metrics() -> None:
    logits = torch.tensor([[3.0, 2, 1], [1, 3, 2], [1, 2, 3], [3, 1, 2]])
    y = torch.tensor([0, 2, 2, 1])
    assert float(metrics.accuracy(logits, y)) == 0.5
    assert float(metrics.error_rate(logits, y)) == 0.5
    assert float(metrics.top_k_accuracy(logits, y, k=2)) == 0.75
    assert float(metrics.top_k_accuracy(logits, y, k=3)) == 1.0


def test_accuracy_is_scikit_learns() -> None:
    from sklearn.metrics import accuracy_score, mean_absolute_error, mean_squared_error

    logits, y = torch.randn(200, 7), torch.randint(0, 7, (200,))
    expected = accuracy_score(y.numpy(), logits.argmax(1).numpy())
    assert float(metrics.accuracy(logits, y)) == pytest.approx(expected)
    a, b = torch.randn(2, 50, 3)
    assert float(metrics.mae(a, b)) == pytest.approx(mean_absolute_error(b, a), rel=1e-5)
    assert float(metrics.mse(a, b)) == pytest.approx(mean_squared_error(b, a), rel=1e-5)
