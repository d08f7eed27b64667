"""The learner takes the very steps that a loop written by hand takes: equal losses, bit by bit."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import sprat as sp
from sprat.schedule import one_cycle

OPTIMIZERS = {
    "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
}


def network(*, dropout: float = 0.0) -> nn.Module:
    """The same weights at every call."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(81, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(16, 3),
    )  # fmt: skip


def plain_loop(
    model: nn.Module,
    loader: Any,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    encode: Callable[[Tensor], Tensor] = lambda x: x,
    before_step: Callable[[int], None] = lambda step: None,
    before_update: Callable[[], None] = lambda: None,
) -> list[float]:
    losses: list[float] = []
    for _ in range(epochs):
        model.train()
        for batch in loader:
            x, y = (batch.x, batch.y) if isinstance(batch, sp.Batch) else batch
            before_step(len(losses))
            optimizer.zero_grad()
            loss = F.cross_entropy(model(encode(x)), y)
            loss.backward()
            before_update()
            optimizer.step()
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_plain_module_and_plain_loaders(pictures: sp.Data, optimizer: str) -> None:
    dataset = TensorDataset(pictures.x.float() / 255, pictures.y)
    make = OPTIMIZERS[optimizer]

    def loader() -> DataLoader:
        return DataLoader(dataset, 20, shuffle=True, generator=torch.Generator().manual_seed(4))

    model = network()
    expected = plain_loop(model, loader(), make(model.parameters(), lr=0.01), epochs=3)
    learn = sp.Learner(
        network(), (loader(),), loss=F.cross_entropy, optimizer=make, lr=0.01, device="cpu"
    )
    learn.fit(3)
    assert learn.history.losses == expected
    assert len(expected) == 15
    ours, theirs = learn.model.state_dict(), model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_task_and_own_loader(pictures: sp.Data, task: sp.Task) -> None:
    def order() -> torch.Generator:
        return torch.Generator().manual_seed(5)

    model = network()
    loader = sp.Loader(pictures, 16, shuffle=True, generator=order())
    expected = plain_loop(
        model,
        loader,
        torch.optim.AdamW(model.parameters(), lr=0.01),
        epochs=2,
        encode=lambda x: x.float() / 255,
    )
    learn = sp.Learner(
        task, (pictures,), model=network(), batch_size=16, lr=0.01, device="cpu", generator=order()
    )
    learn.fit(2)
    assert learn.history.losses == expected


def test_validation_disturbs_nothing(pictures: sp.Data) -> None:
    x, y = pictures.x.float() / 255, pictures.y
    batches = [(x[i : i + 24], y[i : i + 24]) for i in range(0, 96, 24)]
    expected = plain_loop(
        model := network(dropout=0.3), batches, torch.optim.AdamW(model.parameters()), epochs=3
    )
    torch.manual_seed(3)
    learn = sp.Learner(
        network(dropout=0.3),
        (batches, batches[:1]),
        loss=F.cross_entropy,
        metrics=[sp.metrics.accuracy, sp.metrics.error_rate],
        device="cpu",
    )
    learn.fit(3)
    assert learn.history.losses == expected


def test_one_cycle_sets_the_rate_of_every_step(pictures: sp.Data) -> None:
    x, y = pictures.x.float() / 255, pictures.y
    batches = [(x[i : i + 24], y[i : i + 24]) for i in range(0, 96, 24)]
    model, curve = network(), one_cycle(0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def set_rate(step: int) -> None:
        optimizer.param_groups[0]["lr"] = curve(step / 11)

    expected = plain_loop(model, batches, optimizer, epochs=3, before_step=set_rate)
    learn = sp.Learner(
        network(), (batches,), loss=F.cross_entropy, optimizer=torch.optim.SGD, device="cpu"
    )
    learn.fit_one_cycle(3, lr=0.1)
    assert learn.history.losses == expected
    assert learn.history.lrs == [curve(step / 11) for step in range(12)]


def test_clipping_happens_between_backward_and_step(pictures: sp.Data) -> None:
    x, y = pictures.x.float() / 255, pictures.y
    batches = [(x[i : i + 24], y[i : i + 24]) for i in range(0, 96, 24)]
    model = network()
    expected = plain_loop(
        model,
        batches,
        torch.optim.SGD(model.parameters(), lr=0.5),
        epochs=3,
        before_update=lambda: torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1),  # type: ignore[arg-type, return-value]
    )
    learn = sp.Learner(
        network(), (batches,), loss=F.cross_entropy, optimizer=torch.optim.SGD, device="cpu"
    )
    learn.fit(3, lr=0.5, callbacks=[sp.GradientClip(0.1)])
    assert learn.history.losses == expected
    free = sp.Learner(
        network(), (batches,), loss=F.cross_entropy, optimizer=torch.optim.SGD, device="cpu"
    )
    free.fit(3, lr=0.5)
    assert free.history.losses != expected  # so the clipping above did something


