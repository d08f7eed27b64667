import math

import torch

from chapterhouse.exercise import Case, close

NEAR = close(rtol=1e-3, atol=1e-4)


def code(rng, k):
    return torch.tensor(rng.normal(size=k), dtype=torch.float32)


def aligned(rng):
    """Two codes of one direction whose cosine is rounded to more than 1."""
    while True:
        a = code(rng, 10)
        b = a * float(rng.uniform(1.5, 3))
        if a @ b / (a.norm() * b.norm()) > 1:
            return a, b


def cases(rng):
    yield Case(
        "three points between codes of two numbers",
        "slerp",
        args=(code(rng, 2).abs() + 0.1, code(rng, 2).abs() * torch.tensor([1.0, -1.0]) - 0.1, 3),
        check=NEAR,
        visible=True,
    )
    yield Case(
        "many numbers",
        "slerp",
        args=(code(rng, 64), code(rng, 64), int(rng.integers(6, 12))),
        check=NEAR,
        message="Half-way along the sphere you are as far from 0 as at the ends, not nearer.",
        points=2,
    )
    yield Case(
        "unequal lengths",
        "slerp",
        args=(3 * code(rng, 16), 0.5 * code(rng, 16), 5),
        check=NEAR,
        message="The angle needs both lengths divided out; the ends are a and b as they are.",
    )
    yield Case(
        "two points",
        "slerp",
        args=(code(rng, 8), code(rng, 8), 2),
        check=NEAR,
        message="With two steps the result is the two ends.",
    )
    a = code(rng, 12)
    turned = code(rng, 12)
    turned -= a * (a @ turned) / (a @ a)  # at right angles to a
    turned *= a.norm() / turned.norm()
    yield Case(
        "half a radian",
        "slerp",
        args=(a, math.cos(0.5) * a + math.sin(0.5) * turned, 7),
        check=NEAR,
        message="The straight line is for angles below 0.001 alone.",
    )
    yield Case(
        "the same direction",
        "slerp",
        args=(*aligned(rng), 4),
        check=NEAR,
        message="Where the angle vanishes the formula is 0 / 0: go along the straight line.",
        points=2,
    )
