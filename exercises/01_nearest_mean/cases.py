import numpy as np
import torch

from chapterhouse.exercise import Case, close, equal


def drawn(rng, count, classes, shape, dtype=torch.float32):
    """Pictures around a random prototype for each class, and their classes."""
    prototypes = rng.uniform(60, 200, size=(classes, *shape))
    y = rng.permutation(np.arange(count) % classes)
    x = (prototypes[y] + rng.normal(0, 50, size=(count, *shape))).clip(0, 255)
    scale = 1 if dtype == torch.uint8 else 255
    return torch.tensor(x / scale).to(dtype), torch.tensor(y, dtype=torch.int64)


def averages(x, y, classes):
    flat = x.flatten(1).double()
    return torch.stack([flat[y == c].mean(0) for c in range(classes)]).float()


def cases(rng):
    x, y = drawn(rng, 6, 2, (3,))
    yield Case("fit two classes", "fit", args=(x, y, 2), check=close(), visible=True)
    yield Case(
        "predict two classes",
        "predict",
        args=(x, averages(x, y, 2)),
        check=equal(),
        visible=True,
    )
    for dtype, name in ((torch.float32, "pictures"), (torch.uint8, "uint8 pictures")):
        x, y = drawn(rng, 90, 5, (1, 6, 6), dtype)
        new, _ = drawn(rng, 40, 5, (1, 6, 6), dtype)
        yield Case(
            f"fit {name}",
            "fit",
            args=(x, y, 5),
            message="One flat float32 average a class, of floats and of uint8 alike.",
        )
        yield Case(
            f"predict {name}",
            "predict",
            args=(new, averages(x, y, 5)),
            check=equal(),
            message="The class with the smallest sum of squared differences, int64.",
        )
    x, y = drawn(rng, 40, 4, (2, 5))
    x, y = x[y != 2], y[y != 2]
    means = averages(x, y, 4)
    yield Case(
        "fit without a class",
        "fit",
        args=(x, y, 4),
        message="A class without pictures has a row of NaN, and the others stay in their places.",
    )
    yield Case(
        "predict without a class",
        "predict",
        args=(x, means),
        check=equal(),
        message="A class whose average is NaN is never predicted.",
    )
    means = torch.tensor([[0.0, 4.0], [2.0, 0.0], [4.0, 4.0], [2.0, 0.0]])
    new = torch.tensor([[2.0, 4.0], [2.0, 1.0], [2.0, 0.0]]) + torch.tensor(
        rng.integers(0, 2, size=(1, 2)) * 0.0, dtype=torch.float32
    )
    yield Case(
        "equally near",
        "predict",
        args=(new, means),
        check=equal(),
        message="If two averages are equally near, the lower class wins.",
        points=0.5,
    )
