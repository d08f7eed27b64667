"""A task: what goes in, what should come out, and everything that follows from the two.

From the blocks of input and target follow the number of outputs a model needs, the loss, the
metrics, and how results are shown (``derive.py``); from the encodings follows how data reaches the
model and how its outputs come back in the data's own terms.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sprat.blocks import (
    Block,
    Continuous,
    Image,
    ImageTensor,
    Keypoints,
    Several,
    TableRow,
    Trajectory,
)
from sprat.data import Batch
from sprat.derive import loss_for, metrics_for, num_outputs, read_output, read_target
from sprat.encodings import Encoding, ToFloat
from sprat.errors import TaskError
from sprat.given import check_loss, check_metrics
from sprat.tables import Table


@dataclass(frozen=True, init=False)
class Task:
    """Learn to give the target for the input.

    Args:
        input: the block of what goes in; a tuple of blocks where that is several things.
        target: the block of the truth, or a tuple of them; or None where there is none (a VAE
            learns from inputs).
        output: the block of what the model puts out; by default that of the target.
        encodings: applied in order to whatever they fit; by default what the blocks need.
        loss: ``(y_hat, y)`` to a tensor with no axes; by default what the target calls for.
        metrics: by default what the target calls for. They get numbers in the target's own units,
            also where an encoding scales them; the loss gets what the model works on.

    Raises:
        TaskError: no loss, head or encoding is known for these blocks, an encoding fits none of
            them, or a table's missing values are filled by none.
    """

    input: Block
    target: Block | None
    output: Block | None
    encodings: tuple[Encoding, ...]
    loss: Callable[[Any, Any], Tensor] | None
    metrics: Sequence[Any]

    def __init__(
        self,
        input: Block | tuple[Block, ...],
        target: Block | tuple[Block, ...] | None = None,
        output: Block | tuple[Block, ...] | None = None,
        encodings: Sequence[Encoding] = (ToFloat(),),
        loss: Callable[[Any, Any], Tensor] | None = None,
        metrics: Sequence[Any] | None = None,
    ) -> None:
        set_ = object.__setattr__
        set_(self, "input", _as_block(input))
        set_(self, "target", _as_block(target))
        set_(self, "output", self.target if output is None else _as_block(output))
        check_loss(loss)
        check_metrics(metrics)
        set_(self, "encodings", _as_encodings(encodings))
        self._refuse_missing(self.encoded(self.input))  # encodings that do not fit say so here
        goal = self.encoded(self.output)
        self._refuse_idle()
        set_(self, "loss", loss_for(goal) if loss is None and goal is not None else loss)
        if metrics is None:
            known = metrics_for(goal) if goal is not None and self.target is not None else ()
            metrics = tuple(known)
        set_(self, "metrics", metrics)

    def _refuse_missing(self, block: Block | None) -> None:
        for part in _parts(block):
            if isinstance(part, TableRow) and part.missing:
                raise TaskError(
                    f"The columns {', '.join(part.missing)} may have missing values, and nothing "
                    "fills them before the model.",
                    fix="pass encodings=[sprat.tabular.FillMissing.of(block, train.x), "
                    "sprat.tabular.Categorise.of(block, train.x)] to Task",
                )

    def _refuse_idle(self) -> None:
        """Refuse an encoding that no block goes through; `ToFloat`, the default, may have none."""
        blocks = [b for whole in (self.input, self.target, self.output) for b in _parts(whole)]
        used = [step for block in blocks for step in self._steps(block)]
        for step in self.encodings:
            if isinstance(step, ToFloat) or any(step is other for other in used):
                continue
            name, takes = type(step).__name__, type(step).block.__doc__
            first = any((after := ToFloat().block(block)) and step.block(after) for block in blocks)
            raise TaskError(
                f"The encoding {name} fits none of {', '.join(map(str, blocks))}."
                + (f" What it takes: {takes.splitlines()[0]}" if takes else ""),
                fix=f"put sprat.ToFloat() before {name}" if first else f"leave {name} out",
            )

    def encoded(self, block: Block | None) -> Block | None:
        """What a block is after all encodings."""
        if isinstance(block, Several):
            after = [self.encoded(part) for part in block.parts]
            return Several([part for part in after if part is not None])
        for encoding in self.encodings:
            block = block and (encoding.block(block) or block)
        return block

    @property
    def in_channels(self) -> int:
        """Channels of the input's pictures.

        Raises:
            TaskError: the input is no picture.
        """
        if not isinstance(self.input, (Image, ImageTensor)):
            raise TaskError(
                f"The input {self.input} has no channels.", fix="build the model yourself"
            )
        return self.input.channels

    @property
    def num_outputs(self) -> int:
        """How many outputs the model needs.

        Raises:
            TaskError: the output's block does not settle it.
        """
        goal = self.encoded(self.output)
        if goal is None:
            raise TaskError("The task has no output.", fix="pass output= to Task")
        return num_outputs(goal)

    def encode(self, batch: Batch) -> Batch:
        """A batch as the model sees it, computed on the device where the batch is."""
        return Batch(
            self._run(self.input, batch.x),
            None if self.target is None or batch.y is None else self._run(self.target, batch.y),
            batch.index,
        )

    def _run(self, block: Block, values: Any) -> Any:
        if isinstance(block, Several):
            parts = zip(block.parts, values, strict=True)
            return tuple(self._run(part, value) for part, value in parts)
        for encoding in self._steps(block):
            values = encoding.encode(values)
        return values

    def decode(self, block: Block, values: Any) -> Any:
        """A batch of encoded values of `block`, back in the data's terms."""
        if isinstance(block, Several):
            parts = zip(block.parts, values, strict=True)
            return tuple(self.decode(part, value) for part, value in parts)
        for encoding in reversed(self._steps(block)):
            values = encoding.decode(values)
        return values

    def decode_input(self, x: Any) -> Any:
        """Inputs as the model sees them, back in the data's terms."""
        return self.decode(self.input, x)

    def decode_target(self, y: Any) -> Any:
        """Encoded targets, as a person reads them; None where the task has no target."""
        return (
            None if self.target is None else read_target(self.target, self.decode(self.target, y))
        )

    def decode_output(self, y_hat: Any) -> Any:
        """What the model put out, as a person reads it."""
        if self.output is None:
            return y_hat
        goal = self.encoded(self.output)
        assert goal is not None
        return self.decode(self.output, read_output(goal, y_hat))

    def in_units(self, y_hat: Any, y: Any) -> tuple[Any, Any]:
        """Outputs and encoded targets of a batch, as metrics measure them.

        Numbers come back to the target's own units: pixels, dollars. Everything else, and outputs
        that are not what the target calls for, stay as the model and the loss see them.

        Args:
            y_hat: what the model put out; a tuple for several outputs.
            y: encoded targets likewise, or None.
        """
        if self.target is None or self.output is None:
            return y_hat, y
        return self._unscaled(self.output, self.target, y_hat, y)

    def _unscaled(self, output: Block, target: Block, y_hat: Any, y: Any) -> tuple[Any, Any]:
        if isinstance(output, Several) and isinstance(target, Several):
            if not isinstance(y_hat, (tuple, list)) or not isinstance(y, (tuple, list, type(None))):
                return y_hat, y
            truths = [None] * len(y_hat) if y is None else y
            blocks = zip(output.parts, target.parts, strict=True)
            both = [self._unscaled(*b, *v) for b, *v in zip(blocks, y_hat, truths, strict=True)]
            said, true = zip(*both, strict=True)
            return said, None if y is None else true
        if not self._steps(output) and not self._steps(target):
            return y_hat, y
        goals = self.encoded(output), self.encoded(target)
        if not _is_of(goals[0], y_hat) or not (y is None or _is_of(goals[1], y)):
            return y_hat, y
        return self.decode(output, y_hat), None if y is None else self.decode(target, y)

    def check(self, batch: Batch) -> None:
        """Refuse a batch, not yet encoded, that is not what the blocks say.

        Raises:
            BlockError: with what was found, what was expected and the fix.
        """
        self.check_input(batch.x)
        if self.target is not None:
            if batch.y is None:
                raise TaskError(
                    f"The task's target is {self.target}, but the data has none.",
                    fix="give the data targets, or make the task with target=None",
                )
            self.target.check(batch.y)

    def check_input(self, x: Any) -> None:
        """Refuse inputs, not yet encoded, that are not what the block says.

        A category that training never saw, or a hole where it had none, is let through where an
        encoding has a place for it, as `sprat.tabular.Categorise` has.

        Raises:
            BlockError: with what was found, what was expected and the fix.
        """
        block = self.input
        if isinstance(block, Several):
            block = Several([self._open(part) for part in block.parts])
        self._open(block).check(x)

    def _open(self, block: Block) -> Block:
        """A table's block with its categories missing wherever the encodings can do with that."""
        if not isinstance(block, TableRow):
            return block
        whole = [name for name, _ in block.categorical if name not in block.missing]
        wider = TableRow(block.categorical, block.continuous, [*block.missing, *whole])
        after = self.encoded(wider)
        left = after.missing if isinstance(after, TableRow) else ()
        return block if set(whole) & set(left) else wider

    def mock_batch(self, count: int = 4, *, generator: torch.Generator | None = None) -> Batch:
        """A made-up batch, not yet encoded, that passes `check`."""
        y = None if self.target is None else self.target.mock(count, generator=generator)
        return Batch(self.input.mock(count, generator=generator), y)

    def describe(self) -> Table:
        """How input, target and output are stored, encoded for the model and decoded again."""
        rows = []
        for role, whole in (("input", self.input), ("target", self.target)):
            for number, block in enumerate(_parts(whole)):
                after = self.encoded(block)
                assert after is not None
                there, back = _in_words(self._steps(block))
                called = f"{role} {number + 1}" if isinstance(whole, Several) else role
                rows.append(
                    (called, type(block).__name__, block.shape(), there, after.shape(), back)
                )
        if self.output is not None and self.output is not self.target:
            goal = self.encoded(self.output)
            assert goal is not None
            back = _in_words(self._steps(self.output))[1]
            rows.append(("output", type(self.output).__name__, "", "", goal.shape(), back))
        headers = ("", "block", "stored", "encoded by", "in the model", "decoded by")
        return Table(headers, rows)

    def _steps(self, block: Block) -> list[Encoding]:
        """The encodings that a block goes through, in order."""
        steps = []
        for encoding in self.encodings:
            after = encoding.block(block)
            if after is not None:
                steps.append(encoding)
                block = after
        return steps


