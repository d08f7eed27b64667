"""The base of all encodings."""

from abc import ABC, abstractmethod
from typing import Any

from sprat.blocks import Block


class Encoding(ABC):
    """An invertible map from one block to another."""

    @abstractmethod
    def block(self, block: Block) -> Block | None:
        """The block that `block` becomes, or None where this encoding leaves it alone."""

    @abstractmethod
    def encode(self, values: Any) -> Any:
        """A batch of values, encoded, on the device where they are."""

    @abstractmethod
    def decode(self, values: Any) -> Any:
        """The inverse of `encode`, as near as the types allow."""
