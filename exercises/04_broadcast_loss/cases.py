import torch

from chapterhouse.exercise import Case, close


def tensor(rng, *shape):
    return torch.tensor(rng.normal(size=shape), dtype=torch.float32)


def problem(rng, n, d):
    """Inputs, labels and parameters; the learning rate is small enough for any of them."""
    lr = round(float(rng.uniform(0.01, 0.1)), 3)
    return tensor(rng, n, d), tensor(rng, n), tensor(rng, d, 1), tensor(rng, 1), lr


def cases(rng):
    yield Case(
        "three samples",
        "train_step",
        args=problem(rng, 3, 2),
        check=close(),
        visible=True,
    )
    yield Case(
        "many samples",
        "train_step",
        args=problem(rng, 64, 5),
        message="Each output is compared with its own label: N differences, not N times N.",
        points=2,
    )
    x, _, w, b, lr = problem(rng, 16, 4)
    yield Case(
        "a model that is right already",
        "train_step",
        args=(x, (x @ w + b)[:, 0], w, b, lr),
        check=close(atol=1e-5),
        message="When every output equals its label the loss is 0, and nothing should move.",
        points=2,
    )
