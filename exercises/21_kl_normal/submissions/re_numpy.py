import math


def kl_normal(mu, log_var):
    return [-0.5 * (1 + v - m**2 - math.exp(v)) for m, v in zip(mu, log_var)]
