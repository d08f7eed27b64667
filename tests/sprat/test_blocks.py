"""Every block checks, mocks and shows itself, and carries a task from mock data to a display."""

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import sprat as sp
from sprat.blocks import OneHotLabel, Several
from sprat.errors import BlockError, TaskError
from sprat.grid import FigureGrid, TextGrid
from sprat.grid.figure import laid_out

TABLE = sp.TableRow({"colour": ["red", "blue"], "shape": ["round", "square", "flat"]}, ["age"])
BLOCKS: list[sp.Block] = [
    sp.Image(1, (9, 9)),
    sp.ImageTensor(3, (8, 6)),
    sp.Mask(["sky", "sea", "sand"], (7, 5)),
    sp.Label(["a", "b"]),
    OneHotLabel(["a", "b"]),
    sp.Labels(["a", "b", "c"]),
    sp.Keypoints(("nose", "tail"), (20, 30)),
    sp.Text(),
    sp.Tokens(30, padding=0),
    sp.Tokens(3, pieces=("x", "y", "z")),
    TABLE,
    sp.TableRow({"colour": ["red", "blue"]}, ["age", "size"], missing=["colour", "size"]),
    sp.Continuous(2, ("mass in kg", "length in m")),
    sp.Graph(3),
    sp.Graph(2, 4),
    sp.Trajectory(2, steps=5, dt=0.1),
    Several((sp.Image(1, (4, 4)), TABLE)),
]


def same(a: Any, b: Any) -> bool:
    """Whether two values hold the same tensors and strings."""
    if isinstance(a, Tensor):
        return torch.equal(torch.nan_to_num(a.float(), 7.5), torch.nan_to_num(b.float(), 7.5))
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b if isinstance(a, (str, int, type(None))) else same(vars_of(a), vars_of(b))


def vars_of(value: Any) -> list[Any]:
    return [part for name, part in sorted(vars(value).items()) if not name.startswith("_")]


@pytest.mark.parametrize("block", BLOCKS, ids=repr)
def test_blocks_accept_their_own_mock(block: sp.Block) -> None:
    first = block.mock(6, generator=torch.Generator().manual_seed(3))
    block.check(first)
    assert sp.Data(first)[1:4].split(1).valid is not None
    assert len(sp.Data(first)) == 6
    assert same(first, block.mock(6, generator=torch.Generator().manual_seed(3)))
    assert not same(first, block.mock(6, generator=torch.Generator().manual_seed(4)))
    assert "B" in block.shape()


@pytest.mark.parametrize("block", BLOCKS, ids=repr)
def test_blocks_show_themselves_in_both_ways(block: sp.Block) -> None:
    value = sp.data.sample(block.mock(3, generator=torch.Generator().manual_seed(0)), 1)
    text, figure = TextGrid(), FigureGrid()
    for grid in (text, figure):
        block.show(grid, value, "here")
    assert "here" in text.result()
    drawn = figure.result()
    assert any("here" in ax.get_title() for ax in drawn.axes)
    if not isinstance(block, (sp.ImageTensor, OneHotLabel)):
        assert block.words(value)


