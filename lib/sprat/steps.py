"""A trained network as a list of plain steps, for programs that have no torch.

The network runs once on a batch, and every torch function that it calls is written down with its
weights: so what is kept is what was computed, encodings included, whatever the classes are called.
That works for a chain, where each step takes the result of the one before. What is no chain, or
holds a step without a plain form, is refused by name.

Source: torch's documentation of ``torch.overrides.TorchFunctionMode``.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from sprat.errors import ExportError

Step = dict[str, Any]
# Neither changes a number, nor the shape of a sample.
_SAME = {"float", "to", "clone", "contiguous", "detach", "cpu"}
_RESHAPED = {"flatten", "reshape", "view", "unflatten", "squeeze", "unsqueeze"}
_POINTWISE = {"relu", "tanh", "sigmoid"}
_POOL = ("input", "kernel_size", "stride", "padding")


@dataclass
class Steps:
    """A chain of steps and its weights.

    Args:
        input: the shape of one input.
        steps: each with ``op``, the ``shape`` of its result for one sample, and what it needs;
            weights are (first, count) in `weights`.
        weights: all of them in one row, float32.
        output: what the network gave for the batch that it ran on.
    """

    input: list[int]
    steps: list[Step] = field(default_factory=list)
    weights: list[Tensor] = field(default_factory=list)
    output: Tensor = field(default_factory=lambda: torch.empty(0))

    def keep(self, weight: Tensor) -> list[int]:
        """Put a tensor behind the other weights; where it begins and how many numbers it has."""
        flat = weight.detach().to("cpu", torch.float32).flatten()
        begin = sum(len(w) for w in self.weights)
        self.weights.append(flat)
        return [begin, len(flat)]


@torch.no_grad()
def record_steps(function: Callable[[Tensor], Tensor], batch: Tensor) -> Steps:
    """Run a function on a batch and write down what it computes.

    Args:
        function: a module in evaluation mode, or what calls one.
        batch: inputs; the first axis is the batch.

    Raises:
        ExportError: it is no chain, or one of its steps has no plain form.
    """
    recorder = _Recorder(batch)
    with recorder:
        result = function(batch)
    if result is not recorder.current:
        raise ExportError(
            "The model is no chain: its output is not the result of its last step"
            + (f", {recorder.found.steps[-1]['op']}." if recorder.found.steps else "."),
            fix="publish a part of it in which each layer takes what the layer before gives",
        )
    recorder.found.output = result.detach().to("cpu", torch.float32)
    return recorder.found


class _Recorder(TorchFunctionMode):
    """Writes down each torch function that takes the newest result."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.current = start
        self.past: list[Tensor] = []  # held, so that no other tensor takes their place in memory
        self.found = Steps(list(start.shape[1:]))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        before = self.current
        given = [*args, *kwargs.values()]
        taken = any(value is before for value in given)
        numbers = math.prod(before.shape[1:]) if taken else 0
        result = func(*args, **kwargs)
        if not isinstance(result, Tensor):
            return result
        name = getattr(func, "__name__", str(func))
        if any(value is old for value in given for old in self.past) or (
            taken and (not args or args[0] is not before)
        ):
            raise ExportError(
                f"The model is no chain: {name} takes something other than the newest result.",
                fix="publish a part of it in which each layer takes what the layer before gives",
            )
        if taken:
            self._write(name.strip("_"), args, kwargs, result, numbers)
            if result is not before:
                self.past.append(before)
            self.current = result
        return result

    def _write(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor, numbers: int
    ) -> None:
        shape = list(result.shape[1:])
        if name in _SAME or (name.endswith("dropout") and not kwargs.get("training", True)):
            return
        if name in _RESHAPED and math.prod(shape) == numbers:
            self.found.steps.append({"op": "reshape", "shape": shape})
        elif name in _POINTWISE:
            self.found.steps.append({"op": name, "shape": shape})
        elif name in _WRITERS:
            step = _WRITERS[name](self.found, args, kwargs, shape)
            self.found.steps.append({**step, "shape": shape})
        else:
            known = sorted({*_POINTWISE, *_WRITERS, "dropout", "flatten", "reshape"})
            raise ExportError(
                f"The model calls {name}, which has no plain form.",
                fix=f"use one of {', '.join(known)}, or sprat.save_onnx",
            )


