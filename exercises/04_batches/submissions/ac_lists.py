import math

import torch


class Batches:
    def __init__(self, x, y, batch_size, seed=None):
        order = list(range(len(x)))
        if seed is not None:
            order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed)).tolist()
        count = math.ceil(len(x) / batch_size)
        rows = [order[i * batch_size : (i + 1) * batch_size] for i in range(count)]
        self.batches = [(x[r], y[r]) for r in rows]

    def __len__(self):
        return len(self.batches)

    def batch(self, i):
        return self.batches[i]
