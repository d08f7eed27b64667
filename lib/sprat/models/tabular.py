"""A network for rows of a table: each category becomes a few numbers, then a perceptron.

Categories that behave alike get similar numbers, which is what makes a network worth trying on
tables; Guo and Berkhahn, "Entity Embeddings of Categorical Variables" (2016). Batch normalisation
brings the columns of numbers to one scale, and steadies the hidden layers.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.rows import Rows
from sprat.shapes import Float, Tensor


def embedding_width(categories: int) -> int:
    """How many numbers a category gets by default: 1.6 · categories^0.56, at most 600.

    A rule of thumb that Howard and Gugger give in "fastai: A Layered API for Deep Learning" (2020).
    """
    return min(600, max(1, round(1.6 * categories**0.56)))


class TabularNet(nn.Module):
    """Embeddings beside normalised numbers, then linear, ReLU, norm, dropout, … linear.

    Args:
        sizes: how many categories each categorical column has, unknown ones counted.
        num_continuous: columns of numbers.
        num_outputs: numbers that come out.
        num_hiddens: widths of the hidden layers.
        widths: numbers a category gets in each column; by default `embedding_width`.
        embedding_drop: share of the embedded numbers that training leaves out.
        dropout: share of each hidden layer that training leaves out.

    Raises:
        TaskError: there is no column, or `widths` and `sizes` differ in length.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        num_continuous: int,
        num_outputs: int,
        *,
        num_hiddens: Sequence[int] = (200, 100),
        widths: Sequence[int] | None = None,
        embedding_drop: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        chosen = [embedding_width(size) for size in sizes] if widths is None else list(widths)
        if len(chosen) != len(sizes) or not (sizes or num_continuous):
            raise TaskError(
                f"TabularNet got {len(sizes)} sizes, {len(chosen)} widths and {num_continuous} "
                "columns of numbers.",
                fix="give one width for each categorical column, and at least one column",
            )
        self.arguments: dict[str, Any] = {
            "sizes": list(sizes),
            "num_continuous": num_continuous,
            "num_outputs": num_outputs,
            "num_hiddens": list(num_hiddens),
            "widths": chosen,
            "embedding_drop": embedding_drop,
            "dropout": dropout,
        }
        self.embeddings = nn.ModuleList(map(nn.Embedding, sizes, chosen))
        for table in self.embeddings:
            assert isinstance(table, nn.Embedding)
            nn.init.trunc_normal_(table.weight, std=0.01)
        self.embedding_drop = nn.Dropout(embedding_drop)
        self.norm = nn.BatchNorm1d(num_continuous) if num_continuous else None
        layers: list[nn.Module] = []
        for before, after in pairwise([sum(chosen) + num_continuous, *num_hiddens]):
            layers += [
                nn.Linear(before, after, bias=False),  # the norm behind it has one
                nn.ReLU(),
                nn.BatchNorm1d(after),
                nn.Dropout(dropout),
            ]
        last = num_hiddens[-1] if num_hiddens else sum(chosen) + num_continuous
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(last, num_outputs)

    def forward(self, x: Rows) -> Float[Tensor, "batch num_outputs"]:
        """Outputs, with nothing applied to them.

        Raises:
            TaskError: another number of columns, or a category out of range.
        """
        found = (x.categorical.shape[1], x.continuous.shape[1])
        expected = (len(self.embeddings), self.norm.num_features if self.norm else 0)
        if found != expected:
            raise TaskError(
                f"TabularNet got {found[0]} categorical and {found[1]} continuous columns; "
                f"{expected[0]} and {expected[1]} were expected.",
                fix="build it with the sizes of the task's encoded input",
            )
        parts = [
            self._embed(table, x.categorical[:, i], i) for i, table in enumerate(self.embeddings)
        ]
        if parts:
            parts = [self.embedding_drop(torch.cat(parts, 1))]  # (B, sum of widths)
        if self.norm is not None:
            parts.append(self.norm(x.continuous))
        return self.head(self.body(torch.cat(parts, 1)))

    def _embed(self, table: nn.Module, index: Tensor, column: int) -> Tensor:
        assert isinstance(table, nn.Embedding)
        try:
            return F.embedding(index, table.weight)
        except IndexError:  # looking before would make a GPU wait
            raise TaskError(
                f"Categorical column {column} holds indices from {int(index.min())} to "
                f"{int(index.max())}; the model knows 0…{table.num_embeddings - 1}.",
                fix="give the task sprat.tabular.Categorise, which has a place for missing and "
                "unknown categories, and build the model with its sizes",
            ) from None

    def groups(self) -> list[nn.Module]:
        """Parts for rates that differ: what reads the columns, the body, the head."""
        reading = [self.embeddings] if self.norm is None else [self.embeddings, self.norm]
        return [nn.ModuleList(reading), self.body, self.head]
