"""What a learner can be told besides: compiled, channels last, scaled losses; and no waiting."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import sprat as sp
from sprat.errors import TrainingError

WAITS = {
    "_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "item", "_unique2",
    "unique_consecutive", "unique_dim",
}  # fmt: skip


class Waits(TorchDispatchMode):
    """Note every operation whose result Python needs, and for which a GPU would be waited."""

    def __init__(self) -> None:
        super().__init__()
        self.on, self.found = False, list[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name in ("index", "index_put", "index_put_") and any(
            isinstance(part, Tensor) and part.dtype == torch.bool for part in args[1]
        )
        if self.on and (name in WAITS or by_mask):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


class Inside(sp.Callback):
    """Watch from the first step of a phase to its last."""

    def __init__(self, waits: Waits) -> None:
        self.waits = waits

    def phase_begin(self, learn: sp.Learner) -> None:
        self.waits.on = True

    def step_end(self, learn: sp.Learner) -> None:
        # The recorder, which comes before all others, may wait once the last step is over.
        self.waits.on &= learn.step + 1 < len(learn.loader(learn.phase.split))


@contextmanager
def watched() -> Iterator[tuple[Waits, Inside]]:
    waits = Waits()
    with waits:
        yield waits, Inside(waits)


def learner(pictures: sp.Data, **options: Any) -> sp.Learner:
    torch.manual_seed(3)
    model = options.pop("model", None) or nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Dropout(0.2), nn.Linear(16, 3),
    )  # fmt: skip
    task = sp.Task(sp.Image(channels=1), sp.Label(pictures.classes))
    return sp.Learner(
        task, options.pop("data", (pictures[:72], pictures[72:])), model=model, batch_size=16,
        device="cpu", optimizer=torch.optim.SGD, lr=0.1, **options,
    )  # fmt: skip


EXTRAS = {
    "as it is": list,
    "clipping and an average": lambda: [sp.GradientClip(0.1), sp.EMA(0.9)],
    "gathering": lambda: [sp.Accumulate(2), sp.EarlyStopping()],
    "augmenting": lambda: [
        sp.Augment(sp.augment.Flip(), sp.augment.Affine(degrees=9), sp.augment.Erase())
    ],
}


@pytest.mark.parametrize("extra", EXTRAS)
def test_no_step_waits_for_the_device(pictures: sp.Data, extra: str) -> None:
    """On any machine: nothing between two seams of phases asks for a tensor's value."""
    metrics = [sp.metrics.accuracy, sp.metrics.error_rate]
    with watched() as (waits, inside):
        learn = learner(pictures, metrics=metrics)
        learn.fit_one_cycle(2, callbacks=[inside, *EXTRAS[extra]()])
    assert len(learn.history) == 2
    assert waits.found == []


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda loss, y: loss.item(), "_local_scalar_dense"),
        (lambda loss, y: bool(loss > 1), "_local_scalar_dense"),
        (lambda loss, y: y[y > 1], "index"),
        (lambda loss, y: y.nonzero(), "nonzero"),
    ],
)
def test_waiting_would_be_seen(pictures: sp.Data, ask: Any, name: str) -> None:
    class Asks(sp.TrainPhase):
        def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
            state = super().step(learn, batch)
            ask(state["loss"], batch.y)
            return state

    with watched() as (waits, inside):
        learner(pictures, phases=[Asks()]).fit(1, callbacks=[inside])
    assert waits.found == [name] * 5


def test_channels_last_computes_the_same(pictures: sp.Data) -> None:
    seen: list[bool] = []

    class Looks(sp.Callback):
        def step_begin(self, learn: sp.Learner) -> None:
            seen.append(learn.batch.x.is_contiguous(memory_format=torch.channels_last))

    rgb = sp.Data(pictures.x.expand(-1, 3, -1, -1).contiguous(), pictures.y)
    task = sp.Task(sp.Image(channels=3), sp.Label(pictures.classes))

    def train(*, channels_last: bool) -> sp.Learner:
        torch.manual_seed(3)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(196, 3))
        learn = sp.Learner(
            task, (rgb,), model=model, device="cpu", channels_last=channels_last, lr=0.01,
            generator=torch.Generator().manual_seed(1),
        )  # fmt: skip
        learn.fit(2, callbacks=[Looks()])
        return learn

    last, first = train(channels_last=True), train(channels_last=False)
    assert seen == [True] * 4 + [False] * 4
    assert last.model[0].weight.is_contiguous(memory_format=torch.channels_last)  # type: ignore[index]
    assert last.history.losses == pytest.approx(first.history.losses, rel=1e-4)


@pytest.mark.slow
def test_a_compiled_model_computes_the_same(pictures: sp.Data) -> None:
    def model() -> nn.Module:
        torch.manual_seed(3)
        return nn.Sequential(nn.Flatten(), nn.Linear(81, 8), nn.Tanh(), nn.Linear(8, 3))

    order = [torch.Generator().manual_seed(1) for _ in range(2)]
    compiled = learner(pictures, model=model(), compile="aot_eager", generator=order[0])
    plain = learner(pictures, model=model(), generator=order[1])
    compiled.fit(2)
    plain.fit(2)
    assert compiled.model._compiled_call_impl is not None
    assert plain.model._compiled_call_impl is None
    assert compiled.history.losses == pytest.approx(plain.history.losses, rel=1e-4)
    assert set(compiled.model.state_dict()) == set(plain.model.state_dict())


