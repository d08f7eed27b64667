"""What follows from a block: the loss, the metrics, the head, how outputs and targets are read.

Each is a `functools.singledispatch` function on the block's type, so a new block brings its own
with one ``register``:

    @sprat.loss_for.register
    def _(block: MyBlock): return my_loss
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sprat import metrics as sm
from sprat.blocks import (
    Block,
    Categories,
    Continuous,
    ImageTensor,
    Keypoints,
    Label,
    Labels,
    Mask,
    OneHotLabel,
    Several,
    Text,
    Tokens,
    Trajectory,
)
from sprat.errors import TaskError
from sprat.shapes import Float, Int


class Guess(NamedTuple):
    """A predicted class and how sure the model says it is, 0…1."""

    name: str
    probability: float

    def __str__(self) -> str:
        return f"{self.name} {self.probability:.0%}"


@singledispatch
def loss_for(block: Block) -> Callable[[Any, Any], Tensor]:
    """The loss that fits a target of this block, once encoded.

    Raises:
        TaskError: none is known.
    """
    raise TaskError(
        f"No loss is known for the target {block}.",
        fix=f"pass loss= to Task, or register one: sprat.loss_for.register({type(block).__name__})",
    )


@loss_for.register(Label)
@loss_for.register(OneHotLabel)
@loss_for.register(Mask)
def _(block: Block) -> Callable[[Any, Any], Tensor]:
    return F.cross_entropy  # for masks, class by class at every pixel


@loss_for.register
def _(block: Labels) -> Callable[[Any, Any], Tensor]:
    return F.binary_cross_entropy_with_logits


@loss_for.register(Continuous)
@loss_for.register(ImageTensor)
@loss_for.register(Trajectory)
def _(block: Block) -> Callable[[Any, Any], Tensor]:
    return F.mse_loss


@loss_for.register
def _(block: Keypoints) -> Callable[[Any, Any], Tensor]:
    raise TaskError(
        "Keypoints in pixels make a poor target: their scale is that of the picture.",
        fix=f"pass encodings=[ToFloat(), ScalePoints({block.size})] to Task",
    )


@loss_for.register
def _(block: Tokens) -> Callable[[Any, Any], Tensor]:
    return TokenLoss(block.padding)


@loss_for.register
def _(block: Text) -> Callable[[Any, Any], Tensor]:
    raise TaskError(
        "Text is no target for a network until it is cut into tokens.",
        fix="pass encodings=[sprat.text.BytePairs.of(texts)], Words or Characters, to Task",
    )


@loss_for.register
def _(block: Several) -> Callable[[Any, Any], Tensor]:
    return SumOfLosses(tuple(loss_for(part) for part in block.parts))


@dataclass(frozen=True)
class TokenLoss:
    """Cross-entropy at every place of a text that is not padding, in nats.

    Args:
        padding: the index to leave out, or None where there is none.
    """

    padding: int | None = None

    def __call__(
        self, y_hat: Float[Tensor, "batch length vocabulary"], y: Int[Tensor, "batch length"]
    ) -> Float[Tensor, ""]:
        """The mean over all places."""
        ignored = -100 if self.padding is None else self.padding  # torch's own mark for "none"
        return F.cross_entropy(y_hat.flatten(0, 1), y.flatten(), ignore_index=ignored)

    def mean_over(
        self, y_hat: Float[Tensor, "batch length vocabulary"], y: Int[Tensor, "batch length"]
    ) -> Int[Tensor, ""]:
        """How many places count."""
        return (y != (-100 if self.padding is None else self.padding)).sum()


@dataclass(frozen=True)
class SumOfLosses:
    """The losses of several outputs, added up.

    Args:
        losses: one an output.
    """

    losses: tuple[Callable[[Any, Any], Tensor], ...]

    def __call__(self, y_hat: Sequence[Any], y: Sequence[Any]) -> Tensor:
        """The sum, where `y_hat` and `y` hold one part a loss."""
        parts = zip(self.losses, y_hat, y, strict=True)
        return torch.stack([loss(guess, truth) for loss, guess, truth in parts]).sum()


@singledispatch
def metrics_for(block: Block) -> list[Any]:
    """The metrics that a person would ask for first; none where none is obvious.

    Each is a function of ``(y_hat, y)`` or a `sprat.metrics.Metric`.
    """
    return []


@metrics_for.register
def _(block: OneHotLabel) -> list[Any]:
    return [sm.one_hot_accuracy]


@metrics_for.register
def _(block: Tokens) -> list[Any]:
    return [sm.Perplexity(block.padding), sm.TokenAccuracy(block.padding)]


@metrics_for.register
def _(block: Trajectory) -> list[Any]:
    return [sm.mae]


@metrics_for.register
def _(block: Several) -> list[Any]:
    return [
        sm.PartOf(i, metric, f"{_metric_name(metric)}_{i + 1}")
        for i, part in enumerate(block.parts)
        for metric in metrics_for(part)
    ]


def _metric_name(metric: Any) -> str:
    return metric.name if isinstance(metric, sm.Metric) else metric.__name__


@metrics_for.register
def _(block: Label) -> list[Any]:
    return [sm.accuracy]


@metrics_for.register
def _(block: Labels) -> list[Any]:
    return [sm.label_accuracy]


@metrics_for.register
def _(block: Mask) -> list[Any]:
    return [sm.pixel_accuracy]


@metrics_for.register
def _(block: Continuous) -> list[Any]:
    return [sm.mae]


@singledispatch
def num_outputs(block: Block) -> int:
    """How many numbers a model puts out for one value of this block.

    Raises:
        TaskError: the block does not settle it.
    """
    raise TaskError(
        f"{block} does not settle how many outputs a model has.",
        fix="build the model yourself and pass it to Learner",
    )


@num_outputs.register
def _(block: Categories) -> int:
    return len(block.classes)


@num_outputs.register(Continuous)
@num_outputs.register(Trajectory)
@num_outputs.register(Tokens)
def _(block: Any) -> int:
    return block.size  # of a trajectory at each time, of tokens at each place


@singledispatch
def read_output(block: Block, outputs: Any) -> Any:
    """What a model puts out, as values of the (encoded) block: a batch of them."""
    return outputs


@read_output.register(Label)
@read_output.register(OneHotLabel)
def _(block: Any, outputs: Any) -> list[Guess]:
    probability, index = outputs.float().softmax(1).max(1)
    pairs = zip(index.tolist(), probability.tolist(), strict=True)
    return [Guess(block.classes[i], p) for i, p in pairs]


@read_output.register
def _(block: Labels, outputs: Any) -> list[list[Guess]]:
    """The classes that the model finds more likely than not."""
    rows = outputs.float().sigmoid().tolist()
    return [
        [Guess(name, p) for name, p in zip(block.classes, row, strict=True) if p > 0.5]
        for row in rows
    ]


@read_output.register
def _(block: Mask, outputs: Any) -> Tensor:
    """The likeliest class of every pixel, (batch, height, width)."""
    return outputs.argmax(1)


@read_output.register
def _(block: Tokens, outputs: Any) -> Tensor:
    """The likeliest piece at every place, (batch, length)."""
    return outputs.argmax(-1)


@read_output.register
def _(block: Several, outputs: Any) -> tuple[Any, ...]:
    parts = zip(block.parts, outputs, strict=True)
    return tuple(read_output(part, output) for part, output in parts)


@singledispatch
def read_target(block: Block, values: Any) -> Any:
    """Targets as stored, as a person reads them: a batch of them."""
    return values


@read_target.register
def _(block: Label, values: Any) -> list[str]:
    return [block.classes[i] for i in values.tolist()]


@read_target.register
def _(block: Labels, values: Any) -> list[list[str]]:
    return [
        [name for name, there in zip(block.classes, row, strict=True) if there]
        for row in values.tolist()
    ]


@read_target.register
def _(block: Several, values: Any) -> tuple[Any, ...]:
    parts = zip(block.parts, values, strict=True)
    return tuple(read_target(part, value) for part, value in parts)
