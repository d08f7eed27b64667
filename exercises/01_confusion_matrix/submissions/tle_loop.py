import torch


def confusion_matrix(y_hat, y, num_classes):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for i in range(len(y)):
        matrix[y[i], y_hat[i]] += 1
    return matrix
