"""Callbacks: behaviour added to training from outside the loop.

A callback overrides the events it cares about, and says which parts of the learner's state it
`reads` and `writes`. From that the order follows: whoever writes something runs before whoever
reads it. Two callbacks that write the same thing contradict each other, and so do two that wait
for each other; both are errors before training starts, and the message names the two. The idea of
declaring access and deriving the order is FluxTraining.jl's
(https://github.com/FluxML/FluxTraining.jl).

Names of state in use here: ``batch``, ``loaders``, ``loss``, ``y_hat`` (what a step leaves),
``grads``, ``descent`` (how the weights move), ``lr``, ``weights``, ``average``, ``metrics``,
``history``, ``display``. Your own phases and callbacks may add any other. Whether somebody writes
more than it says is checked on request; see ``access.py``.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from sprat.errors import CallbackError, TrainingError
from sprat.events import EVENTS, as_list, refuse_other_kinds, refuse_silent
from sprat.given import curve_error
from sprat.kinds import is_number
from sprat.spelled import spelled

if TYPE_CHECKING:
    from sprat.learner import Learner

__all__ = ["EVENTS", "Callback", "Cancel", "GradientClip", "Schedule"]

CANCELLED = ("step", "phase", "epoch", "fit")


class Cancel(Exception):  # noqa: N818 - a signal, not an error
    """Raised by a callback or a phase to end something early, in good order.

    Args:
        what: ``"step"``, ``"phase"``, ``"epoch"`` or ``"fit"``; what follows it still runs.
    """

    def __init__(self, what: str) -> None:
        if what not in CANCELLED:
            raise CallbackError(
                f"Cancel({what!r}) is none of step, phase, epoch, fit.", fix="use one of them"
            )
        super().__init__(what)
        self.what = what

    def wider(self, other: "Cancel") -> "Cancel":
        """Of the two the one that ends more."""
        return max(self, other, key=lambda cancel: CANCELLED.index(cancel.what))


class Callback:
    """Something that happens besides the training itself. Override the events you need.

    Attributes:
        reads: names of the state that it looks at.
        writes: names of the state that it changes or makes.
        after: callback classes that it must follow, to settle what `reads` and `writes` leave open.
    """

    reads: ClassVar[frozenset[str] | set[str]] = frozenset()
    writes: ClassVar[frozenset[str] | set[str]] = frozenset()
    after: ClassVar[tuple[type, ...]] = ()

    def __repr__(self) -> str:
        return spelled(self)

    def fit_begin(self, learn: "Learner") -> None:
        """Before the first epoch; data, model and optimiser are ready."""

    def epoch_begin(self, learn: "Learner") -> None:
        """Before an epoch; `learn.epoch` counts from 0."""

    def phase_begin(self, learn: "Learner") -> None:
        """Before a phase; `learn.phase` is it."""

    def step_begin(self, learn: "Learner") -> None:
        """Before a step; `learn.batch` is encoded and on the device."""

    def backward_end(self, learn: "Learner") -> None:
        """After the gradients are computed and before the weights move. Training phases only."""

    def step_end(self, learn: "Learner") -> None:
        """After a step; `learn.state` holds what it named."""

    def phase_end(self, learn: "Learner") -> None:
        """After a phase, also one that was cancelled."""

    def epoch_end(self, learn: "Learner") -> None:
        """After an epoch; `learn.history` has its row."""

    def fit_end(self, learn: "Learner") -> None:
        """After the last epoch, and also when training ends by an error or Ctrl-C."""

    def state_dict(self) -> dict[str, Any]:
        """What a `Checkpoint` must keep of it: numbers, texts, tensors, lists and dicts of them.

        Generators need not be named: a checkpoint finds those among the attributes by itself.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""


def in_order(callbacks: Iterable[Callback]) -> list[Callback]:
    """The callbacks, each after those whose writing it reads; else in the order given.

    Raises:
        CallbackError: two write the same thing, two wait for each other, or one is no callback.
    """
    given = list(callbacks)
    refuse_other_kinds(given, Callback)
    before: dict[int, set[int]] = {i: set() for i in range(len(given))}
    for (i, a), (j, b) in combinations(enumerate(given), 2):
        a_first, b_first = _must_precede(a, b), _must_precede(b, a)
        both_write = set(a.writes) & set(b.writes)
        if both_write and not (a_first or b_first):
            raise CallbackError(
                f"{_name(a)} and {_name(b)} both write {_listed(both_write)}.",
                fix=f"use one of them, or give one the attribute after = ({_name(a)},)",
            )
        if a_first and b_first:
            raise CallbackError(
                f"{_name(a)} and {_name(b)} each read what the other writes "
                f"({_listed(set(a.writes) & set(b.reads) | set(b.writes) & set(a.reads))}).",
                fix="give one of them `after`, or split it in two",
            )
        if a_first:
            before[j].add(i)
        if b_first:
            before[i].add(j)
    ordered: list[int] = []
    while len(ordered) < len(given):
        ready = [i for i in before if i not in ordered and before[i] <= set(ordered)]
        if not ready:
            stuck = [_name(given[i]) for i in before if i not in ordered]
            raise CallbackError(
                f"{', '.join(stuck)} wait for each other in a circle.",
                fix="remove one `reads` that is not needed, or split a callback in two",
            )
        ordered.append(ready[0])
    return [given[i] for i in ordered]


