"""Mixup and cutmix: what comes out, the targets, losses and metrics; and where Augment runs."""

import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.ahead import Ahead
from sprat.augment import Augment, CutMix, Flip, MixUp, Noise
from sprat.augment.mix import Mixing, _half_beta, box, mixup
from sprat.augment.place import Choice, cheaper, choose
from sprat.errors import CallbackError, TaskError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 64) -> sp.Data:
    """Three kinds, told apart by which third is bright."""
    y = torch.arange(count) % 3
    x = torch.randint(0, 80, (count, 1, 9, 9), generator=seeded(), dtype=torch.uint8)
    for kind in range(3):
        x[y == kind, :, 3 * kind : 3 * kind + 3] += 150
    return sp.Data(x, y, classes=("top", "middle", "bottom"))


def learner(*callbacks: sp.Callback, **options: Any) -> sp.Learner:
    data = pictures(96)
    torch.manual_seed(0)
    return sp.Learner(
        sp.Task(sp.Image(1), sp.Label(data.classes or ())), (data[:64], data[64:]),
        model=sp.models.MLP(81, 3), callbacks=callbacks, device="cpu", batch_size=16,
        generator=seeded(1), lr=0.02, **options,
    )  # fmt: skip


class Seen(sp.Callback):
    """The training batches as the step gets them, and the training accuracy."""

    reads = frozenset({"batch", "y_hat"})

    def __init__(self) -> None:
        self.batches: list[sp.Batch] = []
        self.right: list[float] = []

    def step_end(self, learn: sp.Learner) -> None:
        if learn.phase.trains:
            self.batches.append(learn.batch)
            self.right.append(float(sp.metrics.accuracy(learn.state["y_hat"], learn.batch.y)))


def test_mixup_is_the_formula_sample_by_sample() -> None:
    x, partner = torch.rand(6, 3, 4, 4), torch.tensor([3, 0, 5, 1, 2, 4])
    share = torch.rand(6) / 2
    out = mixup(x, partner, share)
    for i in range(6):
        expected = (1 - share[i]) * x[i] + share[i] * x[partner[i]]
        torch.testing.assert_close(out[i], expected, rtol=0, atol=1e-6)


def test_a_box_covers_its_share_and_no_more_anywhere_in_the_picture() -> None:
    share = torch.full((500,), 0.3)
    mask = box(share, torch.rand(500, 2, generator=seeded()), (20, 30))
    area = mask.float().mean((1, 2))
    assert (area <= 0.3).all()
    assert (area > 0.24).all()
    assert mask.any(0).all()  # every pixel is covered now and then


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 2.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    uniform = torch.linspace(0, 1, 20_001)
    ours = _half_beta(uniform, alpha)
    torch.manual_seed(0)
    theirs = torch.distributions.Beta(alpha, alpha).sample((200_000,))
    theirs = torch.minimum(theirs, 1 - theirs)
    for chance in (0.1, 0.25, 0.5, 0.75, 0.9):
        torch.testing.assert_close(
            ours.quantile(chance), theirs[:100_000].quantile(chance), rtol=0.05, atol=2e-3
        )
    assert ours.max() <= 0.5


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_targets_are_shares_and_the_original_leads(kind: type[Mixing]) -> None:
    seen, labels = Seen(), []

    class Labels(sp.Callback):
        writes = frozenset({"labels"})

        def step_begin(self, learn: sp.Learner) -> None:
            if learn.phase.trains:
                labels.append(learn.batch.y)

    mix = kind(1.0, generator=seeded(2))
    learn = learner(Labels(), mix, seen)
    learn.fit(2)
    for before, after in zip(labels, seen.batches, strict=True):
        assert torch.equal(before, after.y.argmax(1))
        assert after.y.shape == (len(after), 3)
        torch.testing.assert_close(after.y.sum(1), torch.ones(len(after)))
        assert len(before) == len(after)
    assert any((batch.y.max(1).values < 1).any() for batch in seen.batches)


def test_loss_and_metrics_work_and_the_model_learns() -> None:
    seen = Seen()
    learn = learner(MixUp(0.4, generator=seeded(2)), seen)
    learn.fit(15)
    assert learn.history.last("accuracy") > 0.95
    assert sum(seen.right[-4:]) / 4 > 0.9  # against the originals
    learn = learner(CutMix(generator=seeded(2)))
    learn.fit(15)
    assert learn.history.last("accuracy") > 0.95


