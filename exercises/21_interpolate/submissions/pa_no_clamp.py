import torch


# The cosine of two codes of one direction is rounded to more than 1, and its angle is nan.
def slerp(a, b, steps):
    t = torch.linspace(0, 1, steps)[:, None]
    omega = torch.acos(a @ b / (a.norm() * b.norm()))
    if omega < 1e-3:
        return torch.lerp(a, b, t)
    return (((1 - t) * omega).sin() * a + (t * omega).sin() * b) / omega.sin()
