"""Texts: as strings, and as numbers of a vocabulary's pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sprat.blocks.base import Block, check_tensor
from sprat.errors import BlockError
from sprat.ragged import Ragged

_MOCK_WORDS = ("small", "fish", "near", "the", "shore", "and", "large", "ones", "out", "deep")


@dataclass(frozen=True)
class Text(Block):
    """Texts: a list of strings, one a sample."""

    def check(self, values: Any) -> None:
        """Refuse what is no list of strings."""
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise BlockError(
                f"Text got {type(values).__name__}; a list of strings was expected.",
                fix="pass a list with one string a sample",
            )
        if not values:
            raise BlockError("Text got an empty batch.", fix="check the data and its split")
        wrong = next((v for v in values if not isinstance(v, str)), None)
        if wrong is not None:
            raise BlockError(
                f"Text got {wrong!r} of type {type(wrong).__name__}; strings were expected.",
                fix="convert each with str(...), or fill what is missing with ''",
            )

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> list[str]:
        """Three to nine random words each."""
        lengths = torch.randint(3, 10, (count,), generator=generator).tolist()
        picks = torch.randint(0, len(_MOCK_WORDS), (count, 9), generator=generator).tolist()
        return [
            " ".join(_MOCK_WORDS[i] for i in row[:length])
            for row, length in zip(picks, lengths, strict=True)
        ]

    def shape(self) -> str:
        """As stored."""
        return "list of B strings"

    def words(self, value: Any) -> str:
        """The beginning of the text."""
        return value if len(value) <= 200 else value[:199] + "…"


@dataclass(frozen=True)
class Tokens(Block):
    """Texts as indices into a vocabulary: int64, (batch, length), the rest of a row padding.

    Args:
        size: how many pieces the vocabulary has, padding among them.
        padding: the index that fills short rows, which losses and metrics leave out; or None
            where all rows are full.
        pieces: what each index stands for, for display; empty where nobody knows.
    """

    size: int
    padding: int | None = None
    pieces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "pieces", tuple(self.pieces))
        if self.size < 2 or (self.pieces and len(self.pieces) != self.size):
            raise BlockError(
                f"Tokens got a vocabulary of {self.size} and {len(self.pieces)} pieces.",
                fix="give a size of at least 2, and one piece an index or none at all",
            )
        if self.padding is not None and not 0 <= self.padding < self.size:
            raise BlockError(
                f"Tokens of {self.size} got the padding {self.padding}.",
                fix=f"give an index from 0 to {self.size - 1}, or None",
            )

    def __repr__(self) -> str:
        return f"Tokens({self.size}, padding={self.padding})"

    def check(self, values: Any) -> None:
        """Refuse other types and axes, and indices outside the vocabulary."""
        if isinstance(values, Ragged):  # as a data set keeps it; a loader makes rectangles of it
            values = values.values[None]
        check_tensor(self, values, axes=2)
        if values.dtype != torch.int64:
            raise BlockError(
                f"{self} got {values.dtype}; int64 indices were expected.",
                fix="convert them with .long()",
            )
        if values.shape[1] == 0:
            raise BlockError(f"{self} got rows of length 0.", fix="drop empty texts")
        low, high = int(values.min()), int(values.max())
        if low < 0 or high >= self.size:
            raise BlockError(
                f"{self} got indices from {low} to {high}; 0 to {self.size - 1} were expected.",
                fix="use the tokeniser that the vocabulary came from, or say Tokens(size=...)",
            )

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Random indices, (count, 16), of which rows end in padding where there is some."""
        values = torch.randint(0, self.size, (count, 16), generator=generator)
        if self.padding is None:
            return values
        values[values == self.padding] = (self.padding + 1) % self.size
        lengths = torch.randint(1, 17, (count, 1), generator=generator)
        return values.masked_fill(torch.arange(16) >= lengths, self.padding)

    def shape(self) -> str:
        """As stored."""
        return f"int64 (B, L) of {self.size} pieces"

    def words(self, value: Any) -> str:
        """The pieces, or the indices where nobody knows the pieces; without the padding."""
        if isinstance(value, str):
            return value
        indices = [i for i in value.tolist() if i != self.padding]
        shown = [self.pieces[i] if self.pieces else str(i) for i in indices[:60]]
        # Pieces of a tokeniser bring their spaces along; those of a plain word list do not.
        between = "" if any(" " in piece for piece in self.pieces) else " "
        return between.join(shown) + (" …" if len(indices) > 60 else "")
