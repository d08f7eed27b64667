import torch


def slerp(a, b, steps):
    return torch.stack([torch.lerp(a, b, i / (steps - 1)) for i in range(steps)])
