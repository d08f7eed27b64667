import torch

from chapterhouse.exercise import Case, close, satisfies


def data(rng, n):
    """Rows whose label can be told from their values, so that a lost pairing shows."""
    y = torch.tensor(rng.permutation(n), dtype=torch.int64)
    x = torch.tensor(rng.normal(size=(n, 2)), dtype=torch.float32)
    x[:, 0] = y
    return x, y


def reading(count):
    """The steps that read a loader of `count` batches to its end."""
    return [("__len__", (), {})] + [("batch", (i,), {}) for i in range(count)]


def pairs_once_shuffled(value, x, y, batch_size, seed):
    length, *batches = value
    if length != len(batches):
        return f"len() is {length} instead of {len(batches)}"
    xs = torch.cat([batch[0] for batch in batches])
    ys = torch.cat([batch[1] for batch in batches])
    if xs.shape != x.shape or not torch.equal(ys.sort().values, y.sort().values):
        return "not every row appears exactly once over all batches"
    if not torch.equal(xs[:, 0].long(), ys):
        return "a row has got another row's label"
    return "the rows are in their old order" if torch.equal(ys, y) else True


def two_equal_halves(value, x, y, batch_size, seed):
    # The same steps twice over: the second reading must repeat the first.
    first, again = value[:4], value[4:]
    fault = pairs_once_shuffled(first, x, y, batch_size, seed)
    same = all(torch.equal(a[0], b[0]) for a, b in zip(first[1:], again))
    return fault if fault is not True else same


def cases(rng):
    x, y = data(rng, 5)
    yield Case(
        "five rows in twos",
        "Batches",
        args=(x, y, 2),
        steps=reading(3),
        check=close(),
        visible=True,
    )
    x, y = data(rng, 12)
    yield Case(
        "a size that divides",
        "Batches",
        args=(x, y, 4),
        steps=reading(3),
        message="With 12 rows and batches of 4 there are 3 batches, and none is empty.",
    )
    x, y = data(rng, int(rng.integers(3, 9)))
    yield Case(
        "a batch larger than the data",
        "Batches",
        args=(x, y, 50),
        steps=reading(1),
        message="When batch_size exceeds n there is one batch, with all the rows.",
    )
    seed = int(rng.integers(1, 1000))
    x, y = data(rng, 40)
    yield Case(
        "shuffled",
        "Batches",
        args=(x, y, 16, seed),
        steps=reading(3),
        check=satisfies(pairs_once_shuffled),
        message="With a seed: a new order, every row once, each beside its own label.",
        points=2,
    )
    yield Case(
        "asked again",
        "Batches",
        args=(x, y, 16, seed),
        steps=reading(3) + reading(3)[1:],
        check=satisfies(two_equal_halves),
        message="Draw the order once, when the object is made: batch(i) is always the same rows.",
    )
