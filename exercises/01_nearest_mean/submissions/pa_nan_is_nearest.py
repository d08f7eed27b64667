import torch


def fit(x, y, num_classes):
    flat = x.flatten(1).float()
    return torch.stack([flat[y == c].mean(0) for c in range(num_classes)])


def predict(x, means):
    flat = x.flatten(1).float()
    return (flat[:, None] - means).square().sum(2).argmin(1)
