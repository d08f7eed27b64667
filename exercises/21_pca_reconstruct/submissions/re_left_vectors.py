import torch


def pca_reconstruct(x_train, x, k):
    mean = x_train.mean(0)
    u = torch.linalg.svd(x_train - mean, full_matrices=False)[0]
    return mean + (x - mean) @ u @ u.T
