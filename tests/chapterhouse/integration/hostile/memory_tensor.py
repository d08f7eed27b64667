"""Asks for a tensor larger than the machine."""

import torch


def answer(x):
    return torch.zeros(10**12)
