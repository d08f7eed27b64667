"""A running average of the weights, which often predicts better than the weights themselves."""

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from sprat.callbacks import Callback
from sprat.errors import TrainingError
from sprat.kinds import is_number

if TYPE_CHECKING:
    from sprat.learner import Learner


class EMA(Callback):
    """Average the weights while training, and measure, save and keep the average.

    After every move of the weights, average ← d · average + (1 − d) · weights, where d is `decay`.
    Phases that do not train see the average; it stays in place until a phase trains again. So what
    was validated is what a `Checkpoint` keeps as best and what the model holds after the fit.
    Running statistics (of batch normalisation) are averaged too. Source: Polyak and Juditsky,
    "Acceleration of Stochastic Approximation by Averaging" (1992); with this decay, as in Tarvainen
    and Valpola, "Mean teachers are better role models" (2017), https://arxiv.org/abs/1703.01780.

    Args:
        decay: the share of the average that stays at each move, 0…1.
        warmup: let the decay grow as (1 + n) / (10 + n) over the first n moves, so that the random
            weights of the beginning are soon forgotten.

    Raises:
        TrainingError: `decay` is not between 0 and 1.
    """

    reads: ClassVar = {"loss", "descent"}
    writes: ClassVar = {"average", "weights"}

    def __init__(self, decay: float = 0.999, *, warmup: bool = True) -> None:
        if not is_number(decay) or not 0 <= decay < 1:
            raise TrainingError(f"decay is {decay!r}.", fix="give 0 or more and below 1, as 0.999")
        self.decay, self.warmup = decay, warmup
        self.other: dict[str, Tensor] = {}  # the average, or while that is in place, the weights
        self.held: dict[str, Tensor] = {}  # the weights that these are of
        self.in_place = False
        self.seen = 0

    def fit_begin(self, learn: "Learner") -> None:
        """Start from the weights as they are."""
        self.other = {name: value.clone() for name, value in _state(learn).items()}
        self.held = _parameters(learn)
        self.in_place, self.count, self.seen = False, 0, learn.moves

    def phase_begin(self, learn: "Learner") -> None:
        """Let training have the weights, and whatever measures have the average."""
        self._keep_up(learn)
        if self.in_place == learn.phase.trains:
            self._swap(learn)

    def step_end(self, learn: "Learner") -> None:
        """Take the weights in, if they have moved."""
        if learn.phase.trains and learn.moves > self.seen:
            self._take_in(learn)

    def phase_end(self, learn: "Learner") -> None:
        """Take in a move at the very end of a phase."""
        if learn.phase.trains and learn.moves > self.seen:
            self._take_in(learn)

    def fit_end(self, learn: "Learner") -> None:
        """Leave the average in the model, also where training was broken off."""
        self._keep_up(learn)
        if not self.in_place:
            self._swap(learn)

    def _keep_up(self, learn: "Learner") -> None:
        """Begin anew with weights that were replaced: what is kept is of others."""
        now, state = _parameters(learn), _state(learn)
        new = {name for name, weight in now.items() if self.held.get(name) is not weight}
        if new or len(now) != len(self.held):
            parts = {name.rpartition(".")[0] for name in new}  # their statistics are new as well
            self.other = {
                name: value.clone()
                if name.rpartition(".")[0] in parts or name not in self.other
                else self.other[name]
                for name, value in state.items()
            }
            self.held = now

    @torch.no_grad()
    def _take_in(self, learn: "Learner") -> None:
        decay = self.decay
        if self.warmup:
            decay = min(decay, (1 + self.count) / (10 + self.count))
        self.seen, self.count = learn.moves, self.count + 1
        state = _state(learn)
        floats = [name for name, value in state.items() if value.is_floating_point()]
        # One call for all weights: a hundred small ones would cost more than the step.
        torch._foreach_lerp_([self.other[n] for n in floats], [state[n] for n in floats], 1 - decay)
        for name, value in state.items():
            if not value.is_floating_point():
                self.other[name].copy_(value)

    @torch.no_grad()
    def _swap(self, learn: "Learner") -> None:
        for name, value in _state(learn).items():
            kept = value.clone()
            value.copy_(self.other[name])
            self.other[name] = kept
        self.in_place = not self.in_place

    def state_dict(self) -> dict[str, Any]:
        """The average, or the weights that it stands in for."""
        return {"other": self.other, "in_place": self.in_place, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; the learner's model and count of moves have been set already."""
        for name, value in state["other"].items():
            if name in self.other:  # of a tied weight's names an older version kept all
                self.other[name] = value.to(self.other[name].device)
        self.in_place, self.count = state["in_place"], state["count"]


def _parameters(learn: "Learner") -> dict[str, Tensor]:
    return dict(learn.model.named_parameters())


def _state(learn: "Learner") -> dict[str, Tensor]:
    """The model's weights and statistics, once each: two names may share one tensor (tied)."""
    found: dict[int, tuple[str, Tensor]] = {}
    for name, value in learn.model.state_dict(keep_vars=True).items():
        found.setdefault(id(value), (name, value.detach()))
    return dict(found.values())
