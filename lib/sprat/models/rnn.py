"""A recurrent language model: one state that walks along the text and is changed by every token.

The cell is Elman's (1990), the LSTM (Hochreiter and Schmidhuber, 1997) or the GRU (Cho et al.,
2014). How such a net is kept from learning its text by heart is Merity, Keskar and Socher,
"Regularizing and Optimizing LSTM Language Models" (2018), the AWD-LSTM:

- *weight drop*: whole connections from state to state are left out, the same at every time;
- *variational dropout*: what is left out of a text's activations is the same at every time;
- *embedding dropout*: whole words are left out;
- *AR and TAR*: large activations cost, and so do activations that jump (`activation_penalty`);
- *tied weights*: the embedding is also what reads out (Press and Wolf, 2017).
"""

import math
import warnings
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.models.language import look_up
from sprat.shapes import Float, Int, Tensor

State = list[tuple[Tensor, ...]]
"""For each layer the hidden state (1, B, H), and for an LSTM the cell state (1, B, H) beside it."""

_GATES = {"rnn": 1, "gru": 3, "lstm": 4}


class Recurrent(nn.Module):
    """One layer that walks along a text; its weights are those of `nn.RNN`, `nn.GRU`, `nn.LSTM`.

    Args:
        num_inputs: numbers a token that come in.
        num_hiddens: numbers in the state.
        cell: ``"rnn"`` (with tanh), ``"gru"`` or ``"lstm"``.
        weight_drop: share of the connections from state to state that training leaves out.
    """

    def __init__(
        self, num_inputs: int, num_hiddens: int, cell: str = "lstm", weight_drop: float = 0.0
    ) -> None:
        super().__init__()
        self.cell, self.num_hiddens, self.weight_drop = cell, num_hiddens, weight_drop
        rows = _GATES[cell] * num_hiddens
        self.weight_ih = nn.Parameter(torch.empty(rows, num_inputs))
        self.weight_hh = nn.Parameter(torch.empty(rows, num_hiddens))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.bias_hh = nn.Parameter(torch.empty(rows))
        for p in self.parameters():  # as torch's own layers begin
            nn.init.uniform_(p, -1 / math.sqrt(num_hiddens), 1 / math.sqrt(num_hiddens))

    def forward(
        self, x: Float[Tensor, "batch length num_inputs"], state: tuple[Tensor, ...] | None = None
    ) -> tuple[Float[Tensor, "batch length num_hiddens"], tuple[Tensor, ...]]:
        """The state after every token, and what to go on from. A `state` of None is zeros."""
        if state is None:
            zeros = x.new_zeros(1, x.shape[0], self.num_hiddens)
            state = (zeros, zeros) if self.cell == "lstm" else (zeros,)
        across = F.dropout(self.weight_hh, self.weight_drop, self.training)
        weights = [self.weight_ih, across, self.bias_ih, self.bias_hh]
        # With biases, 1 layer, no dropout of torch's, one direction, batch first.
        rest = (True, 1, 0.0, self.training, False, True)
        with warnings.catch_warnings():
            # cuDNN would rather have all weights in one piece; what weight drop made can't be.
            warnings.filterwarnings("ignore", "RNN module weights are not part of single")
            if self.cell == "lstm":
                y, h, c = torch.lstm(x, state, weights, *rest)
                return y, (h, c)
            run = torch.gru if self.cell == "gru" else torch.rnn_tanh
            y, h = run(x, state[0], weights, *rest)
        return y, (h,)


def variational_dropout(
    x: Float[Tensor, "batch length width"], p: float, training: bool
) -> Float[Tensor, "batch length width"]:
    """Leave out the same share `p` of a text's channels at every time, and scale up the rest."""
    if not training or p == 0:
        return x
    return x * F.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), p)


def activation_penalty(
    raw: Float[Tensor, "batch length width"],
    dropped: Float[Tensor, "batch length width"],
    *,
    alpha: float = 2.0,
    beta: float = 1.0,
) -> Float[Tensor, ""]:
    """What AR and TAR add to the loss: α · mean(dropped²) + β · mean((rawₜ₊₁ − rawₜ)²).

    Args:
        raw: the last layer's activations before dropout, from `RNNLM.hidden`.
        dropped: and after.
        alpha: weight of the activations' size, 2 in the paper.
        beta: weight of their change from one token to the next, 1 in the paper.
    """
    penalty = alpha * dropped.square().mean()
    if raw.shape[1] > 1:  # a text of one token has no change; its mean would be 0/0
        penalty = penalty + beta * (raw[:, 1:] - raw[:, :-1]).square().mean()
    return penalty


