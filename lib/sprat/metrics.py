"""Metrics: how good a model is, in words that a person uses.

A metric is a function of ``(y_hat, y)`` that gives one number as a tensor. The functions of this
file are means over samples, so they are taken batch by batch, and nothing waits for a GPU until the
epoch ends. Of another function nobody knows that, so it gets all outputs and targets at once, see
`Whole`; `Mean` says of a function that it is such a mean. A number that is gathered in another way
subclasses `Metric`.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from sprat.measures import Mean, Metric, Whole, metric_of
from sprat.shapes import Float, Int

__all__ = [
    "Classes", "Mean", "Metric", "PartOf", "Perplexity", "TokenAccuracy", "Tokenwise", "Whole",
    "accuracy", "error_rate", "label_accuracy", "mae", "mse",
    "one_hot_accuracy", "pixel_accuracy", "top_k_accuracy",
]  # fmt: skip


class Tokenwise(Metric):
    """A sum over the tokens of all texts, divided by how many there were; padding does not count.

    Args:
        padding: the index that is left out, or None.
        name: what tables call it.
    """

    def __init__(self, padding: int | None, name: str) -> None:
        super().__init__(name)
        self.padding = padding
        self.reset()

    def reset(self) -> None:
        """Start from nothing."""
        self._sums: list[Tensor] = []
        self._counts: list[Tensor] = []

    @abstractmethod
    def of_each(
        self, y_hat: Float[Tensor, "batch length vocabulary"], y: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length"]:
        """A number for every token."""

    def update(self, y_hat: Any, y: Any) -> None:
        """Add one batch: outputs (batch, length, vocabulary), indices (batch, length)."""
        # Multiplying by 0 instead of leaving out keeps every shape known without waiting.
        counts = torch.ones_like(y) if self.padding is None else (y != self.padding).long()
        self._sums.append((self.of_each(y_hat.detach().float(), y) * counts).sum())
        self._counts.append(counts.sum())

    def state_dict(self) -> dict[str, Any]:
        """The sums and counts so far, one a batch."""
        return {"sums": list(self._sums), "counts": list(self._counts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._sums, self._counts = list(state["sums"]), list(state["counts"])

    def mean(self) -> float:
        """The mean over all tokens so far. Reading it waits for the device."""
        if not self._sums:
            return float("nan")
        count = int(torch.stack(self._counts).sum())
        return float(torch.stack(self._sums).sum()) / count if count else float("nan")


class Perplexity(Tokenwise):
    """e to the mean cross-entropy in nats: among how many equally likely pieces a model chooses.

    Args:
        padding: the index that is left out, or None.
    """

    lower_is_better = True

    def __init__(self, padding: int | None = None) -> None:
        super().__init__(padding, "perplexity")

    def of_each(
        self, y_hat: Float[Tensor, "batch length vocabulary"], y: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length"]:
        """The cross-entropy of every token."""
        return torch.nn.functional.cross_entropy(y_hat.mT, y, reduction="none")

    def value(self) -> float:
        """The perplexity so far, at least 1."""
        mean = self.mean()
        return math.inf if mean > 700 else math.exp(mean)  # beyond, a float overflows


class TokenAccuracy(Tokenwise):
    """The share of tokens whose largest output is at the right piece, 0…1.

    Args:
        padding: the index that is left out, or None.
    """

    lower_is_better = False

    def __init__(self, padding: int | None = None) -> None:
        super().__init__(padding, "token_accuracy")

    def of_each(
        self, y_hat: Float[Tensor, "batch length vocabulary"], y: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length"]:
        """One where it is right."""
        return (y_hat.argmax(2) == y).float()

    def value(self) -> float:
        """The share so far."""
        return self.mean()


class PartOf(Metric):
    """A metric of one of several outputs.

    Args:
        part: which output, from 0.
        metric: a function of ``(y_hat, y)`` or a `Metric`.
        name: what tables call it.
    """

    def __init__(self, part: int, metric: Any, name: str) -> None:
        self.part, self.metric = part, metric_of(metric)
        super().__init__(name, lower_is_better=self.metric.lower_is_better)

    def reset(self) -> None:
        """Forget what was gathered."""
        self.metric.reset()

    def update(self, y_hat: Any, y: Any) -> None:
        """Take in this part of a batch."""
        self.metric.update(y_hat[self.part], y[self.part])

    def value(self) -> float:
        """What the metric says."""
        return self.metric.value()

    def state_dict(self) -> dict[str, Any]:
        """What the metric gathered."""
        return self.metric.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.metric.load_state_dict(state)


_Function = TypeVar("_Function", bound=Callable[..., Tensor])


def _mean_over_samples(*, lower_is_better: bool) -> Callable[[_Function], _Function]:
    """Write down of a function of this file what `metric_of` and monitors ask."""

    def note(function: _Function) -> _Function:
        function.averages = True  # type: ignore[attr-defined]
        function.lower_is_better = lower_is_better  # type: ignore[attr-defined]
        return function

    return note


@_mean_over_samples(lower_is_better=False)
def one_hot_accuracy(
    y_hat: Float[Tensor, "batch classes"], y: Float[Tensor, "batch classes"]
) -> Float[Tensor, ""]:
    """The share of samples whose largest output is at the one of `y`, 0…1."""
    return (y_hat.argmax(1) == y.argmax(1)).float().mean()


Classes = Int[Tensor, " batch"] | Float[Tensor, "batch classes"]
"""The right class of each sample; or its shares of classes, of which the largest is meant."""


@_mean_over_samples(lower_is_better=False)
def accuracy(y_hat: Float[Tensor, "batch classes"], y: Classes) -> Float[Tensor, ""]:
    """The share of samples whose largest output is at the right class, 0…1."""
    return (y_hat.argmax(1) == _largest(y)).float().mean()


def _largest(y: Classes) -> Int[Tensor, " batch"]:
    """After `sprat.MixUp` or `sprat.CutMix` the class of the larger share is the original's."""
    return y.argmax(1) if y.ndim == 2 else y


