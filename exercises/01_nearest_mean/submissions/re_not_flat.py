import torch


# Takes the pictures with all their axes, and turns the averages on their side.
def fit(x, y, num_classes):
    return torch.stack([x[y == c].mean(1, 2) for c in range(num_classes)])


def predict(x, means):
    return torch.cdist(x.float(), means.T).argmin(1)
