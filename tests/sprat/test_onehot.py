"""One-hot arrays: equal to the dense ones in every operation, and much smaller."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from sprat.errors import BlockError
from sprat.onehot import OneHot


@st.composite
def pairs(draw):
    classes = draw(st.integers(1, 7))
    index = torch.tensor(draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=9)))
    return OneHot(index, classes), F.one_hot(index, classes).float()


OPERATIONS = {
    "plus": lambda a: a + 1,
    "times itself": lambda a: a * a,
    "sum": lambda a: a.sum(),
    "sum over rows": lambda a: a.sum(0),
    "sum over classes": lambda a: a.sum(1),
    "sum over rows, numpy's way": lambda a: a.sum(axis=0),
    "sum of whole numbers": lambda a: a.to(torch.int32).sum(0),
    "sum of yes and no": lambda a: a.to(torch.bool).sum(0),
    "sum, keeping the axis": lambda a: a.sum(0, keepdim=True),
    "mean": lambda a: a.mean(1),
    "argmax": lambda a: a.argmax(1),
    "argmax over rows": lambda a: a.argmax(0),
    "argmax, numpy's way": lambda a: a.argmax(axis=-1, keepdims=True),
    "argmax of a keyword": lambda a: torch.argmax(input=a, dim=1),
    "argmax of everything": lambda a: a.argmax(),
    "transposed product": lambda a: a.T @ a,
    "first row": lambda a: a[0],
    "some rows": lambda a: a[:2] + 0,
    "a column": lambda a: a[:, 0],
    "rows by mask": lambda a: a[torch.arange(len(a)) % 2 == 0] + 0,
    "concatenated": lambda a: torch.cat([a, a]) + 0,
    "concatenated beside": lambda a: torch.cat([a, a], 1),
    "concatenated, counted from the back": lambda a: torch.cat([a, a], -2) + 0,
    "concatenated, numpy's way": lambda a: torch.cat([a, a], axis=0) + 0,
    "concatenated with doubles": lambda a: torch.cat([a, a.to(torch.float64)]) + 0,
    "chosen": lambda a: a.index_select(-2, torch.tensor([0, 0])) + 0,
    "chosen columns": lambda a: torch.index_select(a, -1, torch.tensor([0])),
    "rows by a list": lambda a: a[[0, 0]] + 0,
    "rows by two axes": lambda a: a[torch.zeros(2, 2, dtype=torch.int64)] + 0,
    "a new axis": lambda a: a[None, ..., 0],
    "the kind of another": lambda a: a.to(torch.zeros(1, dtype=torch.float64)) * 1,
    "another to its kind": lambda a: torch.zeros(2, dtype=torch.float64).to(a),
    "product by keywords": lambda a: torch.matmul(input=a, other=torch.eye(a.shape[1])),
    "layer by keywords": lambda a: F.linear(input=a, weight=torch.eye(a.shape[1])),
    "product from the left": lambda a: torch.ones(2, len(a)) @ a,
    "product with a vector": lambda a: a @ torch.arange(float(a.shape[1])),
    "collated": lambda a: torch.utils.data.default_collate(list(a)),
    "pickled": lambda a: pickle.loads(pickle.dumps(a)) * 1,
    "copied": lambda a: copy.deepcopy(a) * 1,
    "stacked": lambda a: torch.stack([a, a]),
    "double": lambda a: a.to(torch.float64) * 1,
    "equal": lambda a: a == 1,
    "numpy": lambda a: torch.as_tensor(a.numpy()),
    "log-softmax": lambda a: F.log_softmax(a, 1),
}


@pytest.mark.parametrize("name", OPERATIONS)
@given(pairs())
@settings(max_examples=20, deadline=None)
def test_every_operation_equals_the_dense_one(name, pair):
    sparse, dense = pair
    result, expected = OPERATIONS[name](sparse), OPERATIONS[name](dense)
    assert result.dtype == expected.dtype
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


def test_it_says_what_a_dense_array_would_say_of_itself():
    array = OneHot(torch.tensor([2, 0]), 3)
    assert (tuple(array.shape), array.ndim, len(array), array.dtype) == (
        (2, 3),
        2,
        2,
        torch.float32,
    )
    assert isinstance(array, torch.Tensor)
    assert "num_classes=3" in repr(array)


def test_a_product_is_a_gather_with_the_same_gradient():
    torch.manual_seed(0)
    index, weight = torch.randint(0, 50, (200,)), torch.randn(50, 8, requires_grad=True)
    (OneHot(index, 50) @ weight).square().sum().backward()
    sparse, weight.grad = weight.grad, None
    (F.one_hot(index, 50).float() @ weight).square().sum().backward()
    torch.testing.assert_close(sparse, weight.grad)


def test_a_linear_layer_and_cross_entropy_take_it():
    torch.manual_seed(0)
    index = torch.randint(0, 20, (30,))
    sparse, dense = OneHot(index, 20), F.one_hot(index, 20).float()
    layer = torch.nn.Linear(20, 4)
    torch.testing.assert_close(layer(sparse), layer(dense))
    logits = torch.randn(30, 20)
    torch.testing.assert_close(F.cross_entropy(logits, sparse), F.cross_entropy(logits, dense))


@pytest.mark.parametrize(
    "options",
    [{}, {"reduction": "sum"}, {"label_smoothing": 0.1}, {"weight": torch.arange(1.0, 21)}],
)
def test_cross_entropy_equals_the_dense_one_with_every_option(options):
    index, logits = torch.arange(30) % 20, torch.arange(600.0).reshape(30, 20).sin()
    dense = F.one_hot(index, 20).float()
    ours = F.cross_entropy(logits, OneHot(index, 20), **options)
    torch.testing.assert_close(ours, F.cross_entropy(logits, dense, **options))


def test_more_axes_count_from_either_end():
    index = torch.tensor([[2, 0], [1, 3], [0, 0]])
    sparse, dense = OneHot(index, 4), F.one_hot(index, 4).float()
    for dim in (-3, -2, -1, 0, 1, 2):
        assert torch.equal(torch.cat([sparse, sparse], dim) + 0, torch.cat([dense, dense], dim))
        picked = torch.tensor([1, 0, 1])
        assert torch.equal(sparse.index_select(dim, picked) + 0, dense.index_select(dim, picked))
        assert torch.equal(sparse.argmax(dim), dense.argmax(dim))


def _assign(x):
    x[0] = 0.0


@pytest.mark.parametrize(
    "change",
    [
        _assign,
        lambda x: x.zero_(),
        lambda x: x.add_(1),
        lambda x: F.relu_(x),
        lambda x: torch.add(x, 1, out=x),
    ],
)
def test_nothing_changes_it_in_place_silently(change):
    x = OneHot(torch.tensor([1, 0]), 2)
    with pytest.raises(BlockError, match="in place") as caught:
        change(x)
    assert "x.dense()" in str(caught.value)
    assert torch.zeros(2, 2).copy_(x).tolist() == [[0, 1], [1, 0]]  # into a dense one it can go


def test_it_takes_a_five_hundredth_of_the_memory():
    array = OneHot(torch.randint(0, 1000, (4096,)), 1000)
    assert array.numel() * array.element_size() >= 500 * array.stored_bytes


def test_no_dense_array_is_made_for_a_product(monkeypatch):
    monkeypatch.setattr(OneHot, "dense", lambda self: pytest.fail("made the dense form"))
    array = OneHot(torch.tensor([1, 0, 1]), 2)
    weight = torch.randn(2, 3)
    assert (array @ weight).shape == (3, 3)
    assert F.linear(array, weight.T).shape == (3, 3)
    assert array.argmax(1).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: OneHot(torch.tensor([0, 3]), 3), "indices from 0 to 3"),
        (lambda: OneHot(torch.tensor([-1]), 3), "from -1 to -1"),
        (lambda: OneHot(torch.tensor([0.0]), 3), "float32 indices"),
        (lambda: OneHot(torch.tensor([0]), 3) @ torch.zeros(4, 2), "4 matrix rows"),
    ],
)
def test_mistakes_are_named_with_their_fix(make, says):
    with pytest.raises(BlockError, match=says) as caught:
        make()
    assert "fix:" in str(caught.value)
