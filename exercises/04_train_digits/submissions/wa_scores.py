import torch


def train_and_predict(x, y, x_new):
    # Returns scores instead of classes.
    means = torch.stack([x[y == k].mean(0) for k in range(int(y.max()) + 1)])
    return -torch.cdist(x_new, means)
