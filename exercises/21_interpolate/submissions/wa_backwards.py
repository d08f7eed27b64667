import torch


def slerp(a, b, steps):
    t = torch.linspace(0, 1, steps)[:, None]
    omega = torch.acos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    if omega < 1e-3:
        return torch.lerp(b, a, t)
    return ((t * omega).sin() * a + ((1 - t) * omega).sin() * b) / omega.sin()
