import torch


def pca_reconstruct(x_train, x, k):
    mean = x_train.double().mean(0, keepdim=True)
    centred = x_train.double() - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred)  # ascending
    v = vectors.flip(1)[:, :k]
    return (mean + (x.double() - mean) @ v @ v.T).float()
