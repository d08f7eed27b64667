import torch


class Batches:
    def __init__(self, x, y, batch_size, seed=None):
        self.x, self.y, self.batch_size, self.seed = x, y, batch_size, seed
        self.order = torch.arange(len(x)).flip(0)
        if seed is not None:
            self.order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))

    def __len__(self):
        return -(-len(self.x) // self.batch_size)

    def batch(self, i):
        rows = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        return self.x[rows], self.y[rows].float()
