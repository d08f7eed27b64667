import torch


def pca_reconstruct(x_train, x, k):
    mean = x_train.mean(0)
    v = torch.linalg.svd(x_train - mean, full_matrices=False)[2][:k]
    return (x - mean) @ v.T @ v
