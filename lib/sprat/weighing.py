"""What a loss is the mean over: samples, weights of classes, or those places that count.

A loss over batches is the loss over all samples only if each batch counts by what its mean was
taken over. With weights of classes that is their sum, with padding the number of pieces. A loss
says it by a method ``mean_over(y_hat, y)``; of torch's own it is known, also inside of a function;
and where a function ends in a mean, or in a division by a number of places, that is seen. All
others count by samples.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Over = Tensor | float | None

_BY_SAMPLES = {F.mse_loss, F.l1_loss, F.binary_cross_entropy_with_logits, F.smooth_l1_loss}
_WEIGHTED = (F.cross_entropy, F.nll_loss)


class Weighed:
    """A loss that notes what its newest value is a mean over.

    Args:
        function: ``(y_hat, y)`` to a tensor with no axes.
        checked: whether no target can be one that is left out, so that nobody need count.
    """

    def __init__(self, function: Any, *, checked: bool = False) -> None:
        self.function = function
        self.plain = function in _BY_SAMPLES or (function is F.cross_entropy and checked)
        self.said = getattr(function, "mean_over", None)
        self.over: Over = None

    def __call__(self, y_hat: Any, y: Any) -> Tensor:
        """The loss of a batch; `over` is what it is a mean over, None for samples."""
        if self.plain:
            return self.function(y_hat, y)
        if self.said is not None:
            self.over = self.said(y_hat, y)
            return self.function(y_hat, y)
        if _inner(self.function) in _WEIGHTED:
            options = self.function.keywords if isinstance(self.function, partial) else {}
            self.over = _of_classes(y_hat, y, **options)
            return self.function(y_hat, y)
        with _Last() as last:
            loss = self.function(y_hat, y)
        self.over = last.over if last.result is loss else None
        return loss

    def take(self) -> Over:
        """What the newest value is a mean over, once."""
        over, self.over = self.over, None
        return over


class _Last(TorchFunctionMode):
    """Looks at the last of torch's functions: a mean says what it is over."""

    def __init__(self) -> None:
        super().__init__()
        self.result: Any = None
        self.over: Over = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        self.result = func(*args, **kwargs)
        if isinstance(self.result, Tensor) and not self.result.ndim:
            self.over = _seen(func, args, kwargs)
        return self.result


def _seen(func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Over:
    """What the result of one call is a mean over, None where that can't be said."""
    if func in _WEIGHTED:
        names = ("input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction")
        given: dict[str, Any] = dict(zip(names, args, strict=False)) | options
        return _of_classes(given.pop("input"), given.pop("target"), **given)
    name = getattr(func, "__name__", "")
    first = args[0] if args else None
    if name == "mean" and isinstance(first, Tensor):
        return float(first.numel())
    if name in ("div", "__truediv__", "true_divide") and len(args) > 1:
        below = args[1]
        if isinstance(below, Tensor):
            return below.detach() if not below.ndim and not below.requires_grad else None
    return None


def _of_classes(
    y_hat: Any,
    y: Any,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    **_: Any,
) -> Over:
    """The weights of all places that count; torch's documentation of `CrossEntropyLoss`."""
    if reduction != "mean" or y.is_floating_point():
        return None
    counts = y != ignore_index
    if weight is None:
        return counts.sum()
    return torch.where(counts, weight[y.clamp(0, len(weight) - 1)], 0.0).sum()


def _inner(function: Any) -> Any:
    return function.func if isinstance(function, partial) else function
