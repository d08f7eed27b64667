"""Losses beyond torch's functions: plain objects of ``(y_hat, y)``, for `Task` or `Learner`."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.kinds import is_number


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy against targets that admit some doubt: label smoothing.

    The truth is taken to be (1 − s) · the label + s · (the same share for every class), where s is
    `smoothing`. So the outputs need not grow without end to be right. Source: Szegedy et al.,
    "Rethinking the Inception Architecture for Computer Vision" (2016), section 7,
    https://arxiv.org/abs/1512.00567.

    Use it as ``Task(..., loss=CrossEntropy(smoothing=0.1))`` or ``Learner(..., loss=...)``.

    Args:
        smoothing: how much doubt, 0 (none) to below 1.

    Raises:
        TaskError: `smoothing` is outside that range.
    """

    smoothing: float = 0.1

    def __post_init__(self) -> None:
        if not is_number(self.smoothing) or not 0 <= self.smoothing < 1:
            raise TaskError(
                f"smoothing is {self.smoothing!r}.", fix="give 0 or more and below 1, such as 0.1"
            )

    def __call__(self, y_hat: Tensor, y: Tensor) -> Tensor:
        """The mean over the batch, a tensor with no axes.

        Args:
            y_hat: logits, (batch, classes) or for masks (batch, classes, height, width).
            y: class indices, int64 (batch,) or (batch, height, width); or shares of each class,
                float of the shape of `y_hat`.
        """
        return F.cross_entropy(y_hat, y, label_smoothing=self.smoothing)
