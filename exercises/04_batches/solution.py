import torch


class Batches:
    """Data cut into batches of rows.

    Args:
        x: inputs (n, …).
        y: labels (n,).
        batch_size: rows a batch; the last one may have fewer.
        seed: of the shuffled order; None keeps the order.
    """

    def __init__(self, x: torch.Tensor, y: torch.Tensor, batch_size: int, seed: int | None = None):
        self.x, self.y, self.batch_size = x, y, batch_size
        # BEGIN SOLUTION
        if seed is None:
            self.order = torch.arange(len(x))
        else:
            self.order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        # END SOLUTION

    def __len__(self) -> int:
        # BEGIN SOLUTION
        return -(-len(self.x) // self.batch_size)
        # END SOLUTION

    def batch(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Batch number `i`: inputs (b, …) and labels (b,)."""
        # BEGIN SOLUTION
        rows = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        return self.x[rows], self.y[rows]
        # END SOLUTION
