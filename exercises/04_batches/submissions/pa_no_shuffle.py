import torch


class Batches:
    def __init__(self, x, y, batch_size, seed=None):
        self.x, self.y, self.batch_size, self.seed = x, y, batch_size, seed
        self.order = torch.arange(len(x))

    def __len__(self):
        return -(-len(self.x) // self.batch_size)

    def batch(self, i):
        rows = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        return self.x[rows], self.y[rows]
