"""Models for ratings, tables, graphs and trajectories: arithmetic, dense formulas, symmetries."""

import copy

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.errors import TaskError
from sprat.graphs import GraphBatch
from sprat.models.messages import GatedMessages, GraphConvolution
from sprat.models.node import Rate
from sprat.models.tabular import embedding_width
from sprat.rows import Rows

F64 = torch.float64


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pairs(number: int = 6) -> torch.Tensor:
    users = torch.randint(0, 7, (number,), generator=chance(1))
    return torch.stack([users, torch.randint(0, 9, (number,), generator=chance(2))], 1)


def rows(number: int = 6) -> Rows:
    columns = [torch.randint(0, n, (number,), generator=chance(n)) for n in (4, 3)]
    return Rows(torch.stack(columns, 1), torch.randn(number, 2, generator=chance(5)))


def graph(nodes: int, links: int, seed: int) -> GraphBatch:
    """A random graph, every edge there both ways, with features of 3 and 2 numbers."""
    g = chance(seed)
    one = torch.randint(0, nodes, (2, links), generator=g)
    carried = torch.randn(links, 2, generator=g)
    edges = torch.cat([one, one.flip(0)], 1)
    return GraphBatch.one(torch.randn(nodes, 3, generator=g), edges, torch.cat([carried, carried]))


def graphs() -> GraphBatch:
    return GraphBatch.of([graph(4, 3, 1), graph(1, 0, 2), graph(7, 9, 3)])


