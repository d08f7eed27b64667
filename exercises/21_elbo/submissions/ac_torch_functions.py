import math

import torch
import torch.nn.functional as F


def vae_loss(x, x_hat, mu, log_var, beta):
    n = len(x)
    x_hat = x_hat.reshape(x.shape)
    error = F.mse_loss(x_hat, x, reduction="sum") / n
    kl = 0.5 * torch.sum(mu.pow(2) + log_var.exp() - log_var - 1) / n
    return error + beta * kl, error, kl


def nats(error, kl, beta, num_pixels):
    return -error / beta - num_pixels / 2 * math.log(math.pi * beta) - kl
