import numpy as np
import torch

from chapterhouse.exercise import Case, accuracy, at_least, equal

SIDE = 14
# The stroke of each digit, as points of a 2 by 4 grid: x to the right, y downwards.
STROKES = {
    0: [(0, 0), (2, 0), (2, 4), (0, 4), (0, 0)],
    1: [(0.6, 0.8), (1.2, 0), (1.2, 4)],
    2: [(0, 0.6), (0.6, 0), (1.6, 0), (2, 0.8), (0, 4), (2, 4)],
    3: [(0, 0), (2, 0), (1, 1.8), (2, 2.8), (1.4, 4), (0, 3.8)],
    4: [(1.4, 4), (1.4, 0), (0, 2.6), (2, 2.6)],
    5: [(2, 0), (0, 0), (0, 1.8), (1.6, 1.8), (2, 3), (1.2, 4), (0, 3.8)],
    6: [(1.6, 0), (0, 2.2), (0, 4), (2, 4), (2, 2.4), (0, 2.4)],
    7: [(0, 0), (2, 0), (0.8, 4)],
    8: [(0, 0), (2, 0), (0, 4), (2, 4), (0, 0)],
    9: [(2, 1.6), (0, 1.6), (0, 0), (2, 0), (2, 1.6), (1.4, 4)],
}


def handwriting(rng, digits):
    """Pictures of digits, each by another hand, (N, SIDE * SIDE), from 0 to 1."""
    pictures = np.empty((len(digits), SIDE * SIDE))
    for digit in np.unique(digits):
        pictures[digits == digit] = _drawn(rng, STROKES[int(digit)], int((digits == digit).sum()))
    return torch.tensor(pictures, dtype=torch.float32)


def _drawn(rng, stroke, count):
    """`count` pictures of one digit: its stroke bent, slanted, moved, and blurred to ink."""
    points = np.array(stroke) - (1, 2) + rng.normal(0, 0.18, size=(count, len(stroke), 2))
    bend = 2 * rng.normal(0, 0.24, size=(count, 2, 2))
    bend[:, [0, 1], [0, 1]] = rng.normal((3.1, 2.05), (0.38, 0.25), size=(count, 2))
    middle = (SIDE - 1) / 2 + rng.normal(0, 0.5, size=(count, 1, 2))
    points = points @ bend + middle  # (count, points, 2)
    start, along = points[:, None, :-1], np.diff(points, axis=1)[:, None]
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    places = np.stack([columns, rows], -1).reshape(1, -1, 1, 2)
    share = ((places - start) * along).sum(-1) / ((along**2).sum(-1) + 1e-9)
    nearest = start + np.clip(share, 0, 1)[..., None] * along  # (count, pixels, lines, 2)
    gap = np.sqrt(((places - nearest) ** 2).sum(-1)).min(-1)  # (count, pixels)
    ink = 1 / (1 + np.exp(4 * (gap - rng.uniform(0.6, 1.1, size=(count, 1)))))
    return np.clip(ink + rng.normal(0, 0.05, size=gap.shape), 0, 1)


def ten_digits(rng, count):
    y = rng.integers(0, 10, size=count)
    return handwriting(rng, y), torch.tensor(y, dtype=torch.int64)


def same_or_not(rng, count):
    """Two pictures side by side, each a 3 or a 7, and whether they are the same."""
    a, b = 3 + 4 * rng.integers(0, 2, size=(2, count))
    x = torch.cat([handwriting(rng, a), handwriting(rng, b)], 1)
    return x, torch.tensor(a == b, dtype=torch.int64)


def clouds(rng, count):
    """Three groups of points, far apart."""
    y = torch.tensor(np.arange(count) % 3, dtype=torch.int64)
    centres = torch.eye(3, 4)
    noise = torch.tensor(rng.normal(0, 0.03, size=(count, 4)), dtype=torch.float32)
    return (centres[y] + noise).clamp(0, 1), y


def cases(rng):
    x, y = clouds(rng, 30)
    x_new, _ = clouds(rng, 9)
    yield Case(
        "three clouds",
        "train_and_predict",
        args=(x, y, x_new),
        check=equal(),
        visible=True,
        seed=1,
    )
    x, y = ten_digits(rng, 1500)
    x_new, hidden = ten_digits(rng, 500)
    for name, threshold, points, message in (
        (
            "ten digits",
            0.70,
            2,
            "Digits by new hands should come out right 70 times in 100: does the loss on the "
            "training pictures fall at all, and far enough?",
        ),
        (
            "ten digits, well",
            0.88,
            3,
            "88 in 100 is within reach: more epochs, another learning rate, or a hidden layer.",
        ),
    ):
        yield Case(
            name,
            "train_and_predict",
            args=(x, y, x_new),
            check=at_least(threshold, accuracy(hidden)),
            points=points,
            message=message,
            seed=int(rng.integers(1000)),
        )
    x, y = same_or_not(rng, 1200)
    x_new, hidden = same_or_not(rng, 400)
    yield Case(
        "same or different",
        "train_and_predict",
        args=(x, y, x_new),
        check=at_least(0.85, accuracy(hidden)),
        points=4,
        message="Two pictures side by side, the same digit or not: no linear model can do it.",
        seed=int(rng.integers(1000)),
    )
