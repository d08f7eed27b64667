"""Mail: the mean of its words' vectors says whether somebody wanted it.

The model is that of Joulin et al., "Bag of Tricks for Efficient Text Classification" (2017),
https://arxiv.org/abs/1607.01759, with a hidden layer: it knows words and not their order.
"""

from collections.abc import Sequence

import torch
from torch import nn

from sprat import datasets
from sprat.blocks import Label, Tokens
from sprat.data import Data
from sprat.learner import Learner
from sprat.recipes.recipe import Recipe, Settings
from sprat.shapes import Float, Int, Tensor
from sprat.task import Task
from sprat.text import PADDING, Words


class MeanOfWords(nn.Module):
    """A vector for each word, their mean, a hidden layer, and one output a class.

    Args:
        num_words: how many words the vocabulary has, padding among them.
        num_outputs: how many classes.
        width: numbers a word.
    """

    def __init__(self, num_words: int, num_outputs: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(num_words, width, padding_idx=PADDING)
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, num_outputs))

    def forward(self, x: Int[Tensor, "batch length"]) -> Float[Tensor, "batch outputs"]:
        """Logits."""
        there = (x != PADDING).sum(1, keepdim=True).clamp(min=1)  # (B, 1)
        return self.head(self.words(x).sum(1) / there)


def _indices(words: Words, texts: Sequence[str], length: int) -> Tensor:
    """The first words of every text, (texts, length)."""
    table = torch.full((len(texts), length), PADDING)
    for row, text in zip(table, texts, strict=True):
        # Twelve letters a word are more than any text needs; the rest is never looked at.
        pieces = words.split(text[: 12 * length].lower())[:length]
        row[: len(pieces)] = torch.tensor(pieces, dtype=torch.int64)
    return table


def build(
    settings: Settings, data: str, generator: torch.Generator, device: torch.device
) -> Learner:
    """A learner over the first words of every mail; the vocabulary is made here, in the run."""
    train, test = datasets.fetch(data), datasets.fetch(data, "test")
    length, most = settings.model["length"], settings.model["vocabulary"]
    words = Words.of([text[: 12 * length].lower() for text in train.x], most=most)
    parts = [
        Data(_indices(words, part.x, length), part.y, classes=part.classes, name=data)
        for part in (train, test)
    ]
    task = Task(Tokens(words.size, PADDING), Label(train.classes))
    return Learner(
        task,
        tuple(parts),
        model=MeanOfWords(words.size, 2, settings.model["width"]),
        lr=settings.lr,
        batch_size=settings.batch_size,
        generator=generator,
        device=device,
        progress=False,
    )


RECIPE = Recipe(
    name="text",
    about="The mean of its words' vectors tells wanted mail from spam, by its text alone.",
    data={"fast": "spam_assassin", "full": "spam_assassin"},
    quality="accuracy",
    rising=True,
    sizes={
        "fast": Settings(
            target=0.965,
            max_epochs=20,
            batch_size=64,
            lr=5e-3,
            model={"length": 128, "vocabulary": 10_000, "width": 32},
        ),
        "full": Settings(
            target=0.98,
            max_epochs=20,
            batch_size=64,
            lr=2e-3,
            model={"length": 512, "vocabulary": 30_000, "width": 128},
        ),
    },
    build=build,
    measure=lambda row: row["accuracy"],
)
