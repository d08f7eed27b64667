"""Networks on graphs: what a node knows spreads along the edges. Two designs.

`GCN` takes from each neighbour its own vector, weighted by nothing but the graph: the normalised
Laplacian's form. Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional
Networks" (2017), equation 2.

`MPNN` computes a message for every edge from both ends and from the edge itself, lets a gate open
or close it, and lets the receiver remember or forget as a GRU does. Gilmer et al., "Neural Message
Passing for Quantum Chemistry" (2017); the gates are those of Bresson and Laurent, "Residual Gated
Graph ConvNets" (2017).

Neither knows in which order nodes are listed, and graphs of one batch never meet. The input is a
`sprat.graphs.GraphBatch`: ``nodes`` (N, F), ``edges`` (2, E) from source to target,
``edge_features`` (E, D) or None, ``graph`` (N,) and ``count``.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sprat.errors import TaskError
from sprat.graphs import GraphBatch
from sprat.shapes import Float, Int, Tensor


def _gather(
    values: Float[Tensor, "rows width"], to: Int[Tensor, " rows"], count: int
) -> Float[Tensor, "count width"]:
    """Add each row to the place that `to` names; places that get none are 0."""
    return values.new_zeros(count, values.shape[1]).index_add(0, to, values)


class GraphConvolution(nn.Module):
    """D^(−1/2) (A + I) D^(−1/2) X W + b, where D counts each node's edges, itself included.

    Args:
        num_inputs: numbers a node that come in.
        num_outputs: numbers a node that go out.
    """

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_inputs, num_outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(num_outputs))

    def forward(
        self,
        x: Float[Tensor, "nodes num_inputs"],
        edges: Int[Tensor, "2 edges"],
    ) -> Float[Tensor, "nodes num_outputs"]:
        """What each node has after one exchange with its neighbours."""
        source, target = edges
        ones = x.new_ones(edges.shape[1], 1)
        degree = _gather(ones, target, len(x)) + 1  # (N, 1)
        scale = degree.rsqrt()
        h = self.linear(x) * scale
        return (_gather(h[source], target, len(x)) + h) * scale + self.bias


class GCN(nn.Module):
    """Graph convolutions with ReLU between them, the mean or sum over a graph, a linear layer.

    Args:
        num_features: numbers a node.
        num_outputs: numbers a graph that come out.
        width: numbers a node inside.
        num_layers: convolutions, and so how many edges far a node sees.
        readout: ``"mean"`` for what doesn't grow with a graph, ``"sum"`` for what does.

    Raises:
        TaskError: the readout is unknown.
    """

    def __init__(
        self,
        num_features: int,
        num_outputs: int,
        *,
        width: int = 64,
        num_layers: int = 3,
        readout: str = "mean",
    ) -> None:
        super().__init__()
        _check_readout(readout)
        self.arguments: dict[str, Any] = {
            "num_features": num_features,
            "num_outputs": num_outputs,
            "width": width,
            "num_layers": num_layers,
            "readout": readout,
        }
        self.num_features, self.readout = num_features, readout
        self.layers = nn.ModuleList(
            GraphConvolution(num_features if i == 0 else width, width) for i in range(num_layers)
        )
        self.head = nn.Linear(width if num_layers else num_features, num_outputs)

    def forward(self, x: GraphBatch) -> Float[Tensor, "graphs num_outputs"]:
        """Outputs of each graph, with nothing applied to them.

        Raises:
            TaskError: nodes have another number of features.
        """
        return self.head(read_graphs(self.node_features(x), x, self.readout))

    def node_features(self, x: GraphBatch) -> Float[Tensor, "nodes width"]:
        """What is known of each node after the last convolution.

        Raises:
            TaskError: nodes have another number of features.
        """
        _check_features(x, self.num_features, None)
        h = x.nodes
        for layer in self.layers:
            h = F.relu(layer(h, x.edges))
        return h

    def groups(self) -> list[nn.Module]:
        """Parts for rates that differ: each convolution, then the head."""
        return [*self.layers, self.head]


class GatedMessages(nn.Module):
    """One exchange: messages along the edges, gates, their sum, and a GRU at each node.

    Args:
        width: numbers a node.
        num_edge_features: numbers an edge; 0 for edges that only connect.
    """

    def __init__(self, width: int, num_edge_features: int) -> None:
        super().__init__()
        num_inputs = 2 * width + num_edge_features
        self.message = nn.Sequential(
            nn.Linear(num_inputs, width), nn.ReLU(), nn.Linear(width, width)
        )
        self.gate = nn.Linear(num_inputs, width)
        self.update = nn.GRUCell(width, width)

    def forward(
        self,
        h: Float[Tensor, "nodes width"],
        edges: Int[Tensor, "2 edges"],
        edge_features: Float[Tensor, "edges features"] | None,
    ) -> Float[Tensor, "nodes width"]:
        """What each node knows after it has heard from its neighbours."""
        source, target = edges
        ends = [h[source], h[target]]
        if edge_features is not None:
            ends.append(edge_features)
        both = torch.cat(ends, 1)  # (E, 2 · width + D)
        heard = _gather(self.gate(both).sigmoid() * self.message(both), target, len(h))
        return self.update(heard, h)


class MPNN(nn.Module):
    """Nodes to a hidden state, gated exchanges with shared weights, a readout, a perceptron.

    Args:
        num_features: numbers a node.
        num_outputs: numbers a graph that come out.
        num_edge_features: numbers an edge; 0 ignores what edges carry.
        width: numbers a node inside.
        num_steps: exchanges, all with the same weights, and so how many edges far a node sees.
        readout: as for `GCN`.

    Raises:
        TaskError: the readout is unknown.
    """

    def __init__(
        self,
        num_features: int,
        num_outputs: int,
        *,
        num_edge_features: int = 0,
        width: int = 64,
        num_steps: int = 3,
        readout: str = "mean",
    ) -> None:
        super().__init__()
        _check_readout(readout)
        self.arguments: dict[str, Any] = {
            "num_features": num_features,
            "num_outputs": num_outputs,
            "num_edge_features": num_edge_features,
            "width": width,
            "num_steps": num_steps,
            "readout": readout,
        }
        self.num_features, self.num_edge_features = num_features, num_edge_features
        self.num_steps, self.readout = num_steps, readout
        self.embed = nn.Linear(num_features, width)
        self.exchange = GatedMessages(width, num_edge_features)
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, num_outputs))

    def forward(self, x: GraphBatch) -> Float[Tensor, "graphs num_outputs"]:
        """Outputs of each graph, with nothing applied to them.

        Raises:
            TaskError: nodes or edges have another number of features.
        """
        return self.head(read_graphs(self.node_features(x), x, self.readout))

    def node_features(self, x: GraphBatch) -> Float[Tensor, "nodes width"]:
        """What is known of each node after the last exchange.

        Raises:
            TaskError: nodes or edges have another number of features.
        """
        _check_features(x, self.num_features, self.num_edge_features)
        h = torch.tanh(self.embed(x.nodes))
        edge_features = x.edge_features if self.num_edge_features else None
        for _ in range(self.num_steps):
            h = self.exchange(h, x.edges, edge_features)
        return h

    def groups(self) -> list[nn.Module]:
        """Parts for rates that differ: the embedding, the exchange, the head."""
        return [self.embed, self.exchange, self.head]


def read_graphs(
    h: Float[Tensor, "nodes width"], graphs: GraphBatch, readout: str
) -> Float[Tensor, "graphs width"]:
    """One vector a graph: the sum or the mean of its nodes'; 0 for a graph without nodes."""
    total = _gather(h, graphs.graph, graphs.count)
    if readout == "sum":
        return total
    size = _gather(h.new_ones(len(h), 1), graphs.graph, graphs.count)
    return total / size.clamp(min=1)


def _check_readout(readout: str) -> None:
    if readout not in ("mean", "sum"):
        raise TaskError(f"There is no readout {readout!r}.", fix='use "mean" or "sum"')


def _check_features(x: GraphBatch, nodes: int, edges: int | None) -> None:
    found = 0 if x.edge_features is None else x.edge_features.shape[1]
    if x.nodes.shape[1] != nodes or (edges and found != edges):
        raise TaskError(
            f"The model got {x.nodes.shape[1]} features a node and {found} an edge; {nodes} and "
            f"{edges or 'any number'} were expected.",
            fix="build it with num_features=, and num_edge_features=, of the data",
        )
