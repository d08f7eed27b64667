"""A loss over batches is that over all samples, whatever the batches."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import sprat as sp

WEIGHT = torch.tensor([0.1, 1.0, 5.0])


class Own(nn.Module):
    def forward(self, y_hat: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(y_hat, y, WEIGHT)


def masked(y_hat: Tensor, y: Tensor) -> Tensor:
    counts = (y != 1).float()
    return (F.cross_entropy(y_hat, y, reduction="none") * counts).sum() / counts.sum()


LOSSES: dict[str, Any] = {
    "torch's": F.cross_entropy,
    "module": nn.CrossEntropyLoss(weight=WEIGHT),
    "partial": partial(F.cross_entropy, weight=WEIGHT, ignore_index=1),
    "lambda": lambda y_hat, y: F.cross_entropy(y_hat, y, weight=WEIGHT, label_smoothing=0.1),
    "own module": Own(),
    "nll": lambda y_hat, y: F.nll_loss(y_hat.log_softmax(1), y, weight=WEIGHT),
    "ignored": lambda y_hat, y: F.cross_entropy(y_hat, y, ignore_index=2),
    "masked": masked,
    "selected": lambda y_hat, y: F.cross_entropy(y_hat, y, reduction="none")[y != 0].mean(),
    "squares": lambda y_hat, y: F.mse_loss(y_hat[:, 0], y.float()),
}


def learner(loss: Any, size: int, *, count: int = 43, **options: Any) -> sp.Learner:
    g = torch.Generator().manual_seed(0)
    y = torch.randint(0, 3, (count,), generator=g)
    x = torch.randn(count, 4, generator=g)
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    batches = [sp.Batch(x[i : i + size], y[i : i + size]) for i in range(0, count, size)]
    return sp.Learner(
        model, (batches, batches), loss=loss, device="cpu", progress=False,
        optimizer=torch.optim.SGD, lr=0.3, **options,
    )  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [5, 7, 42])
def test_the_loss_is_that_of_all_samples(name: str, size: int) -> None:
    whole = learner(LOSSES[name], 43).evaluate()["loss"]
    assert learner(LOSSES[name], size).evaluate()["loss"] == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"ignored"}))  # a batch has none that counts
def test_gathered_gradients_are_those_of_all_samples(name: str) -> None:
    whole, parts = learner(LOSSES[name], 43), learner(LOSSES[name], 5)
    whole.fit(1)
    parts.fit(1, callbacks=[sp.Accumulate(9)])
    for ours, theirs in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    ours, theirs = (learn.history.last("train_loss") for learn in (parts, whole))
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_padding_does_not_count() -> None:
    texts = ["a", "bb", "a longer text, much longer", "ccc", "dd"]
    tokens = sp.text.Characters.of(texts)

    def loss(size: int) -> float:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Embedding(tokens.size, 8), nn.Linear(8, tokens.size))
        data = sp.Data(texts, texts)
        task = sp.Task(sp.Text(), sp.Text(), encodings=[tokens])
        learn = sp.Learner(
            task, (data, data), model=model, batch_size=size, device="cpu", progress=False
        )
        return learn.evaluate()["loss"]

    assert loss(1) == pytest.approx(loss(5), rel=1e-5)
    assert loss(2) == pytest.approx(loss(5), rel=1e-5)


def test_a_batch_in_which_nothing_counts_changes_no_measure() -> None:
    ignored = LOSSES["ignored"]
    x, y = torch.randn(6, 4), torch.tensor([0, 1, 0, 2, 2, 2])
    learn = learner(ignored, 43)
    whole = learn.evaluate([sp.Batch(x, y)])["loss"]
    apart = learn.evaluate([sp.Batch(x[:3], y[:3]), sp.Batch(x[3:], y[3:])])["loss"]
    assert apart == pytest.approx(whole, rel=1e-5)
