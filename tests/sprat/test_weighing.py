"""A loss over batches is that over all samples, whatever the batches."""

from functools import partial
from pathlib import Path
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
    "half": lambda y_hat, y: 0.5 * F.cross_entropy(y_hat, y, weight=WEIGHT).float(),
    "two": lambda y_hat, y: F.cross_entropy(y_hat, y, WEIGHT) - 0.1 * F.cross_entropy(y_hat, y),
    "penalty": lambda y_hat, y: F.cross_entropy(y_hat, y, WEIGHT) + WEIGHT.square().mean() + 1,
    "stacked": lambda y_hat, y: torch.stack(
        [F.cross_entropy(y_hat, y, WEIGHT), F.cross_entropy(y_hat, y, ignore_index=1)]
    ).mean(),
    "minus": lambda y_hat, y: 1 - F.cross_entropy(y_hat, y, weight=WEIGHT).neg() - 1,
    "holes": lambda y_hat, y: F.mse_loss(y_hat[y != 1], y_hat[y != 1] * 0 + 1),
    "holes of one": lambda y_hat, y: torch.where((y == 1)[:, None], torch.nan, y_hat).nanmean(),
    "ratio": lambda y_hat, y: (y_hat[:, 0] * WEIGHT[y]).mean() / WEIGHT[y].mean(),
    "by class": lambda y_hat, y: (y_hat - 1).square().mean(0).mean(),
    "of a number": lambda y_hat, y: F.cross_entropy(y_hat, y, weight=WEIGHT).mean(),
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


SUMS = {"two", "penalty", "stacked", "minus"}  # one gradient is gathered, by samples


@pytest.mark.parametrize("name", sorted(set(LOSSES) - SUMS))
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


@pytest.mark.parametrize("name", ["ignored", "masked", "selected", "two", "holes"])
def test_a_batch_in_which_nothing_counts_does_not_end_a_training(name: str) -> None:
    def loss(y_hat: Tensor, y: Tensor) -> Tensor:
        return LOSSES[name](y_hat, y) if name != "two" else 2 * ignored(y_hat, y) + 1

    def ignored(y_hat: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(y_hat, y, ignore_index=1)

    out = {"ignored": 2, "selected": 0}.get(name, 1)
    x, y = torch.randn(6, 4), torch.tensor([(out + 1) % 3] * 3 + [out] * 3)
    learn = learner(loss, 43)
    learn.loaders["train"] = [sp.Batch(x[:3], y[:3]), sp.Batch(x[3:], y[3:])]
    learn.fit(2)
    assert all(weight.isfinite().all() for weight in learn.model.parameters())
    assert learn.history.last("train_loss") > 0

    learn.loaders["train"] = [sp.Batch(x[3:], y[3:])]
    if name != "two":  # of which something always counts
        with pytest.raises(sp.errors.TrainingError, match="does any target count"):
            learn.fit(1)


def test_parts_of_a_sum_are_kept_by_a_checkpoint(tmp_path: Path) -> None:
    class Cut(sp.Callback):
        def step_end(self, learn: sp.Learner) -> None:
            if learn.phase.trains and learn.step == 3:
                raise KeyboardInterrupt

    whole = learner(LOSSES["two"], 5)
    whole.fit(1)
    with pytest.raises(KeyboardInterrupt):
        learner(LOSSES["two"], 5).fit(1, callbacks=[sp.Checkpoint(tmp_path, every=1), Cut()])
    learn = learner(LOSSES["two"], 5)
    learn.resume(tmp_path)
    learn.fit(1, callbacks=[sp.Checkpoint(tmp_path, every=1)])
    assert learn.history.last("train_loss") == whole.history.last("train_loss")


def test_a_loss_of_several_targets_is_that_of_all_samples() -> None:
    x, y = torch.randn(43, 4), torch.arange(43) % 3

    class Two(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x[:, :3], x[:, 1:]

    def weighted(y_hat: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(y_hat, y, weight=WEIGHT)

    loss = sp.derive.SumOfLosses((weighted, F.cross_entropy))
    found = [
        sp.Learner(
            Two(), {"train": sp.Data(x, (y, y)), "valid": sp.Data(x, (y, y))}, loss=loss,
            batch_size=size, device="cpu", progress=False,
        ).evaluate()["loss"]
        for size in (1, 7, 43)
    ]  # fmt: skip
    assert found == pytest.approx([found[-1]] * 3, rel=1e-5)
