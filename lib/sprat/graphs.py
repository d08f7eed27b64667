"""Graphs: many of them in one value, so that a batch of graphs is one large, unconnected graph.

Nodes of all graphs stand below each other in one table, edges count through that table, and
``graph`` says which graph a node is of. Message passing then needs no padding and no loop over
graphs. The layout is that of Fey and Lenssen, "Fast Graph Representation Learning with PyTorch
Geometric" (2019), section 2 (https://arxiv.org/abs/1903.02428).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from sprat.errors import BlockError
from sprat.shapes import Float, Int, Shaped


class _Layout(NamedTuple):
    """Where the nodes and edges of each graph stand. On the CPU, whatever the device."""

    node_counts: Tensor  # (graphs,)
    node_starts: Tensor  # (graphs,)
    edge_counts: Tensor  # (graphs,)
    edge_starts: Tensor  # (graphs,)
    edge_order: Tensor | None  # (edges,), or None where the edges are in order of their graphs


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """Several graphs as one value: `len` counts graphs, an index takes some of them.

    Args:
        nodes: features of all nodes, (N, F); those of one graph stand together.
        edges: (2, E), the row in `nodes` of each edge's source, and below it of its target.
            A graph without direction has every edge twice, once each way.
        edge_features: (E, D), or None.
        graph: which graph each node is of, (N,), never falling.
        count: how many graphs there are; some may have no nodes.

    Raises:
        BlockError: lengths differ, an edge leads out of its graph, or `graph` falls (looked at on
            the CPU only, since looking would make the host wait for a GPU).
    """

    nodes: Float[Tensor, "nodes features"]
    edges: Int[Tensor, "2 edges"]
    edge_features: Float[Tensor, "edges edge_features"] | None
    graph: Int[Tensor, " nodes"]
    count: int

    def __post_init__(self) -> None:
        _check_lengths(self)
        if self.nodes.device.type == "cpu":
            _check_links(self)

    @classmethod
    def one(
        cls,
        nodes: Float[Tensor, "nodes features"],
        edges: Int[Tensor, "2 edges"],
        edge_features: Float[Tensor, "edges edge_features"] | None = None,
    ) -> "GraphBatch":
        """A single graph.

        Args:
            nodes: features, (N, F).
            edges: rows of source and target, (2, E).
            edge_features: (E, D), or None.
        """
        graph = torch.zeros(len(nodes), dtype=torch.int64, device=nodes.device)
        return cls(nodes, edges, edge_features, graph, 1)

    @classmethod
    def of(cls, graphs: Sequence["GraphBatch"]) -> "GraphBatch":
        """All graphs of several values, one after the other.

        Raises:
            BlockError: there are none, or only some have edge features.
        """
        if not graphs:
            raise BlockError("There are no graphs.", fix="give a list of at least one GraphBatch")
        features = [g.edge_features for g in graphs if g.edge_features is not None]
        if features and len(features) != len(graphs):
            raise BlockError(
                f"{len(features)} of {len(graphs)} graphs have edge features.",
                fix="give all of them edge features, or none",
            )
        edges, index, nodes_so_far, graphs_so_far = [], [], 0, 0
        for g in graphs:
            edges.append(g.edges + nodes_so_far)
            index.append(g.graph + graphs_so_far)
            nodes_so_far, graphs_so_far = nodes_so_far + len(g.nodes), graphs_so_far + g.count
        return cls(
            torch.cat([g.nodes for g in graphs]),
            torch.cat(edges, 1),
            torch.cat(features) if features else None,
            torch.cat(index),
            graphs_so_far,
        )

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        return (
            f"GraphBatch({self.count:,} graphs, {len(self.nodes):,} nodes, "
            f"{self.edges.shape[1]:,} edges)"
        )

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.nodes.device

    @property
    def num_nodes(self) -> Int[Tensor, " graphs"]:
        """How many nodes each graph has, on the CPU."""
        return self._layout.node_counts

    def __getitem__(self, index: int | slice | Shaped[Tensor, " chosen"]) -> "GraphBatch":
        """The graphs at `index`, as a batch with nodes and graphs counted anew.

        Args:
            index: a number, a slice, int64 indices or a mask of booleans.

        Raises:
            IndexError: there is no such graph.
        """
        chosen = self._chosen(index)
        at = self._layout
        nodes, shift, graph = _ranges(at.node_starts[chosen], at.node_counts[chosen])
        edge_counts = at.edge_counts[chosen]
        places, _, _ = _ranges(at.edge_starts[chosen], edge_counts)
        if at.edge_order is not None:
            places = at.edge_order[places]
        moved_by = torch.repeat_interleave(shift, edge_counts)
        nodes, places, moved_by, graph = (
            part.to(self.device, non_blocking=True) for part in (nodes, places, moved_by, graph)
        )
        features = self.edge_features
        return GraphBatch(
            self.nodes.index_select(0, nodes),
            self.edges.index_select(1, places) + moved_by,
            None if features is None else features.index_select(0, places),
            graph,
            len(chosen),
        )

    def to(self, device: torch.device | str) -> "GraphBatch":
        """The same graphs on another device; itself where it is there already."""
        if self.device == torch.device(device):
            return self
        features = self.edge_features
        return GraphBatch(
            self.nodes.to(device, non_blocking=True),
            self.edges.to(device, non_blocking=True),
            None if features is None else features.to(device, non_blocking=True),
            self.graph.to(device, non_blocking=True),
            self.count,
        )

    def pin_memory(self) -> "GraphBatch":
        """The same graphs in memory from which a copy to the GPU does not wait."""
        features = self.edge_features
        return GraphBatch(
            self.nodes.pin_memory(),
            self.edges.pin_memory(),
            None if features is None else features.pin_memory(),
            self.graph.pin_memory(),
            self.count,
        )

    def _chosen(self, index: int | slice | Tensor) -> Tensor:
        if isinstance(index, int):
            if not -self.count <= index < self.count:
                raise IndexError(f"there are {self.count} graphs; {index} was asked for")
            return torch.tensor([index % self.count])
        if isinstance(index, slice):
            return torch.arange(self.count)[index]
        index = index.cpu()
        return index.nonzero()[:, 0] if index.dtype == torch.bool else index

    @cached_property
    def _layout(self) -> _Layout:
        """Found once: counting on the CPU keeps every later index from waiting for a GPU."""
        graph = self.graph.cpu()
        node_counts = torch.bincount(graph, minlength=self.count)
        owner = graph[self.edges[0].cpu()]  # (edges,), the graph of each edge
        edge_counts = torch.bincount(owner, minlength=self.count)
        in_order = bool((owner.diff() >= 0).all())
        return _Layout(
            node_counts,
            node_counts.cumsum(0) - node_counts,
            edge_counts,
            edge_counts.cumsum(0) - edge_counts,
            None if in_order else owner.argsort(stable=True),
        )


def _ranges(starts: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Places start…start+count−1 of each range in a row, how far each moved, and whose they are."""
    shift = counts.cumsum(0) - counts - starts  # (ranges,), new start minus old
    owner = torch.repeat_interleave(counts)  # (total,)
    return torch.arange(len(owner)) - shift[owner], shift, owner


