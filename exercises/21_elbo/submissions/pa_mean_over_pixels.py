import math


def vae_loss(x, x_hat, mu, log_var, beta):
    x_hat = x_hat.reshape(x.shape)
    error = (x_hat - x).square().mean()
    kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1).mean()
    return error + beta * kl, error, kl


def nats(error, kl, beta, num_pixels):
    noise_var = beta / 2
    return -error / (2 * noise_var) - num_pixels / 2 * math.log(2 * math.pi * noise_var) - kl
