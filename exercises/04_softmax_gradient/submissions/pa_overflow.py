import torch


def softmax_gradient(x, y, W, b):
    p = (x @ W + b).exp()
    slopes = p / p.sum(1, keepdim=True)
    slopes[torch.arange(len(y)), y] -= 1
    slopes = slopes / len(y)
    return x.T @ slopes, slopes.sum(0)
