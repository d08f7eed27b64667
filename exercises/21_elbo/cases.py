import torch

from chapterhouse.exercise import Case, close


def numbers(rng, *shape):
    return torch.tensor(rng.uniform(size=shape), dtype=torch.float32)


def code(rng, n, k):
    return numbers(rng, n, k) * 4 - 2, numbers(rng, n, k) * 3 - 2


def weight(rng):
    return round(float(rng.uniform(0.1, 3)), 3)


def cases(rng):
    yield Case(
        "two rows of three pixels",
        "vae_loss",
        args=(numbers(rng, 2, 3), numbers(rng, 2, 3), *code(rng, 2, 2), weight(rng)),
        check=close(),
        visible=True,
    )
    yield Case(
        "grey pictures",
        "vae_loss",
        args=(numbers(rng, 7, 1, 9, 8), numbers(rng, 7, 1, 9, 8), *code(rng, 7, 5), weight(rng)),
        message="Sum over pixels and over the numbers of a code; average over pictures alone.",
        points=2,
    )
    yield Case(
        "colour pictures",
        "vae_loss",
        args=(numbers(rng, 3, 3, 4, 5), numbers(rng, 3, 3, 4, 5), *code(rng, 3, 2), weight(rng)),
        message="The channels belong to the picture too.",
    )
    x = numbers(rng, 6, 10)
    yield Case(
        "painted without a fault",
        "vae_loss",
        args=(x, x.clone(), *code(rng, 6, 4), weight(rng)),
        message="With no error the loss is beta times the divergence.",
    )
    n = int(rng.integers(4, 8))
    yield Case(
        "painted flat",
        "vae_loss",
        args=(numbers(rng, n, 1, n, 1), numbers(rng, n, n), *code(rng, n, 3), weight(rng)),
        message="Bring both to (N, D) before you subtract; look at the shape of the difference.",
    )
    yield Case(
        "the bound in nats",
        "nats",
        args=(float(rng.uniform(10, 40)), float(rng.uniform(1, 20)), weight(rng), 784),
        message="The noise variance is half of beta, and the constant counts every pixel.",
        points=2,
    )