def mixed(kind: type[Mixing], batch: sp.Batch, target: sp.Block | None) -> sp.Batch:
    """What a callback makes of one batch."""
    task = sp.Task(sp.Image(1), target) if target is not None else None
    data = sp.Data(batch.x, batch.y)
    model = nn.Flatten()
    loss = nn.functional.mse_loss
    learn = sp.Learner(task, data, model=model, device="cpu") if task else None
    plain = learn or sp.Learner(model, (data,), loss=loss, device="cpu")
    plain.phase, plain.batch = sp.TrainPhase(), batch
    kind(generator=seeded(3)).step_begin(plain)
    return plain.batch


def test_accuracy_counts_against_the_original() -> None:
    x, y = torch.rand(32, 1, 8, 8), torch.arange(32) % 5
    for kind in (MixUp, CutMix):
        out = mixed(kind, sp.Batch(x, y), sp.Label(list("abcde")))
        right = torch.nn.functional.one_hot(y, 5).float()
        assert sp.metrics.accuracy(right, out.y) == 1
        assert sp.metrics.error_rate(right, out.y) == 0
        assert sp.metrics.top_k_accuracy(right, out.y, k=1) == 1


def test_cutmix_moves_masks_with_their_pixels() -> None:
    y = torch.randint(0, 3, (16, 12, 12), generator=seeded())
    x = (y[:, None].float() * 100).to(torch.uint8)
    out = mixed(CutMix, sp.Batch(x, y), sp.Mask(list("abc")))
    assert torch.equal(out.x[:, 0], (out.y * 100).to(torch.uint8))
    assert not torch.equal(out.y, y)


def test_numbers_are_mixed_like_pictures() -> None:
    x = torch.rand(16, 1, 4, 4)
    y = x.flatten(1).mean(1, keepdim=True)
    out = mixed(MixUp, sp.Batch(x, y), sp.Continuous(1))
    torch.testing.assert_close(out.x.flatten(1).mean(1, keepdim=True), out.y)


def test_what_cannot_be_mixed_is_named() -> None:
    x = torch.rand(8, 1, 4, 4)
    with pytest.raises(TaskError, match="can't mix targets of Mask"):
        mixed(MixUp, sp.Batch(x, torch.zeros(8, 4, 4, dtype=torch.long)), sp.Mask(list("ab")))
    with pytest.raises(TaskError, match=r"can't mix targets of Tensor") as caught:
        mixed(MixUp, sp.Batch(x, torch.zeros(8, dtype=torch.long)), None)
    assert "num_classes=" in caught.value.fix
    with pytest.raises(TaskError, match="alpha=0"):
        MixUp(0)


def test_they_follow_augment_and_exclude_each_other() -> None:
    seen = Seen()
    learn = learner(MixUp(generator=seeded(1)), Augment(Noise(0.1), generator=seeded(2)), seen)
    learn.fit(1)
    assert seen.batches[0].y.ndim == 2
    with pytest.raises(CallbackError, match="MixUp and CutMix both write 'batch'"):
        learner(MixUp(), CutMix())


def test_a_share_of_samples_can_be_left_alone() -> None:
    x, y = torch.rand(400, 1, 4, 4), torch.arange(400) % 4
    learn = sp.Learner(nn.Flatten(), (sp.Data(x, y),), loss=nn.functional.mse_loss, device="cpu")
    learn.phase, learn.batch = sp.TrainPhase(), sp.Batch(x, y)
    MixUp(probability=0.25, num_classes=4, generator=seeded(1)).step_begin(learn)
    alone = (learn.batch.x == x).flatten(1).all(1).float().mean()
    assert 0.65 < float(alone) < 0.85


def losses(augment: Augment) -> list[float]:
    learn = learner(augment)
    return learn.fit(3).losses


def test_ahead_on_the_cpu_equals_beside_the_step() -> None:
    """The same transforms, the same generator, the same batches: so the same losses."""
    beside = losses(Augment(Noise(0.2), Flip(), generator=seeded(4)))
    ahead = losses(Augment(Noise(0.2), Flip(), generator=seeded(4), device="cpu"))
    assert ahead == beside


