def kl_normal(mu, log_var):
    mu, log_var = mu.float(), log_var.float()
    return -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1)
