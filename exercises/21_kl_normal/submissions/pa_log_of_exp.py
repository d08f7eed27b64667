import torch


# Goes through the variance and back; a variance below a millionth is cut off on the way.
def kl_normal(mu, log_var):
    var = log_var.exp().clamp(min=1e-6)
    return -0.5 * (1 + torch.log(var) - mu**2 - var).sum(1)
