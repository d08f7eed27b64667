import torch


def pca_reconstruct(x_train: torch.Tensor, x: torch.Tensor, k: int) -> torch.Tensor:
    """Rows of `x`, redrawn from the mean and the first `k` principal directions of `x_train`.

    Args:
        x_train: pictures to learn mean and directions from, (M, D).
        x: pictures to redraw, (N, D).
        k: how many directions to use, 0…min(M, D).
    """
    # BEGIN SOLUTION
    mean = x_train.mean(0)  # (D,)
    rows = torch.linalg.svd(x_train - mean, full_matrices=False)[
        2
    ]  # equivalent: more rows at the end
    directions = rows[:k]  # (k, D)
    return mean + (x - mean) @ directions.T @ directions
    # END SOLUTION
