import math

import torch


def vae_loss(
    x: torch.Tensor, x_hat: torch.Tensor, mu: torch.Tensor, log_var: torch.Tensor, beta: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The loss of a variational autoencoder and its two parts: (loss, error, kl).

    Args:
        x: pictures, (N, …).
        x_hat: what was painted, of the same shape or flat, (N, D).
        mu: means of the codes, (N, K).
        log_var: logarithms of their variances, (N, K).
        beta: the weight of the divergence.
    """
    # BEGIN SOLUTION
    error = (x_hat.flatten(1) - x.flatten(1)).square().sum(1).mean()
    kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1).mean()
    return error + beta * kl, error, kl
    # END SOLUTION


def nats(error: float, kl: float, beta: float, num_pixels: int) -> float:
    """The lower bound on a picture's log-likelihood, in nats.

    Args:
        error: squared error, summed over the pixels of a picture.
        kl: the divergence, in nats.
        beta: twice the variance of a pixel's noise.
        num_pixels: numbers in a picture.
    """
    # BEGIN SOLUTION
    noise_var = beta / 2
    return -error / (2 * noise_var) - 0.5 * num_pixels * math.log(2 * math.pi * noise_var) - kl
    # END SOLUTION
