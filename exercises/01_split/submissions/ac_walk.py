import math

import torch


def stratified_split(y, valid, order):
    labels = y.tolist()
    wanted = {k: max(1, math.floor(valid * labels.count(k) + 0.5)) for k in set(labels)}
    train, held = [], []
    for i in order.tolist():
        if wanted[labels[i]] > 0:
            wanted[labels[i]] -= 1
            held.append(i)
        else:
            train.append(i)
    return torch.tensor(sorted(train)), torch.tensor(sorted(held))