MODELS = {
    "CollabDot": (lambda: sp.models.CollabDot(7, 9, num_factors=5, y_range=(0.0, 5.5)), pairs),
    "NeuralCollab": (
        lambda: sp.models.NeuralCollab(7, 9, num_factors=4, num_hiddens=(6, 5), offset=3.0), pairs
    ),
    "TabularNet": (lambda: sp.models.TabularNet((4, 3), 2, 2, num_hiddens=(8, 6)), rows),
    "GCN": (lambda: sp.models.GCN(3, 2, width=8), graphs),
    "MPNN": (lambda: sp.models.MPNN(3, 2, num_edge_features=2, width=8), graphs),
    "NeuralODE": (
        lambda: sp.models.NeuralODE(2, 5, 0.1, num_hiddens=(6,)),
        lambda: torch.randn(4, 2, generator=chance()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_learns_and_is_in_one_group(name: str) -> None:
    make, values = MODELS[name]
    model = make()
    out = model(values())
    assert len(out) == len(values())
    # Not the mean of squares alone: a symmetric loss could leave a weight without slope.
    (out * torch.randn(out.shape, generator=chance(4))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    if hasattr(model, "groups"):
        grouped = [id(p) for group in model.groups() for p in group.parameters()]
        assert sorted(grouped) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_arguments_build_it_again(name: str) -> None:
    make, values = MODELS[name]
    model = make().eval()
    again = type(model)(**copy.deepcopy(model.arguments)).eval()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(values()), model(values()))


@pytest.mark.parametrize("name", MODELS)
def test_a_sample_is_answered_alike_in_any_batch(name: str) -> None:
    make, values = MODELS[name]
    model, x = make().eval(), values()
    together = model(x)
    alone = torch.cat([model(x[i : i + 1]) for i in range(len(x))])
    torch.testing.assert_close(alone, together)


def test_ratings_are_products_of_factors_and_biases() -> None:
    model, x = sp.models.CollabDot(7, 9, num_factors=5, offset=3.5), pairs()
    assert count(model) == (7 + 9) * (5 + 1) + 1
    for (user, item), score in zip(x.tolist(), model(x)[:, 0].tolist(), strict=True):
        product = sum(
            a * b
            for a, b in zip(
                model.users.weight[user].tolist(), model.items.weight[item].tolist(), strict=True
            )
        )
        biases = float(
            model.user_bias.weight[user, 0].detach() + model.item_bias.weight[item, 0].detach()
        )
        assert score == pytest.approx(3.5 + product + biases, rel=1e-5)


def test_ratings_stay_in_their_range_and_rows_do_too() -> None:
    model, x = sp.models.CollabDot(7, 9, y_range=(0.5, 5.5)), pairs()
    nn.init.normal_(model.users.weight, std=30)
    assert model(x).min() >= 0.5
    assert model(x).max() <= 5.5
    assert torch.equal(model(Rows(x, torch.zeros(len(x), 0))), model(x))


def test_neural_collaborative_filtering_holds_the_product_as_a_special_case() -> None:
    model, x = sp.models.NeuralCollab(7, 9, num_factors=4, num_hiddens=(6, 5)), pairs()
    assert count(model) == (7 + 9) * 8 + (8 * 6 + 6) + (6 * 5 + 5) + (4 + 5) + 1
    with torch.no_grad():
        model.head.weight.copy_(torch.tensor([[1.0] * 4 + [0.0] * 5]))
    u, v = model.users.weight[x[:, 0], :4], model.items.weight[x[:, 1], :4]
    torch.testing.assert_close(model(x)[:, 0], (u * v).sum(1))


def test_factors_are_found_where_ratings_have_them() -> None:
    """Ratings made of two factors: a model with factors finds what biases alone can't."""
    g = chance()
    u, v = torch.randn(30, 2, generator=g), torch.randn(25, 2, generator=g)
    x = torch.cartesian_prod(torch.arange(30), torch.arange(25))
    y = (u @ v.T).reshape(-1, 1) + 3
    held = torch.rand(len(x), generator=g) < 0.2

    def error(factors: int) -> float:
        torch.manual_seed(0)
        model = sp.models.CollabDot(30, 25, num_factors=factors, offset=3.0)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        for _ in range(80):
            loss = (model(x[~held]) - y[~held]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            return float((model(x[held]) - y[held]).square().mean())

    assert error(2) < 0.1 * error(0)


def test_a_tabular_net_has_the_weights_of_arithmetic_and_the_rule_of_thumb() -> None:
    assert [embedding_width(n) for n in (1, 2, 10, 1000, 10**6)] == [2, 2, 6, 77, 600]
    model = sp.models.TabularNet((4, 3), 2, 5, num_hiddens=(8, 6), widths=(3, 2))
    embeddings, norm = 4 * 3 + 3 * 2, 2 * 2
    hidden = (7 * 8 + 2 * 8) + (8 * 6 + 2 * 6)
    assert count(model) == embeddings + norm + hidden + 6 * 5 + 5
    linear = sp.models.TabularNet((4, 3), 0, 1, num_hiddens=(), widths=(3, 2))
    assert count(linear) == embeddings + 5 + 1
    x = rows()
    found = linear(Rows(x.categorical, torch.zeros(6, 0)))
    by_hand = torch.cat(
        [table.weight[x.categorical[:, i]] for i, table in enumerate(linear.embeddings)], 1
    )
    torch.testing.assert_close(found, by_hand @ linear.head.weight.T + linear.head.bias)


def test_a_graph_convolution_is_the_dense_normalised_laplacian_form() -> None:
    g = graph(7, 9, 3)
    edges = g.edges[:, g.edges[0] != g.edges[1]].unique(dim=1)  # each once, none to itself
    layer = GraphConvolution(3, 4).double()
    nn.init.normal_(layer.bias)
    dense = torch.zeros(7, 7, dtype=F64)
    dense[edges[1], edges[0]] = 1
    dense += torch.eye(7, dtype=F64)
    scale = dense.sum(1).rsqrt().diag()
    expected = scale @ dense @ scale @ g.nodes.double() @ layer.linear.weight.T + layer.bias
    torch.testing.assert_close(layer(g.nodes.double(), edges), expected)


def test_gated_messages_are_their_formula_edge_by_edge() -> None:
    g, layer = graph(5, 4, 6), GatedMessages(4, 2)
    h = torch.randn(5, 4, generator=chance(7))
    heard = torch.zeros(5, 4)
    assert g.edge_features is not None
    for (source, target), carried in zip(g.edges.T.tolist(), g.edge_features, strict=True):
        both = torch.cat([h[source], h[target], carried])
        heard[target] = heard[target] + torch.sigmoid(layer.gate(both)) * layer.message(both)
    expected = torch.stack(
        [layer.update(m[None], n[None])[0] for m, n in zip(heard, h, strict=True)]
    )
    torch.testing.assert_close(layer(h, g.edges, g.edge_features), expected)


GRAPH_MODELS = {
    "GCN": lambda readout: sp.models.GCN(3, 2, width=8, readout=readout),
    "MPNN": lambda readout: sp.models.MPNN(3, 2, num_edge_features=2, width=8, readout=readout),
}


@pytest.mark.parametrize("readout", ["mean", "sum"])
@pytest.mark.parametrize("name", GRAPH_MODELS)
def test_listing_nodes_and_edges_in_another_order_changes_nothing(name: str, readout: str) -> None:
    model, g = GRAPH_MODELS[name](readout).double(), graph(7, 9, 3)
    g = GraphBatch.one(g.nodes.double(), g.edges, g.edge_features.double())  # type: ignore[union-attr]
    order, mixed = torch.randperm(7, generator=chance()), torch.randperm(18, generator=chance(1))
    place = order.argsort()  # where each old node stands now
    other = GraphBatch.one(
        g.nodes[order],
        place[g.edges][:, mixed],
        g.edge_features[mixed],  # type: ignore[index]
    )
    torch.testing.assert_close(model.node_features(other), model.node_features(g)[order])
    torch.testing.assert_close(model(other), model(g))


@pytest.mark.parametrize("name", GRAPH_MODELS)
def test_messages_reach_as_far_as_there_are_layers_and_no_farther(name: str) -> None:
    """On a path of five nodes, three exchanges carry news from node 0 to node 3, not to node 4."""
    path = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]])
    both = torch.cat([path, path.flip(0)], 1)
    model = GRAPH_MODELS[name]("mean").double()
    nodes = torch.randn(5, 3, dtype=F64, generator=chance(1)).requires_grad_()
    out = model.node_features(GraphBatch.one(nodes, both, torch.zeros(8, 2, dtype=F64)))
    reach = [torch.autograd.grad(out[i].sum(), nodes, retain_graph=True)[0][0] for i in range(5)]
    assert reach[4].abs().sum() == 0
    if name == "MPNN":  # a ReLU may close a node for good; gates never close wholly
        assert all(r.abs().sum() > 0 for r in reach[:4])


def test_a_mean_ignores_and_a_sum_counts_copies_of_a_graph() -> None:
    one = graph(4, 3, 1)
    twice = GraphBatch.of([one, one])
    doubled = GraphBatch.one(twice.nodes, twice.edges, twice.edge_features)
    for name, make in GRAPH_MODELS.items():
        mean, total = make("mean"), make("sum")
        torch.testing.assert_close(mean(doubled), mean(one), msg=name)
        assert not torch.allclose(total(doubled), total(one)), name


def test_a_graph_without_nodes_or_edges_has_an_answer() -> None:
    empty = GraphBatch(torch.zeros(0, 3), torch.zeros(2, 0, dtype=torch.int64), torch.zeros(0, 2),
                       torch.zeros(0, dtype=torch.int64), 2)  # fmt: skip
    for make in GRAPH_MODELS.values():
        out = make("mean")(empty)
        assert out.shape == (2, 2)
        assert torch.isfinite(out).all()


def test_an_mpnn_may_ignore_what_edges_carry() -> None:
    model, g = sp.models.MPNN(3, 2, width=8), graph(5, 4, 6)
    assert torch.equal(model(g), model(GraphBatch.one(g.nodes, g.edges)))


def test_a_neural_ode_is_its_solver() -> None:
    model = sp.models.NeuralODE(2, 5, 0.1, num_hiddens=(6,), substeps=2)
    assert count(model) == (2 * 6 + 6) + (6 * 2 + 2)
    y0 = torch.randn(3, 2)
    states = model(y0)
    assert states.shape == (3, 5, 2)
    assert torch.equal(states[:, 0], y0)
    times = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4])
    expected = sp.physics.solve(model.rate, y0, times, substeps=2).transpose(0, 1)
    torch.testing.assert_close(states, expected)


