"""Which samples are held out for validation: at random, by class, by time or by group."""

import math
import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sprat.errors import DataError
from sprat.shapes import Bool


class Splits(NamedTuple):
    """The part to learn from and the part to check with."""

    train: Any
    valid: Any


def check_share(valid: Any, total: int) -> int:
    """How many samples a share or a number of them is.

    Raises:
        DataError: it is neither.
    """
    if not isinstance(valid, (Integral, Real)) or not math.isfinite(valid):
        raise DataError(
            f"valid={valid!r} is neither a share nor a number of samples.",
            fix="give a share between 0 and 1, or a number below the number of samples",
        )
    return max(0, int(valid) if isinstance(valid, Integral) else round(float(valid) * total))


def refuse_one_key(keys: Tensor, what: str, size: int) -> None:
    """Refuse a split by a key of which every sample has the same value.

    Raises:
        DataError: there is one group only, or all samples are of one time.
    """
    if not size > 0 or len(keys) < 2 or len(keys.unique()) > 1:
        return
    if what == "by_group":
        raise DataError(
            f"by_group names one group only for all {len(keys):,} samples; to hold it out whole "
            "leaves one part empty.",
            fix="give each sample the group that it is of, or leave by_group out for a share at "
            "random",
        )
    raise DataError(
        f"by_time gives one time for all {len(keys):,} samples, none later than others; to hold "
        "out the latest leaves one part empty.",
        fix="give the time of each sample, or leave by_time out for a share at random",
    )


def stratified(order: Tensor, classes: Tensor, size: int, *, allow_missing: bool) -> Tensor:
    """The indices to hold out: `size` of them, of every class as near to the same share as can be.

    Each class gets the whole part of its share, and what is left goes to those with the largest
    remainders. Every class keeps one sample in each part.

    Args:
        order: all indices in random order, (N,).
        classes: of each sample, in the data's order, (N,).
        size: how many to hold out.
        allow_missing: let a class be missing from a part.

    Raises:
        DataError: a class would be missing from a part.
    """
    shuffled, chosen = classes.cpu()[order], []
    values, counts = shuffled.unique(return_counts=True)
    least = torch.full_like(counts, 0 if allow_missing else 1)
    most = counts - least
    if int(counts.min()) < 2 and not allow_missing:
        rare = int(counts.argmin())
        raise DataError(
            f"Label {values[rare].item()} has {int(counts[rare])} samples; that leaves one part "
            "without it.",
            fix="drop the rare label with data.filter, or allow_missing=True if that is what you "
            "want",
        )
    if not int(least.sum()) <= size <= int(most.sum()):
        raise DataError(
            f"{size} of {len(order)} samples with {len(values)} labels leaves one part without one "
            "of them.",
            fix=f"hold out {int(least.sum())} to {int(most.sum())}, or allow_missing=True if that "
            "is what you want",
        )
    for value, held in zip(values.tolist(), _shares(counts, size, least, most), strict=True):
        chosen.append(order[shuffled == value][:held])
    return torch.cat(chosen)


