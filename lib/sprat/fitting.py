"""Ways to train: a fit whose learning rate changes as it goes.

Each is a method of `Learner`, and one call of `Learner.fit` with a `Schedule`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sprat.callbacks import Callback, Schedule
from sprat.history import History
from sprat.schedule import one_cycle

if TYPE_CHECKING:
    from sprat.learner import Learner


def fit_one_cycle(
    learn: "Learner",
    epochs: int,
    lr: float | None = None,
    *,
    warmup: float = 0.25,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train while the learning rate rises to `lr` and falls to nearly nothing.

    Args:
        learn: what is trained.
        epochs: how many times through all phases.
        lr: the highest learning rate a step; by default the learner's.
        warmup: the share of training in which it rises.
        callbacks: used in this fit only.
    """
    schedule = Schedule(one_cycle(learn.base_lr if lr is None else lr, warmup=warmup))
    return learn.fit(epochs, lr=lr, callbacks=[schedule, *callbacks])