@_mean_over_samples(lower_is_better=False)
def top_k_accuracy(
    y_hat: Float[Tensor, "batch classes"], y: Classes, *, k: int = 5
) -> Float[Tensor, ""]:
    """The share of samples whose right class is among the `k` largest outputs, 0…1."""
    return (y_hat.topk(k, 1).indices == _largest(y)[:, None]).any(1).float().mean()


@_mean_over_samples(lower_is_better=True)
def error_rate(y_hat: Float[Tensor, "batch classes"], y: Classes) -> Float[Tensor, ""]:
    """One minus the accuracy, 0…1."""
    return 1 - accuracy(y_hat, y)


@_mean_over_samples(lower_is_better=False)
def label_accuracy(
    y_hat: Float[Tensor, "batch classes"], y: Float[Tensor, "batch classes"]
) -> Float[Tensor, ""]:
    """The share of yes-or-no answers that are right, over all samples and classes, 0…1."""
    return ((y_hat > 0) == (y > 0.5)).float().mean()


@_mean_over_samples(lower_is_better=False)
def pixel_accuracy(
    y_hat: Float[Tensor, "batch classes height width"], y: Int[Tensor, "batch height width"]
) -> Float[Tensor, ""]:
    """The share of pixels whose largest output is at the right class, 0…1."""
    return (y_hat.argmax(1) == y).float().mean()


@_mean_over_samples(lower_is_better=True)
def mae(y_hat: Float[Tensor, " *shape"], y: Float[Tensor, " *shape"]) -> Float[Tensor, ""]:
    """The mean absolute error, in the target's units."""
    return (y_hat - y).abs().mean()


@_mean_over_samples(lower_is_better=True)
def mse(y_hat: Float[Tensor, " *shape"], y: Float[Tensor, " *shape"]) -> Float[Tensor, ""]:
    """The mean squared error, in the target's units squared."""
    return (y_hat - y).square().mean()
