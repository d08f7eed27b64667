"""A vision transformer: a picture is a sentence of patches.

The picture is cut into square patches; each becomes a token by one linear map; a learned place is
added to it; a transformer lets every token look at every other one; an extra token, which stands
for no patch, gathers what the head reads. Dosovitskiy et al., "An Image is Worth 16x16 Words"
(2021); the sizes "tiny" and "small" are those of Touvron et al., "Training data-efficient image
transformers" (2021). Normalisation comes before each part (Wang et al. 2019), as in both.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.models.bodies import check_pictures, choose
from sprat.models.sizes import check_counts, check_lists
from sprat.shapes import Float, Tensor

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"width": 192, "depth": 12, "num_heads": 3},
    "small": {"width": 384, "depth": 12, "num_heads": 6},
    "base": {"width": 768, "depth": 12, "num_heads": 12},
}


class PatchEmbedding(nn.Module):
    """Pictures to tokens, with the extra token first and a learned place added to each.

    Args:
        in_channels: channels of the picture.
        size: (height, width) of the picture in pixels.
        patch: side of a patch in pixels.
        width: numbers in a token.
    """

    def __init__(self, in_channels: int, size: Sequence[int], patch: int, width: int) -> None:
        super().__init__()
        # A convolution whose steps are as long as its kernel: one linear map for all patches.
        self.project = nn.Conv2d(in_channels, width, patch, patch)
        tokens = 1 + (size[0] // patch) * (size[1] // patch)
        self.extra = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, tokens, width), std=0.02))

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch tokens features"]:
        """The extra token, then the patches row by row."""
        patches = self.project(x).flatten(2).transpose(1, 2)  # (B, patches, width)
        extra = self.extra.expand(x.shape[0], -1, -1)
        return torch.cat([extra, patches], 1) + self.place


class SelfAttention(nn.Module):
    """Every token takes what it needs from all tokens: softmax(q kᵀ / √d) v, in several heads.

    Args:
        width: numbers in a token.
        num_heads: how many looks at once, each at width / num_heads numbers.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "batch tokens features"]
    ) -> Float[Tensor, "batch tokens features"]:
        """Vaswani et al., "Attention Is All You Need" (2017), equation 1."""
        batch, tokens, width = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.num_heads, width // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, T, head_dim)
        h = F.scaled_dot_product_attention(q, k, v)
        return self.out(h.transpose(1, 2).reshape(batch, tokens, width))


class EncoderBlock(nn.Module):
    """Attention, then a perceptron for each token, each beside a skip.

    Args:
        width: numbers in a token.
        num_heads: heads of the attention.
        dropout: share of numbers that are set to zero after each part while training.
    """

    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = SelfAttention(width, num_heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch tokens features"]
    ) -> Float[Tensor, "batch tokens features"]:
        """Both parts, each added to what it got."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.mlp(self.norm2(x)))


class ViT(nn.Module):
    """Patches, a transformer encoder, a linear layer on the extra token.

    Args:
        in_channels: channels of the picture.
        num_outputs: numbers that come out.
        size: (height, width) of every picture, in pixels.
        patch: side of a patch in pixels; divides height and width.
        width: numbers in a token; `num_heads` divides it.
        depth: blocks.
        num_heads: heads of each attention.
        dropout: share of numbers that are set to zero after each part while training.

    Raises:
        TaskError: patches or heads do not divide what they have to.
    """

    def __init__(
        self,
        in_channels: int,
        num_outputs: int,
        *,
        size: Sequence[int] = (28, 28),
        patch: int = 4,
        width: int = 64,
        depth: int = 4,
        num_heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_counts(self, in_channels=in_channels, num_outputs=num_outputs, patch=patch)
        check_counts(self, width=width, depth=depth, num_heads=num_heads)
        check_lists(self, length=2, size=size)
        if size[0] % patch or size[1] % patch:
            raise TaskError(
                f"Pictures of {size[0]}×{size[1]} pixels can't be cut into patches of {patch}.",
                fix=f"choose a patch that divides both, or resize to multiples of {patch}",
            )
        if width % num_heads:
            raise TaskError(
                f"A width of {width} can't be shared by {num_heads} heads.",
                fix=f"give width={num_heads * -(-width // num_heads)}, or fewer heads",
            )
        self.arguments: dict[str, Any] = {
            "in_channels": in_channels,
            "num_outputs": num_outputs,
            "size": list(size),
            "patch": patch,
            "width": width,
            "depth": depth,
            "num_heads": num_heads,
            "dropout": dropout,
        }
        self.embed = PatchEmbedding(in_channels, size, patch, width)
        self.body = nn.Sequential(*(EncoderBlock(width, num_heads, dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, num_outputs)

    @classmethod
    def preset(
        cls,
        name: str,
        in_channels: int,
        num_outputs: int,
        *,
        size: Sequence[int] = (224, 224),
        patch: int = 16,
    ) -> "ViT":
        """``"tiny"``, ``"small"`` or ``"base"``, by default for pictures of 224 × 224 pixels.

        Raises:
            TaskError: there is no such name, or the patch does not divide the size.
        """
        return cls(in_channels, num_outputs, size=size, patch=patch, **choose(name, PRESETS))

    def groups(self) -> list[nn.Module]:
        """Embedding, each block, last normalisation with the head."""
        return [self.embed, *self.body, nn.Sequential(self.norm, self.head)]

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch num_outputs"]:
        """Logits.

        Raises:
            TaskError: the pictures have other channels or another size than it was built for.
        """
        check_pictures(self, x, self.arguments["in_channels"])
        if list(x.shape[2:]) != self.arguments["size"]:
            raise TaskError(
                f"ViT got pictures of {tuple(x.shape[2:])} pixels; it has places for "
                f"{tuple(self.arguments['size'])}.",
                fix=f"resize the pictures, or build it with size={tuple(x.shape[2:])}",
            )
        tokens = self.norm(self.body(self.embed(x)))  # (B, 1 + patches, width)
        return self.head(tokens[:, 0])
