"""What a recipe is: data, a model, and a quality that training has to reach."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from sprat.learner import Learner


@dataclass(frozen=True)
class Settings:
    """One size of a recipe.

    Args:
        target: the quality on the test split at which a run has reached its end.
        max_epochs: a run that has not reached it by then has failed.
        batch_size: samples a step.
        lr: the learning rate a step.
        model: whatever else the recipe's model is built from.
    """

    target: float
    max_epochs: int
    batch_size: int
    lr: float
    model: Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """A training run with an end that is known beforehand.

    Args:
        name: what it is run by.
        about: one sentence: what is learnt from what.
        data: size → the data set that it is learnt from.
        quality: the name of what is measured on the test split, with its unit.
        rising: whether more of it is better.
        sizes: ``"fast"`` and ``"full"``.
        build: called with the settings, the data set's name, a generator and a device, when the
            clock is running already; returns a learner over ``(train, test)``.
        measure: called with a row of the learner's history; returns the quality.
    """

    name: str
    about: str
    data: Mapping[str, str]
    quality: str
    rising: bool
    sizes: Mapping[str, Settings]
    build: Callable[[Settings, str, torch.Generator, torch.device], Learner]
    measure: Callable[[Mapping[str, float]], float]

    def reached(self, quality: float, target: float) -> bool:
        """Whether a quality is as good as the target, or better; NaN never is."""
        return quality >= target if self.rising else quality <= target
