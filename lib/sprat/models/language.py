"""What the language models share: tokens are looked up, logits come out, text is drawn from them.

A language model gives a logit to every token that could come next. Temperature divides the logits
before the softmax; top-k keeps the k likeliest tokens; the nucleus (top-p) keeps the smallest set
of likeliest tokens whose probabilities reach p (Holtzman, Buys, Du, Forbes and Choi, "The Curious
Case of Neural Text Degeneration", 2020). `generate` works with every model that has `extend`:
`RNNLM`, `GPT` and `SmolLM2`.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.shapes import Bool, Float, Int, Tensor


@runtime_checkable
class LanguageModel(Protocol):
    """What `generate` asks of a model."""

    def extend(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits (B, L, V) of tokens (B, L) that follow what `state` has seen, and the new state.

        Args:
            x: the tokens, int64.
            state: what an earlier call returned; None at the beginning of a text.
        """
        ...


def sharpen(
    logits: Float[Tensor, "batch vocab"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[Tensor, "batch vocab"]:
    """The probabilities to draw from, after temperature, then top-k, then the nucleus.

    Args:
        logits: of the next token.
        temperature: below 1 makes likely tokens likelier; 0 leaves only the likeliest one.
        top_k: keep at most this many tokens; None keeps all.
        top_p: keep the smallest set whose probabilities sum to at least this; None keeps all.

    Returns:
        Probabilities, each row sums to 1.

    Raises:
        TaskError: an argument is outside its range.
    """
    _check(temperature, top_k, top_p)
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)
    # From the largest down: so none overflows, however small the temperature is.
    tiny = torch.finfo(logits.dtype).tiny
    logits = (logits - logits.amax(-1, keepdim=True)) / max(temperature, tiny)
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    keep = torch.ones_like(ordered, dtype=torch.bool)
    if top_k is not None:
        keep[:, top_k:] = False
    if top_p is not None:
        p = ordered.masked_fill(~keep, -torch.inf).softmax(-1)
        # A token stays if those before it fall short of top_p, so the first one always stays.
        keep &= p.cumsum(-1) - p < top_p
    dropped: Bool[Tensor, "batch vocab"] = torch.empty_like(keep).scatter_(-1, order, ~keep)
    return logits.masked_fill(dropped, -torch.inf).softmax(-1)


@torch.no_grad()
def generate(
    model: LanguageModel,
    prompt: Int[Tensor, "batch prompt"],
    count: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: int | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch length"]:
    """Continue each prompt by `count` tokens, each drawn given all before it.

    What the model has seen is kept in its state (a cache of keys and values, or a hidden state),
    so a new token costs one step and not one pass over the whole text.

    Args:
        model: a language model, best in evaluation mode.
        prompt: token ids, at least one for each text, all texts of the same length.
        count: how many tokens to add.
        temperature: see `sharpen`; 0 takes the likeliest token every time.
        top_k: see `sharpen`.
        top_p: see `sharpen`.
        stop: a token that ends a text; what follows it is filled with the same token, and drawing
            ends when every text has ended.
        generator: where chance comes from, on the model's device; torch's own by default.

    Returns:
        The prompts and what follows, (batch, prompt + at most `count`).

    Raises:
        TaskError: the prompt is empty, `count` is negative, or an argument is out of range.
    """
    _check(temperature, top_k, top_p)
    if prompt.shape[1] == 0 or count < 0:
        raise TaskError(
            f"generate got a prompt of {prompt.shape[1]} tokens and count={count}.",
            fix="give at least one token to begin with, and a count of 0 or more",
        )
    pieces, new, state = [prompt], prompt, None
    ended = torch.zeros(len(prompt), 1, dtype=torch.bool, device=prompt.device)
    for _ in range(count):
        logits, state = model.extend(new, state)
        p = sharpen(logits[:, -1].float(), temperature=temperature, top_k=top_k, top_p=top_p)
        new = torch.multinomial(p, 1, generator=generator)  # (B, 1)
        if stop is not None:
            new = torch.where(ended, stop, new)
            ended = ended | (new == stop)
        pieces.append(new)
        if stop is not None and bool(ended.all()):
            break
    return torch.cat(pieces, 1)


def look_up(weight: Tensor, x: Tensor) -> Tensor:
    """The rows of an embedding matrix, and words where `F.embedding` has an index error.

    Args:
        weight: (V, width).
        x: token ids, int64 (B, L).

    Returns:
        (B, L, width).

    Raises:
        TaskError: `x` has another shape or dtype, or, on a CPU, an id outside the vocabulary.
    """
    if x.ndim != 2 or x.dtype not in (torch.int64, torch.int32) or x.shape[1] == 0:
        raise TaskError(
            f"The model got {str(x.dtype).removeprefix('torch.')} {tuple(x.shape)}; token ids, "
            "int64 (batch, length), were expected.",
            fix="encode the text first, and give it a batch axis: ids[None]",
        )
    try:
        return F.embedding(x, weight)
    except IndexError:  # looking at the ids before would make a GPU wait
        raise TaskError(
            f"Token ids reach from {int(x.min())} to {int(x.max())}; the vocabulary has "
            f"0…{len(weight) - 1}.",
            fix="use the tokenizer that the model was made for",
        ) from None


def _check(temperature: float, top_k: int | None, top_p: float | None) -> None:
    few = top_k is not None and not (isinstance(top_k, int) and top_k >= 1)
    if not temperature >= 0 or few or (top_p is not None and not 0 < top_p <= 1):
        raise TaskError(
            f"Sampling got temperature={temperature}, top_k={top_k} and top_p={top_p}.",
            fix="use temperature ≥ 0, top_k ≥ 1 and 0 < top_p ≤ 1, or None to switch one off",
        )
