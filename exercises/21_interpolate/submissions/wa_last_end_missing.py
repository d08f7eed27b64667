import torch


def slerp(a, b, steps):
    t = torch.arange(steps)[:, None] / steps
    omega = torch.acos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    if omega < 1e-3:
        return torch.lerp(a, b, t)
    return (((1 - t) * omega).sin() * a + (t * omega).sin() * b) / omega.sin()
