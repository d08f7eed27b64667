import torch


def cross_entropy(logits, y):
    shifted = logits - torch.max(logits, dim=1, keepdim=True)[0]
    log_p = shifted - torch.log(torch.sum(torch.exp(shifted), dim=1, keepdim=True))
    return -log_p.gather(1, y[:, None]).mean()
