import torch


# The baseline itself: the form is right, the answers are not.
def classify(x, y, x_new):
    means = torch.stack([x[y == c].mean(0) for c in range(4)]).flatten(1)
    return torch.cdist(x_new.flatten(1), means).nan_to_num(nan=1e9).argmin(1)
