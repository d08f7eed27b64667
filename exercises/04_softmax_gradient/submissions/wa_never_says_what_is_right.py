import torch


def softmax_gradient(x, y, W, b):
    slopes = torch.softmax(x @ W + b, 1) / len(x)
    return x.T @ slopes, slopes.sum(0)
