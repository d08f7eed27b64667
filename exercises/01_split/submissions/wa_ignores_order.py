import math

import torch


# Always the first samples of each class as they are stored: no chance in it at all.
def stratified_split(y, valid, order):
    held = torch.zeros(len(y), dtype=torch.bool)
    for label in y.unique():
        mine = (y == label).nonzero()[:, 0]
        held[mine[: max(1, math.floor(valid * len(mine) + 0.5))]] = True
    return (~held).nonzero()[:, 0], held.nonzero()[:, 0]
