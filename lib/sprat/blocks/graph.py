"""Graphs: nodes with features, and edges between them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from sprat.blocks.base import Block, check_finite
from sprat.errors import BlockError
from sprat.graphs import GraphBatch

if TYPE_CHECKING:
    from sprat.grid import Grid


@dataclass(frozen=True)
class Graph(Block):
    """Graphs, stored as `sprat.graphs.GraphBatch`.

    Args:
        node_features: how many numbers describe a node.
        edge_features: how many numbers describe an edge; 0 where edges have none.
    """

    node_features: int
    edge_features: int = 0

    def check(self, values: Any) -> None:
        """Refuse other widths, graphs without nodes, and features that are not finite."""
        if not isinstance(values, GraphBatch):
            raise BlockError(
                f"{self} got {type(values).__name__}; sprat.graphs.GraphBatch was expected.",
                fix="make one with GraphBatch.one(nodes, edges) or GraphBatch.of(graphs)",
            )
        if len(values) == 0:
            raise BlockError(f"{self} got an empty batch.", fix="check the data and its split")
        features = values.edge_features
        found = values.nodes.shape[1], 0 if features is None else features.shape[1]
        if found != (self.node_features, self.edge_features):
            raise BlockError(
                f"{self} got {found[0]} numbers a node and {found[1]} an edge.",
                fix=f"say Graph({found[0]}, {found[1]}), or mend the features",
            )
        if bool((values.num_nodes == 0).any()):
            empty = int((values.num_nodes == 0).nonzero()[0, 0])
            raise BlockError(f"Graph {empty} has no nodes.", fix="drop it with data[...]")
        check_finite(self, values.nodes)
        if features is not None:
            check_finite(self, features)

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> GraphBatch:
        """Rings of three to eight nodes, with edges both ways and normal features."""
        sizes = torch.randint(3, 9, (count,), generator=generator).tolist()
        graphs = []
        for size in sizes:
            here = torch.arange(size)
            ahead = torch.stack([here, (here + 1) % size])
            edges = torch.cat([ahead, ahead.flip(0)], 1)  # (2, 2·size)
            nodes = torch.randn(size, self.node_features, generator=generator)
            features = torch.randn(2 * size, self.edge_features, generator=generator)
            graphs.append(GraphBatch.one(nodes, edges, features if self.edge_features else None))
        return GraphBatch.of(graphs)

    def shape(self) -> str:
        """As stored."""
        edges = f", edges with {self.edge_features}" if self.edge_features else ""
        return f"B graphs, nodes with {self.node_features} numbers{edges}"

    def words(self, value: Any) -> str:
        """How many nodes and edges there are."""
        return f"{len(value.nodes)} nodes, {value.edges.shape[1]} edges"

    def show(self, grid: "Grid", value: Any, title: str = "") -> None:
        """Nodes and the edges between them."""
        grid.graph(len(value.nodes), value.edges, title)