def _as_block(given: Any) -> Block | None:
    if isinstance(given, tuple):
        return Several(given)
    if given is not None and not isinstance(given, Block):
        name = given.__name__ if isinstance(given, type) else type(given).__name__
        raise TaskError(
            f"A task is made of blocks; {name} was found.",
            fix=f"call it: {name}(...)"
            if isinstance(given, type) and issubclass(given, Block)
            else "leave the brackets out, or give several blocks in round ones: (Image(3), ...)"
            if isinstance(given, list)
            else "pass a block, such as sprat.Image(channels=1), or a tuple of blocks",
        )
    return given


def _as_encodings(given: Any) -> tuple[Encoding, ...]:
    if isinstance(given, Iterable) and not isinstance(given, (str, type, Encoding)):
        given = tuple(given)
    listed = given if isinstance(given, tuple) else (given,)
    wrong = next((step for step in listed if not isinstance(step, Encoding)), None)
    if wrong is not None or listed is not given:
        one = wrong if wrong is not None else given
        name = one.__name__ if isinstance(one, type) else str(one)
        known = isinstance(one, (type, Encoding))
        raise TaskError(
            f"encodings is {'a list with ' * (listed is given)}{one!r}; a list of encodings was "
            "expected.",
            fix=f"pass objects in brackets: encodings=[{name}{'()' * isinstance(one, type)}]"
            if known
            else "pass encodings=[sprat.ToFloat()], or leave it out",
        )
    return listed


def _parts(block: Block | None) -> tuple[Block, ...]:
    """The blocks of several, or the one."""
    if block is None:
        return ()
    return block.parts if isinstance(block, Several) else (block,)


def _is_of(goal: Block | None, values: Any) -> bool:
    """Whether values are numbers of such a block, as many a sample as it says."""
    if not isinstance(values, Tensor) or not isinstance(goal, (Continuous, Keypoints, Trajectory)):
        return False
    if isinstance(goal, Keypoints):
        return values.shape[1:] == (len(goal.names), 2)
    axes = 2 if isinstance(goal, Continuous) else 3
    return values.ndim == axes and values.shape[-1] == goal.size


def _in_words(steps: list[Encoding]) -> tuple[str, str]:
    """The encodings on the way there, and on the way back."""
    names = [type(step).__name__ for step in steps]
    return " → ".join(names) or "as it is", " → ".join(reversed(names)) or "as it is"
