"""What a metric is: a number over all samples of a part of the data, gathered batch by batch.

`Mean` is of functions whose mean over batches, weighted by their sizes, is their mean over samples.
`Whole` is of all others: the mean of roots is not the root of the mean. What can be gathered in
sums, such as a recall, subclasses `Metric`. ``sprat.metrics`` has these, and those ready to use.

Each metric says whether lower is better, so that whoever watches it never guesses from its name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sprat.errors import TaskError, TrainingError
from sprat.spelled import spelled


class Metric(ABC):
    """A number gathered over all batches of an epoch.

    Args:
        name: what tables call it.
        lower_is_better: which way it should go; by default as its class says.

    Attributes:
        lower_is_better: whether a lower value is a better one, or None where nobody said so.
    """

    lower_is_better: bool | None = None

    def __init__(self, name: str, *, lower_is_better: bool | None = None) -> None:
        self.name = name
        if lower_is_better is not None:
            self.lower_is_better = lower_is_better

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
        lower_is_better: which way it should go; by default as the function's attribute of this name
            says, which the functions of this file have.
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Tensor],
        name: str | None = None,
        *,
        lower_is_better: bool | None = None,
    ) -> None:
        super().__init__(
            name or _name(function), lower_is_better=_better(function, lower_is_better)
        )
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
        self.add(_one_number(self.name, self.function(y_hat, y)), len(next(_tensors(y_hat), y_hat)))

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


class Whole(Metric):
    """A function of all outputs and targets of a part at once, such as a root, a ratio or a rank.

    So it costs memory: outputs and targets of the whole part, kept on the CPU. Those that have less
    than 32 bits come to the function as float32.

    Args:
        function: ``(y_hat, y)``, all samples each, to a tensor with no axes.
        name: what tables call it; by default the function's name.
        lower_is_better: which way it should go; by default as the function's attribute of this name
            says.
        max_memory_bytes: how much it may keep.
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Tensor],
        name: str | None = None,
        *,
        lower_is_better: bool | None = None,
        max_memory_bytes: int = 8 << 30,
    ) -> None:
        super().__init__(
            name or _name(function), lower_is_better=_better(function, lower_is_better)
        )
        self.function, self.max_memory_bytes = function, max_memory_bytes
        self.reset()

    def reset(self) -> None:
        """Start from nothing."""
        self._kept: list[Any] = []  # (y_hat, y) of each batch, on the CPU
        self._waiting: list[Any] = []  # the newest of them, still on their device
        self.bytes = 0

    def update(self, y_hat: Any, y: Any) -> None:
        """Keep one batch.

        Raises:
            TrainingError: all of them would need more than `max_memory_bytes`.
        """
        self._waiting.append(_each((y_hat, y), lambda values: values.detach()))
        self.bytes += sum(v.numel() * v.element_size() for v in _tensors((y_hat, y)))
        if self.bytes > self.max_memory_bytes:
            raise TrainingError(
                f"The metric {self.name} has {self.bytes / 1e9:.1f} GB of outputs and targets to "
                f"keep, and may keep {self.max_memory_bytes / 1e9:.1f}.",
                fix="where it is a mean over samples, pass sprat.metrics.Mean(function); else "
                "subclass sprat.Metric and keep sums; or give Whole a larger max_memory_bytes",
            )
        if len(self._waiting) == _SUMMED_AT_ONCE:  # one wait for the device instead of many
            self._fetch()

    def _fetch(self) -> None:
        self._kept += [_each(pair, lambda values: values.cpu()) for pair in self._waiting]
        self._waiting = []

    def gathered(self) -> tuple[Any, Any]:
        """All outputs and all targets so far, on the CPU.

        Raises:
            TrainingError: they are no tensors, or differ in more than the number of samples.
        """
        self._fetch()
        return tuple(_joined(self.name, list(part)) for part in zip(*self._kept, strict=True))

    def value(self) -> float:
        """What the function says to all of them."""
        if not (self._kept or self._waiting):
            return float("nan")
        return float(_one_number(self.name, self.function(*self.gathered())))

    def state_dict(self) -> dict[str, Any]:
        """The batches so far."""
        self._fetch()
        return {"kept": list(self._kept), "bytes": self.bytes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._kept, self._waiting, self.bytes = list(state["kept"]), [], state["bytes"]


def metric_of(given: Any) -> Metric:
    """A metric as it is; of a function a `Mean` where it says that it is one, else a `Whole`."""
    if isinstance(given, Metric):
        return given
    return Mean(given) if getattr(_inner(given), "averages", False) else Whole(given)


def metrics_of(given: Iterable[Any]) -> list[Metric]:
    """Several of them, as `metric_of` makes each.

    Raises:
        TaskError: two have one name, so that one would take the other's place in the history.
    """
    found = [metric_of(metric) for metric in given]
    names = [metric.name for metric in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TaskError(
            f"Two metrics are called {twice!r}; one would take the place of the other.",
            fix='name them: sprat.metrics.Whole(function, "another name"), or Mean',
        )
    return found


def _inner(function: Any) -> Any:
    """The function itself, where some of its arguments are given already."""
    return _inner(function.func) if isinstance(function, partial) else function


def _name(function: Any) -> str:
    return str(getattr(_inner(function), "__name__", "metric"))


def _better(function: Any, said: bool | None) -> bool | None:
    return getattr(_inner(function), "lower_is_better", None) if said is None else said


def _one_number(name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor) or value.ndim:
        found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise TrainingError(
            f"The metric {name} gives {found}; a tensor with no axes was expected.",
            fix="average it: .float().mean(); without .item(), for which a GPU would wait",
        )
    return value


def _tensors(values: Any) -> Iterator[Tensor]:
    """The tensors among a batch's values, which may have several parts."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (tuple, list)):
        for part in values:
            yield from _tensors(part)
    elif isinstance(values, dict):
        yield from _tensors(list(values.values()))


def _each(values: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same parts, each tensor changed."""
    if isinstance(values, (tuple, list)):
        return tuple(_each(part, change) for part in values)
    if isinstance(values, dict):
        return {name: _each(part, change) for name, part in values.items()}
    return change(values) if isinstance(values, Tensor) else values


def _joined(name: str, batches: list[Any]) -> Any:
    """Batches one after the other, part by part where they have several."""
    first = batches[0]
    if isinstance(first, (tuple, list)):
        return tuple(_joined(name, list(part)) for part in zip(*batches, strict=True))
    if isinstance(first, dict):
        return {key: _joined(name, [batch[key] for batch in batches]) for key in first}
    if not isinstance(first, Tensor) or len({tuple(b.shape[1:]) for b in batches}) > 1:
        found = type(first).__name__
        if isinstance(first, Tensor):
            shapes = sorted({tuple(batch.shape[1:]) for batch in batches})[:2]
            found = f"samples of the shapes {' and '.join(map(str, shapes))}"
        raise TrainingError(
            f"The metric {name} is a function of all samples at once, and {found} can't be put "
            "together.",
            fix="where it is a mean over samples, pass sprat.metrics.Mean(function); of texts with "
            "padding subclass sprat.metrics.Tokenwise",
        )
    whole = torch.cat(batches)
    return whole.float() if whole.is_floating_point() and whole.itemsize < 4 else whole
