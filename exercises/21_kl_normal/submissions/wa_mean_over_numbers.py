def kl_normal(mu, log_var):
    return -0.5 * (1 + log_var - mu**2 - log_var.exp()).mean(1)
