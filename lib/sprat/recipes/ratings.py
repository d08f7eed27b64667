"""Films: who will like what, from who liked what."""

import math
from functools import partial

import torch

from sprat import datasets, models
from sprat.learner import Learner
from sprat.recipes.recipe import Recipe, Settings
from sprat.task import Task

_LOWEST, _HIGHEST = 0.0, 5.5  # half a star to five, and a margin that the sigmoid needs


def build(
    settings: Settings, data: str, generator: torch.Generator, device: torch.device
) -> Learner:
    """A learner over all ratings."""
    train, test = datasets.fetch(data), datasets.fetch(data, "test")
    block, target = datasets.blocks(data)
    (_, users), (_, films) = block.categorical
    model = models.CollabDot(
        len(users),
        len(films),
        num_factors=settings.model["num_factors"],
        y_range=(_LOWEST, _HIGHEST),
    )
    return Learner(
        Task(block, target),
        (train, test),
        model=model,
        optimizer=partial(torch.optim.AdamW, weight_decay=settings.model["weight_decay"]),
        lr=settings.lr,
        batch_size=settings.batch_size,
        generator=generator,
        device=device,
        progress=False,
    )


RECIPE = Recipe(
    name="ratings",
    about="Factors and biases of people and films guess how many stars a film gets.",
    data={"fast": "movielens", "full": "movielens"},
    quality="root mean square error, stars",
    rising=False,
    sizes={
        "fast": Settings(
            target=0.87,
            max_epochs=15,
            batch_size=512,
            lr=3e-3,
            model={"num_factors": 16, "weight_decay": 0.3},
        ),
        "full": Settings(
            target=0.865,
            max_epochs=20,
            batch_size=256,
            lr=1e-3,
            model={"num_factors": 64, "weight_decay": 0.5},
        ),
    },
    build=build,
    measure=lambda row: math.sqrt(row["valid_loss"]),
)
