"""A siamese network: one network looks at several pictures, and says how alike they are.

The same weights turn every picture into a code; what counts is the distance between codes, so it
can compare classes that it never saw in training. Bromley et al., "Signature Verification using a
'Siamese' Time Delay Neural Network" (1993). Two losses: `contrastive_loss` for pairs (Hadsell,
Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", 2006, equation 4)
and `triplet_loss` for an anchor, one like it and one unlike it (Schroff, Kalenichenko and Philbin,
"FaceNet", 2015, equation 3).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.models.bodies import first_channels, mocking, part, trunk
from sprat.models.sizes import check_counts, check_lists
from sprat.shapes import Float, Num, Shaped, Tensor


class Siamese(nn.Module):
    """A body and a linear layer, the same for each picture of a sample.

    Args:
        body: a network; one with a head gives its trunk. What has places is averaged over them.
            A config may describe it: ``{"name": "LeNet", "arguments": {…}}``.
        num_outputs: numbers in a code.
        in_channels: channels of the picture; by default what the body's first convolution takes.
        size: (height, width) of the mock picture that finds how many features the body gives.
        normalize: make every code one long, so that distances go from 0 to 2.

    Raises:
        TaskError: the body can't take the mock, or gives neither features nor feature maps.
    """

    def __init__(
        self,
        body: nn.Module | Mapping[str, Any],
        num_outputs: int = 64,
        *,
        in_channels: int | None = None,
        size: Sequence[int] = (64, 64),
        normalize: bool = True,
    ) -> None:
        super().__init__()
        model, described = part(body)
        self.body = trunk(model)
        channels = first_channels(self.body) if in_channels is None else in_channels
        check_counts(self, num_outputs=num_outputs, in_channels=channels)
        check_lists(self, length=2, size=size)
        self.arguments: dict[str, Any] | None = described and {
            "body": described,
            "num_outputs": num_outputs,
            "in_channels": channels,
            "size": list(size),
            "normalize": normalize,
        }
        self.normalize = normalize
        self.head = nn.Linear(_num_features(self.body, channels, size), num_outputs)

    def groups(self) -> list[nn.Module]:
        """Body and head: parts that may train at different rates."""
        return [self.body, self.head]

    def encode(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch num_outputs"]:
        """The codes of pictures."""
        code = self.head(_flat(self.body(x)))
        return F.normalize(code) if self.normalize else code

    def forward(
        self, x: Sequence[Shaped[Tensor, "..."]] | Float[Tensor, "batch n *picture"]
    ) -> Float[Tensor, "batch n num_outputs"]:
        """The codes of every sample's pictures.

        Args:
            x: n pictures a sample: a tuple of n batches, each (batch, channels, height, width), or
                one tensor with n as its second axis. Pairs for `contrastive_loss`, triplets
                (anchor, like, unlike) for `triplet_loss`.

        Raises:
            TaskError: it is neither.
        """
        if not isinstance(x, Tensor):
            shapes = {tuple(getattr(pictures, "shape", ())) for pictures in x}
            if len(shapes) != 1 or len(next(iter(shapes))) != 4:
                raise TaskError(
                    f"Siamese got pictures of the shapes {sorted(shapes)}; batches of the same "
                    "shape (batch, channels, height, width) were expected.",
                    fix="give as many pictures of each kind, resized to one size",
                )
            x = torch.stack(list(x), 1)
        if x.ndim != 5:
            raise TaskError(
                f"Siamese got shape {tuple(x.shape)}; several pictures a sample were expected.",
                fix="give a tuple of batches, or (batch, n, channels, height, width); "
                "model.encode(x) takes single pictures",
            )
        # All pictures go through at once: one pass is faster, and normalisation sees all of them.
        return self.encode(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def contrastive_loss(
    y_hat: Float[Tensor, "batch 2 width"], y: Num[Tensor, " batch"], *, margin: float = 1.0
) -> Float[Tensor, ""]:
    """Like pairs should meet, unlike ones be a margin apart: ½ y d² + ½ (1 − y) max(0, m − d)².

    Args:
        y_hat: the codes of pairs.
        y: 1 where the two are alike, 0 where not. (The paper's Y is 1 − y.)
        margin: how far apart is enough, in the units of a code.
    """
    d = distances(y_hat)[:, 1]
    like = y.to(d.dtype)
    return 0.5 * (like * d.square() + (1 - like) * F.relu(margin - d).square()).mean()


def triplet_loss(
    y_hat: Float[Tensor, "batch 3 width"],
    y: Shaped[Tensor, "..."] | None = None,
    *,
    margin: float = 0.2,
) -> Float[Tensor, ""]:
    """The like one should be nearer than the unlike one, by a margin: max(0, d₊² − d₋² + m).

    Args:
        y_hat: the codes of an anchor, one like it, one unlike it.
        y: not looked at: which is which is known from the order.
        margin: in squared units of a code.
    """
    squared = (y_hat[:, 1:] - y_hat[:, :1]).square().sum(-1)  # (B, 2)
    return F.relu(squared[:, 0] - squared[:, 1] + margin).mean()


def distances(codes: Float[Tensor, "batch n width"]) -> Float[Tensor, "batch n"]:
    """How far each code of a sample is from its first one; Euclidean."""
    squared = (codes - codes[:, :1]).square().sum(-1)
    return squared.clamp_min(1e-12).sqrt()  # the root has no slope at nothing


def _flat(features: Tensor) -> Tensor:
    """One row a picture: means over places where there are places."""
    return features.mean((2, 3)) if features.ndim == 4 else features.flatten(1)


def _num_features(body: nn.Module, in_channels: int, size: Sequence[int]) -> int:
    """How many numbers a body gives for a picture, found with a mock."""
    try:
        with mocking(body):
            features = body(torch.zeros(1, in_channels, *size))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise TaskError(
            f"{type(body).__name__} can't take a mock picture of {in_channels} channels and "
            f"{tuple(size)} pixels: {str(error).splitlines()[0]}",
            fix="pass in_channels= and size= as the body needs them",
        ) from None
    if not isinstance(features, Tensor) or features.ndim not in (2, 4):
        found = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise TaskError(
            f"{type(body).__name__} gives {found}; (batch, features) or feature maps were "
            "expected.",
            fix="wrap it in an nn.Sequential that ends in nn.Flatten()",
        )
    return features.shape[1]
