"""SmolLM2, a small language model that was trained on two trillion tokens, to be read and run.

Allal et al., "SmolLM2: When Smol Goes Big" (2025). Its architecture is Llama's (Touvron et al.,
2023): the `GPT` of this library with four changes. Positions are not added but turn queries and
keys by an angle (RoPE, Su et al., 2021); several heads share keys and values (GQA, Ainslie et al.,
2023); the norm divides by the root mean square only (RMSNorm, Zhang and Sennrich, 2019); and the
perceptron multiplies two branches (SwiGLU, Shazeer, 2020). No layer has biases.

    model, tokenizer = sprat.models.SmolLM2.load(sprat.datasets.weights("smollm2"))
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import DataError, TaskError
from sprat.models.gpt import Cache, look_back
from sprat.models.language import look_up
from sprat.shapes import Float, Int, Tensor

if TYPE_CHECKING:
    from sprat.models.smollm2_tokenizer import SmolLM2Tokenizer


class RMSNorm(nn.Module):
    """x / √(mean(x²) + ε) · weight, over the last axis."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Of unit size, then scaled channel by channel."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def rotate(
    x: Float[Tensor, "batch heads length head_dim"], start: int, base: float
) -> Float[Tensor, "batch heads length head_dim"]:
    """RoPE: turn the pair (x₂ᵢ, x₂ᵢ₊₁) of the token at position p by the angle p · base^(−2i/d).

    The product of a query and a key then depends on how far apart they are, not on where.

    Args:
        x: queries or keys; pairs stand side by side, as they do in GGUF files.
        start: the position of the first token.
        base: the longest wave is about 2π · base tokens.
    """
    length, dim = x.shape[-2:]
    places = torch.arange(start, start + length, device=x.device, dtype=torch.float32)
    speed = base ** (-torch.arange(0, dim, 2, device=x.device, dtype=torch.float32) / dim)
    angle = places[:, None] * speed  # (L, head_dim / 2)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class GroupedAttention(nn.Module):
    """Causal attention in which several heads of queries share one of keys and values."""

    def __init__(self, width: int, num_heads: int, num_kv_heads: int, base: float) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads, self.base = num_heads, num_kv_heads, base
        shared = num_kv_heads * (width // num_heads)
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, shared, bias=False)
        self.v = nn.Linear(width, shared, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        past: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Float[Tensor, "batch length width"], tuple[Tensor, Tensor]]:
        """What each token gathers, and the turned keys and the values of all tokens so far."""
        B, L, W = x.shape
        start = 0 if past is None else past[0].shape[2]
        q = self.q(x).view(B, L, self.num_heads, -1).transpose(1, 2)
        k, v = (
            part(x).view(B, L, self.num_kv_heads, -1).transpose(1, 2) for part in (self.k, self.v)
        )
        q, k = rotate(q, start, self.base), rotate(k, start, self.base)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        alone = past is None or L == 1
        y = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=None if alone else look_back(L, k.shape[2], x.device),
            is_causal=past is None,
            enable_gqa=True,
        )
        return self.out(y.transpose(1, 2).reshape(B, L, W)), (k, v)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) · up(x))."""

    def __init__(self, width: int, num_hiddens: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, num_hiddens, bias=False)
        self.up = nn.Linear(width, num_hiddens, bias=False)
        self.down = nn.Linear(num_hiddens, width, bias=False)

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """One branch opens and closes the other."""
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Layer(nn.Module):
    """Attention, then the perceptron, each after a norm and added to what came in."""

    def __init__(
        self, width: int, num_hiddens: int, heads: tuple[int, int], base: float, eps: float
    ) -> None:
        super().__init__()
        self.norm1 = RMSNorm(width, eps)
        self.attention = GroupedAttention(width, *heads, base)
        self.norm2 = RMSNorm(width, eps)
        self.mlp = SwiGLU(width, num_hiddens)

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        past: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Float[Tensor, "batch length width"], tuple[Tensor, Tensor]]:
        """The tokens after this layer, and their keys and values."""
        h, present = self.attention(self.norm1(x), past)
        x = x + h
        return x + self.mlp(self.norm2(x)), present


# Our names → those of a GGUF file, within a layer ``blk.N.``.
_NAMES = {
    "norm1": "attn_norm",
    "attention.q": "attn_q",
    "attention.k": "attn_k",
    "attention.v": "attn_v",
    "attention.out": "attn_output",
    "norm2": "ffn_norm",
    "mlp.gate": "ffn_gate",
    "mlp.up": "ffn_up",
    "mlp.down": "ffn_down",
}


class SmolLM2(nn.Module):
    """The model; by default of the sizes of SmolLM2-135M: 134,515,008 weights.

    Args:
        vocab_size: how many tokens there are.
        context: the longest text in tokens.
        width: numbers a token.
        num_hiddens: width inside the perceptrons.
        num_layers: layers.
        num_heads: heads of queries; divides `width` into even parts.
        num_kv_heads: heads of keys and values; divides `num_heads`.
        base: see `rotate`.
        eps: see `RMSNorm`.

    Raises:
        TaskError: the heads don't divide as they must.
    """

    def __init__(
        self,
        vocab_size: int = 49_152,
        *,
        context: int = 8192,
        width: int = 576,
        num_hiddens: int = 1536,
        num_layers: int = 30,
        num_heads: int = 9,
        num_kv_heads: int = 3,
        base: float = 100_000.0,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        if width % (2 * num_heads) or num_heads % num_kv_heads:
            raise TaskError(
                f"A width of {width} with {num_heads} heads, of which {num_kv_heads} for keys and "
                "values, doesn't divide.",
                fix="make width a multiple of 2 · num_heads, and num_heads one of num_kv_heads",
            )
        self.arguments: dict[str, Any] = {
            "vocab_size": vocab_size,
            "context": context,
            "width": width,
            "num_hiddens": num_hiddens,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "num_kv_heads": num_kv_heads,
            "base": base,
            "eps": eps,
        }
        self.context = context
        self.embedding = nn.Embedding(vocab_size, width)
        self.layers = nn.ModuleList(
            Layer(width, num_hiddens, (num_heads, num_kv_heads), base, eps)
            for _ in range(num_layers)
        )
        self.norm = RMSNorm(width, eps)

    @classmethod
    def load(cls, path: str | Path) -> tuple[Self, "SmolLM2Tokenizer"]:
        """The model and its tokenizer from a GGUF file, in evaluation mode.

        The weights are dequantised to float32: 135 million take 540 MB.

        Args:
            path: of a file such as ``SmolLM2-135M-Instruct.Q4_1.gguf``.

        Raises:
            DataError: the file can't be read, holds another architecture, or tensors are missing
                or of other shapes than its metadata says.
        """
        from sprat.models.gguf import GGUF
        from sprat.models.smollm2_tokenizer import SmolLM2Tokenizer

        file = GGUF(path)
        with torch.device("meta"):  # so that no memory is filled twice
            model = cls(**_arguments(file.metadata))
        names = {"embedding.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
        for i in range(len(model.layers)):
            for ours, theirs in _NAMES.items():
                names[f"layers.{i}.{ours}.weight"] = f"blk.{i}.{theirs}.weight"
        if unknown := file.stored.keys() - set(names.values()):
            raise DataError(
                f"{file.path} has tensors that SmolLM2 has no place for: {sorted(unknown)[:3]}.",
                fix="use the GGUF of a SmolLM2 model",
            )
        weights = {ours: file.tensor(theirs) for ours, theirs in names.items()}
        try:
            model.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            raise DataError(
                f"The tensors of {file.path} are not as its metadata says: "
                f"{str(error).splitlines()[-1].strip()}",
                fix="fetch the file again",
            ) from None
        return model.eval(), SmolLM2Tokenizer.of(file.metadata)

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
        h = look_up(self.embedding.weight, x)  # (B, L, width)
        seen = x.shape[1] + (state[0][0].shape[2] if state else 0)
        if seen > self.context:
            raise TaskError(
                f"A text of {seen} tokens; this model sees {self.context}.", fix="shorten it"
            )
        cache: Cache = []
        for i, layer in enumerate(self.layers):
            h, present = layer(h, state[i] if state else None)
            cache.append(present)
        return F.linear(self.norm(h), self.embedding.weight), cache

    def groups(self) -> list[nn.Module]:
        """Parts for rates that differ, from the text's end on: embedding, then each layer.

        The last norm goes with the last layer, as in `GPT.groups`.
        """
        return [self.embedding, *self.layers[:-1], nn.ModuleList([*self.layers[-1:], self.norm])]


def _arguments(metadata: dict[str, Any]) -> dict[str, Any]:
    """What builds the model that a file's metadata describes."""
    if metadata.get("general.architecture") != "llama":
        raise DataError(
            f"The file holds a model of the architecture {metadata.get('general.architecture')!r}; "
            "'llama', which SmolLM2 is built as, was expected.",
            fix="use the GGUF of a SmolLM2 model",
        )
    keys = {
        "vocab_size": "vocab_size",
        "context": "context_length",
        "width": "embedding_length",
        "num_hiddens": "feed_forward_length",
        "num_layers": "block_count",
        "num_heads": "attention.head_count",
        "num_kv_heads": "attention.head_count_kv",
        "base": "rope.freq_base",
        "eps": "attention.layer_norm_rms_epsilon",
    }
    if lacks := [f"llama.{key}" for key in keys.values() if f"llama.{key}" not in metadata]:
        raise DataError(f"The file lacks {', '.join(lacks)}.", fix="fetch it again")
    return {ours: metadata[f"llama.{key}"] for ours, key in keys.items()}
