import torch


# Directions of the rows as they are: the first one points at the mean.
def pca_reconstruct(x_train, x, k):
    v = torch.linalg.svd(x_train, full_matrices=False)[2][:k]
    return x @ v.T @ v