def _check_lengths(graphs: GraphBatch) -> None:
    nodes, edges, features = graphs.nodes, graphs.edges, graphs.edge_features
    if nodes.ndim != 2 or edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype != torch.int64:
        raise BlockError(
            f"GraphBatch got nodes of shape {tuple(nodes.shape)} and {edges.dtype} edges of shape "
            f"{tuple(edges.shape)}; (N, F) and int64 (2, E) were expected.",
            fix="give a row of features a node, and edges as two rows: sources, targets",
        )
    if graphs.graph.shape != (len(nodes),):
        raise BlockError(
            f"GraphBatch got {len(nodes)} nodes and graph of shape {tuple(graphs.graph.shape)}.",
            fix="say for each node which graph it is of; GraphBatch.one(...) makes a single graph",
        )
    if features is not None and len(features) != edges.shape[1]:
        raise BlockError(
            f"GraphBatch got {edges.shape[1]} edges and {len(features)} rows of edge features.",
            fix="give one row of features for each edge",
        )


def _check_links(graphs: GraphBatch) -> None:
    graph, edges, total = graphs.graph, graphs.edges, len(graphs.nodes)
    if graph.numel():
        low, high = int(graph[0]), int(graph[-1])
        if low < 0 or high >= graphs.count or bool((graph.diff() < 0).any()):
            raise BlockError(
                f"GraphBatch of {graphs.count} graphs got nodes of graphs {int(graph.min())} to "
                f"{int(graph.max())}, in rising order or not.",
                fix="put the nodes of one graph together, and count graphs from 0",
            )
    if edges.numel():
        low, high = int(edges.min()), int(edges.max())
        if low < 0 or high >= total:
            raise BlockError(
                f"GraphBatch of {total} nodes got edges between nodes {low} and {high}.",
                fix="count nodes from 0, through all graphs",
            )
        if bool((graph[edges[0]] != graph[edges[1]]).any()):
            raise BlockError(
                "GraphBatch got an edge from one graph to another.",
                fix="count an edge's nodes through all graphs; GraphBatch.of(graphs) does it",
            )
