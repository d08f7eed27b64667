import torch


class Cloud:
    def __init__(self, mu, log_var):
        self.mu, self.log_var = mu, log_var

    def draw(self, count, seed):
        return mu + log_var.exp() * torch.randn(count, len(mu))

    def slopes(self, aim, count, seed):
        return 2 * (mu - aim), log_var.exp()
