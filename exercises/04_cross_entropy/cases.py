import torch

from chapterhouse.exercise import Case, close


def batch(rng, n, k, scale=1.0, dtype=torch.float32):
    logits = torch.tensor(scale * rng.normal(size=(n, k)), dtype=dtype)
    return logits, torch.tensor(rng.integers(0, k, size=n), dtype=torch.int64)


def cases(rng):
    yield Case(
        "two samples, three classes",
        "cross_entropy",
        args=batch(rng, 2, 3),
        check=close(),
        visible=True,
    )
    yield Case(
        "a batch of fifty",
        "cross_entropy",
        args=batch(rng, 50, 7),
        message="Sum the powers over the classes, within each row; average over the samples.",
    )
    yield Case(
        "no idea",
        "cross_entropy",
        args=(torch.zeros(5, int(rng.integers(4, 30))), torch.zeros(5, dtype=torch.int64)),
        message="With equal scores the loss is the logarithm of the number of classes.",
    )
    yield Case(
        "scores in the hundreds",
        "cross_entropy",
        args=batch(rng, 20, 5, scale=300.0),
        message="Large scores must not become infinite or nan: subtract the largest score first.",
        points=2,
    )
    low, y_low = batch(rng, 4, 5)
    high, y_high = batch(rng, 4, 5)
    yield Case(
        "low and high rows together",
        "cross_entropy",
        args=(torch.cat([low - 500, high + 500]), torch.cat([y_low, y_high])),
        check=close(rtol=1e-3),
        message="Each row needs its own largest score: with one for the whole batch, the low rows "
        "lose all their powers.",
        points=2,
    )
    yield Case(
        "float64",
        "cross_entropy",
        args=batch(rng, 6, 4, dtype=torch.float64),
        check=close(rtol=1e-9, atol=1e-12),
        message="Keep the dtype of the logits: a detour through float32 loses half the digits.",
    )
