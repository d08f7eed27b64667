import torch


def cross_entropy(logits, y):
    # A small number inside the logarithm hides the overflow and bends the result.
    p = torch.softmax(logits, 1)
    return -(p[torch.arange(len(y)), y] + 1e-8).log().mean()
