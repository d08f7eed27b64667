"""Embeddings: what a model makes of each sample just before its answer, in two dimensions.

`features` takes what goes into the last linear layer. `pca` keeps the two directions of largest
spread; distances mean something there. `tsne` keeps neighbours together; the sizes of clusters and
the distances between them mean nothing; van der Maaten and Hinton, "Visualizing data using t-SNE"
(2008).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sprat.blocks import Label
from sprat.errors import DataError, TaskError
from sprat.interpret.passes import data_of, passes
from sprat.interpret.plots import axes, style
from sprat.shapes import Float

if TYPE_CHECKING:
    from sprat.learner import Learner

WIDE = 1500  # above so many samples and features, random projections are faster and as good


@dataclass(frozen=True)
class Embedding:
    """A place in the plane for each sample.

    Args:
        places: (N, 2).
        labels: what each sample is, by name; empty where that is not known.
        way: how the places were found.
        explained: the share of the variance that each axis keeps, 0…1; empty for t-SNE.
    """

    places: Float[Tensor, "samples 2"]
    labels: tuple[str, ...]
    way: str
    explained: tuple[float, ...] = ()

    def plot(self, ax: Any = None) -> Any:
        """Draw the samples, each class in its colour and mark, with its name at its middle.

        Args:
            ax: matplotlib axes; new ones by default.

        Returns:
            The figure.
        """
        ax = axes(ax, 6.0, 5.0)
        names = list(dict.fromkeys(sorted(self.labels))) or [""]
        for number, name in enumerate(names):
            mine = torch.tensor(
                [
                    not self.labels or label == name
                    for label in self.labels or [""] * len(self.places)
                ]
            )
            x, y = self.places[mine].T.numpy()
            colour, marker = style(number)
            ax.scatter(x, y, s=12, color=colour, marker=marker, alpha=0.6, linewidths=0)
            if name:
                middle = self.places[mine].quantile(0.5, 0).tolist()
                box = {"boxstyle": "round", "facecolor": "white", "edgecolor": colour, "alpha": 0.9}
                ax.annotate(
                    name, middle, ha="center", va="center", fontsize=8, color="#111111", bbox=box
                )
        shares = [f" ({share:.0%} of the variance)" for share in self.explained] or ["", ""]
        ax.set(
            xlabel=f"first axis{shares[0]}",
            ylabel=f"second axis{shares[1]}",
            title=f"{self.way} of the features",
        )
        return ax.figure


def embed(
    learn: "Learner",
    *,
    way: str = "pca",
    data: Any = None,
    layer: nn.Module | None = None,
    labels: Any = None,
    generator: torch.Generator | None = None,
) -> Embedding:
    """Place each sample in the plane by what the model makes of it.

    Args:
        learn: whose model it is.
        way: ``"pca"`` or ``"tsne"``; the latter needs scikit-learn and minutes for many samples.
        data: a `Data` or a loader; by default the validation part.
        layer: whose input is taken; by default the last linear layer.
        labels: a name for each sample; by default the true class, where the target is `Label`.
        generator: where t-SNE's randomness comes from; torch's own by default.

    Raises:
        TaskError: there is no such way, or the model has no linear layer.
        DataError: `labels` has another length.
    """
    if way not in ("pca", "tsne"):
        raise TaskError(f"There is no way {way!r}.", fix='use "pca" or "tsne"')
    samples = data_of(learn, data)
    given = _labels(learn, samples.y) if labels is None else tuple(map(str, labels))
    if given and len(given) != len(samples):
        raise DataError(
            f"There are {len(given)} labels and {len(samples)} samples.", fix="give one a sample"
        )
    values = features(learn, samples, layer=layer)
    if way == "tsne":
        return Embedding(tsne(values, generator=generator), given, "t-SNE")
    places, explained = pca(values)
    return Embedding(places, given, "PCA", tuple(explained.tolist()))


def _labels(learn: "Learner", y: Any) -> tuple[str, ...]:
    target = learn.task.target if learn.task is not None else None
    if not isinstance(target, Label) or y is None:
        return ()
    return tuple(target.classes[i] for i in y.tolist())


def features(
    learn: "Learner", data: Any = None, *, layer: nn.Module | None = None
) -> Float[Tensor, "samples features"]:
    """What goes into a layer for each sample, flattened, (N, F), on the CPU.

    Args:
        learn: whose model it is.
        data: a `Data` or a loader; by default the validation part.
        layer: by default the last linear layer, so that the features are what the answer is
            made from.

    Raises:
        TaskError: the model has no linear layer, or never uses this one.
    """
    if layer is None:
        linear = [m for m in learn.model.modules() if isinstance(m, nn.Linear)]
        if not linear:
            raise TaskError(f"{type(learn.model).__name__} has no linear layer.", fix="pass layer=")
        layer = linear[-1]
    seen: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Any, ...]) -> None:
        seen.append(given[0].detach().flatten(1).float().cpu())

    handle = layer.register_forward_pre_hook(keep)
    try:
        for _ in passes(learn, data_of(learn, data)):
            pass
    finally:
        handle.remove()
    if not seen:
        raise TaskError(
            f"The model never uses this {type(layer).__name__}.",
            fix="pass a layer of learn.model that its forward calls",
        )
    return torch.cat(seen)


def pca(
    values: Float[Tensor, "samples features"], axes: int = 2
) -> tuple[Float[Tensor, "samples axes"], Float[Tensor, " axes"]]:
    """Principal components: the directions in which the samples differ most.

    Each axis points to where its direction's largest entry is positive, so that results repeat.

    Args:
        values: one row a sample.
        axes: how many directions.

    Returns:
        Places (N, axes), and the share of all variance that each axis keeps, 0…1.

    Raises:
        DataError: there are fewer samples or features than axes.
    """
    if min(values.shape) < axes:
        raise DataError(
            f"{values.shape[0]} samples with {values.shape[1]} features have no {axes} axes.",
            fix="give more samples, or fewer axes",
        )
    centred = (values - values.mean(0)).double()
    directions = _directions(centred, axes)
    largest = directions.abs().argmax(0)
    directions = directions * directions[largest, torch.arange(axes)].sign()
    places = centred @ directions
    total = centred.square().sum().clamp(min=1e-300)
    return places.float(), (places.square().sum(0) / total).float()


def _directions(centred: Tensor, axes: int) -> Tensor:
    """The directions of largest spread, orthonormal, (features, axes)."""
    if min(centred.shape) > WIDE:
        # Halko, Martinsson and Tropp (2011); its random numbers are kept from everybody else.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, _, found = torch.pca_lowrank(centred, q=axes + 10, center=False, niter=7)
        return found[:, :axes]
    # The smaller of the two products has the same eigenvalues, which eigh gives in rising order.
    if centred.shape[1] <= centred.shape[0]:
        return torch.linalg.eigh(centred.T @ centred)[1][:, -axes:].flip(1)
    samples = torch.linalg.eigh(centred @ centred.T)[1][:, -axes:].flip(1)
    return torch.nn.functional.normalize(centred.T @ samples, dim=0)


def tsne(
    values: Float[Tensor, "samples features"],
    *,
    perplexity: float = 30.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "samples 2"]:
    """t-SNE through scikit-learn, started from the principal components.

    Args:
        values: one row a sample.
        perplexity: about how many neighbours count; at most a third of the samples are used.
        generator: where the randomness comes from; torch's own by default.

    Raises:
        TaskError: scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE  # type: ignore[import-untyped]
    except ImportError:
        raise TaskError(
            "t-SNE needs scikit-learn, which is not installed.",
            fix='pip install scikit-learn, or use way="pca"',
        ) from None
    seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
    fitting = TSNE(
        perplexity=min(perplexity, max(1.0, (len(values) - 1) / 3)), init="pca", random_state=seed
    )
    return torch.as_tensor(fitting.fit_transform(values.numpy()), dtype=torch.float32)