def ready(callbacks: Any) -> list[Callback]:
    """What was given as ``callbacks=``, as a list, each of which some event will call.

    Raises:
        CallbackError: it is no list, one is no callback or would be silent, or two contradict each
            other.
    """
    given: list[Callback] = as_list(callbacks)
    in_order(given)
    refuse_silent(given, Callback)
    return given


def _must_precede(a: Callback, b: Callback) -> bool:
    """Whether `a` has to run before `b`."""
    if isinstance(b, a.after):
        return False
    writes_for_b = (set(a.writes) - set(b.writes)) & set(b.reads)
    return isinstance(a, b.after) or bool(writes_for_b)


def _name(callback: Callback) -> str:
    return type(callback).__name__


def _listed(names: Iterable[str]) -> str:
    return " and ".join(repr(name) for name in sorted(names))


def listeners(callbacks: Iterable[Callback]) -> dict[str, list[Callable[["Learner"], None]]]:
    """What to call at each event, in order. A callback that does not override one is not called."""
    found: dict[str, list[Callable[[Learner], None]]] = {}
    for event in EVENTS:
        for callback in callbacks:
            if getattr(type(callback), event) is not getattr(Callback, event):
                found.setdefault(event, []).append(getattr(callback, event))
    return found


@contextmanager
def span(learn: "Learner", what: str) -> Iterator[None]:
    """Begin and end an epoch or a phase; what has begun also ends when it is cancelled."""
    learn.emit(f"{what}_begin")
    try:
        yield
    except Cancel:
        learn.emit(f"{what}_end")
        raise
    else:
        learn.emit(f"{what}_end")


@contextmanager
def ending(what: str) -> Iterator[None]:
    """End here what a `Cancel` asks to end; what is around it goes on."""
    try:
        yield
    except Cancel as cancel:
        if cancel.what != what:
            raise


class Schedule(Callback):
    """Set the learning rate before every training step.

    Args:
        lr: the share of the fit that is done, 0…1, to the learning rate; see `sprat.schedule`.

    Raises:
        TrainingError: it is no such function.
    """

    writes: ClassVar = {"lr"}

    def __init__(self, lr: Callable[[float], float]) -> None:
        if not callable(lr) or isinstance(lr, type):
            raise curve_error(lr)
        self.lr = lr

    def fit_begin(self, learn: "Learner") -> None:
        """Count the steps to come."""
        self.total = max(1, learn.epochs * learn.steps_per_epoch - 1)
        self.done = 0

    def step_begin(self, learn: "Learner") -> None:
        """Set it, on every optimiser of the learner; groups keep their ratio."""
        if learn.phase.trains:
            try:
                learn.set_lr(self.lr(min(1.0, self.done / self.total)))
            except (TypeError, ZeroDivisionError) as error:
                raise curve_error(self.lr, error) from error
            self.done += 1

    def state_dict(self) -> dict[str, Any]:
        """How far it is."""
        return {"done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.done = state["done"]


class GradientClip(Callback):
    """Shorten the gradient where it is longer than `max_norm`.

    Args:
        max_norm: the longest that the gradient of all weights together may be (Euclidean norm).

    Raises:
        TrainingError: it is not above 0.
    """

    reads: ClassVar = {"grads"}
    writes: ClassVar = {"grads"}

    def __init__(self, max_norm: float) -> None:
        if not is_number(max_norm) or not max_norm > 0:
            raise TrainingError(
                f"max_norm is {max_norm!r}.", fix="give a number above 0, such as 1"
            )
        self.max_norm = max_norm

    def backward_end(self, learn: "Learner") -> None:
        """Scale all gradients by one number."""
        torch.nn.utils.clip_grad_norm_(learn.model.parameters(), self.max_norm)
