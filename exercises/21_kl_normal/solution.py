import torch


def kl_normal(mu: torch.Tensor, log_var: torch.Tensor) -> torch.Tensor:
    """The KL divergence of each cloud from the standard normal distribution, in nats.

    Args:
        mu: means, (N, K).
        log_var: logarithms of the variances, (N, K).
    """
    # BEGIN SOLUTION
    return -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1)
    # END SOLUTION
