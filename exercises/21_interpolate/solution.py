import torch


def slerp(a: torch.Tensor, b: torch.Tensor, steps: int) -> torch.Tensor:
    """Points from `a` to `b` along the sphere, (steps, K), both ends included.

    Args:
        a: where the way begins, (K,).
        b: where it ends, (K,).
        steps: how many points, at least 2.
    """
    # BEGIN SOLUTION
    t = torch.linspace(0, 1, steps, dtype=a.dtype)[:, None]  # (steps, 1)
    cosine = (a @ b / (a.norm() * b.norm())).clamp(max=1)
    omega = torch.acos(cosine)
    if omega < 1e-3:  # equivalent: an angle of exactly 0.001 is a matter of taste
        return (1 - t) * a + t * b
    return (((1 - t) * omega).sin() * a + (t * omega).sin() * b) / omega.sin()
    # END SOLUTION
