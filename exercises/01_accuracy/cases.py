import torch

from chapterhouse.exercise import Case, close


def drawn(rng, count, classes):
    """Logits (count, classes) and labels (count,) that agree about half of the time."""
    logits = torch.tensor(rng.normal(size=(count, classes)), dtype=torch.float32)
    y = torch.tensor(rng.integers(0, classes, size=count), dtype=torch.int64)
    agree = torch.tensor(rng.random(count) < 0.5)
    y[agree] = logits[agree].argmax(1)
    y[0], y[1] = logits[0].argmax(), (logits[1].argmax() + 1) % classes  # never all, never none
    return logits, y


def cases(rng):
    yield Case("five pictures", "accuracy", args=drawn(rng, 5, 3), check=close(), visible=True)
    yield Case(
        "many pictures",
        "accuracy",
        args=drawn(rng, 211, 10),
        message="The share of rows in which the largest logit is at the true class, as a float.",
    )
    logits, y = drawn(rng, 24, 4)
    logits = logits.round()
    top = logits.max(1, keepdim=True).values
    tied = torch.stack([(row == t).nonzero()[-1, 0] for row, t in zip(logits, top, strict=True)])
    logits[:6, 0] = logits[:6, 3] = top[:6, 0] + 1
    tied[:6], y[6:] = 3, tied[6:]
    y[:3], y[3:6] = 3, 0
    yield Case(
        "ties",
        "accuracy",
        args=(logits, y),
        message="Where several classes share the largest logit, the first of them is the answer.",
    )
    logits, y = drawn(rng, 20, 5)
    y[:] = logits.argmax(1)
    for row in range(8):
        column = int(y[row]) if row < 4 else int((y[row] + 1) % 5)
        logits[row, column] = float("nan")
    order = torch.tensor(rng.permutation(len(y)))
    yield Case(
        "rows with NaN",
        "accuracy",
        args=(logits[order], y[order]),
        message="A row with a NaN anywhere counts as wrong, and still counts among the pictures.",
    )
    yield Case(
        "no pictures",
        "accuracy",
        args=(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)),
        message="Of no pictures the accuracy is NaN.",
        points=0.5,
    )