def test_the_learner_gets_its_loaders_back_and_no_thread_is_left() -> None:
    class Stop(sp.Callback):
        def step_end(self, learn: sp.Learner) -> None:
            raise sp.Cancel("fit")

    learn = learner(Augment(Flip(), device="cpu"))
    loaders = dict(learn.loaders)
    learn.fit(1, callbacks=[Stop()])
    assert learn.loaders == loaders
    assert not any("augments ahead" in thread.name for thread in threading.enumerate())


def test_a_failure_ahead_is_raised_in_the_loop() -> None:
    def broken(batch: sp.Batch, generator: torch.Generator | None) -> sp.Batch:
        raise ValueError("no such picture")

    with pytest.raises(ValueError, match="no such picture"):
        list(Ahead([torch.zeros(2, 1, 4, 4)], broken))


def test_auto_says_that_the_cpu_is_all_there_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPRAT_PROGRESS", "plain")
    augment = Augment(Flip(), device="auto")
    assert augment.choice is None
    learn = learner(augment)
    learn.fit(1)
    learn.fit(1)
    assert capsys.readouterr().out.count(str(augment.choice)) == 1  # measured and said once
    assert augment.choice == Choice(False, "the only device is the CPU")
    assert str(augment.choice) == "Augment runs beside the model: the only device is the CPU"


def test_the_faster_place_is_chosen() -> None:
    # Hidden behind a long step the CPU costs nothing; beside a short one it holds the device up.
    assert cheaper(cpu_s=0.004, device_s=0.001, step_s=0.010).on_cpu
    assert not cheaper(cpu_s=0.030, device_s=0.001, step_s=0.010).on_cpu
    assert "10.0 ms" in cheaper(0.004, 0.001, 0.010).reason


def test_a_measurement_decides_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another device than the CPU pretended, and a clock that says what the work costs."""
    learn = learner()
    ticks = ticking([0.004, 0.001, 0.010])
    weights = {k: v.clone() for k, v in learn.model.state_dict().items()}
    state = torch.get_rng_state()
    learn.device = torch.device("meta")
    monkeypatch.setattr(sp.Batch, "to", lambda self, device: self)
    generator = torch.Generator()
    monkeypatch.setattr("torch.Generator", lambda device=None: generator)
    work: list[int] = []
    choice = choose(
        learn, learn.loader("train"), lambda batch, g: (work.append(len(batch)), batch)[1],
        clock=lambda: next(ticks),
    )  # fmt: skip
    assert choice.on_cpu
    assert len(work) == 8  # two places, one warming up and three tries each
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(weights[k], v) for k, v in learn.model.state_dict().items())
    assert all(p.grad is None for p in learn.model.parameters())


def ticking(seconds: list[float]) -> Iterator[float]:
    """A clock that is read before and after each of four tries of each kind of work."""
    now = 0.0
    for cost in seconds:
        for _ in range(4):
            yield now
            now += cost
            yield now


def test_ahead_means_on_the_cpu_also_of_data_that_is_elsewhere() -> None:
    seen: list[str] = []

    class Elsewhere(sp.Batch):
        def to(self, device: torch.device | str) -> sp.Batch:
            seen.append(str(device))
            return sp.Batch(self.x)

    loader = Ahead([Elsewhere(torch.zeros(2, 1, 4, 4))], lambda batch, generator: batch)
    assert [len(batch) for batch in loader] == [2]
    assert seen == ["cpu"]


def test_senseless_places_are_named() -> None:
    with pytest.raises(TaskError, match="a generator on cuda"):
        Augment(
            Flip(), device="cpu",
            generator=Mock(spec=torch.Generator, device=torch.device("cuda")),
        )  # fmt: skip
    alone = learner(Augment(Flip(), device="cpu"))
    alone.group = Mock()
    with pytest.raises(TaskError, match="several processes share each batch"):
        alone.fit(1)
    with pytest.raises(TaskError, match="device='gpu'"):
        Augment(Flip(), device="gpu")
    with pytest.raises(TaskError, match="a generator, which is of one device"):
        Augment(Flip(), device="auto", generator=seeded())
