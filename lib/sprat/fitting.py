"""Ways to train: fits whose learning rate changes as they go, fine-tuning, and taking up a fit.

Each function is a method of `Learner`. The first two are one call of `Learner.fit` with a
`Schedule`; `fine_tune` is two.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sprat import optim
from sprat.callbacks import Callback, Schedule, ready
from sprat.errors import TrainingError
from sprat.given import check_folder
from sprat.history import History
from sprat.kinds import is_number, is_whole
from sprat.sanity import check_plan
from sprat.schedule import Curve, flat_cos, one_cycle

if TYPE_CHECKING:
    from sprat.learner import LR, Learner
    from sprat.resumed import Resumed


def fit_one_cycle(
    learn: "Learner",
    epochs: int | None = None,
    lr: "LR | None" = None,
    *,
    warmup: float = 0.25,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train while the learning rate rises to `lr` and falls to nearly nothing.

    Args:
        learn: what is trained.
        epochs: how many times through all phases.
        lr: the highest learning rate a step; by default the learner's. Two, ``(low, high)``, are
            that of the model's first part and that of its last; see `sprat.optim`.
        warmup: the share of training in which it rises.
        callbacks: used in this fit only.
    """
    epochs = check_plan(epochs, lr)
    return _fit(learn, epochs, lr, one_cycle(_highest(learn, lr), warmup=warmup), callbacks)


def fit_flat_cos(
    learn: "Learner",
    epochs: int | None = None,
    lr: "LR | None" = None,
    *,
    flat: float = 0.75,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train at one learning rate, and let it fall to nearly nothing at the end, along a cosine.

    Args:
        learn: what is trained.
        epochs: how many times through all phases.
        lr: the learning rate a step; by default the learner's. Two, ``(low, high)``, are that of
            the model's first part and that of its last; see `sprat.optim`.
        flat: the share of training before it falls.
        callbacks: used in this fit only.
    """
    epochs = check_plan(epochs, lr)
    return _fit(learn, epochs, lr, flat_cos(_highest(learn, lr), flat=flat), callbacks)


def fine_tune(
    learn: "Learner",
    epochs: int | None = None,
    lr: float | None = None,
    *,
    freeze_epochs: int = 1,
    spread: float = 100.0,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train a model that has learnt elsewhere: its last part alone first, then all of it.

    While the rest is frozen the rate rises to `lr` and stays; then the whole model trains in one
    cycle up to half of `lr` in its last part, and to a `spread`-th of that in its first. This is
    the recipe that fastai made common (https://docs.fast.ai/callback.schedule.html).

    Args:
        learn: what is trained.
        epochs: how many times through all phases with the whole model.
        lr: the highest learning rate a step of the last part; by default the learner's.
        freeze_epochs: how many times before that with the last part alone; 0 for none.
        spread: how many times smaller the learning rate of the first part is.
        callbacks: used in both fits.

    Raises:
        TrainingError: `spread` is below 1, or a number of epochs or the rate is none.
    """
    epochs = check_plan(epochs, lr)
    check_plan(freeze_epochs, None)
    if not is_number(spread) or not spread >= 1:
        raise TrainingError(f"spread is {spread!r}; 1 or more was expected.", fix="give 100")
    highest, callbacks = _highest(learn, lr), ready(callbacks)
    try:
        if freeze_epochs:
            freeze(learn)
            fit_one_cycle(learn, freeze_epochs, highest, warmup=0.99, callbacks=callbacks)
        unfreeze(learn)
        learn.part = 1  # so that a checkpoint knows which of the two fits it comes from
        rates = (highest / 2 / spread, highest / 2)
        return fit_one_cycle(learn, epochs, rates, warmup=0.3, callbacks=callbacks)
    finally:
        learn.part = 0


def freeze(learn: "Learner", keep: int = 1) -> None:
    """Let only the last parts of the model learn; `sprat.optim.parts` says what its parts are.

    Statistics of batch normalisation still follow the data, also in frozen parts.

    Args:
        learn: whose model it is.
        keep: how many parts learn.

    Raises:
        TrainingError: the model has not as many parts.
    """
    found = optim.parts(learn.model)
    if not is_whole(keep) or not 0 < keep <= len(found):
        raise TrainingError(
            f"keep is {keep!r}, and the model has {len(found)} parts.",
            fix=f"give 1 to {len(found)}; a model says what its parts are by a method groups()",
        )
    for number, part in enumerate(found):
        for weight in part:
            weight.requires_grad_(number >= len(found) - keep)


def unfreeze(learn: "Learner") -> None:
    """Let all of the model learn."""
    learn.model.requires_grad_(True)


def resume(learn: "Learner", folder: str | Path, *, missing_ok: bool = False) -> "Resumed | None":
    """Take up a fit that was interrupted, from the newest state that a `Checkpoint` left.

    Weights and history are as they were at once; the next fit, called as the interrupted one was,
    goes on from where that stood, with the same losses as if nothing had happened.

    Args:
        learn: built as the one that was interrupted.
        folder: where its `Checkpoint` wrote.
        missing_ok: where there is no state yet, change nothing, so that one script starts and
            resumes.

    Returns:
        Where it stood, or None where there was no state.

    Raises:
        ExportError: there is no state, it is damaged, or it is of another model.
    """
    from sprat.resumed import take_up

    return take_up(learn, check_folder(folder, call="learn.resume"), missing_ok=missing_ok)


def _fit(
    learn: "Learner",
    epochs: int,
    lr: "LR | None",
    curve: Curve,
    callbacks: Sequence[Callback],
) -> History:
    return learn.fit(epochs, lr=lr, callbacks=[Schedule(curve), *ready(callbacks)])


def _highest(learn: "Learner", lr: "LR | None") -> float:
    if lr is None:
        return learn.base_lr
    return lr[1] if isinstance(lr, tuple) else lr
