import torch


def fit(x, y, num_classes):
    flat = x.flatten(1)
    return torch.stack([flat[y == c].mean(0) for c in range(num_classes)])


def predict(x, means):
    distance = (x.flatten(1)[:, None] - means).square().sum(2)
    return distance.nan_to_num(nan=float("inf")).argmin(1)
