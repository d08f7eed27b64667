"""Bucketing: batches of samples that are about equally long, so that little of them is padding.

The order stays random: a shuffled pass is cut into stretches of several batches, each stretch is
sorted by length and cut into batches, and the batches are shuffled. Longer stretches save more
padding and are less random.
"""

from typing import Any

import torch
from torch import Tensor

from sprat.data import Column
from sprat.errors import DataError
from sprat.ragged import Ragged
from sprat.shapes import Int


def lengths_of(column: Any) -> Int[Tensor, " samples"]:
    """How long each sample is: tokens of a `Ragged`, nodes of graphs, letters of strings.

    Of a tuple of columns, the first that has lengths counts.

    Raises:
        DataError: the samples have no lengths.
    """
    for part in column if isinstance(column, tuple) else (column,):
        if isinstance(part, Ragged):
            return part.lengths
        if isinstance(part, list):
            return torch.tensor([len(value) for value in part])
        nodes = getattr(part, "num_nodes", None)
        if isinstance(part, Column) and isinstance(nodes, Tensor):
            return nodes
    raise DataError(
        "The samples are all of one length, so they fall into no buckets.",
        fix="leave out bucket=, or keep texts as strings or sprat.text.Ragged",
    )


def bucketed(
    order: Int[Tensor, " samples"],
    lengths: Int[Tensor, " samples"],
    batch_size: int,
    stretch: int,
    *,
    generator: torch.Generator | None = None,
) -> list[Tensor]:
    """Batches of indices in which samples are about equally long.

    Args:
        order: the samples in random order.
        lengths: how long each is, in the order of the data.
        batch_size: samples in a batch; only the last batch of all may be smaller.
        stretch: batches that are sorted together.
        generator: where the order of the batches comes from.

    Returns:
        The batches in random order; a smaller one, if there is one, is the last.
    """
    batches: list[Tensor] = []
    for part in order.split(batch_size * stretch):
        by_length = part[lengths[part].argsort(descending=True, stable=True)]
        batches += by_length.split(batch_size)
    rest = batches.pop() if len(batches[-1]) < batch_size else None
    mixed = [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
    return mixed if rest is None else [*mixed, rest]
