"""Mixing two pictures and their labels: mixup and cutmix.

Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2018); Yun et al., "CutMix" (2019). Both
leave targets that are shares of classes, (B, classes), which cross-entropy takes as they are. The
original keeps the larger share in every sample, so the class of the largest share is the original's
and `sprat.metrics.accuracy` counts against it.
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from sprat.augment.callback import Augment
from sprat.blocks import Continuous, Label, Labels, Mask
from sprat.callbacks import Callback
from sprat.data import Batch
from sprat.errors import TaskError
from sprat.kinds import is_number
from sprat.shapes import Float, Int, Shaped

if TYPE_CHECKING:
    from sprat.learner import Learner


def mixup(
    values: Float[Tensor, "batch *shape"],
    partner: Int[Tensor, " batch"],
    share: Float[Tensor, " batch"],
) -> Float[Tensor, "batch *shape"]:
    """``(1 − share) · value + share · its partner's value``.

    Args:
        values: pictures, or targets as numbers.
        partner: the index in the batch of each sample's partner.
        share: the partner's, 0…1.
    """
    weight = share.reshape(-1, *[1] * (values.ndim - 1)).to(values.dtype)
    return values + weight * (values[partner] - values)


def box(
    share: Float[Tensor, " batch"], place: Float[Tensor, "batch 2"], size: tuple[int, int]
) -> Shaped[Tensor, "batch height width"]:
    """A rectangle with each picture's proportions that covers about `share` of it, as a bool mask.

    Args:
        share: of the picture's area, 0…1.
        place: where it lies within the picture, 0…1 of the room that there is, (x, y).
        size: (height, width) of the picture in pixels.
    """
    rows = []
    for axis, pixels in ((1, size[0]), (0, size[1])):
        side = (share.sqrt() * pixels).floor()  # never more than the share: the original leads
        low = (place[:, axis] * (pixels - side + 1)).floor().clamp(max=pixels - 1)
        at = torch.arange(pixels, device=share.device)
        rows.append((at >= low[:, None]) & (at < (low + side)[:, None]))
    return rows[0][:, :, None] & rows[1][:, None, :]


class Mixing(Callback, ABC):
    """What `MixUp` and `CutMix` have in common: who is mixed with whom, how much, and the targets.

    Args:
        alpha: the shares follow a Beta(alpha, alpha) distribution; 1 makes all as likely, a smaller
            one most of them small.
        probability: of each sample to be mixed at all, 0…1.
        num_classes: how many classes there are, where no task says so.
        generator: where the randomness comes from, on the learner's device; torch's by default.
    """

    reads: ClassVar = {"batch"}
    writes: ClassVar = {"batch"}
    after: ClassVar = (Augment,)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        probability: float = 1.0,
        num_classes: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        numbers = is_number(alpha) and is_number(probability)
        if not numbers or alpha <= 0 or not 0 <= probability <= 1:
            raise TaskError(
                f"{type(self).__name__} got alpha={alpha!r} and probability={probability!r}.",
                fix="give an alpha above 0 and a probability between 0 and 1",
            )
        self.alpha, self.probability = alpha, probability
        self.num_classes, self.generator = num_classes, generator

    @abstractmethod
    def mixed(
        self, batch: Batch, partner: Tensor, share: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The mixed pictures, the partner's shares as they came out, and a mask of what is new."""

    def step_begin(self, learn: "Learner") -> None:
        """Mix the batch where the phase trains.

        Raises:
            TaskError: the target is nothing that can be mixed.
        """
        if not learn.phase.trains:
            return
        batch, device = learn.batch, learn.batch.x.device
        count = len(batch.x)
        draws = torch.rand((3, count), generator=self.generator, device=device)
        partner = draws[0].argsort()
        share = torch.where(draws[1] < self.probability, _half_beta(draws[2], self.alpha), 0.0)
        x, share, new = self.mixed(batch, partner, share)
        learn.batch = replace(batch, x=x, y=self._target(learn, partner, share, new))

    def _target(
        self, learn: "Learner", partner: Tensor, share: Tensor, new: Tensor | None
    ) -> Tensor:
        y, block = learn.batch.y, learn.task.target if learn.task else None
        if isinstance(block, Mask) and new is not None:
            return torch.where(new, y[partner], y)
        count = len(block.classes) if isinstance(block, Label) else self.num_classes
        if isinstance(y, Tensor) and y.ndim == 1 and not y.is_floating_point() and count:
            shares = torch.zeros(len(y), count, device=y.device)
            return mixup(shares.scatter_(1, y[:, None], 1.0), partner, share)
        known = block is None or isinstance(block, (Label, Labels, Continuous))
        if isinstance(y, Tensor) and y.is_floating_point() and known:
            return mixup(y, partner, share)
        raise TaskError(
            f"{type(self).__name__} can't mix targets of {block or type(y).__name__}.",
            fix="use it with labels, several labels or numbers"
            + ("" if learn.task else "; without a task, pass num_classes="),
        )


class MixUp(Mixing):
    """Blend each training picture with another one of the batch, and its target alike."""

    def mixed(
        self, batch: Batch, partner: Tensor, share: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Both pictures everywhere."""
        return mixup(batch.x, partner, share), share, None


class CutMix(Mixing):
    """Paste a rectangle of another picture of the batch into each; targets by area, masks too."""

    def mixed(
        self, batch: Batch, partner: Tensor, share: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The partner's pixels in a rectangle at a random place."""
        height, width = batch.x.shape[2:]
        place = torch.rand((len(share), 2), generator=self.generator, device=share.device)
        new = box(share, place, (height, width))  # (B, H, W)
        # What the rectangle covers in whole pixels, not what was asked for.
        return torch.where(new[:, None], batch.x[partner], batch.x), new.float().mean((1, 2)), new


def _half_beta(uniform: Float[Tensor, " batch"], alpha: float) -> Float[Tensor, " batch"]:
    """The smaller of a Beta(alpha, alpha) number and one minus it, from a uniform one.

    By the inverse of its distribution, since torch's own sampler takes no generator.
    """
    table = _quantiles(alpha, uniform.device)
    at = uniform * (len(table) - 1)
    low = at.long().clamp(max=len(table) - 2)
    return torch.lerp(table[low], table[low + 1], at - low)


@lru_cache(maxsize=16)
def _quantiles(alpha: float, device: torch.device) -> Tensor:
    """The inverse of the distribution on 0…½, at 1,025 evenly spread chances."""
    # In w = mᵅ the density m^(α−1)·(1−m)^(α−1) becomes (1−m)^(α−1), which is finite everywhere.
    w = torch.linspace(0, 0.5**alpha, 20_001, dtype=torch.float64)
    m = w ** (1 / alpha)
    below = torch.cumulative_trapezoid((1 - m) ** (alpha - 1), w)
    below = torch.cat([below.new_zeros(1), below / below[-1]])
    chances = torch.linspace(0, 1, 1_025, dtype=torch.float64)
    after = torch.searchsorted(below, chances).clamp(1, len(below) - 1)
    part = (chances - below[after - 1]) / (below[after] - below[after - 1])
    return torch.lerp(m[after - 1], m[after], part).float().to(device)
