import torch

from chapterhouse.exercise import Case, equal


def drawn(rng, count, classes):
    """Predicted and true classes, right more often than not, with a lean to lower classes."""
    y = rng.integers(0, classes, size=count)
    y_hat = y * (rng.random(count) < 0.6) + rng.integers(0, classes, size=count) // 2 * (
        rng.random(count) < 0.3
    )
    y_hat = y_hat % classes
    return torch.tensor(y_hat, dtype=torch.int64), torch.tensor(y, dtype=torch.int64)


def cases(rng):
    yield Case(
        "ten pictures of three classes",
        "confusion_matrix",
        args=(
            torch.tensor([0, 1, 1, 1, 2, 0, 1, 2, 2, 0]),
            torch.tensor([0, 1, 1, 2, 2, 0, 1, 2, 1, 0]),
            3,
        ),
        check=equal(),
        visible=True,
    )
    yield Case(
        "many pictures",
        "confusion_matrix",
        args=(*drawn(rng, 500, 6), 6),
        check=equal(),
        message="Rows for the truth, columns for the prediction, each picture counted once: int64.",
    )
    y_hat, y = drawn(rng, 60, 4)
    yield Case(
        "classes that never occur",
        "confusion_matrix",
        args=(y_hat, y, 7),
        check=equal(),
        message="The matrix has num_classes rows and columns, whichever classes occur.",
    )
    nothing = torch.zeros(0, dtype=torch.int64)
    yield Case(
        "no pictures",
        "confusion_matrix",
        args=(nothing, nothing, 3),
        check=equal(),
        message="Of no pictures all counts are 0, and the matrix has its full size.",
        points=0.5,
    )
    yield Case(
        "very many pictures",
        "confusion_matrix",
        args=(*drawn(rng, 300_000, 10), 10),
        check=equal(),
        message="Hundreds of thousands of pictures should take milliseconds: let torch count.",
        max_slowdown=20,
    )
