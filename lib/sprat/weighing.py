"""What a loss is the mean over: samples, weights of classes, or those places that count.

A loss over batches is the loss over all samples only if each batch counts by what its mean was
taken over. With weights of classes that is their sum, with padding the number of pieces. A loss
says it by a method ``mean_over(y_hat, y)``; of torch's own it is known, also inside of a function;
and where a function ends in a mean, or in a division by a number of places, that is seen. All
others count by samples. What a function then makes of such means, a multiple or a sum, is followed:
a sum of means over different things has a part for each, see ``followed.py``.
"""

from functools import partial
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from sprat.followed import Followed, Over, Part, joined, of_classes, of_something

_BY_SAMPLES = {F.mse_loss, F.l1_loss, F.binary_cross_entropy_with_logits, F.smooth_l1_loss}
_WEIGHTED = (F.cross_entropy, F.nll_loss)


class Weighed:
    """A loss that notes what its newest value is a mean over.

    Args:
        function: ``(y_hat, y)`` to a tensor with no axes.
        checked: whether no target can be one that is left out, so that nobody need count.
    """

    def __init__(self, function: Any, *, checked: bool = False) -> None:
        self.function = function
        self.plain = function in _BY_SAMPLES or (function is F.cross_entropy and checked)
        self.said = getattr(function, "mean_over", None)
        self.over: Over = None
        self.parts: list[Part] = []  # of a sum of means over different things, where it is one
        self._newest: Any = None

    def __call__(self, y_hat: Any, y: Any) -> Tensor:
        """The loss of a batch; `over` is what it is a mean over, None for samples."""
        if self.plain:
            return self.function(y_hat, y)
        if self.said is not None:
            self.over = self.said(y_hat, y)
            return of_something(self.function(y_hat, y), self.over)
        if _inner(self.function) in _WEIGHTED:
            options = self.function.keywords if isinstance(self.function, partial) else {}
            self.over = of_classes(y_hat, y, **options)
            return of_something(self.function(y_hat, y), self.over)
        with Followed() as followed:
            loss = self.function(y_hat, y)
        self.over, self.parts = joined(followed.parts(loss))
        self._newest = loss
        return loss

    def take(self, loss: Any) -> tuple[Over, list[Part]]:
        """What the newest value is a mean over, once, and its parts where a step's loss is it."""
        own = isinstance(loss, Tensor) and self.parts and loss.data_ptr() == self._newest.data_ptr()
        taken = self.over, self.parts if own else []
        self.over, self.parts = None, []
        return taken


def _inner(function: Any) -> Any:
    return function.func if isinstance(function, partial) else function
