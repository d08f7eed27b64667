import torch


def confusion_matrix(y_hat, y, num_classes):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    return matrix.index_put((y, y_hat), torch.ones_like(y), accumulate=True)