def test_true_compiles_for_speed(pictures: sp.Data, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **how: asked.append(how))
    learner(pictures, compile=True)
    assert asked == [{"backend": "inductor"}]


def test_a_scaled_loss_takes_the_same_steps(pictures: sp.Data) -> None:
    """fp16 needs a GPU, its scaler does not: factors are powers of two, so steps are equal."""

    def losses(*, scaled: bool) -> list[float]:
        learn = learner(
            pictures, callbacks=[sp.GradientClip(0.1)], generator=torch.Generator().manual_seed(1)
        )
        learn.scaler = torch.amp.GradScaler("cpu", enabled=scaled, init_scale=2.0**10)
        torch.manual_seed(4)
        return learn.fit(2).losses

    assert losses(scaled=True) == pytest.approx(losses(scaled=False), rel=1e-6)


def test_a_scaler_skips_steps_that_overflow_until_it_is_small_enough(pictures: sp.Data) -> None:
    moved: list[bool] = []

    class Looks(sp.Callback):
        def step_begin(self, learn: sp.Learner) -> None:
            self.before = learn.model[6].weight.detach().clone()  # type: ignore[index]

        def step_end(self, learn: sp.Learner) -> None:
            moved.append(not torch.equal(self.before, learn.model[6].weight))  # type: ignore[index]

    learn = learner(
        pictures, data=(pictures,), loss=lambda y_hat, y: 100 * F.cross_entropy(y_hat, y)
    )
    learn.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    learn.fit(4, lr=1e-4, callbacks=[Looks(), sp.GradientClip(1.0)])
    skipped = moved.index(True)
    assert skipped > 0
    assert moved == [False] * skipped + [True] * (24 - skipped)
    assert learn.scaler.get_scale() == 2.0 ** (127 - skipped)
    assert all(torch.isfinite(p).all() for p in learn.model.parameters())


def views(pictures: sp.Data) -> sp.Learner:
    augment = sp.Augment(sp.augment.Affine(translate=0.2), generator=torch.Generator())
    return learner(pictures, callbacks=[augment])


def test_predictions_from_several_views_are_their_mean(pictures: sp.Data) -> None:
    learn = views(pictures)
    x = pictures.x[72:].float() / 255
    learn.model.eval()
    with torch.no_grad():
        expected = (learn.model(x) + learn.model(x.flip(-1)) + learn.model(x.flip(-2))) / 3
    flips = [lambda x: x.flip(-1), lambda x: x.flip(-2)]
    y_hat, y = learn.predictions(tta=flips)
    assert torch.allclose(y_hat, expected, atol=1e-6)
    assert torch.equal(y, pictures.y[72:])
    once, _ = learn.predictions()
    assert not torch.allclose(y_hat, once)


def test_views_by_the_learners_augmentation(pictures: sp.Data) -> None:
    learn = views(pictures)
    augment = learn.callbacks[0]
    augment.generator.manual_seed(5)  # type: ignore[attr-defined]
    first, _ = learn.predictions(tta=4)
    augment.generator.manual_seed(5)  # type: ignore[attr-defined]
    again, _ = learn.predictions(tta=4)
    once, _ = learn.predictions(tta=0)
    assert torch.equal(first, again)
    assert not torch.equal(first, once)
    with pytest.raises(TrainingError, match="the learner has no Augment"):
        learner(pictures).predictions(tta=2)


def test_smoothing_is_the_formula(pictures: sp.Data) -> None:
    y_hat, y = torch.randn(6, 3), torch.arange(6) % 3
    loss = sp.losses.CrossEntropy(smoothing=0.3)
    soft = 0.7 * F.one_hot(y, 3) + 0.3 / 3
    expected = -(soft * y_hat.log_softmax(1)).sum(1).mean()
    assert torch.allclose(loss(y_hat, y), expected)
    assert torch.allclose(loss(y_hat, F.one_hot(y, 3).float()), expected)
    assert torch.equal(sp.losses.CrossEntropy(0.0)(y_hat, y), F.cross_entropy(y_hat, y))
    masks = torch.randint(0, 3, (2, 4, 4))
    assert loss(torch.randn(2, 3, 4, 4), masks).ndim == 0


def test_smoothing_through_the_task(pictures: sp.Data) -> None:
    """Doubtful targets keep the outputs small: the surest guess stays less sure."""

    def surest(smoothing: float) -> float:
        torch.manual_seed(0)
        task = sp.Task(
            sp.Image(channels=1), sp.Label(pictures.classes),
            loss=sp.losses.CrossEntropy(smoothing),
        )  # fmt: skip
        learn = sp.Learner(task, (pictures, pictures), model=sp.models.MLP(81, 3), device="cpu")
        learn.fit(20, lr=0.01)
        return float(learn.predictions()[0].softmax(1).max())

    assert surest(0.3) < 0.9 < surest(0.0)
