"""Means that are followed through a function: what is made of them, and what each is a mean over.

A loss that a user writes ends in a mean that torch takes, or in several of which it makes a sum:
``0.5 * cross_entropy(…) + 0.1 * penalty``. Half of a mean is one over the same things. Of a sum
each part is one over its own, so over batches each part has to be averaged for itself.

Where nothing counts, as all targets of a batch are left out, the mean would be 0/0: not a number,
which would end the training. It is taken for 0, with no slope, and weighs nothing.

Source: torch's documentation of ``torch.overrides.TorchFunctionMode``.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Over = Tensor | float | None
Part = tuple[Tensor, Over]  # a value, and what it is a mean over; None for samples

_WEIGHTED = (F.cross_entropy, F.nll_loss)
#: The mean over all numbers of their first argument, unless ``reduction=`` says otherwise.
_PLAIN = {
    F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.binary_cross_entropy, F.kl_div,
    F.binary_cross_entropy_with_logits, F.poisson_nll_loss, F.gaussian_nll_loss,
    F.soft_margin_loss, F.hinge_embedding_loss,
}  # fmt: skip
_SAME = {
    "squeeze", "unsqueeze", "float", "double", "to", "clone", "contiguous", "view", "reshape",
    "flatten", "type_as", "sum", "mean",
}  # fmt: skip
_ADD = {"add", "__add__", "__radd__", "__iadd__", "add_"}
_SUB = {"sub", "__sub__", "__rsub__", "__isub__", "sub_", "rsub", "subtract"}
_MUL = {"mul", "__mul__", "__rmul__", "__imul__", "mul_", "multiply"}
_DIV = {"div", "__truediv__", "__itruediv__", "div_", "true_divide", "divide"}
_REDUCING = {"mean", "sum", "nanmean", "nansum", "amax", "amin", "median", "std", "var"}


class Followed(TorchFunctionMode):
    """Looks at every function of torch that is called inside of ``with``."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[int, tuple[Tensor, list[Part]]] = {}  # the tensor is held: ids return
        self._lost: dict[int, Tensor] = {}  # whose first axis no longer counts samples

    def parts(self, value: Any) -> list[Part]:
        """What a number is the sum of; nothing where nobody knows."""
        return self._known[id(value)][1] if id(value) in self._known else []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not isinstance(result, Tensor):
            return result
        name = getattr(func, "__name__", "")
        lost = any(id(value) in self._lost for value in args)
        if result.ndim:
            if lost or (name in _REDUCING and _takes_first(args, kwargs)):
                self._lost[id(result)] = result
            if name == "stack" and args:
                self._keep(result, [part for one in args[0] for part in self._of(one)])
            return result
        parts = self._made(name, args)
        if not parts and not lost and (over := _seen(func, name, args, kwargs)) is not None:
            if name in _DIV:
                result = func(args[0], _not_nothing(*args[:2]))
            result = of_something(result, over)
            parts = [(result.detach(), over)]
        if parts:
            self._keep(result, parts)
        return result

    def _keep(self, value: Tensor, parts: list[Part]) -> None:
        self._known[id(value)] = value, parts

    def _of(self, value: Any) -> list[Part]:
        """The parts of a number; one, by samples, of what isn't known."""
        if known := self.parts(value):
            return known
        return [(value.detach() if isinstance(value, Tensor) else torch.tensor(float(value)), None)]

    def _made(self, name: str, args: tuple[Any, ...]) -> list[Part]:
        """The parts of what one call makes of numbers whose parts are known."""
        first = args[0] if args else None
        if known := self.parts(first):
            if isinstance(first, Tensor) and first.ndim and name == "mean":
                return _times(known, 1 / len(first))
            if name in _SAME:
                return known
            if name in ("neg", "__neg__", "negative"):
                return _times(known, -1.0)
        if name in _ADD | _SUB | _MUL | _DIV and len(args) > 1:
            return self._arithmetic(name, first, args[1])
        return []

    def _arithmetic(self, name: str, one: Any, other: Any) -> list[Part]:
        if not any(map(self.parts, (one, other))):
            return []
        if name in _ADD:
            return self._of(one) + self._of(other)
        if name in _SUB:
            turned = name in ("__rsub__", "rsub")
            one, other = (other, one) if turned else (one, other)
            return self._of(one) + _times(self._of(other), -1.0)
        known, factor = (self.parts(one), other) if self.parts(one) else (self.parts(other), one)
        if self.parts(factor) or (name in _DIV and not self.parts(one)):
            return self._quotient(one, other) if name in _DIV else []
        return _times(known, 1 / factor if name in _DIV else factor)

    def _quotient(self, one: Any, other: Any) -> list[Part]:
        """A mean of weighted values by the mean of their weights is one over the weights."""
        below = self.parts(other)
        weight, over = below[0] if len(below) == 1 else (None, None)
        if weight is None or over is None or not isinstance(one, Tensor):
            return []
        return [((one / other).detach(), weight * over)]


def joined(parts: list[Part]) -> tuple[Over, list[Part]]:
    """What a number is a mean over, where its parts are over the same; else the parts."""
    if not parts:
        return None, []
    first = parts[0][1]
    same = all(
        over is first or (not isinstance(over, Tensor) and over == first) for _, over in parts
    )
    return (first, []) if same else (None, parts)


def _times(parts: list[Part], factor: Any) -> list[Part]:
    factor = factor.detach() if isinstance(factor, Tensor) else factor
    return [(value * factor, over) for value, over in parts]


def of_something(loss: Tensor, over: Over) -> Tensor:
    """A mean; 0 where nothing counts, as the mean of nothing is no number and has no slope."""
    if isinstance(over, Tensor):
        return torch.where(over.to(loss.device) == 0, torch.zeros_like(loss), loss)
    return loss.nan_to_num(0.0) if over == 0 else loss


def _not_nothing(above: Any, below: Tensor) -> Tensor:
    """What a sum is divided by; 1 where both are 0, or the slope would not be a number."""
    return torch.where((below == 0) & (above == 0), torch.ones_like(below), below)


def _takes_first(args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether a call reduces the axis that counts samples."""
    axes = options.get("dim", options.get("axis", args[1] if len(args) > 1 else None))
    if axes is None:
        return True
    listed = axes if isinstance(axes, (tuple, list)) else (axes,)
    return any(axis in (0, -args[0].ndim) for axis in listed)


def _seen(func: Any, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Over:
    """What the result of one call is a mean over, None where that can't be said."""
    if func in _WEIGHTED:
        names = ("input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction")
        given: dict[str, Any] = dict(zip(names, args, strict=False)) | options
        return of_classes(given.pop("input"), given.pop("target"), **given)
    first = args[0] if args else options.get("input")
    if not isinstance(first, Tensor):
        return None
    if func in _PLAIN:
        return float(first.numel()) if options.get("reduction", "mean") == "mean" else None
    if name == "mean":
        return float(first.numel()) if first.ndim else None
    if name == "nanmean":
        return (~first.isnan()).sum()
    if name in _DIV and len(args) > 1 and isinstance(args[1], Tensor):
        return args[1].detach() if not args[1].ndim and not args[1].requires_grad else None
    return None


def of_classes(
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
