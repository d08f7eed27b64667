import torch


# The largest of each column instead of each row.
def accuracy(logits, y):
    return torch.stack([logits.argmax(0), y]).float().mean().item()
