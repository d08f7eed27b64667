"""Classes that a learner can't learn, because its own data does not show them.

`Data.split` sees to it that each part has every class; whoever brings parts of their own learns
here what they lack. A class that is measured and not learnt spoils the measure, so it is an error.
One that is nowhere may be meant, as in a small trial, or labels are shifted or files missing: that
is a warning. One that is only not measured is left alone: small parts lack rare classes.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from sprat.blocks import Block, Label, Several
from sprat.data import Data
from sprat.errors import DataError

FEW = 3  # classes that a message names


def check_labels(target: Block | None, parts: Mapping[str, Data]) -> None:
    """Look at each `Label` of a target whether its classes are there to be learnt.

    Args:
        target: the task's; a tuple of blocks is looked at block by block.
        parts: a learner's data by the name of the part, ``"train"`` among them, with class indices
            that the blocks have accepted. If one of them allows classes to be missing, none is
            looked at.

    Raises:
        DataError: a class is in the part ``"valid"`` or ``"test"`` and not in ``"train"``.
    """
    if any(data.allow_missing for data in parts.values()):
        return
    blocks: tuple[Block | None, ...] = (target,)
    columns: dict[str, tuple[Any, ...]] = {name: (data.y,) for name, data in parts.items()}
    if isinstance(target, Several):
        blocks = target.parts
        columns = {name: column[0] for name, column in columns.items()}
    for number, block in enumerate(blocks):
        if isinstance(block, Label):
            measured = {n: c[number] for n, c in columns.items() if n in ("valid", "test")}
            _check_classes(block, columns["train"][number], measured)


def _check_classes(block: Label, train: Tensor, measured: Mapping[str, Tensor]) -> None:
    """Refuse a class that is measured and never learnt; warn of one that is not there at all."""
    _refuse_unlearnable(train, measured, block.classes)
    missing = (train.bincount(minlength=len(block.classes)) == 0).tolist()
    if any(missing):
        warnings.warn(
            f"The data has no sample of {_listed(block.classes, missing)} of {block}: are labels "
            "shifted, or files missing? If all is well, name the classes that there are, or pass "
            "Data(..., allow_missing=True).",
            stacklevel=5,  # where the learner is made
        )


def _refuse_unlearnable(train: Tensor, others: Mapping[str, Tensor], names: Sequence[str]) -> None:
    """Refuse parts that measure a class which the training part does not show.

    Args:
        train: class indices to learn from, int64 (N,).
        others: what is measured, by the name of the part, likewise.
        names: of the classes.

    Raises:
        DataError: naming the classes, and how many samples of them there are.
    """
    known = train.bincount(minlength=len(names)) > 0
    for part, targets in others.items():
        counts = targets.bincount(minlength=len(names)).to(known.device)
        unknown = (counts * ~known).tolist()
        if not any(unknown):
            continue
        raise DataError(
            f"The training part has no sample of {_listed(names, unknown)}, of which the "
            f"{part!r} part has {sum(unknown):,}.",
            fix="split all of the data with data.split(valid=0.1, stratify=True), or pass "
            "Data(..., allow_missing=True) if that is what you want",
        )


def _listed(names: Sequence[str], counts: Sequence[int]) -> str:
    """The first few classes whose count is not 0, in words."""
    chosen = [repr(name) for name, count in zip(names, counts, strict=True) if count]
    shown = ", ".join(chosen[:FEW]) + (", …" if len(chosen) > FEW else "")
    return f"class {shown}" if len(chosen) == 1 else f"{len(chosen)} classes ({shown})"
