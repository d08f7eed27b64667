import torch


def softmax_gradient(x, y, W, b):
    slopes = torch.softmax(x @ W + b, 1) - y
    return x @ slopes, slopes.sum(0)
