"""One-hot arrays that store indices.

A one-hot array is all zeros but for a single one in each row. `OneHot` is a tensor of that shape
that keeps only where the ones stand: 8 bytes a row instead of 4 for every class. Multiplying it by
a matrix picks rows of the matrix, so that is what it does; whatever has no such short cut is
computed on the dense form, with the same result. Flux.jl's ``OneHotMatrix`` is the model for this.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sprat.errors import BlockError
from sprat.shapes import Num, Shaped


class OneHot(Tensor):
    """A tensor of shape (*shape, num_classes) with one 1 in each row.

    Args:
        index: where each row's one stands, int64, any shape, 0 ≤ index < num_classes.
        num_classes: the length of a row.
        dtype: what its zeros and ones are, for arithmetic with other tensors.

    Raises:
        BlockError: `index` holds no int64, or an index is out of range (looked at on the CPU only,
            since looking would make the host wait for a GPU).
    """

    codes: Tensor
    num_classes: int

    @staticmethod
    def __new__(
        cls, index: Shaped[Tensor, "*shape"], num_classes: int, dtype: torch.dtype = torch.float32
    ) -> "OneHot":
        """Describe the dense form to torch, without making it."""
        if index.dtype != torch.int64:
            raise BlockError(
                f"OneHot got {index.dtype} indices; int64 was expected.", fix="pass index.long()"
            )
        if index.device.type == "cpu" and index.numel():
            low, high = int(index.min()), int(index.max())
            if low < 0 or high >= num_classes:
                raise BlockError(
                    f"OneHot of {num_classes} classes got indices from {low} to {high}.",
                    fix=f"pass num_classes={high + 1}, or mend the indices",
                )
        shape = (*index.shape, num_classes)
        self = Tensor._make_wrapper_subclass(cls, shape, dtype=dtype, device=index.device)
        self.codes, self.num_classes = index, num_classes
        return self

    @property
    def stored_bytes(self) -> int:
        """What it takes in memory; the dense form takes ``numel() * element_size()``."""
        with torch._C.DisableTorchFunctionSubclass():
            return self.codes.numel() * self.codes.element_size()

    def dense(self) -> Num[Tensor, "*shape num_classes"]:
        """The same array with all its zeros."""
        with torch._C.DisableTorchFunctionSubclass():
            out = torch.zeros(self.shape, dtype=self.dtype, device=self.codes.device)
            return out.scatter_(-1, self.codes[..., None], 1)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"OneHot(codes={self.codes}, num_classes={self.num_classes})"

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Take the short cut where there is one; else compute on the dense form."""
        kwargs = kwargs or {}
        short = _SHORT.get(func)
        if short is not None:
            result = short(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if getattr(func, "__name__", "") == "__get__":  # shape, dtype, device and their like
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        return func(*_densified(args), **_densified(kwargs))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """What comes past `__torch_function__` (compiled code, say) sees the dense form too."""
        return func(*_densified(args), **_densified(kwargs or {}))


def _densified(value: Any) -> Any:
    if isinstance(value, OneHot):
        return value.dense()
    if isinstance(value, (tuple, list)):
        return type(value)(_densified(part) for part in value)
    if isinstance(value, dict):
        return {key: _densified(part) for key, part in value.items()}
    return value


def _matmul(a: Any, b: Any) -> Any:
    """Rows of `b`, where `a` says. The gradient adds into those rows, as for the dense product."""
    if not isinstance(a, OneHot) or isinstance(b, OneHot) or b.ndim != 2:
        return NotImplemented
    _same_width(a, b.shape[0], "matrix rows")
    return F.embedding(a.codes, b)


def _linear(x: Any, weight: Tensor, bias: Tensor | None = None) -> Any:
    if not isinstance(x, OneHot) or isinstance(weight, OneHot):
        return NotImplemented
    _same_width(x, weight.shape[1], "inputs of the layer")
    y = F.embedding(x.codes, weight.t())
    return y if bias is None else y + bias


def _same_width(a: OneHot, found: int, what: str) -> None:
    if found != a.num_classes:
        raise BlockError(
            f"OneHot has {a.num_classes} classes; {found} {what} were found.",
            fix=f"make num_classes and the {what} equal",
        )


def _argmax(x: OneHot, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None or dim % x.ndim != x.ndim - 1:
        return NotImplemented
    return x.codes[..., None] if keepdim else x.codes.clone()


def _cross_entropy(input: Tensor, target: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(target, OneHot) or isinstance(input, OneHot) or target.ndim != 2:
        return NotImplemented
    return F.cross_entropy(input, target.codes, *args, **kwargs)


def _getitem(x: OneHot, key: Any) -> Any:
    """Rows stay one-hot; single columns and elements are plain tensors."""
    plain = isinstance(key, (int, slice)) or (isinstance(key, Tensor) and key.ndim == 1)
    if not plain or (x.codes.ndim == 0):
        return NotImplemented
    return OneHot(x.codes[key], x.num_classes, x.dtype)


def _index_select(x: OneHot, dim: int, index: Tensor) -> Any:
    if dim % x.ndim == x.ndim - 1:
        return NotImplemented
    return OneHot(x.codes.index_select(dim, index), x.num_classes, x.dtype)


def _cat(tensors: Any, dim: int = 0) -> Any:
    parts = list(tensors)
    first = parts[0]
    same = all(isinstance(t, OneHot) and t.num_classes == first.num_classes for t in parts)
    if not same or dim % first.ndim == first.ndim - 1:
        return NotImplemented
    return OneHot(torch.cat([t.codes for t in parts], dim), first.num_classes, first.dtype)


def _to(x: OneHot, *args: Any, **kwargs: Any) -> OneHot:
    dtype = next((a for a in (*args, *kwargs.values()) if isinstance(a, torch.dtype)), x.dtype)
    places = [a for a in args if not isinstance(a, torch.dtype)]
    options = {key: value for key, value in kwargs.items() if key != "dtype"}
    index = x.codes.to(*places, **options) if places or options else x.codes
    return OneHot(index, x.num_classes, dtype)


def _sum(x: OneHot, dim: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Along the last axis every row sums to one, and along the others ones are counted."""
    if args or kwargs or x.codes.ndim != 1 or dim not in (0, -2):
        return NotImplemented
    return torch.bincount(x.codes, minlength=x.num_classes).to(x.dtype)


_SHORT: dict[Any, Callable[..., Any]] = {
    torch.matmul: _matmul,
    torch.mm: _matmul,
    Tensor.matmul: _matmul,
    Tensor.__matmul__: _matmul,
    Tensor.mm: _matmul,
    F.linear: _linear,
    F.cross_entropy: _cross_entropy,
    torch.argmax: _argmax,
    Tensor.argmax: _argmax,
    Tensor.__getitem__: _getitem,
    torch.index_select: _index_select,
    Tensor.index_select: _index_select,
    torch.cat: _cat,
    Tensor.to: _to,
    torch.sum: _sum,
    Tensor.sum: _sum,
}