class RNNLM(nn.Module):
    """Embedding, recurrent layers with dropout between them, and a linear layer to read out.

    With ``RNNLM(10_000, **RNNLM.AWD)`` it is the AWD-LSTM of the paper: 24,221,600 weights.

    Args:
        vocab_size: how many tokens there are.
        cell: ``"rnn"``, ``"gru"`` or ``"lstm"``.
        width: numbers a token in the embedding.
        num_hiddens: numbers in each layer's state; with `tied` the last layer has `width`.
        num_layers: recurrent layers.
        tied: read out by the embedding's own matrix.
        embedding_drop: share of the vocabulary that training leaves out.
        input_drop: share of the embedded text's channels.
        hidden_drop: share of the channels between layers.
        output_drop: share of the last layer's channels.
        weight_drop: share of the connections from state to state.

    Raises:
        TaskError: the cell is unknown, or a share is not in 0…1.
    """

    AWD: dict[str, Any] = {  # noqa: RUF012 - read only
        "width": 400,
        "num_hiddens": 1150,
        "num_layers": 3,
        "embedding_drop": 0.1,
        "input_drop": 0.4,
        "hidden_drop": 0.25,
        "output_drop": 0.4,
        "weight_drop": 0.5,
    }
    """The sizes and shares of the AWD-LSTM on Penn Treebank."""

    def __init__(
        self,
        vocab_size: int,
        *,
        cell: str = "lstm",
        width: int = 128,
        num_hiddens: int = 256,
        num_layers: int = 2,
        tied: bool = True,
        embedding_drop: float = 0.0,
        input_drop: float = 0.0,
        hidden_drop: float = 0.0,
        output_drop: float = 0.0,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__()
        drops = {
            "embedding_drop": embedding_drop,
            "input_drop": input_drop,
            "hidden_drop": hidden_drop,
            "output_drop": output_drop,
            "weight_drop": weight_drop,
        }
        _check(cell, num_layers, drops)
        self.arguments: dict[str, Any] = {
            "vocab_size": vocab_size,
            "cell": cell,
            "width": width,
            "num_hiddens": num_hiddens,
            "num_layers": num_layers,
            "tied": tied,
            **drops,
        }
        self.drops = drops
        self.embedding = nn.Embedding(vocab_size, width)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)  # the paper's, and tied weights need it
        widths = [width, *[num_hiddens] * (num_layers - 1), width if tied else num_hiddens]
        self.layers = nn.ModuleList(
            Recurrent(before, after, cell, weight_drop) for before, after in pairwise(widths)
        )
        # With tied weights only a bias is new: one tensor under two names could not be saved.
        self.head = None if tied else nn.Linear(widths[-1], vocab_size)
        self.bias = nn.Parameter(torch.zeros(vocab_size)) if tied else None

    def forward(self, x: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length vocab"]:
        """Logits of the token after each token; the text begins with an empty state.

        Raises:
            TaskError: `x` holds no token ids.
        """
        return self.extend(x)[0]

    def extend(
        self, x: Int[Tensor, "batch length"], state: State | None = None
    ) -> tuple[Float[Tensor, "batch length vocab"], State]:
        """Logits for tokens that follow those that `state` has seen, and the state after them.

        To learn from long texts piece by piece, hand on the state with its gradients cut:
        ``[tuple(s.detach() for s in layer) for layer in state]``.

        Raises:
            TaskError: `x` holds no token ids.
        """
        _, dropped, state = self.hidden(x, state)
        return self.read_out(dropped), state

    def read_out(
        self, h: Float[Tensor, "batch length width"]
    ) -> Float[Tensor, "batch length vocab"]:
        """Logits from the last layer's activations."""
        if self.head is not None:
            return self.head(h)
        return F.linear(h, self.embedding.weight, self.bias)

    def hidden(
        self, x: Int[Tensor, "batch length"], state: State | None = None
    ) -> tuple[Float[Tensor, "batch length width"], Float[Tensor, "batch length width"], State]:
        """The last layer's activations before and after dropout, for AR and TAR, and the state.

        Raises:
            TaskError: `x` holds no token ids.
        """
        weight = self.embedding.weight
        if self.training:
            words = weight.new_ones(len(weight), 1)
            weight = weight * F.dropout(words, self.drops["embedding_drop"])
        h = variational_dropout(look_up(weight, x), self.drops["input_drop"], self.training)
        after: State = []
        raw = h
        for i, layer in enumerate(self.layers):
            raw, new = layer(h, state[i] if state else None)
            after.append(new)
            last = i == len(self.layers) - 1
            share = self.drops["output_drop" if last else "hidden_drop"]
            h = variational_dropout(raw, share, self.training)
        return raw, h, after

    def features(self, x: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length width"]:
        """What the last layer knows at each token, for a head of your own.

        Raises:
            TaskError: `x` holds no token ids.
        """
        return self.hidden(x)[1]

    def groups(self) -> list[nn.Module]:
        """Parts for rates that differ, from the text's end on: embedding, each layer, the head.

        With tied weights the embedding is the head; its bias goes with the last layer.
        """
        last = nn.ModuleList([self.layers[-1]])
        if self.bias is not None:
            last.register_parameter("bias", self.bias)
        parts = [self.embedding, *self.layers[:-1], last]
        return parts if self.head is None else [*parts, self.head]


def _check(cell: str, num_layers: int, drops: dict[str, float]) -> None:
    if cell not in _GATES or num_layers < 1:
        raise TaskError(
            f"RNNLM got cell={cell!r} and num_layers={num_layers}.",
            fix=f"use one of {', '.join(_GATES)}, and at least 1 layer",
        )
    for name, share in drops.items():
        if not 0 <= share < 1:
            raise TaskError(
                f"RNNLM got {name}={share}; a share that is left out was expected.",
                fix="use a number from 0 to below 1",
            )
