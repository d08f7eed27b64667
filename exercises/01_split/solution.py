import math

import torch


def stratified_split(
    y: torch.Tensor, valid: float, order: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions to train on and to validate on, the same share of every class.

    Args:
        y: the class of each sample, whole numbers, (N,).
        valid: the share to validate on, between 0 and 1.
        order: a random order of 0 … N−1, int64, (N,).

    Returns:
        ``(train, valid)``: positions in ascending order, int64.
    """
    # BEGIN SOLUTION
    held = torch.zeros(len(y), dtype=torch.bool)
    for label in y.unique():
        mine = order[y[order] == label]
        held[mine[: max(1, math.floor(valid * len(mine) + 0.5))]] = True
    return (~held).nonzero()[:, 0], held.nonzero()[:, 0]
    # END SOLUTION
