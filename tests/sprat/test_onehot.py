"""One-hot arrays: equal to the dense ones in every operation, and much smaller."""

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
    "sum, keeping the axis": lambda a: a.sum(0, keepdim=True),
    "mean": lambda a: a.mean(1),
    "argmax": lambda a: a.argmax(1),
    "argmax over rows": lambda a: a.argmax(0),
    "argmax of everything": lambda a: a.argmax(),
    "transposed product": lambda a: a.T @ a,
    "first row": lambda a: a[0],
    "some rows": lambda a: a[:2] + 0,
    "a column": lambda a: a[:, 0],
    "rows by mask": lambda a: a[torch.arange(len(a)) % 2 == 0] + 0,
    "concatenated": lambda a: torch.cat([a, a]) + 0,
    "concatenated beside": lambda a: torch.cat([a, a], 1),
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
