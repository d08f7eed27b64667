"""Labels as one-hot arrays."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from sprat.blocks import Block, Label, OneHotLabel
from sprat.encodings.base import Encoding
from sprat.errors import TaskError
from sprat.onehot import OneHot


@dataclass(frozen=True)
class OneHotEncode(Encoding):
    """Labels from indices to one-hot arrays, which store no more than the indices.

    For losses and models that calculate with the zeros and ones; `sprat.loss_for` finds the same
    cross-entropy for both.

    Args:
        num_classes: how long a row is.
    """

    num_classes: int

    def block(self, block: Block) -> Block | None:
        """`Label` becomes `OneHotLabel`.

        Raises:
            TaskError: the label has another number of classes.
        """
        if not isinstance(block, Label):
            return None
        if len(block.classes) != self.num_classes:
            raise TaskError(
                f"OneHotEncode has {self.num_classes} classes, {block} has {len(block.classes)}.",
                fix=f"use OneHotEncode({len(block.classes)})",
            )
        return OneHotLabel(block.classes)

    def encode(self, values: Tensor) -> Tensor:
        """Indices (batch,) to a `OneHot` (batch, num_classes)."""
        return OneHot(values, self.num_classes)

    def decode(self, values: Any) -> Any:
        """Where each row is largest, (batch,); what is no tensor was read by name already."""
        return values.argmax(-1) if isinstance(values, Tensor) else values
