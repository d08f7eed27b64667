import torch


def slerp(a, b, steps):
    t = torch.linspace(0, 1, steps)[:, None]
    omega = torch.acos(a @ b / (a.norm() * b.norm()))
    return (((1 - t) * omega).sin() * a + (t * omega).sin() * b) / omega.sin()
