"""A GPT: a transformer that reads a text from left to right and says what comes next.

Each block lets every token look back at all tokens before it (causal self-attention) and then
thinks about each token alone (a perceptron); both add to what was there. The normalisation stands
before each of the two, as in GPT-2. Vaswani et al., "Attention Is All You Need" (2017); Radford et
al., "Language Models are Unsupervised Multitask Learners" (2019).

Reading a text that grows by one token, the keys and values of all earlier tokens are the same as
before. `GPT.extend` keeps them (the KV cache), so that the next token costs one step.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.models.language import look_up
from sprat.shapes import Float, Int, Tensor

Cache = list[tuple[Tensor, Tensor]]
"""For each block the keys and the values of all tokens so far, both (B, heads, T, head_dim)."""


class CausalAttention(nn.Module):
    """Each token gathers from itself and from the tokens before it.

    Args:
        width: numbers a token.
        num_heads: independent ways to look back; each has ``width / num_heads`` numbers.
        dropout: share of attention weights, and of outputs, that training leaves out.
    """

    def __init__(self, width: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        past: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Float[Tensor, "batch length width"], tuple[Tensor, Tensor]]:
        """What each token gathers, and keys and values of all tokens so far."""
        B, L, W = x.shape
        q, k, v = (
            part.view(B, L, self.num_heads, -1).transpose(1, 2)  # (B, heads, L, head_dim)
            for part in self.qkv(x).chunk(3, -1)
        )
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        y = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=None if past is None or L == 1 else look_back(L, k.shape[2], x.device),
            is_causal=past is None,
            dropout_p=self.dropout if self.training else 0.0,
        )
        y = self.out(y.transpose(1, 2).reshape(B, L, W))
        return F.dropout(y, self.dropout, self.training), (k, v)


def look_back(new: int, total: int, device: torch.device) -> Tensor:
    """Which of `total` tokens each of the `new` last ones may see: bool (new, total)."""
    ones = torch.ones(new, total, dtype=torch.bool, device=device)
    return ones.tril(total - new)


class Block(nn.Module):
    """Attention, then a perceptron four times as wide inside; each is added to what came in."""

    def __init__(self, width: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = CausalAttention(width, num_heads, dropout)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU("tanh"),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        past: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Float[Tensor, "batch length width"], tuple[Tensor, Tensor]]:
        """The tokens after this block, and their keys and values."""
        h, present = self.attention(self.norm1(x), past)
        x = x + h
        return x + self.mlp(self.norm2(x)), present


class GPT(nn.Module):
    """Token and position embeddings, blocks, a norm, and the token embedding again to read out.

    With ``GPT(50_257, context=1024, width=768, num_layers=12, num_heads=12)`` it is the smallest
    GPT-2: 124,439,808 weights.

    Args:
        vocab_size: how many tokens there are.
        context: the longest text in tokens.
        width: numbers a token; a multiple of `num_heads`.
        num_layers: blocks.
        num_heads: heads of each attention.
        dropout: share left out in training, after embeddings, attention and perceptrons.

    Raises:
        TaskError: `width` is no multiple of `num_heads`.
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        context: int = 128,
        width: int = 128,
        num_layers: int = 4,
        num_heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width % num_heads:
            raise TaskError(
                f"A width of {width} can't be shared among {num_heads} heads.",
                fix=f"use width={num_heads * max(1, width // num_heads)}, or other num_heads",
            )
        self.arguments: dict[str, Any] = {
            "vocab_size": vocab_size,
            "context": context,
            "width": width,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "dropout": dropout,
        }
        self.context = context
        self.embedding = nn.Embedding(vocab_size, width)
        self.position = nn.Embedding(context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, num_heads, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width)
        self._initialise()

    def _initialise(self) -> None:
        # GPT-2's: small everywhere, and smaller still where 2 · num_layers branches are summed.
        for name, p in self.named_parameters():
            if p.ndim == 2:
                summed = name.endswith(("attention.out.weight", "mlp.2.weight"))
                nn.init.normal_(p, std=0.02 / (2 * len(self.blocks)) ** 0.5 if summed else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, x: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length vocab"]:
        """Logits of the token after each token.

        Raises:
            TaskError: the text is longer than the context, or `x` holds no token ids.
        """
        return self.extend(x)[0]

    def extend(
        self, x: Int[Tensor, "batch length"], state: Cache | None = None
    ) -> tuple[Float[Tensor, "batch length vocab"], Cache]:
        """Logits for tokens that follow those in `state`, and the state with them added.

        Raises:
            TaskError: the text is longer than the context, or `x` holds no token ids.
        """
        h, cache = self._hidden(x, state)
        return F.linear(h, self.embedding.weight), cache

    def features(self, x: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length width"]:
        """What the last block knows of each token, for a head of your own.

        Raises:
            TaskError: the text is longer than the context, or `x` holds no token ids.
        """
        return self._hidden(x, None)[0]

    def _hidden(self, x: Tensor, state: Cache | None) -> tuple[Tensor, Cache]:
        embedded = look_up(self.embedding.weight, x)
        start = 0 if not state else state[0][0].shape[2]
        if start + x.shape[1] > self.context:
            raise TaskError(
                f"A text of {start + x.shape[1]} tokens; this GPT sees {self.context}.",
                fix="shorten it, or build the GPT with a larger context=",
            )
        places = torch.arange(start, start + x.shape[1], device=x.device)
        h = self.dropout(embedded + self.position(places))  # (B, L, width)
        cache: Cache = []
        for i, block in enumerate(self.blocks):
            h, present = block(h, state[i] if state else None)
            cache.append(present)
        return self.norm(h), cache

    def groups(self) -> list[nn.Module]:
        """Parts for rates that differ, from the text's end on: embeddings, then each block.

        The embedding reads out too, so the last block is what is nearest to a head; the last norm
        goes with it.
        """
        last = nn.ModuleList([*self.blocks[-1:], self.norm])
        return [nn.ModuleList([self.embedding, self.position]), *self.blocks[:-1], last]