def test_words_are_what_a_person_reads() -> None:
    rows = TABLE.read({"colour": ["blue"], "shape": ["flat"], "age": [3.5]})
    assert TABLE.words(rows[0]) == "colour blue, shape flat, age 3.5"
    assert sp.Tokens(3, padding=0, pieces=("-", "x", "y")).words(torch.tensor([2, 1, 0])) == "y x"
    assert sp.Tokens(3, padding=0, pieces=("-", "a", " b")).words(torch.tensor([1, 2, 0])) == "a b"
    assert sp.Continuous(1, ("mass in kg",)).words(torch.tensor([2.5])) == "mass in kg 2.5"
    assert sp.Label(["a", "b"]).words(torch.tensor(1)) == "b"
    assert sp.Labels(["a", "b", "c"]).words(torch.tensor([1.0, 0, 1])) == "a, c"
    assert sp.Mask(["sky", "sea"]).words(torch.tensor([[0, 1], [1, 1]])) == "sea 75%, sky 25%"
    walk = torch.tensor([[0.0], [1.0], [4.0]])
    assert sp.Trajectory(1, dt=0.5).words(walk) == "0 → 4 in 1 s"
    assert sp.Text().words("x" * 300) == "x" * 199 + "…"


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "bytes as floats": (
        lambda: sp.Image(1).check(torch.full((2, 1, 3, 3), 255.0)), "divide them by 255",
    ),
    "a text for texts": (lambda: sp.Text().check("abc"), "a list of strings"),
    "no texts": (lambda: sp.Text().check([]), "empty batch"),
    "numbers for texts": (lambda: sp.Text().check(["a", 3]), "got 3 of type int"),
    "token too high": (lambda: sp.Tokens(5).check(torch.tensor([[5]])), "from 5 to 5"),
    "tokens as floats": (lambda: sp.Tokens(5).check(torch.zeros(1, 2)), r"y?.long\(\)"),
    "tokens of no length": (
        lambda: sp.Tokens(5).check(torch.zeros(2, 0, dtype=torch.int64)), "length 0",
    ),
    "padding outside": (lambda: sp.Tokens(5, padding=5), "the padding 5"),
    "pieces too few": (lambda: sp.Tokens(5, pieces=("a",)), "5 and 1 pieces"),
    "no table": (lambda: TABLE.check(torch.zeros(2, 3)), "Rows was expected"),
    "other columns": (
        lambda: TABLE.check(sp.Rows(torch.zeros(2, 1).long(), torch.zeros(2, 1))), "1 categorical",
    ),
    "a category too many": (
        lambda: TABLE.check(sp.Rows(torch.tensor([[0, 3]]), torch.zeros(1, 1))), "holds 3 to 3",
    ),
    "a category missing": (
        lambda: TABLE.check(sp.Rows(torch.tensor([[0, -1]]), torch.zeros(1, 1))),
        "'shape' has missing",
    ),
    "a number missing": (
        lambda: TABLE.check(sp.Rows(torch.tensor([[0, 0]]), torch.tensor([[float("nan")]]))),
        "'age' has missing",
    ),
    "an infinite number": (
        lambda: TABLE.check(sp.Rows(torch.tensor([[0, 0]]), torch.tensor([[float("inf")]]))),
        "infinite",
    ),
    "no rows": (
        lambda: TABLE.check(sp.Rows(torch.zeros(0, 2).long(), torch.zeros(0, 1))), "empty batch",
    ),
    "a table without columns": (lambda: sp.TableRow(), "no columns"),
    "a column twice": (lambda: sp.TableRow({"a": ["x", "y"]}, ["a"]), "'a' twice"),
    "a missing column": (lambda: sp.TableRow((), ["a"], ["b"]), "in 'b', which is no column"),
    "no graphs": (lambda: sp.Graph(2).check(torch.zeros(2, 2)), "GraphBatch was expected"),
    "wide nodes": (lambda: sp.Graph(2).check(sp.Graph(3).mock(2)), "3 numbers a node"),
    "nodes that are not finite": (
        lambda: sp.Graph(1).check(
            sp.GraphBatch.one(torch.tensor([[float("nan")]]), torch.zeros(2, 0).long())
        ),
        "not finite",
    ),
    "time last": (
        lambda: sp.Trajectory(2, 5).check(torch.zeros(3, 2, 5)), "time on the second axis",
    ),
    "no seconds": (lambda: sp.Trajectory(1, dt=0), "seconds above 0"),
    "one block in a tuple": (lambda: Several((sp.Text(),)), "1 block"),
    "a name in a tuple": (  # under the types that tests check, it would not even be called
        lambda: inspect.unwrap(Several.__init__)(SimpleNamespace(), (sp.Text(), "text")), "'text'",
    ),
    "a tuple too short": (
        lambda: Several((sp.Text(), sp.Text())).check((["a"],)), "a tuple of 1",
    ),
    "a mask of another size": (
        lambda: sp.Mask(["a", "b"], (2, 2)).check(torch.zeros(1, 3, 3).long()), r"\(3, 3\) pixels",
    ),
    "dense one-hot": (
        lambda: OneHotLabel(["a", "b"]).check(torch.zeros(2, 2)), "OneHotEncode",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_blocks_refuse(name: str) -> None:
    make, says = MISTAKES[name]
    with pytest.raises(BlockError, match=says) as caught:
        make()
    assert len(caught.value.fix) > 5


class FromTokens(nn.Module):
    """The mean of the tokens' vectors, or a vector a token."""

    def __init__(self, size: int, outputs: int, *, pooled: bool) -> None:
        super().__init__()
        self.embed, self.out, self.pooled = nn.Embedding(size, 8), nn.Linear(8, outputs), pooled

    def forward(self, x: Tensor) -> Tensor:
        vectors = self.embed(x)
        return self.out(vectors.mean(1) if self.pooled else vectors)


class FromRows(nn.Module):
    """Categories and numbers side by side, into one or two outputs."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, outputs)

    def forward(self, x: sp.Rows) -> Tensor:
        return self.out(torch.cat([x.categorical.float(), x.continuous], 1))


class FromGraphs(nn.Module):
    """The sum of a graph's nodes."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.out = nn.Linear(features, outputs)

    def forward(self, x: sp.GraphBatch) -> Tensor:
        sums = x.nodes.new_zeros(len(x), x.nodes.shape[1]).index_add(0, x.graph, x.nodes)
        return self.out(sums)


class FromBoth(nn.Module):
    """A picture and a row, into a class and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.row, self.picture = FromRows(3, 4), nn.Linear(16, 4)

    def forward(self, x: tuple[Tensor, sp.Rows]) -> tuple[Tensor, Tensor]:
        hidden = self.picture(x[0].flatten(1)) + self.row(x[1])
        return hidden[:, :3], hidden[:, 3:]


TEXTS = sp.text.Characters.of(["a small fish near the shore, and deep ones out large"])
LABEL = sp.Label(["a", "b", "c"])
FITS: dict[str, tuple[Callable[[], sp.Task], Callable[[], nn.Module], set[str]]] = {
    "text to label": (
        lambda: sp.Task(sp.Text(), LABEL, encodings=[TEXTS]),
        lambda: FromTokens(TEXTS.size, 3, pooled=True), {"accuracy"},
    ),
    "text to text": (
        lambda: sp.Task(sp.Text(), sp.Text(), encodings=[TEXTS]),
        lambda: FromTokens(TEXTS.size, TEXTS.size, pooled=False), {"perplexity", "token_accuracy"},
    ),
    "tokens to tokens": (
        lambda: sp.Task(sp.Tokens(9, 0), sp.Tokens(9, 0)),
        lambda: FromTokens(9, 9, pooled=False), {"perplexity", "token_accuracy"},
    ),
    "row to label": (lambda: sp.Task(TABLE, LABEL), lambda: FromRows(3, 3), {"accuracy"}),
    "row to one-hot": (
        lambda: sp.Task(TABLE, LABEL, encodings=[sp.OneHotEncode(3)]),
        lambda: FromRows(3, 3), {"one_hot_accuracy"},
    ),
    "graph to number": (
        lambda: sp.Task(sp.Graph(3), sp.Continuous(1)), lambda: FromGraphs(3, 1), {"mae"},
    ),
    "trajectory to trajectory": (
        lambda: sp.Task(sp.Trajectory(2, 5), sp.Trajectory(1, 5)),
        lambda: nn.Linear(2, 1), {"mae"},
    ),
    "several to several": (
        lambda: sp.Task((sp.Image(1, (4, 4)), TABLE), (LABEL, sp.Continuous(1))),
        FromBoth, {"accuracy_1", "mae_2"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FITS)
def test_from_mock_data_to_a_display(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    make_task, make_model, metrics = FITS[name]
    torch.manual_seed(0)
    task = make_task()
    mock = task.mock_batch(24, generator=torch.Generator().manual_seed(0))
    if name == "text to text":
        mock.y = list(mock.x)  # lengths must agree where the model gives a piece for a piece
    parts = sp.Data(mock.x, mock.y).split(8, generator=torch.Generator().manual_seed(1))
    learn = sp.Learner(task, parts, model=make_model(), progress=False, device="cpu")
    history = learn.fit(8, lr=0.02)
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert metrics <= set(history.rows[0])
    text = learn.show_results(3, backend="text")
    assert text.count("truth") == text.count("predicted") == 3
    assert learn.show_batch(2, backend="text")
    titles = [ax.get_title() for ax in learn.show_results(2, backend="matplotlib").axes]
    assert any("truth" in title and "predicted" in title for title in titles)
    described = str(task.describe())
    for block in (*getattr(task.input, "parts", [task.input]),):
        assert type(block).__name__ in described
    y_hat, y = learn.predictions(tta=[lambda x: x])
    for values, whole in ((y_hat, task.output), (y, task.target)):
        several = isinstance(whole, sp.blocks.Several)
        assert isinstance(values, tuple) == several
        assert all(len(part) == 8 for part in (values if several else [values]))
    assert len(learn.predict(sp.data.head(parts.valid.x, 3))) in (2, 3)


OWN_BLOCK = """
class Tone(sp.Block):
    def check(self, values): sp.blocks.check_tensor(self, values, axes=2)
    def mock(self, count, *, generator=None): return torch.randn(count, 4, generator=generator)
    def words(self, value): return f"a tone of {len(value)} beats"
sp.loss_for.register(Tone, lambda block: F.mse_loss)
"""


def test_a_block_of_your_own_takes_five_lines() -> None:
    assert len(OWN_BLOCK.strip().splitlines()) <= 5
    names: dict[str, Any] = {"sp": sp, "torch": torch, "F": F}
    exec(OWN_BLOCK, names)  # in a string so that its lines can be counted
    Tone = names["Tone"]
    task = sp.Task(Tone(), Tone())
    mock = task.mock_batch(32, generator=torch.Generator().manual_seed(0))
    data = sp.Data(mock.x, 2 * mock.x).split(8)
    learn = sp.Learner(task, data, model=nn.Linear(4, 4), progress=False, device="cpu")
    history = learn.fit(20, lr=0.05)
    assert history["valid_loss"][-1] < history["valid_loss"][0] / 2
    for show in (learn.show_results, learn.show_batch):
        assert show(2, backend="text").count("a tone of 4 beats") >= 4
        assert show(2, backend="matplotlib").axes
    with pytest.raises(BlockError, match="1 axes instead of 2"):
        task.check(sp.Batch(torch.zeros(3), torch.zeros(3, 4)))


def test_padding_counts_neither_for_the_loss_nor_for_the_metrics() -> None:
    y = torch.tensor([[1, 2, 0, 0], [3, 0, 0, 0]])
    y_hat = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0))
    kept = y != 0
    expected = F.cross_entropy(y_hat[kept], y[kept])
    task = sp.Task(sp.Tokens(5, 0), sp.Tokens(5, 0))
    assert task.loss is not None
    torch.testing.assert_close(task.loss(y_hat, y), expected)
    perplexity, accuracy = task.metrics
    for batch in (slice(0, 1), slice(1, 2)):  # batches of unlike size: 2 tokens and 1
        perplexity.update(y_hat[batch], y[batch])
        accuracy.update(y_hat[batch], y[batch])
    assert perplexity.value() == pytest.approx(float(expected.exp()), rel=1e-5)
    assert accuracy.value() == pytest.approx(float((y_hat.argmax(2) == y)[kept].float().mean()))
    perplexity.reset()
    assert perplexity.value() != perplexity.value()  # nothing seen: not a number


def test_metrics_of_tokens_and_of_parts_go_on_where_they_stopped() -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [
        (
            torch.randn(2, 4, 5, generator=generator),
            torch.randint(0, 5, (2, 4), generator=generator),
        )
        for _ in range(2)
    ]
    makers = (
        lambda: sp.metrics.Perplexity(0),
        lambda: sp.metrics.TokenAccuracy(0),
        lambda: sp.metrics.PartOf(0, sp.metrics.Perplexity(0), "perplexity_1"),
    )
    for make in makers:
        part = isinstance(make(), sp.metrics.PartOf)
        feeds = [((y_hat,), (y,)) if part else (y_hat, y) for y_hat, y in batches]
        whole, first, rest = make(), make(), make()
        for feed in feeds:
            whole.update(*feed)
        first.update(*feeds[0])
        rest.load_state_dict(first.state_dict())
        rest.update(*feeds[1])
        assert rest.value() == whole.value() != first.value()


def test_a_uniform_guess_has_the_perplexity_of_the_vocabulary() -> None:
    metric = sp.metrics.Perplexity()
    metric.update(torch.zeros(3, 4, 7), torch.randint(0, 7, (3, 4)))
    assert metric.value() == pytest.approx(7)


def test_one_hot_targets_train_like_labels() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 1, 2, 2, 1])
    task = sp.Task(TABLE, LABEL, encodings=[sp.OneHotEncode(3)])
    encoded = task.encode(sp.Batch(TABLE.mock(5), y)).y
    assert isinstance(encoded, sp.OneHot)
    assert task.loss is not None
    torch.testing.assert_close(task.loss(logits, encoded), F.cross_entropy(logits, y))
    torch.testing.assert_close(task.metrics[0](logits, encoded), sp.metrics.accuracy(logits, y))
    assert task.decode_target(encoded) == ["a", "b", "c", "c", "b"]
    assert [guess.name for guess in task.decode_output(logits)] == [
        LABEL.classes[i] for i in logits.argmax(1)
    ]
    assert task.num_outputs == 3
    with pytest.raises(TaskError, match="use OneHotEncode"):
        sp.Task(TABLE, LABEL, encodings=[sp.OneHotEncode(4)])


def test_texts_need_a_tokeniser_to_be_a_target() -> None:
    with pytest.raises(TaskError, match="cut into tokens"):
        sp.Task(sp.Text(), sp.Text())


def test_describe_names_every_part() -> None:
    task = sp.Task((sp.Image(1), sp.Text()), LABEL, encodings=[sp.ToFloat(), TEXTS])
    lines = str(task.describe()).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["input", "input", "target"]
    assert "input 1  Image" in lines[2]
    assert "ToFloat" in lines[2]
    assert lines[2].count("ToFloat") == 2  # on the way there, and on the way back
    assert "input 2  Text" in lines[3]
    assert "Characters" in lines[3]


def test_a_plain_loader_may_yield_lists_for_tuples() -> None:
    task = sp.Task((sp.Image(1, (4, 4)), TABLE), LABEL)
    picture, rows = task.mock_batch(3).x
    encoded = task.encode(sp.Batch([picture, rows], torch.tensor([0, 1, 2])))
    assert encoded.x[0].dtype == torch.float32
    assert encoded.x[1] is rows


def test_graphs_are_laid_out_alike_every_time_and_keep_neighbours_close() -> None:
    path = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
    places = laid_out(6, path)
    assert torch.equal(places, laid_out(6, path))
    assert torch.isfinite(places).all()
    apart = torch.cdist(places, places)
    linked = apart[path[0], path[1]].mean()
    assert float(linked) < float(apart[0, 5])


def test_text_grids_draw_curves_and_graphs() -> None:
    grid = TextGrid(width=16)
    grid.curves({"truth": torch.linspace(0, 1, 8)[:, None], "predicted": torch.zeros(8, 1)}, 0.5)
    lines = grid.result().splitlines()
    assert lines == ["truth", "▁▂▃▄▅▆▇█", "predicted", "▁▁▁▁▁▁▁▁", "0 to 1, 3.5 s"]
    grid = TextGrid()
    grid.graph(3, torch.tensor([[0, 0], [1, 2]]), "bond")
    assert grid.result().splitlines() == ["bond", "0 → 1 2", "1 → nowhere", "2 → nowhere"]
