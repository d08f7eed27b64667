"""Guessing ratings from who rated and what was rated: two designs.

`CollabDot` gives every user and every item a few factors and a bias; a rating is how well the
factors agree, plus the biases. Koren, Bell and Volinsky, "Matrix Factorization Techniques for
Recommender Systems" (2009).

`NeuralCollab` lets a perceptron judge user and item together, beside a weighted agreement of
factors. He et al., "Neural Collaborative Filtering" (2017), section 3.4.

Both take int64 (B, 2), users and items, or `sprat.tabular.Rows` whose first two categorical columns
they are.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.rows import Rows
from sprat.shapes import Float, Int, Tensor

Pairs = Int[Tensor, "batch columns"] | Rows
Range = Sequence[float] | None


class CollabDot(nn.Module):
    """Products of factors plus biases: uᵤ · vᵢ + bᵤ + bᵢ + offset, bent into a range if one is set.

    Args:
        num_users: how many users there are.
        num_items: how many items there are.
        num_factors: numbers that describe each.
        y_range: (lowest, highest) rating, approached but not reached, so take a little more than
            the scale; None leaves ratings free, and adds their mean as `offset`.
        offset: the mean rating, to begin with; it is learned further.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        num_factors: int = 50,
        y_range: Range = None,
        offset: float = 0.0,
    ) -> None:
        super().__init__()
        self.y_range = _checked(y_range)
        self.arguments: dict[str, Any] = {
            "num_users": num_users,
            "num_items": num_items,
            "num_factors": num_factors,
            "y_range": self.y_range,
            "offset": offset,
        }
        self.users = nn.Embedding(num_users, num_factors)
        self.items = nn.Embedding(num_items, num_factors)
        self.user_bias = nn.Embedding(num_users, 1)
        self.item_bias = nn.Embedding(num_items, 1)
        self.offset = nn.Parameter(torch.tensor([float(offset)]))
        for part in (self.users, self.items, self.user_bias, self.item_bias):
            nn.init.normal_(part.weight, std=0.01)  # all ratings begin nearly equal

    def forward(self, x: Pairs) -> Float[Tensor, "batch 1"]:
        """Ratings, in the units of the targets.

        Raises:
            TaskError: `x` holds no pairs of indices, or an index is out of range.
        """
        user, item = split_pairs(x)
        factors = _find(self.users, user, "user") * _find(self.items, item, "item")
        score = factors.sum(1, keepdim=True) + self.user_bias(user) + self.item_bias(item)
        return _bend(score + self.offset, self.y_range)

    def groups(self) -> list[nn.Module]:
        """One part: nothing here was trained before the rest."""
        return [self]


class NeuralCollab(nn.Module):
    """A linear layer over two ways to compare: products of factors, and a perceptron (NeuMF).

    Args:
        num_users: how many users there are.
        num_items: how many items there are.
        num_factors: numbers that describe each, for the products and again for the perceptron.
        num_hiddens: widths of the perceptron's layers.
        dropout: share of each hidden layer that training leaves out.
        y_range: as for `CollabDot`.
        offset: as for `CollabDot`.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        num_factors: int = 16,
        num_hiddens: Sequence[int] = (64, 32),
        dropout: float = 0.0,
        y_range: Range = None,
        offset: float = 0.0,
    ) -> None:
        super().__init__()
        self.y_range = _checked(y_range)
        self.arguments: dict[str, Any] = {
            "num_users": num_users,
            "num_items": num_items,
            "num_factors": num_factors,
            "num_hiddens": list(num_hiddens),
            "dropout": dropout,
            "y_range": self.y_range,
            "offset": offset,
        }
        # Each table holds the factors for the products, then those for the perceptron.
        self.users = nn.Embedding(num_users, 2 * num_factors)
        self.items = nn.Embedding(num_items, 2 * num_factors)
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.1)
        layers: list[nn.Module] = []
        for before, after in pairwise([2 * num_factors, *num_hiddens]):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
        self.mlp = nn.Sequential(*layers)
        last = num_hiddens[-1] if num_hiddens else 2 * num_factors
        self.head = nn.Linear(num_factors + last, 1)
        nn.init.constant_(self.head.bias, offset)

    def forward(self, x: Pairs) -> Float[Tensor, "batch 1"]:
        """Ratings, in the units of the targets.

        Raises:
            TaskError: `x` holds no pairs of indices, or an index is out of range.
        """
        user, item = split_pairs(x)
        user_product, user_deep = _find(self.users, user, "user").chunk(2, 1)
        item_product, item_deep = _find(self.items, item, "item").chunk(2, 1)
        deep = self.mlp(torch.cat([user_deep, item_deep], 1))
        score = self.head(torch.cat([user_product * item_product, deep], 1))
        return _bend(score, self.y_range)

    def groups(self) -> list[nn.Module]:
        """Factors first, then what judges them."""
        return [nn.ModuleList([self.users, self.items]), nn.ModuleList([self.mlp, self.head])]


def split_pairs(x: Pairs) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
    """The indices of users and of items.

    Raises:
        TaskError: there are not two columns of int64.
    """
    columns = x.categorical if isinstance(x, Rows) else x
    if columns.ndim != 2 or columns.shape[1] < 2 or columns.dtype != torch.int64:
        raise TaskError(
            f"The model got {str(columns.dtype).removeprefix('torch.')} {tuple(columns.shape)}; "
            "users and items, int64 (batch, 2), were expected.",
            fix="put the two side by side: torch.stack([user, item], 1)",
        )
    return columns[:, 0], columns[:, 1]


def _find(table: nn.Embedding, index: Tensor, what: str) -> Float[Tensor, "batch factors"]:
    """The rows of a table, and words where torch has an index error.

    Raises:
        TaskError: on a CPU, an index is out of range.
    """
    try:
        return F.embedding(index, table.weight)
    except IndexError:  # looking before would make a GPU wait
        raise TaskError(
            f"Indices of {what}s reach from {int(index.min())} to {int(index.max())}; the model "
            f"knows 0…{table.num_embeddings - 1}.",
            fix=f"build it with a larger num_{what}s, or give unknown ones an index of their own "
            "with sprat.tabular.Categorise",
        ) from None


def _bend(score: Float[Tensor, "batch 1"], y_range: Range) -> Float[Tensor, "batch 1"]:
    """A sigmoid between the ends of the range; the score itself where there is none."""
    if y_range is None:
        return score
    low, high = y_range
    return low + (high - low) * score.sigmoid()


def _checked(y_range: Range) -> list[float] | None:
    if y_range is None:
        return None
    ends = [float(end) for end in y_range]
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise TaskError(
            f"y_range={tuple(y_range)} is no range.", fix="give (lowest, highest), such as (0, 5.5)"
        )
    return ends
