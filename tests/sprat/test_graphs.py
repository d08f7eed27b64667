"""Batches of graphs: indexing, joining, moving, and what is refused."""

import inspect
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sprat as sp
from sprat.errors import BlockError
from sprat.graphs import _check_lengths

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def random_graphs(count: int, seed: int) -> list[sp.GraphBatch]:
    """Graphs of 1 to 5 nodes with any edges between them, in any order."""
    generator = torch.Generator().manual_seed(seed)
    graphs = []
    for _ in range(count):
        size, edges = torch.randint(1, 6, (2,), generator=generator).tolist()
        links = torch.randint(0, size, (2, edges - 1), generator=generator)
        graphs.append(
            sp.GraphBatch.one(
                torch.randn(size, 3, generator=generator),
                links,
                torch.randn(edges - 1, 2, generator=generator),
            )
        )
    return graphs


def equal(a: sp.GraphBatch, b: sp.GraphBatch) -> bool:
    assert a.edge_features is not None
    assert b.edge_features is not None
    return (
        torch.equal(a.nodes, b.nodes)
        and torch.equal(a.edges, b.edges)
        and torch.equal(a.edge_features, b.edge_features)
        and torch.equal(a.graph, b.graph)
        and a.count == b.count
    )


@given(st.integers(1, 8), st.integers(0, 10_000), st.data())
def test_an_index_takes_the_graphs_that_were_put_in(
    count: int, seed: int, data: st.DataObject
) -> None:
    graphs = random_graphs(count, seed)
    together = sp.GraphBatch.of(graphs)
    assert len(together) == count
    index = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=10))
    taken = together[torch.tensor(index)]
    assert equal(taken, sp.GraphBatch.of([graphs[i] for i in index]))
    assert taken.num_nodes.tolist() == [len(graphs[i].nodes) for i in index]
    assert equal(together[index[0]], graphs[index[0]])
    assert all(equal(a, b) for a, b in zip(together, graphs, strict=True))


def test_slices_masks_and_numbers_from_the_end() -> None:
    graphs = random_graphs(5, 0)
    together = sp.GraphBatch.of(graphs)
    assert equal(together[1:4], sp.GraphBatch.of(graphs[1:4]))
    mask = torch.tensor([True, False, True, False, False])
    assert equal(together[mask], sp.GraphBatch.of([graphs[0], graphs[2]]))
    assert equal(together[-1], graphs[-1])
    with pytest.raises(IndexError):
        together[5]


def test_edges_may_stand_in_any_order() -> None:
    graphs = random_graphs(6, 2)
    tidy = sp.GraphBatch.of(graphs)
    order = torch.randperm(tidy.edges.shape[1], generator=torch.Generator().manual_seed(0))
    assert tidy.edge_features is not None
    mixed = sp.GraphBatch(
        tidy.nodes, tidy.edges[:, order], tidy.edge_features[order], tidy.graph, tidy.count
    )
    for i in range(6):
        assert torch.equal(mixed[i].nodes, graphs[i].nodes)
        found = {tuple(edge) for edge in mixed[i].edges.T.tolist()}
        assert found == {tuple(edge) for edge in graphs[i].edges.T.tolist()}


def test_graphs_are_a_column_of_data() -> None:
    block = sp.Graph(3, 2)
    x = block.mock(20, generator=torch.Generator().manual_seed(0))
    y = torch.arange(20)
    data = sp.Data(x, y)
    assert len(data) == 20
    parts = data.split(5, generator=torch.Generator().manual_seed(0))
    for part in parts:
        for i, number in enumerate(part.y.tolist()):
            assert equal(part.x[i], x[number])
    batches = list(sp.Loader(parts.train, 4, shuffle=True, device="cpu"))
    assert sum(len(batch) for batch in batches) == 15
    assert all(equal(batch.x[0], x[int(batch.y[0])]) for batch in batches)
    assert data.to("cpu").x is x


def test_graphs_without_nodes_or_edges() -> None:
    lonely = sp.GraphBatch.one(torch.zeros(1, 2), NO_EDGES)
    nobody = sp.GraphBatch.one(torch.zeros(0, 2), NO_EDGES)
    together = sp.GraphBatch.of([lonely, nobody, lonely])
    assert together.num_nodes.tolist() == [1, 0, 1]
    assert together[torch.tensor([1, 2])].num_nodes.tolist() == [0, 1]
    with pytest.raises(BlockError, match="Graph 1 has no nodes"):
        sp.Graph(2).check(together)


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "an edge to nowhere": (
        lambda: sp.GraphBatch.one(torch.zeros(2, 1), torch.tensor([[0], [2]])),
        "between nodes 0 and 2",
    ),
    "an edge between graphs": (
        lambda: sp.GraphBatch(
            torch.zeros(2, 1), torch.tensor([[0], [1]]), None, torch.tensor([0, 1]), 2
        ),
        "from one graph to another",
    ),
    "nodes out of order": (
        lambda: sp.GraphBatch(torch.zeros(3, 1), NO_EDGES, None, torch.tensor([0, 1, 0]), 2),
        "rising order",
    ),
    "more graphs than said": (
        lambda: sp.GraphBatch(torch.zeros(2, 1), NO_EDGES, None, torch.tensor([0, 1]), 1),
        "nodes of graphs 0 to 1",
    ),
    "edge features in some": (
        lambda: sp.GraphBatch.of([*random_graphs(1, 0), sp.Graph(3).mock(1)]),
        "1 of 2 graphs have edge features",
    ),
    "no graphs": (lambda: sp.GraphBatch.of([]), "no graphs"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named_with_their_fix(name: str) -> None:
    make, says = MISTAKES[name]
    with pytest.raises(BlockError, match=says) as caught:
        make()
    assert caught.value.fix


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"edges": torch.zeros(4, 2).long()}, r"\(2, E\) were expected"),
        ({"edges": torch.zeros(2, 4)}, "torch.float32 edges"),
        ({"nodes": torch.zeros(3)}, r"nodes of shape \(3,\)"),
        ({"graph": torch.zeros(2).long()}, "3 nodes and graph of shape"),
        ({"edge_features": torch.zeros(3, 1)}, "4 edges and 3 rows"),
    ],
)
def test_lengths_that_do_not_fit(changes: dict[str, torch.Tensor], says: str) -> None:
    # Under the shapes that tests check, a batch would not even be made of these.
    fields = {
        "nodes": torch.zeros(3, 2),
        "edges": torch.zeros(2, 4).long(),
        "graph": torch.zeros(3).long(),
        "edge_features": None,
    }
    inspect.unwrap(_check_lengths)(SimpleNamespace(**fields))
    with pytest.raises(BlockError, match=says) as caught:
        inspect.unwrap(_check_lengths)(SimpleNamespace(**fields | changes))
    assert caught.value.fix
