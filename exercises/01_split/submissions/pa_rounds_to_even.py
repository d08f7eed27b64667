import torch


def stratified_split(y, valid, order):
    held = torch.zeros(len(y), dtype=torch.bool)
    for label in y.unique():
        mine = order[y[order] == label]
        held[mine[: max(1, round(valid * len(mine)))]] = True
    return (~held).nonzero()[:, 0], held.nonzero()[:, 0]
