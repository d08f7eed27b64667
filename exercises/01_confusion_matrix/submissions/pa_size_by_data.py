import torch


def confusion_matrix(y_hat, y, num_classes):
    size = int(max(y.max(), y_hat.max())) + 1 if len(y) else num_classes
    return torch.bincount(y * size + y_hat, minlength=size**2).reshape(size, size)