class TwiceAStep(sp.TrainPhase):
    """Moves the weights twice with one batch, and notes which had a gradient in the forward."""

    def __init__(self) -> None:
        self.had: list[bool] = []

    def step(self, learn: sp.Learner, batch: sp.Batch) -> dict[str, Any]:
        for _ in range(2):
            self.had.append(any(p.grad is not None for p in learn.model.parameters()))
            loss = learn.loss(learn.model(batch.x), batch.y)
            state = learn.update(loss=loss)
        return state


def test_gradients_go_before_the_forward_and_are_never_added_up(
    pictures: sp.Data, task: sp.Task
) -> None:
    phase, model = TwiceAStep(), network()
    learn = sp.Learner(
        task, pictures[:64], model=model, phases=[phase], optimizer=torch.optim.SGD, lr=0.1,
        batch_size=32, device="cpu", progress=False, generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    learn.fit(1)
    assert phase.had == [False, True, False, True]
    assert all(p.grad is not None for p in model.parameters()), "a look at them is still possible"

    twin = network()
    loader = sp.Loader(pictures[:64], 32, shuffle=True, generator=torch.Generator().manual_seed(1))
    twice = [batch for batch in loader for _ in range(2)]
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    plain_loop(twin, twice, optimizer, epochs=1, encode=lambda x: task.encode(sp.Batch(x, None)).x)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_two_fits_continue_one_another(learn: sp.Learner) -> None:
    learn.fit(1)
    learn.fit(2)
    assert len(learn.history) == 3
    assert len(learn.history.losses) == 3 * learn.steps_per_epoch
    first, last = learn.history["train_loss"][0], learn.history.last("train_loss")
    assert last < first


def test_it_learns(learn: sp.Learner) -> None:
    learn.fit_one_cycle(15, lr=0.03)
    assert learn.history.last("accuracy") == 1.0
    assert learn.evaluate()["accuracy"] == 1.0


def test_metrics_are_exact_over_batches_of_unequal_size(learn: sp.Learner) -> None:
    learn.fit(2)
    y_hat, y = learn.predictions()
    assert len(y) == 24  # one batch of the validation loader is larger than the data
    uneven = sp.Loader(learn.loaders["valid"].data, 7)
    measured = learn.evaluate(uneven)
    assert measured["loss"] == pytest.approx(float(F.cross_entropy(y_hat, y)), rel=1e-6)
    assert measured["accuracy"] == pytest.approx(float((y_hat.argmax(1) == y).float().mean()))


def test_recorded_loss_is_the_mean_over_samples(learn: sp.Learner) -> None:
    loader = learn.loaders["train"]
    sizes = [min(16, 72 - start) for start in range(0, 72, 16)]
    assert len(loader) == len(sizes)
    learn.fit(1)
    weighted = sum(s * loss for s, loss in zip(sizes, learn.history.losses, strict=True)) / 72
    assert learn.history.last("train_loss") == pytest.approx(weighted, rel=1e-6)


def test_a_model_that_was_half_frozen_stays_so(learn: sp.Learner) -> None:
    first = next(learn.model.parameters())
    first.requires_grad_(False)
    before = first.clone()
    learn.fit(1)
    assert torch.equal(first, before)


def test_bf16_takes_the_steps_of_a_loop_with_autocast(pictures: sp.Data) -> None:
    """Each step computes with the weights that the one before has left, not with old copies."""
    x, y = pictures.x.float() / 255, pictures.y
    batches = [(x[i : i + 24], y[i : i + 24]) for i in range(0, 96, 24)]
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    expected = []
    for inputs, targets in batches * 2:
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    learn = sp.Learner(
        network(), (batches,), loss=F.cross_entropy, optimizer=torch.optim.SGD, lr=0.1,
        precision="bf16", device="cpu",
    )  # fmt: skip
    learn.fit(2)
    assert learn.history.losses == expected


def test_bf16_trains_on_the_cpu(pictures: sp.Data, task: sp.Task) -> None:
    learn = sp.Learner(
        task, (pictures, pictures), model=network(), device="cpu", precision="bf16", lr=0.01
    )
    learn.fit(8)
    assert learn.history["train_loss"][-1] < learn.history["train_loss"][0]
    y_hat, _ = learn.predictions()
    assert y_hat.dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_no_step_waits_for_the_gpu(pictures: sp.Data, task: sp.Task) -> None:
    parts = (pictures.to("cuda"), pictures.to("cuda"))
    learn = sp.Learner(task, parts, model=network(), device="cuda", batch_size=16)
    learn.fit(1)

    class Strict(sp.Callback):
        def step_begin(self, learn: sp.Learner) -> None:
            torch.cuda.set_sync_debug_mode("error")

        def phase_end(self, learn: sp.Learner) -> None:
            torch.cuda.set_sync_debug_mode("default")

    try:
        learn.fit(2, callbacks=[Strict()])
    finally:
        torch.cuda.set_sync_debug_mode("default")
