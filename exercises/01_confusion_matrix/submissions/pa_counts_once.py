import torch


def confusion_matrix(y_hat, y, num_classes):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    matrix[y, y_hat] += 1
    return matrix
