import torch


# Divides uint8 by 255, which the averages that predict gets were not.
def fit(x, y, num_classes):
    flat = _floats(x)
    return torch.stack([flat[y == c].mean(0) for c in range(num_classes)])


def predict(x, means):
    distance = (_floats(x)[:, None] - means).square().sum(2)
    return distance.nan_to_num(nan=float("inf")).argmin(1)


def _floats(x):
    return x.flatten(1).float() / (255 if x.dtype == torch.uint8 else 1)