@pytest.mark.parametrize("timed", [False, True])
def test_adjoint_and_backpropagation_give_a_neural_ode_the_same_gradients(timed: bool) -> None:
    torch.manual_seed(1)
    direct = sp.models.NeuralODE(2, 5, 0.1, timed=timed, substeps=8).double()
    adjoint = sp.models.NeuralODE(2, 5, 0.1, timed=timed, substeps=8, adjoint=True).double()
    adjoint.load_state_dict(direct.state_dict())
    y0 = torch.randn(3, 2, dtype=F64)
    for model in (direct, adjoint):
        model(y0)[:, 1:].sin().sum().backward()
    for a, b in zip(direct.parameters(), adjoint.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-7)


def test_a_timed_rate_knows_the_time() -> None:
    rate, y = Rate(2, (4,), timed=True), torch.zeros(3, 2)
    assert not torch.equal(rate(torch.tensor(0.0), y), rate(torch.tensor(1.0), y))
    assert rate(torch.tensor(0.0), y[0]).shape == (2,)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: MODELS["CollabDot"][0]()(pairs() + 7), "Indices of users reach"),
        (lambda: MODELS["CollabDot"][0]()(pairs()[:, :1]), r"int64 \(6, 1\)"),
        (lambda: MODELS["NeuralCollab"][0]()(pairs() + torch.tensor([0, 9])), "of items reach"),
        (lambda: sp.models.CollabDot(3, 3, y_range=(5.0, 1.0)), "is no range"),
        (lambda: MODELS["TabularNet"][0]()(Rows(rows().categorical - 1, rows().continuous)),
         "Categorical column 0 holds indices from -1"),
        (lambda: MODELS["TabularNet"][0]()(Rows(rows().categorical[:, :1], rows().continuous)),
         "got 1 categorical and 2 continuous"),
        (lambda: sp.models.TabularNet((), 0, 1), "at least one column"),
        (lambda: sp.models.TabularNet((3,), 0, 1, widths=(1, 2)), "2 widths"),
        (lambda: sp.models.GCN(4, 1)(graphs()), "got 3 features a node"),
        (lambda: sp.models.MPNN(3, 1, num_edge_features=5)(graphs()), "and 2 an edge; 3 and 5"),
        (lambda: sp.models.GCN(3, 1, readout="max"), "no readout 'max'"),
        (lambda: sp.models.NeuralODE(2, 1, 0.1), "steps=1"),
        (lambda: sp.models.NeuralODE(2, 4, 0.1)(torch.zeros(3, 5)), r"shape \(3, 5\)"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_fix(call, says) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TaskError, match=says) as caught:
        call()
    assert "fix:" in str(caught.value)
