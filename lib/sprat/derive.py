"""What follows from a block: the loss, the metrics, the head, how outputs and targets are read.

Each is a `functools.singledispatch` function on the block's type, so a new block brings its own
with one ``register``:

    @sprat.loss_for.register
    def _(block: MyBlock): return my_loss
"""

from collections.abc import Callable
from functools import singledispatch
from typing import Any, NamedTuple

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
)
from sprat.errors import TaskError


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
@loss_for.register(Mask)
def _(block: Block) -> Callable[[Any, Any], Tensor]:
    return F.cross_entropy  # for masks, class by class at every pixel


@loss_for.register
def _(block: Labels) -> Callable[[Any, Any], Tensor]:
    return F.binary_cross_entropy_with_logits


@loss_for.register(Continuous)
@loss_for.register(ImageTensor)
def _(block: Block) -> Callable[[Any, Any], Tensor]:
    return F.mse_loss


@loss_for.register
def _(block: Keypoints) -> Callable[[Any, Any], Tensor]:
    raise TaskError(
        "Keypoints in pixels make a poor target: their scale is that of the picture.",
        fix=f"pass encodings=[ToFloat(), ScalePoints({block.size})] to Task",
    )


@singledispatch
def metrics_for(block: Block) -> list[Callable[[Any, Any], Tensor]]:
    """The metrics that a person would ask for first; none where none is obvious."""
    return []


@metrics_for.register
def _(block: Label) -> list[Callable[[Any, Any], Tensor]]:
    return [sm.accuracy]


@metrics_for.register
def _(block: Labels) -> list[Callable[[Any, Any], Tensor]]:
    return [sm.label_accuracy]


@metrics_for.register
def _(block: Mask) -> list[Callable[[Any, Any], Tensor]]:
    return [sm.pixel_accuracy]


@metrics_for.register
def _(block: Continuous) -> list[Callable[[Any, Any], Tensor]]:
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


@num_outputs.register
def _(block: Continuous) -> int:
    return block.size


@singledispatch
def read_output(block: Block, outputs: Any) -> Any:
    """What a model puts out, as values of the (encoded) block: a batch of them."""
    return outputs


@read_output.register
def _(block: Label, outputs: Any) -> list[Guess]:
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
