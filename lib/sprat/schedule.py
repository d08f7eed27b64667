"""Learning rate schedules: functions from the share of training done (0…1) to a learning rate."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from sprat.errors import TrainingError
from sprat.kinds import is_number

Curve = Callable[[float], float]


def _check(**rates: Any) -> None:
    """Refuse rates and shares that are no numbers, when the curve is made."""
    for name, rate in rates.items():
        if not is_number(rate):
            raise TrainingError(
                f"{name} is {rate!r}; a number was expected.",
                fix=f"give one, without quotes or brackets, such as {name}=0.001",
            )


def constant(lr: float) -> Curve:
    """The same all along."""
    _check(lr=lr)
    return lambda t: lr


def linear(start: float, end: float) -> Curve:
    """A straight line from `start` to `end`."""
    _check(start=start, end=end)
    return lambda t: start + (end - start) * t


def cosine(start: float, end: float) -> Curve:
    """Half a cosine wave from `start` to `end`: flat at both ends."""
    _check(start=start, end=end)
    return lambda t: end + (start - end) * (1 + math.cos(math.pi * t)) / 2


def exponential(start: float, end: float) -> Curve:
    """The same factor at every step, from `start` to `end`, both above 0."""
    _check(start=start, end=end)
    if not (start > 0 and end > 0):
        raise TrainingError(
            f"exponential got start={start} and end={end}; both above 0 were expected.",
            fix="give a small number instead of 0, such as 1e-6",
        )
    return lambda t: start * (end / start) ** t


def join(parts: Sequence[tuple[float, Curve]]) -> Curve:
    """Curves one after the other.

    Args:
        parts: ``(share, curve)``: each curve runs over its share of the training. Shares sum to 1.

    Raises:
        TrainingError: a share is negative, or they don't sum to 1.
    """
    pairs = [part for part in parts if isinstance(part, (tuple, list)) and len(part) == 2]
    if not pairs or len(pairs) < len(parts):
        raise TrainingError(
            "join got something other than pairs of a share and a curve.",
            fix="write join([(0.3, linear(1e-5, 1e-3)), (0.7, cosine(1e-3, 1e-5))])",
        )
    shares = [share for share, _ in parts]
    if min(shares) < 0 or not math.isclose(sum(shares), 1.0):
        raise TrainingError(
            f"The shares of training are {shares}.",
            fix="give shares from 0 to 1 that sum to 1; a warmup is such a share",
        )

    def curve(t: float) -> float:
        start = 0.0
        for share, part in parts[:-1]:
            if t <= start + share:
                return part(max(0.0, (t - start) / share) if share else 1.0)
            start += share
        share, part = parts[-1]  # takes what is left, also by rounding
        return part(min(1.0, max(0.0, (t - start) / share)) if share else 1.0)

    return curve


def one_cycle(
    lr: float, *, warmup: float = 0.25, start_factor: float = 25.0, end_factor: float = 1e5
) -> Curve:
    """Up to `lr` over the first `warmup` of training, then down to nearly nothing, along cosines.

    Starts at ``lr / start_factor`` and ends at ``lr / end_factor``. Source: Smith and Topin,
    "Super-Convergence" (2018), in the two-part form with cosines that fastai made common.
    """
    _check(lr=lr, warmup=warmup)
    return join(
        [(warmup, cosine(lr / start_factor, lr)), (1 - warmup, cosine(lr, lr / end_factor))]
    )


def flat_cos(lr: float, *, flat: float = 0.75, end_factor: float = 1e5) -> Curve:
    """`lr` over the first `flat` of training, then down to ``lr / end_factor`` along a cosine.

    Source: Wright and Demeure, "Ranger21: a synergistic deep learning optimizer" (2021,
    https://arxiv.org/abs/2106.13731), explore-exploit schedule; with a cosine, as in fastai.
    """
    _check(lr=lr, flat=flat)
    return join([(flat, constant(lr)), (1 - flat, cosine(lr, lr / end_factor))])
