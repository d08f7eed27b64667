import torch

from chapterhouse.exercise import Case, close


def tensor(rng, *shape):
    return torch.tensor(rng.normal(size=shape), dtype=torch.float32)


def cases(rng):
    yield Case(
        "one parameter",
        "sgd_step",
        args=([tensor(rng, 3)], [tensor(rng, 3)], round(float(rng.uniform(0.05, 0.5)), 3)),
        check=close(),
        visible=True,
    )
    shapes = [(4, 2), (2,), ()]
    yield Case(
        "several shapes",
        "sgd_step",
        args=([tensor(rng, *s) for s in shapes], [tensor(rng, *s) for s in shapes], 0.1),
        message="Each parameter keeps its own shape, and goes with the gradient in the same place.",
        points=2,
    )
    yield Case(
        "a frozen parameter",
        "sgd_step",
        args=([tensor(rng, 3), tensor(rng, 2)], [None, tensor(rng, 2)], 0.5),
        message="Where the gradient is None the parameter comes back as it was.",
    )
