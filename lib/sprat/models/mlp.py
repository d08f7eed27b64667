"""A multilayer perceptron: linear layers with a nonlinearity between them.

The oldest network that learns its own features; Rumelhart, Hinton and Williams, "Learning
representations by back-propagating errors" (1986).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import nn

from sprat.models.sizes import check_counts, check_lists
from sprat.shapes import Float, Shaped, Tensor


class MLP(nn.Module):
    """Linear, ReLU, linear, ReLU, … linear. Inputs of any shape are flattened first.

    Args:
        num_inputs: numbers a sample, after flattening.
        num_outputs: numbers that come out.
        num_hiddens: the width of each hidden layer.

    Raises:
        TaskError: a size is no whole number of at least one.
    """

    def __init__(
        self, num_inputs: int, num_outputs: int, num_hiddens: Sequence[int] = (64,)
    ) -> None:
        super().__init__()
        check_counts(self, num_inputs=num_inputs, num_outputs=num_outputs)
        if not isinstance(num_hiddens, (list, tuple)) or num_hiddens:  # none is a linear model
            check_lists(self, num_hiddens=num_hiddens)
        self.arguments: dict[str, Any] = {
            "num_inputs": num_inputs,
            "num_outputs": num_outputs,
            "num_hiddens": list(num_hiddens),
        }
        widths = [num_inputs, *num_hiddens]
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], num_outputs))

    def forward(self, x: Shaped[Tensor, "batch *shape"]) -> Float[Tensor, "batch num_outputs"]:
        """Outputs, with nothing applied to them (logits, for a classifier)."""
        return self.layers(x)
