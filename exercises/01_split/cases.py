import torch

from chapterhouse.exercise import Case, equal


def drawn(rng, counts):
    """Labels with so many samples of each, mixed, and a random order."""
    y = [label for label, count in counts.items() for _ in range(count)]
    y = torch.tensor(rng.permutation(y), dtype=torch.int64)
    return y, torch.tensor(rng.permutation(len(y)), dtype=torch.int64)


def cases(rng):
    y, order = drawn(rng, {0: 6, 1: 4})
    yield Case("two classes", "stratified_split", args=(y, 0.5, order), check=equal(), visible=True)
    for name, counts, valid, points, message in (
        (
            "ten classes",
            {k: int(rng.integers(20, 60)) for k in range(10)},
            0.2,
            2,
            "Of each class the samples that come first in `order`, as many as its share; positions "
            "in ascending order.",
        ),
        (
            "a rare class",
            {0: 70, 1: 2, 2: 25},
            0.1,
            1,
            "A class with few samples still gives one to the validation part.",
        ),
        (
            "halves",
            {0: 10, 1: 30, 2: 50, 3: 26},
            0.25,
            1,
            "Where the share is half a sample too many, it is rounded upwards.",
        ),
        (
            "labels with gaps",
            {7: 12, 3: 9, 40: 15, 1000: 8},
            0.3,
            1,
            "Labels needn't be 0, 1, 2, …: look at which ones occur.",
        ),
    ):
        y, order = drawn(rng, counts)
        yield Case(
            name,
            "stratified_split",
            args=(y, valid, order),
            check=equal(),
            points=points,
            message=message,
        )
