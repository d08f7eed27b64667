"""Clothes and digits: a small convolutional network learns to name pictures."""

import torch

from sprat import datasets, models
from sprat.blocks import Image, Label
from sprat.learner import Learner
from sprat.recipes.recipe import Recipe, Settings
from sprat.task import Task


def build(
    settings: Settings, data: str, generator: torch.Generator, device: torch.device
) -> Learner:
    """A learner over all pictures."""
    train, test = datasets.fetch(data), datasets.fetch(data, "test")
    task = Task(Image(channels=1), Label(train.classes))
    model = models.LeNet(task.in_channels, task.num_outputs, **settings.model)
    return Learner(
        task,
        (train, test),
        model=model,
        lr=settings.lr,
        batch_size=settings.batch_size,
        generator=generator,
        device=device,
        progress=False,
    )


RECIPE = Recipe(
    name="image",
    about="A small convolutional network names handwritten digits (fast) or clothes (full).",
    data={"fast": "mnist_5000", "full": "fashion_mnist"},
    quality="accuracy",
    rising=True,
    sizes={
        "fast": Settings(target=0.965, max_epochs=20, batch_size=64, lr=2e-3, model={}),
        # Two seeds were measured, of 20 and 15 epochs: 0.90 came at epochs 10 and 14, and the best
        # were 0.912 and 0.906. So it is late enough to mean something and can be reached. 0.89 came
        # at epochs 7 and 9, while accuracy still rose; twice the slower run is the limit.
        "full": Settings(target=0.90, max_epochs=28, batch_size=128, lr=2e-3, model={}),
    },
    build=build,
    measure=lambda row: row["accuracy"],
)
