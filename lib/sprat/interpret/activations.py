"""Activations while training: whether signals keep a healthy size on their way through a network.

A callback notes mean, standard deviation, the share near zero and a histogram of what each layer
puts out. Layers that start near zero or whose spread explodes learn badly; Glorot and Bengio,
"Understanding the difficulty of training deep feedforward neural networks" (2010).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from sprat.callbacks import Callback
from sprat.errors import CallbackError, DataError
from sprat.interpret.plots import panels, style
from sprat.shapes import Float

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from sprat.learner import Learner

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)


class ActivationStats(Callback):
    """Note what layers put out, every few training steps. Nothing waits for the device meanwhile.

    Args:
        layers: names of the model's layers, as ``model.named_modules()`` gives them; by default
            every linear and convolutional one.
        every: steps from one note to the next.
        near_zero: values of at most this size count as zero.
        bins: of the histograms.
        span: from where to where the histograms reach; what lies outside is in the end bins.

    Raises:
        CallbackError: a number makes no sense.
    """

    reads: ClassVar = {"batch"}

    def __init__(
        self,
        layers: Sequence[str] | None = None,
        *,
        every: int = 1,
        near_zero: float = 0.05,
        bins: int = 40,
        span: tuple[float, float] = (-5.0, 5.0),
    ) -> None:
        if every < 1 or bins < 2 or near_zero < 0 or not span[0] < span[1]:
            raise CallbackError(
                f"ActivationStats got every={every}, bins={bins}, near_zero={near_zero}, "
                f"span={span}.",
                fix="give every ≥ 1, bins ≥ 2, near_zero ≥ 0 and a span from low to high",
            )
        self.layers, self.every = layers, every
        self.near_zero, self.bins, self.span = near_zero, bins, span
        self.names: list[str] = []
        self.steps: list[int] = []
        self._rows: list[Tensor] = []
        self._done, self._listening = 0, False
        self._handles: list[RemovableHandle] = []
        self._seen: dict[str, Tensor] = {}

    def epoch_begin(self, learn: "Learner") -> None:
        """Hang hooks on the layers, once; here and not before, so that `fit_end` takes them off.

        Raises:
            CallbackError: the model has no such layer.
        """
        if self._handles:
            return
        named = dict(learn.model.named_modules())
        chosen = self.layers
        if chosen is None:
            chosen = [name for name, module in named.items() if isinstance(module, WEIGHTED)]
        stray = next((name for name in chosen if name not in named), None)
        if stray is not None or not chosen:
            raise CallbackError(
                f"The model has no layer {stray!r}." if stray is not None else "No layer to watch.",
                fix=f"name some of {', '.join(list(named)[1:9])}",
            )
        if self.names and self.names != list(chosen):
            raise CallbackError(
                "ActivationStats has watched another model already.", fix="use a new one"
            )
        self.names = list(chosen)
        for name in self.names:
            self._handles.append(named[name].register_forward_hook(self._hook(name)))

    def _hook(self, name: str) -> Any:
        def note(module: nn.Module, given: Any, output: Any) -> None:
            if self._listening and isinstance(output, Tensor):
                self._seen[name] = self._measure(output.detach().float())

        return note

    def _measure(self, values: Tensor) -> Tensor:
        """Mean, standard deviation, share near zero, then the histogram as shares: (3 + bins,)."""
        low, high = self.span
        place = ((values - low) * (self.bins / (high - low))).nan_to_num(0.0)
        place = place.clamp(0, self.bins - 1).long()
        share = torch.full((), 1 / values.numel(), device=values.device).expand(values.numel())
        histogram = torch.zeros(self.bins, device=values.device)
        histogram.scatter_add_(0, place.flatten(), share)
        near = (values.abs() <= self.near_zero).float().mean()
        three = torch.stack([values.mean(), values.std(correction=0), near])
        return torch.cat([three, histogram])

    def step_begin(self, learn: "Learner") -> None:
        """Listen to this step, if it is one of those to note."""
        self._seen = {}  # a step that was cancelled may have left some
        self._listening = learn.phase.trains and self._done % self.every == 0

    def step_end(self, learn: "Learner") -> None:
        """Keep what was heard, on the device."""
        if self._listening and len(self._seen) == len(self.names):
            self._rows.append(torch.stack([self._seen[name] for name in self.names]))
            self.steps.append(self._done)
        self._done += learn.phase.trains
        self._listening = False

    def fit_end(self, learn: "Learner") -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._listening = [], False

    @property
    def means(self) -> Float[Tensor, "steps layers"]:
        """The mean of each layer's output, at each step that was noted."""
        return self._all()[:, :, 0]

    @property
    def stds(self) -> Float[Tensor, "steps layers"]:
        """The standard deviation of each layer's output."""
        return self._all()[:, :, 1]

    @property
    def zeros(self) -> Float[Tensor, "steps layers"]:
        """The share of each layer's output that is near zero, 0…1."""
        return self._all()[:, :, 2]

    @property
    def histograms(self) -> Float[Tensor, "steps layers bins"]:
        """The share of each layer's output in each bin of `span`, 0…1."""
        return self._all()[:, :, 3:]

    def _all(self) -> Tensor:
        if not self._rows:
            raise DataError(
                "Nothing was noted yet.", fix="train with learn.fit(1, callbacks=[stats])"
            )
        return torch.stack(self._rows).cpu()

    def plot(self) -> Any:
        """Draw mean, standard deviation and share near zero over the steps; returns the figure."""
        every = panels(3, 3.4, 2.8)
        titles = ("mean", "standard deviation", f"share within ±{self.near_zero:g}")
        for ax, title, values in zip(
            every, titles, (self.means, self.stds, self.zeros), strict=True
        ):
            for i, name in enumerate(self.names):
                ax.plot(self.steps, values[:, i].numpy(), color=style(i)[0], label=name)
            ax.set(xlabel="step", ylabel=title, title=f"Activations: {title}")
        every[0].legend(frameon=False, fontsize=7)
        return every[0].figure

    def plot_histograms(self) -> Any:
        """Draw each layer's histogram over the steps, bright where many are; returns the figure."""
        low, high = self.span
        values = self.histograms
        every = panels(len(self.names), 3.2, 2.4, columns=3)
        extent = (self.steps[0] - 0.5, self.steps[-1] + 0.5, low, high)
        for i, (ax, name) in enumerate(zip(every, self.names, strict=True)):
            # The logarithm makes rare values visible beside the many zeros of a ReLU.
            picture = torch.log1p(100 * values[:, i].T).numpy()
            ax.imshow(picture, origin="lower", aspect="auto", cmap="cividis", extent=extent)
            ax.set(xlabel="step", ylabel="activation", title=name)
        return every[0].figure
