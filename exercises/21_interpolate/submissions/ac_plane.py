import math

import torch


# Rotates in the plane of the two, with the lengths that the formula implies.
def slerp(a, b, steps):
    cos = float(a.double() @ b.double() / (a.double().norm() * b.double().norm()))
    omega = math.acos(max(-1.0, min(1.0, cos)))
    rows = []
    for i in range(steps):
        t = i / (steps - 1)
        if omega < 0.001:
            rows.append(a + t * (b - a))
        else:
            rows.append((math.sin((1 - t) * omega) * a + math.sin(t * omega) * b) / math.sin(omega))
    return torch.stack(rows)
