import torch


class Batches:
    def __init__(self, x, y, batch_size, seed=None):
        order = torch.arange(len(x))
        if seed is not None:
            order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        self.parts = list(x[order].split(batch_size))

    def __len__(self):
        return len(self.parts)

    def batch(self, i):
        # Only the inputs come back: the pair with the labels is missing.
        return self.parts[i]
