import torch

from chapterhouse.exercise import Case, close

NEAR = close(rtol=1e-3, atol=1e-4)


def pictures(rng, m, n, d):
    """Training and other rows that vary most along a few directions, and not around 0."""
    mix = rng.normal(size=(d, d)) * (3.0 * 0.6 ** rng.permutation(d))[:, None]
    centre = rng.uniform(1, 3, size=d)
    rows = centre + rng.normal(size=(m + n, d)) @ mix
    rows[m:] += rng.normal(size=d)  # the others have another mean
    both = torch.tensor(rows, dtype=torch.float32)
    return both[:m].clone(), both[m:].clone()


def cases(rng):
    yield Case(
        "four pixels, one direction",
        "pca_reconstruct",
        args=(*pictures(rng, 8, 2, 4), 1),
        check=NEAR,
        visible=True,
    )
    yield Case(
        "several directions",
        "pca_reconstruct",
        args=(*pictures(rng, 60, 9, 12), 4),
        check=NEAR,
        message="Mean and directions come from the training rows alone, and the mean goes back on.",
        points=2,
    )
    yield Case(
        "no direction at all",
        "pca_reconstruct",
        args=(*pictures(rng, 20, 5, 6), 0),
        check=NEAR,
        message="With k = 0 each of the N rows is the mean of the training pictures.",
    )
    yield Case(
        "every direction",
        "pca_reconstruct",
        args=(*pictures(rng, 40, 5, 7), 7),
        check=NEAR,
        message="With as many directions as pixels, every picture comes back as it was.",
    )
    yield Case(
        "fewer pictures than pixels",
        "pca_reconstruct",
        args=(*pictures(rng, 5, 6, 16), 3),
        check=NEAR,
        message="Check the shapes where M is smaller than D.",
    )
