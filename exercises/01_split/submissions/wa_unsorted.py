import math

import torch


def stratified_split(y, valid, order):
    train, held = [], []
    for label in y.unique():
        mine = order[y[order] == label]
        size = max(1, math.floor(valid * len(mine) + 0.5))
        held.append(mine[:size])
        train.append(mine[size:])
    return torch.cat(train), torch.cat(held)
