"""Metrics: how good a model is, in words that a person uses.

A metric is a function of ``(y_hat, y)`` that gives the mean over the batch, as a tensor, so that
nothing waits for a GPU until the epoch ends. What is no mean over samples (an F1 score, say)
subclasses `Metric`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sprat.errors import TrainingError
from sprat.shapes import Float, Int
from sprat.spelled import spelled


class Metric(ABC):
    """A number gathered over all batches of an epoch.

    Args:
        name: what tables call it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return spelled(self)

    @abstractmethod
    def reset(self) -> None:
        """Forget what was gathered."""

    @abstractmethod
    def update(self, y_hat: Any, y: Any) -> None:
        """Take one batch in. It must not wait for the device."""

    @abstractmethod
    def value(self) -> float:
        """The number over everything gathered since `reset`."""

    def state_dict(self) -> dict[str, Any]:
        """What was gathered, for a checkpoint in the middle of a phase that trains and measures."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027 - of nothing
        """Go on from what `state_dict` gave."""


_SUMMED_AT_ONCE = 64


class Mean(Metric):
    """The mean of a function over samples, exact for batches of any size.

    Args:
        function: ``(y_hat, y)`` to the mean over one batch, a tensor with no axes.
        name: what tables call it; by default the function's name.
    """

    def __init__(self, function: Callable[[Any, Any], Tensor], name: str | None = None) -> None:
        super().__init__(name or str(getattr(function, "__name__", "metric")))
        self.function = function
        self.reset()

    def reset(self) -> None:
        """Start from nothing."""
        self.total: Tensor | None = None
        self.count = 0
        self._waiting: list[Tensor] = []  # means over batches of one size, not yet in `total`
        self._size = 0

    def update(self, y_hat: Any, y: Any) -> None:
        """Add one batch, weighted by its size.

        Raises:
            TrainingError: the function gives no tensor without axes.
        """
        value = self.function(y_hat, y)
        if not isinstance(value, Tensor) or value.ndim:
            found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
            raise TrainingError(
                f"The metric {self.name} gives {found}; a tensor with no axes was expected.",
                fix="average it: .float().mean(); without .item(), for which a GPU would wait",
            )
        self.add(value, len(y_hat))

    def add(self, value: Tensor, count: int) -> None:
        """Add a mean over `count` samples that was computed elsewhere."""
        # Summing many at once costs a tenth of an addition a step, and a GPU has less to start.
        if count != self._size or len(self._waiting) >= _SUMMED_AT_ONCE:
            self._sum()
            self._size = count
        self._waiting.append(value.detach())
        self.count += count

    def value(self) -> float:
        """The mean so far. Reading it waits for the device."""
        self._sum()
        return float(self.total) / self.count if self.total is not None else float("nan")

    def state_dict(self) -> dict[str, Any]:
        """The sum so far, and what is not in it yet."""
        state = {"total": self.total, "count": self.count, "size": self._size}
        return state | {"waiting": list(self._waiting)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.total, self.count, self._size = state["total"], state["count"], state["size"]
        self._waiting = state["waiting"]

    def _sum(self) -> None:
        if self._waiting:
            total = torch.stack(self._waiting).float().sum().mul_(self._size)
            self.total = total if self.total is None else self.total.add_(total)
            self._waiting = []


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
        super().__init__(name)
        self.part = part
        self.metric = metric if isinstance(metric, Metric) else Mean(metric)

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


def one_hot_accuracy(
    y_hat: Float[Tensor, "batch classes"], y: Float[Tensor, "batch classes"]
) -> Float[Tensor, ""]:
    """The share of samples whose largest output is at the one of `y`, 0…1."""
    return (y_hat.argmax(1) == y.argmax(1)).float().mean()


Classes = Int[Tensor, " batch"] | Float[Tensor, "batch classes"]
"""The right class of each sample; or its shares of classes, of which the largest is meant."""


def accuracy(y_hat: Float[Tensor, "batch classes"], y: Classes) -> Float[Tensor, ""]:
    """The share of samples whose largest output is at the right class, 0…1."""
    return (y_hat.argmax(1) == _largest(y)).float().mean()


def _largest(y: Classes) -> Int[Tensor, " batch"]:
    """After `sprat.MixUp` or `sprat.CutMix` the class of the larger share is the original's."""
    return y.argmax(1) if y.ndim == 2 else y


def top_k_accuracy(
    y_hat: Float[Tensor, "batch classes"], y: Classes, *, k: int = 5
) -> Float[Tensor, ""]:
    """The share of samples whose right class is among the `k` largest outputs, 0…1."""
    return (y_hat.topk(k, 1).indices == _largest(y)[:, None]).any(1).float().mean()


def error_rate(y_hat: Float[Tensor, "batch classes"], y: Classes) -> Float[Tensor, ""]:
    """One minus the accuracy, 0…1."""
    return 1 - accuracy(y_hat, y)


def label_accuracy(
    y_hat: Float[Tensor, "batch classes"], y: Float[Tensor, "batch classes"]
) -> Float[Tensor, ""]:
    """The share of yes-or-no answers that are right, over all samples and classes, 0…1."""
    return ((y_hat > 0) == (y > 0.5)).float().mean()


def pixel_accuracy(
    y_hat: Float[Tensor, "batch classes height width"], y: Int[Tensor, "batch height width"]
) -> Float[Tensor, ""]:
    """The share of pixels whose largest output is at the right class, 0…1."""
    return (y_hat.argmax(1) == y).float().mean()


def mae(y_hat: Float[Tensor, " *shape"], y: Float[Tensor, " *shape"]) -> Float[Tensor, ""]:
    """The mean absolute error, in the target's units."""
    return (y_hat - y).abs().mean()


def mse(y_hat: Float[Tensor, " *shape"], y: Float[Tensor, " *shape"]) -> Float[Tensor, ""]:
    """The mean squared error, in the target's units squared."""
    return (y_hat - y).square().mean()
