"""Molecules: messages along their bonds say how they dissolve."""

import math

import torch
from torch import nn

from sprat import datasets, models
from sprat.graphs import GraphBatch
from sprat.learner import Learner
from sprat.recipes.recipe import Recipe, Settings
from sprat.shapes import Float, Tensor
from sprat.task import Task


class Scaled(nn.Module):
    """A network whose outputs, of mean zero and spread one, are brought to the targets' scale.

    Args:
        model: the network.
        y: the training targets, (N, 1).
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, model: nn.Module, y: Float[Tensor, "samples 1"]) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", y.mean(0))
        self.register_buffer("spread", y.std(0))

    def forward(self, x: GraphBatch) -> Float[Tensor, "graphs 1"]:
        """In the units of the targets."""
        return self.model(x) * self.spread + self.mean


def build(
    settings: Settings, data: str, generator: torch.Generator, device: torch.device
) -> Learner:
    """A learner over all molecules."""
    train, test = datasets.fetch(data), datasets.fetch(data, "test")
    block, target = datasets.blocks(data)
    model = models.MPNN(
        block.node_features, 1, num_edge_features=block.edge_features, **settings.model
    )
    return Learner(
        Task(block, target),
        (train, test),
        model=Scaled(model, torch.as_tensor(train.y)),
        lr=settings.lr,
        batch_size=settings.batch_size,
        generator=generator,
        device=device,
        progress=False,
    )


RECIPE = Recipe(
    name="graph",
    about="Message passing guesses what a molecule gains by going into water (fast), or how much "
    "of it dissolves (full).",
    data={"fast": "freesolv", "full": "solubility"},
    quality="root mean square error, kcal/mol (fast) or log10 mol/l (full)",
    rising=False,
    sizes={
        "fast": Settings(
            target=1.4,
            max_epochs=60,
            batch_size=32,
            lr=5e-3,
            model={"width": 48, "num_steps": 3, "readout": "sum"},
        ),
        "full": Settings(
            target=0.65,
            max_epochs=100,
            batch_size=32,
            lr=1e-3,
            model={"width": 96, "num_steps": 4, "readout": "sum"},
        ),
    },
    build=build,
    measure=lambda row: math.sqrt(row["valid_loss"]),
)
