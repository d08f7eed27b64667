import torch
from torch import nn


def classify(x, y, x_new):
    net = nn.Linear(100, 4)
    return net(x_new).argmax(1)
