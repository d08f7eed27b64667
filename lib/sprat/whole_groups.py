"""Groups that are held out whole: of all ways to do so, one that comes nearest to the number.

Which sums of group sizes can be reached is a subset sum. It is found exactly, by one bit for each
sum and group, as long as these fit into a few megabytes; Bellman, "Notes on the theory of dynamic
programming IV" (1957). For more groups than that, random ones are taken as long as they fit, which
with many small groups is as good.
"""

from itertools import accumulate

import torch
from torch import Tensor

from sprat.shapes import Bool
from sprat.splits import warn_if_far

_MOST_BITS = 1 << 28  # 32 MB


def whole_groups(
    groups: Tensor, size: int, *, generator: torch.Generator | None
) -> Bool[Tensor, " samples"]:
    """True for the samples of some groups, of as many as come nearest to `size` samples.

    Among the choices that are equally near one is drawn at random. One group at least is left to
    learn from.

    Args:
        groups: the number of each sample's group, (N,).
        size: how many samples to hold out.
        generator: where the randomness comes from; torch's own by default.
    """
    values, member, counts = groups.unique(return_inverse=True, return_counts=True)
    held = torch.zeros(len(values), dtype=torch.bool)
    if size < 1 or size >= len(groups) or len(values) < 2:
        return torch.full_like(member, size >= len(groups), dtype=torch.bool)  # which is no split
    order = torch.randperm(len(values), generator=generator)
    sizes = counts[order].tolist()
    most = min(len(groups) - 1, max(2 * size, min(sizes)))  # what is larger is no nearer than that
    if len(sizes) * most <= _MOST_BITS:
        heads = bool(torch.randint(2, (), generator=generator))
        chosen = _nearest(sizes, size, most, larger=heads)
    else:
        chosen = _fitting(sizes, size)
    held[order[chosen]] = True
    warn_if_far(int(counts[held].sum()), size, "by_group")
    return held[member]


def _nearest(sizes: list[int], size: int, most: int, *, larger: bool) -> list[int]:
    """The places of sizes whose sum is nearest to `size`, in 1…`most`; the first ones that do.

    Args:
        sizes: in random order.
        size: what is wanted.
        most: what the sum may be.
        larger: which of two sums to take that are equally near.
    """
    mask = (1 << (most + 1)) - 1
    # Bit s of the k-th number: whether some of the first k sizes sum to s.
    reach = list(accumulate(sizes, lambda bits, n: (bits | bits << n) & mask, initial=1))
    tries = (size + (off if up else -off) for off in range(most + 1) for up in (larger, not larger))
    left = next(total for total in tries if 0 < total <= most and reach[-1] >> total & 1)
    chosen = []
    for place in reversed(range(len(sizes))):
        if not reach[place] >> left & 1:
            chosen.append(place)
            left -= sizes[place]
    return chosen


def _fitting(sizes: list[int], size: int) -> list[int]:
    """The places of sizes, taken in their order as long as they fit; the smallest if none does."""
    chosen: list[int] = []
    left, spare = size, None
    for place, count in enumerate(sizes):
        if count <= left:
            chosen.append(place)
            left -= count
        elif spare is None or count < sizes[spare]:
            spare = place
    assert spare is not None  # as all groups together are larger than what is wanted
    if not chosen:
        return [spare]
    nearer = sizes[spare] - left < left and len(chosen) + 1 < len(sizes)
    return [*chosen, spare] if nearer else chosen
