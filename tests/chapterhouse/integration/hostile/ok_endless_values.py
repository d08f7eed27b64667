"""Returns containers that contain themselves, and tensors without an end."""

import torch

KINDS = {}


def answer(x):
    loop = []
    loop.append(loop)
    wide = torch.zeros(1).expand(10**12)
    return loop if KINDS.setdefault("turn", 0) else wide