def _named(names: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else [int(v) for v in value]


def _refuse(unless: bool, what: str) -> None:
    if not unless:
        raise ExportError(f"{what} has no plain form.", fix="use torch's defaults for the rest")


def _linear(found: Steps, args: tuple[Any, ...], kwargs: dict[str, Any], shape: list[int]) -> Step:
    given = _named(("input", "weight", "bias"), args, kwargs)
    _refuse(len(shape) == 1, "A linear layer over more than one axis")
    bias = given.get("bias")
    kept = {"weight": found.keep(given["weight"])}
    return {"op": "linear", **kept, **({} if bias is None else {"bias": found.keep(bias)})}


def _conv2d(found: Steps, args: tuple[Any, ...], kwargs: dict[str, Any], shape: list[int]) -> Step:
    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    given = _named(names, args, kwargs)
    padding, groups = given.get("padding", 0), given.get("groups", 1)
    _refuse(not isinstance(padding, str), "Padding given as a word")
    _refuse(
        groups == 1 and _pair(given.get("dilation", 1)) == [1, 1], "A dilated or grouped conv2d"
    )
    bias = given.get("bias")
    return {
        "op": "conv2d",
        "weight": found.keep(given["weight"]),
        **({} if bias is None else {"bias": found.keep(bias)}),
        "kernel": list(given["weight"].shape[2:]),
        "stride": _pair(given.get("stride", 1)),
        "padding": _pair(padding),
    }


def _pool(op: str) -> Callable[..., Step]:
    def write(
        found: Steps, args: tuple[Any, ...], kwargs: dict[str, Any], shape: list[int]
    ) -> Step:
        given = _named(_POOL, args, kwargs)
        kernel = _pair(given["kernel_size"])
        _refuse(
            _pair(given.get("padding", 0)) == [0, 0]
            and _pair(given.get("dilation", 1)) == [1, 1]
            and not given.get("ceil_mode"),
            "Pooling with padding, dilation or ceil_mode",
        )
        return {"op": op, "kernel": kernel, "stride": _pair(given.get("stride") or kernel)}

    return write


def _adaptive(
    found: Steps, args: tuple[Any, ...], kwargs: dict[str, Any], shape: list[int]
) -> Step:
    return {"op": "adaptive_avg_pool2d"}


def _softmax(found: Steps, args: tuple[Any, ...], kwargs: dict[str, Any], shape: list[int]) -> Step:
    given = _named(("input", "dim"), args, kwargs)
    _refuse(len(shape) == 1 and given["dim"] in (1, -1), "A softmax over other axes than classes")
    return {"op": "softmax"}


def _batch_norm(
    found: Steps, args: tuple[Any, ...], kwargs: dict[str, Any], shape: list[int]
) -> Step:
    names = (
        "input",
        "running_mean",
        "running_var",
        "weight",
        "bias",
        "training",
        "momentum",
        "eps",
    )
    given = _named(names, args, kwargs)
    mean, variance = given["running_mean"], given["running_var"]
    _refuse(not given.get("training") and mean is not None, "batch_norm in training mode")
    scale = (variance + given.get("eps", 1e-5)).rsqrt()
    if given.get("weight") is not None:
        scale = scale * given["weight"]
    shift = -mean * scale
    if given.get("bias") is not None:
        shift = shift + given["bias"]
    whole = (-1, *[1] * (len(shape) - 1))
    pair = (v.detach().reshape(whole).expand(shape) for v in (scale, shift))
    return {"op": "affine", "scale": found.keep(next(pair)), "shift": found.keep(next(pair))}


def _arithmetic(scale: Callable[[Tensor], Tensor], shift: Callable[[Tensor], Tensor]) -> Any:
    """A sum, difference, product or quotient with something that is the same for every sample."""

    def write(
        found: Steps, args: tuple[Any, ...], kwargs: dict[str, Any], shape: list[int]
    ) -> Step:
        _refuse(not kwargs and len(args) == 2, "Arithmetic with more than two operands")
        other = torch.as_tensor(args[1], dtype=torch.float32)
        if other.numel() > 1:
            _refuse(other.ndim <= len(shape) or other.shape[0] == 1, "A constant that has a batch")
            other = other.expand(1, *shape)[0]
        other = other.detach().cpu()
        return {
            "op": "affine",
            "scale": found.keep(scale(other)),
            "shift": found.keep(shift(other)),
        }

    return write


_WRITERS: dict[str, Callable[..., Step]] = {
    "linear": _linear,
    "conv2d": _conv2d,
    "max_pool2d": _pool("max_pool2d"),
    "avg_pool2d": _pool("avg_pool2d"),
    "adaptive_avg_pool2d": _adaptive,
    "softmax": _softmax,
    "batch_norm": _batch_norm,
    "add": _arithmetic(torch.ones_like, lambda v: v),
    "sub": _arithmetic(torch.ones_like, lambda v: -v),
    "rsub": _arithmetic(lambda v: -torch.ones_like(v), lambda v: v),
    "mul": _arithmetic(lambda v: v, torch.zeros_like),
    "div": _arithmetic(lambda v: 1 / v, torch.zeros_like),
    "truediv": _arithmetic(lambda v: 1 / v, torch.zeros_like),
    "true_divide": _arithmetic(lambda v: 1 / v, torch.zeros_like),
}
