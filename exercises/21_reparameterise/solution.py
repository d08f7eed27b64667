import torch


class Cloud:
    """Independent normal numbers whose draws a gradient can pass through.

    Args:
        mu: means, (K,).
        log_var: logarithms of the variances, (K,).
    """

    def __init__(self, mu: torch.Tensor, log_var: torch.Tensor) -> None:
        self.mu, self.log_var = mu, log_var

    def draw(self, count: int, seed: int) -> torch.Tensor:
        """Draws, (count, K), whose randomness comes from `seed` alone."""
        # BEGIN SOLUTION
        generator = torch.Generator().manual_seed(seed)
        eps = torch.randn(count, len(self.mu), generator=generator)
        return self.mu + (self.log_var / 2).exp() * eps  # equivalent: -eps is as good
        # END SOLUTION

    def slopes(self, aim: torch.Tensor, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The gradients of the mean squared distance from `aim`, by `mu` and by `log_var`."""
        # BEGIN SOLUTION
        mu, log_var = self.mu.clone().requires_grad_(), self.log_var.clone().requires_grad_()
        z = Cloud(mu, log_var).draw(count, seed)  # (count, K)
        loss = (z - aim).square().sum(1).mean()
        return torch.autograd.grad(loss, [mu, log_var])
        # END SOLUTION
