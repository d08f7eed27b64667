import torch
from torch.distributions import Normal, kl_divergence


def kl_normal(mu, log_var):
    cloud = Normal(mu, torch.exp(log_var / 2))
    bell = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return kl_divergence(cloud, bell).sum(dim=-1)
