import torch

from chapterhouse.exercise import Case, close


def clouds(rng, n, k, dtype=torch.float32):
    mu = torch.tensor(rng.normal(size=(n, k)), dtype=dtype)
    return mu, torch.tensor(rng.normal(-0.5, 0.8, size=(n, k)), dtype=dtype)


def cases(rng):
    yield Case(
        "two pictures, three numbers",
        "kl_normal",
        args=clouds(rng, 2, 3),
        check=close(),
        visible=True,
    )
    yield Case(
        "many pictures",
        "kl_normal",
        args=clouds(rng, 40, 11),
        message="One number for each picture: sum over the numbers of a code, leave the pictures.",
        points=2,
    )
    yield Case(
        "moved, not narrowed",
        "kl_normal",
        args=(clouds(rng, 6, 4)[0], torch.zeros(6, 4)),
        message="With variance 1 only the means count: half of the sum of their squares.",
    )
    yield Case(
        "narrow clouds",
        "kl_normal",
        args=(torch.zeros(5, 2), torch.tensor(rng.uniform(-40, -20, (5, 2)), dtype=torch.float32)),
        message="A narrow cloud has a large negative log_var, and is dear; nothing overflows.",
    )
    yield Case(
        "float64",
        "kl_normal",
        args=clouds(rng, 4, 5, torch.float64),
        check=close(rtol=1e-9, atol=1e-12),
        message="Keep the dtype of mu: a detour through float32 loses half the digits.",
    )
