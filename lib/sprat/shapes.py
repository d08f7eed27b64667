"""Shapes in signatures: jaxtyping's names, or stand-ins where it is not installed.

``Float[Tensor, "batch channels height width"]`` says dtype and shape where a reader looks first.
The tests check every such signature as it is called; Colab has no jaxtyping, and there the names
mean the bare array type.
"""

from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num, Shaped, UInt8
else:
    try:
        from jaxtyping import Bool, Float, Int, Num, Shaped, UInt8
    except ImportError:

        class _Shape:
            """``Float[Tensor, "..."]`` gives back ``Tensor``."""

            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float = Int = Num = Shaped = UInt8 = _Shape

__all__ = ["Bool", "Float", "Int", "Num", "Shaped", "Tensor", "UInt8"]
