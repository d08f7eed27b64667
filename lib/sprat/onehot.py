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
from sprat.shapes import Shaped


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

    def dense(self) -> Shaped[Tensor, "*shape num_classes"]:
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
        """Take the short cut where there is one; else compute on the dense form.

        Raises:
            BlockError: the function would change the array in place: it stores no zeros to change.
        """
        # torch takes numpy's names as well.
        kwargs = {_NUMPY.get(name, name): value for name, value in (kwargs or {}).items()}
        short = _SHORT.get(func)
        if short is not None:
            result = short(*args, **kwargs)
            if result is not NotImplemented:
                return result
        name = getattr(func, "__name__", "")
        if name == "__get__":  # shape, dtype, device and their like
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        _refuse_in_place(name, args, kwargs)
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


def _refuse_in_place(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """What it changed would be a dense copy, which nobody ever sees."""
    writes = name in ("__setitem__", "__set__") or (name.endswith("_") and name[-2:] != "__")
    if (writes and args and isinstance(args[0], OneHot)) or isinstance(kwargs.get("out"), OneHot):
        raise BlockError(
            f"{name} would change a OneHot in place, which has no zeros to change.",
            fix="make it dense first: x.dense(); or make another OneHot from other indices",
        )


def _matmul(input: Any, other: Any) -> Any:
    """Rows of `other`, where `input` says; its gradient adds into those rows, as of the dense."""
    if not isinstance(input, OneHot) or isinstance(other, OneHot) or other.ndim != 2:
        return NotImplemented
    _same_width(input, other.shape[0], "matrix rows")
    return F.embedding(input.codes, other)


def _mm(input: Any, mat2: Any) -> Any:
    return _matmul(input, mat2) if input.ndim == 2 else NotImplemented


def _linear(input: Any, weight: Tensor, bias: Tensor | None = None) -> Any:
    if not isinstance(input, OneHot) or isinstance(weight, OneHot):
        return NotImplemented
    _same_width(input, weight.shape[1], "inputs of the layer")
    y = F.embedding(input.codes, weight.t())
    return y if bias is None else y + bias


def _same_width(a: OneHot, found: int, what: str) -> None:
    if found != a.num_classes:
        raise BlockError(
            f"OneHot has {a.num_classes} classes; {found} {what} were found.",
            fix=f"make num_classes and the {what} equal",
        )


def _argmax(input: OneHot, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None or _axis(input, dim) != input.ndim - 1:
        return NotImplemented
    return input.codes[..., None] if keepdim else input.codes.clone()


def _axis(x: Tensor, dim: int) -> int:
    """Counted from the front, as the indices, which have an axis less, need it."""
    return dim + x.ndim if dim < 0 else dim


def _cross_entropy(input: Tensor, target: Any, weight: Any = None, **kwargs: Any) -> Any:
    # With weights torch divides by their sum for indices, and by the batch for a dense target.
    other = isinstance(input, OneHot) or weight is not None or kwargs.get("ignore_index", -1) >= 0
    if not isinstance(target, OneHot) or other or target.ndim != 2:
        return NotImplemented
    return F.cross_entropy(input, target.codes, **kwargs)


def _getitem(x: OneHot, key: Any) -> Any:
    """Rows stay one-hot; single columns and elements are plain tensors."""
    plain = isinstance(key, (int, slice)) or (isinstance(key, Tensor) and key.ndim == 1)
    if not plain or (x.codes.ndim == 0):
        return NotImplemented
    return OneHot(x.codes[key], x.num_classes, x.dtype)


def _index_select(input: OneHot, dim: int, index: Tensor) -> Any:
    dim = _axis(input, dim)
    if not isinstance(input, OneHot) or dim == input.ndim - 1:
        return NotImplemented
    return OneHot(input.codes.index_select(dim, index), input.num_classes, input.dtype)


def _cat(tensors: Any, dim: int = 0, **kwargs: Any) -> Any:
    parts = list(tensors)
    first = parts[0]
    same = all(
        isinstance(t, OneHot) and (t.num_classes, t.dtype) == (first.num_classes, first.dtype)
        for t in parts
    )
    dim = _axis(first, dim)
    if not same or kwargs or dim == first.ndim - 1:
        return NotImplemented
    return OneHot(torch.cat([t.codes for t in parts], dim), first.num_classes, first.dtype)


def _to(x: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(x, OneHot):  # it is moved to where a OneHot is
        return NotImplemented
    like = next((a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)), None)
    if like is not None:
        args, kwargs = (like.device, like.dtype), {}
    dtype = next((a for a in (*args, *kwargs.values()) if isinstance(a, torch.dtype)), x.dtype)
    places = [a for a in args if not isinstance(a, torch.dtype)]
    options = {key: value for key, value in kwargs.items() if key != "dtype"}
    index = x.codes.to(*places, **options) if places or options else x.codes
    return OneHot(index, x.num_classes, dtype)


def _sum(input: OneHot, dim: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Along the last axis every row sums to one, and along the others ones are counted."""
    if args or kwargs or input.codes.ndim != 1 or dim not in (0, -2):
        return NotImplemented
    # As torch does, whole numbers and yes or no are counted in int64.
    counted = input.dtype if input.is_floating_point() else torch.int64
    return torch.bincount(input.codes, minlength=input.num_classes).to(counted)


_NUMPY = {"axis": "dim", "keepdims": "keepdim"}
_SHORT: dict[Any, Callable[..., Any]] = {
    torch.matmul: _matmul,
    torch.mm: _mm,
    Tensor.matmul: _matmul,
    Tensor.__matmul__: _matmul,
    Tensor.mm: _mm,
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
