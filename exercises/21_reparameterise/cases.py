import numpy as np
import torch

from chapterhouse.exercise import Case, all_of, same_shape, satisfies

ROOM = 5.5  # standard errors: chance makes a right answer fail once in millions of cases


def array(value):
    return np.asarray(value, dtype=np.float64)


def right_draws(value, mu, log_var):
    z, mu, sigma = array(value[0]), array(mu), np.exp(array(log_var) / 2)
    count = len(z)
    if np.any(np.abs(z.mean(0) - mu) > ROOM * sigma / count**0.5):
        return "the draws do not have the mean mu"
    if np.any(np.abs(z.std(0) / sigma - 1) > ROOM / (2 * count) ** 0.5):
        return "the draws do not have the width that log_var says"
    correlation = np.corrcoef(z.T)[np.triu_indices(len(mu), 1)]
    if np.any(np.abs(correlation) > ROOM / count**0.5):
        return "the numbers of a draw are not independent of each other"
    within = np.abs((z - mu) / sigma) < 1
    if abs(within.mean() - 0.6827) > ROOM * 0.466 / within.size**0.5:
        return "the draws are not normal"
    return True


def right_seeds(value, mu, log_var):
    first, again, other = (array(draws) for draws in value)
    if not np.array_equal(first, again):
        return "equal seeds gave different draws"
    if len(np.unique(np.concatenate([first, other]))) < first.size + other.size:
        return "some numbers share their noise with others"
    return True


def right_slopes(aim, count):
    def judge(value, mu, log_var):
        by_mu, by_log_var = (array(slope) for slope in value[0])
        off, var = array(mu) - array(aim), np.exp(array(log_var))
        # One draw's slopes are 2 (off + sigma eps) and (off + sigma eps) sigma eps.
        if np.any(np.abs(by_mu - 2 * off) > ROOM * 2 * np.sqrt(var / count)):
            return "the slope by mu is not what it is on average"
        if np.any(np.abs(by_log_var - var) > ROOM * np.sqrt(var * (off**2 + 2 * var) / count)):
            return "the slope by log_var is not what it is on average"
        return True

    return judge


def matching_slopes(aim):
    def judge(value, mu, log_var):
        draws, slopes = value
        z, (by_mu, by_log_var) = array(draws)[0], (array(slope) for slope in slopes)
        if not np.allclose(by_mu, 2 * (z - array(aim)), rtol=1e-3, atol=1e-4):
            return "the slope by mu is not that of the draw with this seed"
        if not np.allclose(by_log_var, (z - array(aim)) * (z - array(mu)), rtol=1e-3, atol=1e-4):
            return "the slope by log_var is not that of the draw with this seed"
        return True

    return judge


def vector(rng, k, low, high):
    return torch.tensor(rng.uniform(low, high, k), dtype=torch.float32)


def cases(rng):
    seeds = [int(s) for s in rng.choice(2**31, 5, replace=False)]
    yield Case(
        "three draws of two numbers",
        "Cloud",
        args=(vector(rng, 2, -2, 2), vector(rng, 2, -1, 1)),
        steps=[("draw", (3, seeds[0]), {})],
        check=same_shape(),
        visible=True,
    )
    yield Case(
        "mean, width and independence",
        "Cloud",
        args=(vector(rng, 3, -4, 4), vector(rng, 3, -2.5, 2.5)),
        steps=[("draw", (20_000, seeds[1]), {})],
        check=all_of(same_shape(), satisfies(right_draws)),
        message="Look at mean, width and independence of many draws. log_var is the logarithm of "
        "the variance.",
        points=2,
    )
    yield Case(
        "seeds",
        "Cloud",
        args=(vector(rng, 3, -1, 1), vector(rng, 3, -1, 1)),
        steps=[("draw", (20, seed), {}) for seed in (seeds[2], seeds[2], seeds[3])],
        check=all_of(same_shape(), satisfies(right_seeds)),
        message="Equal seeds, equal draws; other seeds, other draws; no two numbers share noise.",
    )
    aim = vector(rng, 4, -4, 4)
    yield Case(
        "slopes of many draws",
        "Cloud",
        args=(vector(rng, 4, -2, 2), vector(rng, 4, -1, 1)),
        steps=[("slopes", (aim, 20_000, seeds[4]), {})],
        check=all_of(same_shape(), satisfies(right_slopes(aim, 20_000))),
        message="Does the gradient pass through your draw? And is the loss a mean over the draws "
        "of a sum over the numbers?",
        points=2,
    )
    yield Case(
        "slopes of one draw",
        "Cloud",
        args=(vector(rng, 4, -2, 2), vector(rng, 4, -1, 1)),
        steps=[("draw", (1, seeds[0]), {}), ("slopes", (aim, 1, seeds[0]), {})],
        check=all_of(same_shape(), satisfies(matching_slopes(aim))),
        message="The slopes must be those of the very draws that draw gives for this seed.",
        points=2,
    )