def _shares(counts: Tensor, size: int, least: Tensor, most: Tensor) -> list[int]:
    """Whole numbers that sum to `size` and are nearest to shares of `counts`, within bounds."""
    total = int(counts.sum())
    held = (counts * size // total).clamp(least, most)
    while (off := size - int(held.sum())) != 0:
        step = 1 if off > 0 else -1
        lacking = (counts * size - held * total) * step  # whole numbers, so equals are equal
        full = held >= most if off > 0 else held <= least
        held[lacking.masked_fill(full, torch.iinfo(torch.int64).min).argmax()] += step
    return held.tolist()


def latest(times: Tensor, size: int) -> Bool[Tensor, " samples"]:
    """True for the last samples in time, of as many as come nearest to `size`.

    What is as late as the first of them is held out too, so nothing is learnt from the hours in
    which, or after which, the model is measured. Of two numbers as near, the larger is taken.
    """
    values, counts = times.unique(return_counts=True)
    if size < 1 or size >= len(times) or len(values) < 2:
        return torch.full_like(times, size >= len(times), dtype=torch.bool)  # which is no split
    sums = counts.flip(0).cumsum(0)[:-1]  # of the last time, the last two, …: one is left to learn
    near = (sums - size).abs()
    many = int((near == near.min()).nonzero()[-1]) + 1
    warn_if_far(int(sums[many - 1]), size, "by_time")
    return times >= values[-many]


def warn_if_far(held: int, size: int, by: str) -> None:
    """Say so where a part that can't be cut is far larger than what was asked for."""
    if held > 2 * size:
        warnings.warn(
            f"{by} holds out {held:,} samples where {size:,} were asked for: no smaller number "
            "comes nearer, as equal keys stay together.",
            stacklevel=4,  # where the data is split
        )


def as_index(values: Any, total: int) -> Tensor:
    """A mask as it is; indices, of which negative ones count from the end, from 0 up.

    Raises:
        DataError: they are neither, or an index is not below `total`.
    """
    try:
        index = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        index = torch.empty(0, 0)
    if index.dtype == torch.bool:
        return index
    whole = not (index.is_floating_point() or index.is_complex())
    if index.ndim != 1 or (len(index) and not whole):
        kind = f"{index.dtype} {tuple(index.shape)}" if index.numel() else type(values).__name__
        raise DataError(
            f"Data was indexed by {kind}.",
            fix="give a number, a slice, a list of numbers, or one true or false for each sample",
        )
    index = index.long()
    if len(index) and not -total <= int(index.min()) <= int(index.max()) < total:
        raise DataError(
            f"There are {total:,} samples; those from {int(index.min())} to {int(index.max())} "
            "were asked for.",
            fix=f"ask for 0 to {total - 1}",
        )
    return torch.where(index < 0, index + total, index)


def as_keys(values: Any, total: int, what: str) -> Tensor:
    """A number for each sample, from a tensor or any sequence: equal where the values are.

    Numbers keep their order, and strings that of the alphabet.

    Raises:
        DataError: there is not one value a sample, or they have no order.
    """
    if not isinstance(values, Tensor):
        cells = list(values) if isinstance(values, Sequence) or hasattr(values, "__iter__") else []
        if cells and all(isinstance(cell, float) for cell in cells):
            values = torch.tensor(cells, dtype=torch.float64)
        else:  # by their places: nanoseconds since 1970 are too large for a float
            values = _ranks(cells, what)
    if values.shape != (total,):
        raise DataError(
            f"{what} has shape {tuple(values.shape)}; ({total},) was expected.",
            fix="give one value for each sample, in the data's order",
        )
    if values.is_floating_point() and bool(values.isnan().any()):
        raise DataError(
            f"{what} is NaN for {int(values.isnan().sum())} samples.",
            fix="drop them first: data.filter(...), or give them a value",
        )
    return values.cpu()


def _ranks(cells: list[Any], what: str) -> Tensor:
    """The place of each value among all, in order."""
    try:
        place = {value: i for i, value in enumerate(sorted(set(cells)))}
    except TypeError:
        kinds = sorted({type(cell).__name__ for cell in cells})
        raise DataError(
            f"{what} holds {' and '.join(kinds)}, which have no order.",
            fix="give numbers, words or dates, of one kind, one for each sample",
        ) from None
    if any(value != value for value in place):
        raise DataError(
            f"{what} is missing for some samples.", fix="drop them first, or give them a value"
        )
    return torch.tensor([place[cell] for cell in cells])


def refuse_missing_classes(
    held: Tensor, targets: Any, names: Sequence[str] | None, fix: str
) -> None:
    """Refuse a split in which a class that the data has is missing from a part.

    Raises:
        DataError: naming the class, the part, and how many samples of it there are.
    """
    is_label = isinstance(targets, Tensor) and targets.dtype == torch.int64 and targets.ndim == 1
    if not is_label or names is None:
        return
    targets = targets.cpu()
    counts = targets.bincount(minlength=len(names))
    for part, mask in (("training", ~held), ("validation", held)):
        here = targets[mask].bincount(minlength=len(names))
        missing = ((here == 0) & (counts > 0)).nonzero()[:, 0].tolist()
        if missing:
            label = missing[0]
            name = names[label] if label < len(names) else str(label)
            raise DataError(
                f"The {part} part has no sample of class {name!r}, of which the data has "
                f"{int(counts[label])}.",
                fix=f"{fix}, or allow_missing=True if that is what you want",
            )
