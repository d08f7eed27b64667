import numpy as np
import torch

from chapterhouse.exercise import Case, accuracy, at_least, same_shape

SIDE = 10
NOISE = 0.55


def strokes(rng, count):
    """Noisy pictures (count, 1, SIDE, SIDE) of one stroke each, and its direction (count,)."""
    y = rng.integers(0, 4, size=count)
    x = rng.normal(0, NOISE, size=(count, SIDE, SIDE))
    along = np.arange(SIDE)
    for picture, kind in zip(x, y, strict=True):
        at = int(rng.integers(1, SIDE - 1))
        rows = np.full(SIDE, at) if kind == 0 else along
        columns = (along, np.full(SIDE, at), (along + at) % SIDE, (at - along) % SIDE)[kind]
        picture[rows, columns] += 1
        picture *= rng.choice([-1, 1])
    return torch.tensor(x[:, None], dtype=torch.float32), torch.tensor(y, dtype=torch.int64)


def cases(rng):
    x, y = strokes(rng, 12)
    x_new, _ = strokes(rng, 3)
    yield Case(
        "the form of the answer",
        "classify",
        args=(x.round(decimals=2), y, x_new.round(decimals=2)),
        check=same_shape(),
        visible=True,
        seed=1,
    )
    x, y = strokes(rng, 2000)
    for name, threshold, points, message in (
        (
            "better than the baseline",
            0.6,
            3,
            "60 in 100 new pictures should come out right. Does the training loss fall at all?",
        ),
        (
            "much better",
            0.9,
            4,
            "90 in 100 is within reach: a hidden layer of 100 or more, a learning rate near 0.01, "
            "and an eye on pictures that you keep aside.",
        ),
    ):
        x_new, hidden = strokes(rng, 1000)
        yield Case(
            name,
            "classify",
            args=(x, y, x_new),
            check=at_least(threshold, accuracy(hidden)),
            points=points,
            message=message,
            seed=int(rng.integers(1000)),
        )
