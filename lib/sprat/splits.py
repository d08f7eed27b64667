"""Which samples are held out for validation: at random, by class, by time or by group."""

import math
from collections.abc import Sequence
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
    if not isinstance(valid, (int, float)) or not math.isfinite(valid):
        raise DataError(
            f"valid={valid!r} is neither a share nor a number of samples.",
            fix="give a share between 0 and 1, or a number below the number of samples",
        )
    return max(0, valid if isinstance(valid, int) else round(valid * total))


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


def stratified(order: Tensor, classes: Tensor, share: float) -> Tensor:
    """The indices to hold out, the same share of every class.

    Args:
        order: all indices in random order, (N,).
        classes: of each sample, in the data's order, (N,).
        share: to hold out, 0…1.

    Raises:
        DataError: a class would be missing from a part.
    """
    shuffled, chosen = classes.cpu()[order], []
    for value in classes.unique().tolist():
        mine = order[shuffled == value]
        size = round(share * len(mine))
        if not 0 < size < len(mine):
            raise DataError(
                f"Label {value} has {len(mine)} samples; {share:.0%} of them leaves "
                "one part without it.",
                fix="hold out another share, or drop the rare label with data.filter",
            )
        chosen.append(mine[:size])
    return torch.cat(chosen)


def latest(times: Tensor, size: int) -> Bool[Tensor, " samples"]:
    """True for the last `size` samples in time, and for what is as late as the first of them.

    So nothing is learnt from the hours in which, or after which, the model is measured.
    """
    if size < 1:
        return torch.zeros(len(times), dtype=torch.bool)
    border = times.sort().values[-min(size, len(times))]
    return times >= border


def whole_groups(
    groups: Tensor, size: int, *, generator: torch.Generator | None
) -> Bool[Tensor, " samples"]:
    """True for the samples of random groups, of as many as come nearest to `size` samples.

    One group at least is left to learn from.
    """
    values, member, counts = groups.unique(return_inverse=True, return_counts=True)
    order = torch.randperm(len(values), generator=generator)
    sums = counts[order].cumsum(0)[:-1]
    many = int((sums - size).abs().argmin()) + 1 if size > 0 and len(sums) else 0
    held = torch.zeros(len(values), dtype=torch.bool)
    held[order[:many]] = True
    return held[member]


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
