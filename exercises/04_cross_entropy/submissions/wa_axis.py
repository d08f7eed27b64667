import torch


def cross_entropy(logits, y):
    # Normalises over the samples instead of over the classes.
    log_p = logits - logits.logsumexp(0, keepdim=True)
    return -log_p[torch.arange(len(y)), y].mean()
