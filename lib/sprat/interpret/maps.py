"""Maps of a picture: where a network sees what it says.

`class_activation` needs a network that ends in average pooling and one linear layer: the map of a
class is the last feature map, weighted with that class's row of weights; Zhou and others, "Learning
deep features for discriminative localization" (2016). `grad_cam` takes any network that has feature
maps: the weights are the gradients of the class's output, averaged over places, and what speaks
against the class is cut off; Selvaraju and others, "Grad-CAM" (2017). In the first kind of network
the two agree but for a factor, which is how the tests check them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sprat.blocks import Categories, Image, ImageTensor
from sprat.data import Batch
from sprat.errors import DataError, TaskError
from sprat.interpret.plots import panels
from sprat.shapes import Float

if TYPE_CHECKING:
    from sprat.learner import Learner


@dataclass(frozen=True)
class Maps:
    """How much each place of each picture speaks for one output.

    Args:
        values: (N, height, width), as large as the pictures; 0 is nothing.
        pictures: (N, channels, height, width), decoded, 0…1.
        outputs: the output that each map is about, by name.
        truths: the truth of each picture by name, where it is known.
    """

    values: Float[Tensor, "samples height width"]
    pictures: Float[Tensor, "samples channels height width"]
    outputs: tuple[str, ...]
    truths: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def plot(self, *, columns: int = 4, opacity: float = 0.5) -> Any:
        """Draw each map over its picture, bright where there is most; one scale a picture.

        Args:
            columns: pictures a row.
            opacity: of the map, 0…1.

        Returns:
            The figure.
        """
        every = panels(len(self), 2.0, 2.4, columns=columns)
        for i, ax in enumerate(every):
            picture = self.pictures[i].permute(1, 2, 0).clamp(0, 1).numpy()
            grey = picture.shape[2] == 1
            ax.imshow(picture[..., 0] if grey else picture, cmap="gray", vmin=0, vmax=1)
            peak = max(float(self.values[i].abs().max()), 1e-12)
            ax.imshow(self.values[i].numpy(), cmap="inferno", alpha=opacity, vmin=0, vmax=peak)
            truth = f"truth: {self.truths[i]}\n" if self.truths else ""
            ax.set_title(f"{truth}map of: {self.outputs[i]}", fontsize=8)
            ax.axis("off")
        return every[0].figure


def class_activation(
    learn: "Learner",
    data: Any,
    *,
    output: int | str | None = None,
    layer: nn.Module | None = None,
) -> Maps:
    """Class activation maps: the last feature maps, weighted by the last linear layer.

    Args:
        learn: a learner whose input is a picture.
        data: a small `Data`, a `Batch`, or a batch of pictures, not yet encoded.
        output: the class to map, by name or number; by default what the model says to each.
        layer: gives the feature maps; by default the last that gives any.

    Raises:
        TaskError: the model does not end in average pooling and one linear layer.
        DataError: there is no such output.
    """
    raw = _batch(data)
    with torch.no_grad(), _watching(learn.model, layer or _last_maps(learn, raw)) as seen:
        y_hat, x = _forward(learn, raw)
    features = seen[0].float()  # (N, channels, h, w)
    head = _head(learn.model, features, y_hat)
    chosen, names = _chosen(learn, y_hat, output)
    maps = torch.einsum("nc,nchw->nhw", head.weight[chosen].float(), features)
    return _maps(learn, raw, x, maps.detach(), names)


def grad_cam(
    learn: "Learner",
    data: Any,
    *,
    output: int | str | None = None,
    layer: nn.Module | None = None,
) -> Maps:
    """Grad-CAM: feature maps weighted by how much the output rises with each, negative parts cut.

    For a `Mask` the output is the sum of the class's logits over all pixels.

    Args:
        learn: a learner whose input is a picture.
        data: a small `Data`, a `Batch`, or a batch of pictures, not yet encoded.
        output: the output to map, by name or number; by default what the model says to each (for
            numbers, the first).
        layer: gives the feature maps; by default the last that gives any.

    Raises:
        TaskError: the input is no picture, or no layer gives feature maps.
        DataError: there is no such output.
    """
    raw = _batch(data)
    watched = layer or _last_maps(learn, raw)
    with torch.enable_grad(), _watching(learn.model, watched) as seen:
        y_hat, x = _forward(learn, raw, gradients=True)
        chosen, names = _chosen(learn, y_hat, output)
        scores = y_hat.flatten(2).sum(2) if y_hat.ndim > 2 else y_hat  # (N, outputs)
        score = scores.gather(1, chosen[:, None]).sum()
        (gradient,) = torch.autograd.grad(score, seen[0])
    weights = gradient.float().mean((2, 3))  # (N, channels)
    maps = torch.einsum("nc,nchw->nhw", weights, seen[0].detach().float()).relu()
    return _maps(learn, raw, x, maps, names)


def _batch(data: Any) -> Batch:
    if isinstance(data, Batch):
        return data
    if hasattr(data, "x") and hasattr(data, "y"):
        return Batch(data.x, data.y)
    return Batch(data)


def _forward(learn: "Learner", raw: Batch, *, gradients: bool = False) -> tuple[Tensor, Tensor]:
    """Outputs in float32 and encoded inputs; the model is left in evaluation mode."""
    task = learn.require_task()
    if not isinstance(task.input, (Image, ImageTensor)):
        raise TaskError(
            f"A map needs a picture; the input is {task.input}.",
            fix="use sprat.interpret.permutation_importance for columns",
        )
    learn.model.eval()
    x = learn.encode(Batch(raw.x)).x
    # With frozen weights the gradient still has to reach the feature maps, so the input asks.
    given = x.detach().requires_grad_() if gradients else x
    with learn.autocast():
        y_hat = learn.model(given)
    return y_hat.float(), x


@contextmanager
def _watching(model: nn.Module, layer: nn.Module) -> Iterator[list[Tensor]]:
    """Keep what a layer puts out while this is open; the hook is gone afterwards, whatever happens.

    Raises:
        TaskError: the layer is not the model's, was not used, or gives no feature maps.
    """
    if not any(module is layer for module in model.modules()):
        raise TaskError(
            f"The model has no such layer: {type(layer).__name__}.",
            fix="pass one of its own, such as layer=learn.model.body",
        )
    seen: list[Tensor] = []

    def keep(module: nn.Module, given: Any, output: Any) -> Any:
        if not isinstance(output, Tensor) or output.ndim != 4:
            raise TaskError(
                f"{type(layer).__name__} gives no feature maps.",
                fix="choose a layer that puts out (batch, channels, height, width)",
            )
        seen[:] = [output]
        # A layer after this one may write in place, which would change what was kept.
        return output.clone()

    handle = layer.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


def _last_maps(learn: "Learner", raw: Batch) -> nn.Module:
    """The last layer without children that gives feature maps of more than one place."""
    found: list[nn.Module] = []

    def note(module: nn.Module, given: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
            found.append(module)

    leaves = [m for m in learn.model.modules() if not any(m.children())]
    handles = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        with torch.no_grad():
            y_hat, _ = _forward(learn, Batch(raw.x[:1]))
    finally:
        for handle in handles:
            handle.remove()
    # A mask is itself a map; what it is made from comes before it.
    if y_hat.ndim == 4 and len(found) > 1:
        found.pop()
    if not found:
        raise TaskError(
            f"No layer of {type(learn.model).__name__} gives feature maps.",
            fix="use a network with convolutions, or pass layer=",
        )
    return found[-1]


def _head(model: nn.Module, features: Tensor, y_hat: Tensor) -> nn.Linear:
    """The linear layer that reads the pooled feature maps, checked by what it gives.

    Raises:
        TaskError: there is none.
    """
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    if linear and linear[-1].in_features == features.shape[1] and y_hat.ndim == 2:
        again = linear[-1](
            F.adaptive_avg_pool2d(features, 1).flatten(1).to(linear[-1].weight.dtype)
        )
        if again.shape == y_hat.shape and torch.allclose(
            again.float(), y_hat, rtol=1e-2, atol=1e-2
        ):
            return linear[-1]
    raise TaskError(
        f"{type(model).__name__} does not end in average pooling and one linear layer.",
        fix="use sprat.interpret.grad_cam, which needs only feature maps, or pass layer=",
    )


def _chosen(
    learn: "Learner", y_hat: Tensor, output: int | str | None
) -> tuple[Tensor, tuple[str, ...]]:
    """The number of the output that each sample's map is about, (N,), and their names."""
    task = learn.require_task()
    goal = task.encoded(task.output)
    classes: Sequence[str] = goal.classes if isinstance(goal, Categories) else ()
    if output is None:
        likely: Callable[[Tensor], Tensor] = lambda scores: scores.argmax(1)  # noqa: E731
        flat = y_hat.flatten(2).sum(2) if y_hat.ndim > 2 else y_hat
        chosen = likely(flat) if classes else torch.zeros(len(y_hat), dtype=torch.int64)
    else:
        number = classes.index(output) if isinstance(output, str) and output in classes else output
        if not isinstance(number, int) or not 0 <= number < y_hat.shape[1]:
            known = ", ".join(classes) or f"0 to {y_hat.shape[1] - 1}"
            raise DataError(f"There is no output {output!r}.", fix=f"use one of {known}")
        chosen = torch.full((len(y_hat),), number)
    chosen = chosen.to(y_hat.device)
    names = tuple(classes[i] if classes else f"output {i}" for i in chosen.tolist())
    return chosen, names


def _maps(learn: "Learner", raw: Batch, x: Tensor, maps: Tensor, names: tuple[str, ...]) -> Maps:
    """Maps as large as the pictures, beside the pictures and their truth."""
    task = learn.require_task()
    pictures = task.decode_input(x).float().cpu()
    large = F.interpolate(maps[:, None], pictures.shape[2:], mode="bilinear", align_corners=False)
    truths: tuple[str, ...] = ()
    if raw.y is not None and isinstance(task.target, Categories):
        batch = learn.encode(raw)
        read = task.decode_target(batch.y)
        if not isinstance(read, Tensor):  # a mask has no one name
            truths = tuple(y if isinstance(y, str) else ", ".join(y) or "none" for y in read)
    scale = pictures if pictures.max() <= 1 else pictures / 255
    return Maps(large[:, 0].cpu(), scale, names, truths)
