"""Declared access: who writes what it does not declare is found; what is shipped never does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat import access, loggers
from sprat.callbacks import EVENTS
from sprat.errors import CallbackError, TrainingError

X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 3
TASK = sp.Task(sp.Continuous(4), sp.Label(["a", "b", "c"]))


def learner(**options: Any) -> sp.Learner:
    data = sp.Data(X, Y)
    options = {"model": nn.Linear(4, 3), "check_access": True} | options
    return sp.Learner(
        TASK, (data, data), batch_size=6, device="cpu", progress=False, **options
    )  # fmt: skip


def callback(event: str, act: Callable[[sp.Learner], Any], **body: Any) -> sp.Callback:
    def called(self: sp.Callback, learn: sp.Learner) -> None:
        act(learn)

    return type("Meddler", (sp.Callback,), {event: called, **body})()


def _weight(learn: sp.Learner) -> torch.Tensor:
    return learn.model.weight


def _doubled_grad(learn: sp.Learner) -> None:
    if _weight(learn).grad is not None:
        _weight(learn).grad.mul_(2)


def _other_batch(learn: sp.Learner) -> None:
    learn.batch = sp.Batch(learn.batch.x + 1, learn.batch.y)


def _momentum(learn: sp.Learner) -> None:
    for state in learn.optimizers["main"].state.values():
        state["exp_avg"].mul_(0)


WRITES: dict[str, tuple[Callable[[sp.Learner], Any], str]] = {
    "weights past autograd": (lambda learn: _weight(learn).data.add_(1), "weights"),
    "weights anew": (
        lambda learn: setattr(learn.model, "weight", nn.Parameter(_weight(learn) + 1)), "weights",
    ),
    "gradients in place": (_doubled_grad, "grads"),
    "the rate": (lambda learn: learn.set_lr(learn.lr / 2), "lr"),
    "the rate of one group": (
        lambda learn: learn.optimizers["main"].param_groups[0].update(lr=0.5), "lr",
    ),
    "another setting": (
        lambda learn: learn.optimizers["main"].param_groups[0].update(weight_decay=0.5),
        "optimizers",
    ),
    "what an optimiser keeps": (_momentum, "optimizers"),
    "another batch": (_other_batch, "batch"),
    "the batch in place": (lambda learn: learn.batch.x.mul_(2), "batch"),
    "targets in place": (lambda learn: learn.batch.y.zero_(), "batch"),
    "what the step named": (lambda learn: learn.state["y_hat"].zero_(), "y_hat"),
    "another name": (lambda learn: learn.state.update(mine=1.0), "mine"),
    "the loaders": (
        lambda learn: learn.loaders.update(train=learn.loaders["valid"]), "loaders",
    ),
    "the history": (lambda learn: learn.history.losses.append(0.0), "history"),
    "the metrics": (lambda learn: learn.metrics.clear(), "metrics"),
    "the phases": (lambda learn: setattr(learn, "phases", learn.phases[:1]), "phases"),
    "the list of callbacks": (
        lambda learn: learn.callbacks.append(sp.GradientClip(1)), "callbacks",
    ),
    "how the weights move": (
        lambda learn: setattr(learn, "descend", lambda *given: None), "descent",
    ),
    "the mode": (lambda learn: learn.model.train(not learn.model.training), "mode"),
    "the number of epochs": (lambda learn: setattr(learn, "epochs", 9), "epochs"),
    "the device": (lambda learn: setattr(learn, "device", torch.device("meta")), "device"),
    "something of one's own": (lambda learn: setattr(learn, "mine", object()), "mine"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
def test_who_writes_what_it_does_not_declare_is_named(name: str) -> None:
    act, wrote = WRITES[name]
    with pytest.raises(CallbackError, match=rf"Meddler\(\) wrote .*'{wrote}'") as caught:
        learner().fit(2, callbacks=[callback("step_end", act)])
    assert "in step_end, which it does not declare" in caught.value.found
    assert f"'{wrote}'" in caught.value.fix


@pytest.mark.parametrize("name", ["another batch", "the rate", "weights past autograd"])
def test_the_fix_is_to_declare_it(name: str) -> None:
    act, wrote = WRITES[name]
    with pytest.raises(CallbackError) as caught:
        learner().fit(1, callbacks=[callback("step_begin", act)])
    scope: dict[str, Any] = {}
    exec(caught.value.fix.split(": ")[1].split(";")[0], scope)
    assert scope["writes"] == {wrote}
    learner().fit(1, callbacks=[callback("step_begin", act, writes=scope["writes"])])


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_looked_at(event: str) -> None:
    made = callback(event, lambda learn: _weight(learn).data.add_(1))
    with pytest.raises(CallbackError, match=f"wrote 'weights' in {event}"):
        learner().fit(1, callbacks=[made])
    learner(check_access=False).fit(1, callbacks=[made])


def test_it_is_off_by_default_and_on_where_asked_for() -> None:
    made = callback("step_end", lambda learn: learn.set_lr(1e-4))
    learn = learner(check_access=False)
    learn.fit(1, callbacks=[made])
    assert learn.watch is None
    with pytest.raises(CallbackError, match="wrote 'lr'"):
        learn.fit(1, callbacks=[made], check_access=True)
    assert learn.watch is None
    learn.fit(1, callbacks=[made])
    with pytest.raises(CallbackError, match="wrote 'lr'"):
        learner().fit_flat_cos(1, callbacks=[made])


def test_what_only_reads_is_left_alone() -> None:
    def look(learn: sp.Learner) -> None:
        str(learn.history), learn.lr, learn.batch.x.sum(), learn.state["loss"].item()

    learn = learner(callbacks=[callback("step_end", look)])
    other = learner(check_access=False, model=nn.Linear(4, 3))
    other.model.load_state_dict(learn.model.state_dict())
    for one in (learn, other):
        torch.manual_seed(3)
        one.fit(2, lr=0.1)
    assert learn.history.losses == other.history.losses


def test_a_phase_may_move_weights_and_nothing_else() -> None:
    class Sly(sp.TrainPhase):
        def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
            batch.x.add_(1)
            return super().step(learn, batch)

    with pytest.raises(CallbackError, match=r"Sly\(\) wrote 'batch' in step") as caught:
        learner(phases=[Sly()]).fit(1)
    assert "writes = {'batch'}" in caught.value.fix
    honest = type("Honest", (Sly,), {"writes": {"batch"}})
    learner(phases=[honest()]).fit(1)


def test_a_phase_that_measures_may_not_move_weights() -> None:
    class Learns(sp.ValidPhase):
        def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
            learn.model.bias.data.add_(1)
            return super().step(learn, batch)

    learn = learner(phases=[sp.TrainPhase(), Learns()])
    with pytest.raises(CallbackError, match=r"Learns\(\) wrote 'weights' in step"):
        learn.fit(1)
    with pytest.raises(CallbackError, match=r"Learns\(\) wrote 'weights' in step"):
        learn.evaluate()


def test_what_a_callback_does_within_a_step_is_not_the_steps() -> None:
    made = callback("backward_end", lambda learn: learn.set_lr(1e-4), writes={"lr"})
    learner().fit(1, callbacks=[made])


def test_a_cancelled_step_is_looked_at_too() -> None:
    def stop(learn: sp.Learner) -> None:
        learn.set_lr(1e-4)
        raise sp.Cancel("fit")

    with pytest.raises(CallbackError, match="wrote 'lr'"):
        learner().fit(1, callbacks=[callback("step_end", stop)])
    learn = learner()
    learn.fit(3, callbacks=[callback("step_end", stop, writes={"lr"})])
    assert len(learn.history) == 1


def test_a_mistake_keeps_its_own_words() -> None:
    def fail(learn: sp.Learner) -> None:
        learn.set_lr(1e-4)
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        learner().fit(1, callbacks=[callback("epoch_end", fail)])


@pytest.mark.parametrize("call", ["evaluate", "predictions", "show_results"])
def test_a_look_that_leaves_something_changed_is_found(call: str) -> None:
    class Forgets(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not self.training:
                self.bias.data.add_(1)
            return super().forward(x)

    learn = learner(model=Forgets(4, 3))
    options = {"backend": "text"} if call == "show_results" else {}
    with pytest.raises(CallbackError, match="'weights'"):
        getattr(learn, call)(**options)
    assert learn.watch is None
    learner(check_access=False, model=Forgets(4, 3)).evaluate()
    getattr(learner(), call)(**options)


def test_what_is_reported_by_a_look_is_what_it_gives() -> None:
    checked, plain = learner(), learner(check_access=False)
    plain.model.load_state_dict(checked.model.state_dict())
    assert checked.evaluate() == plain.evaluate()
    assert type(checked).evaluate.__doc__ == sp.Learner.evaluate.__doc__


def pictures(*callbacks: sp.Callback, **options: Any) -> sp.Learner:
    x = torch.randint(0, 256, (12, 1, 8, 8), dtype=torch.uint8)
    data = sp.Data(x, Y, classes=("a", "b", "c"))
    task = sp.Task(sp.Image(1), sp.Label(["a", "b", "c"]))
    return sp.Learner(
        task, (data, data), model=sp.models.MLP(64, 3, [4]), batch_size=6, device="cpu",
        progress=False, callbacks=callbacks, check_access=True, **options,
    )  # fmt: skip


SHIPPED: dict[str, Callable[[Path], list[sp.Callback]]] = {
    "EMA": lambda folder: [sp.EMA(0.9)],
    "GradientClip": lambda folder: [sp.GradientClip(0.1)],
    "EarlyStopping": lambda folder: [sp.EarlyStopping(patience=1, min_delta=9)],
    "Accumulate": lambda folder: [sp.Accumulate(2)],
    "Schedule": lambda folder: [sp.Schedule(sp.schedule.one_cycle(0.1))],
    "Checkpoint": lambda folder: [sp.Checkpoint(folder, every=1, best=1)],
    "CSV": lambda folder: [loggers.CSV(folder / "log.csv")],
    "TensorBoard": lambda folder: [loggers.TensorBoard(folder)],
    "Augment": lambda folder: [sp.Augment(sp.augment.Flip())],
    "Augment ahead": lambda folder: [sp.Augment(sp.augment.Flip(), device="cpu")],
    "MixUp": lambda folder: [sp.MixUp()],
    "CutMix": lambda folder: [sp.CutMix()],
    "ActivationStats": lambda folder: [sp.interpret.ActivationStats()],
    "all that go together": lambda folder: [
        sp.EMA(0.9), sp.GradientClip(0.1), sp.Accumulate(2), sp.Augment(sp.augment.Flip()),
        sp.MixUp(), sp.EarlyStopping(), sp.Checkpoint(folder, best=1),
    ],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_callbacks_declare_what_they_write(name: str, tmp_path: Path) -> None:
    learn = pictures(*SHIPPED[name](tmp_path))
    learn.fit(2)
    assert len(learn.history) >= 1
    learn.evaluate()


def test_an_average_comes_before_who_reads_the_weights_and_contradicts_who_writes_them() -> None:
    reader = callback("epoch_end", lambda learn: None, reads={"weights"})
    assert [type(c).__name__ for c in sp.callbacks.in_order([reader, sp.EMA()])] == [
        "EMA", "Meddler",
    ]  # fmt: skip
    writer = callback("epoch_end", lambda learn: None, writes={"weights"})
    with pytest.raises(CallbackError, match="both write 'weights'"):
        learner(callbacks=[sp.EMA(), writer])


def _vae() -> sp.Learner:
    x = torch.rand(12, 1, 8, 8)
    phase = sp.VAEPhase()
    return sp.Learner(
        sp.models.VAE(1, (8, 8), num_latents=2, num_hiddens=4), (sp.Data(x), sp.Data(x)),
        phases=[phase, sp.ValidPhase(phase.step)], device="cpu", progress=False,
    )  # fmt: skip


def _gan() -> sp.Learner:
    generator, judge = nn.Linear(2, 4), nn.Linear(4, 1)
    model = nn.ModuleDict({"generator": generator, "discriminator": judge})
    optimizers = {name: torch.optim.Adam(part.parameters()) for name, part in model.items()}
    return sp.Learner(model, sp.Data(X), phases=[sp.GANPhase(2)], optimizer=optimizers,
                      device="cpu", progress=False)  # fmt: skip


class _Denoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


def _diffusion() -> sp.Learner:
    return sp.Learner(_Denoiser(), sp.Data(X), phases=[sp.DiffusionPhase()], device="cpu",
                      progress=False)  # fmt: skip


def _unlabelled(phase: sp.Phase) -> sp.Learner:
    data = sp.Data(torch.rand(12, 1, 8, 8), Y)
    parts = {"train": data, "unlabelled": data, "valid": data}
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.BatchNorm1d(3))
    return sp.Learner(model, parts, loss=F.cross_entropy, phases=[phase, sp.ValidPhase()],
                      batch_size=6, device="cpu", progress=False)  # fmt: skip


PHASES: dict[str, Callable[[], sp.Learner]] = {
    "plain": learner,
    "VAE": _vae,
    "GAN": _gan,
    "diffusion": _diffusion,
    "FixMatch": lambda: _unlabelled(sp.FixMatchPhase([sp.augment.Flip()], [sp.augment.Noise(0.1)])),
    "mean teacher": lambda: _unlabelled(sp.MeanTeacherPhase([sp.augment.Flip()])),
    "prediction": lambda: learner(phases=[sp.TrainPhase(), sp.PredictPhase()]),
}


@pytest.mark.parametrize("name", PHASES)
def test_the_shipped_phases_write_nothing_else(name: str) -> None:
    learn = PHASES[name]()
    learn.fit(2, check_access=True)
    assert len(learn.history) == 2


def test_update_before_a_fit_is_answered_in_words() -> None:
    learn = learner(check_access=False)
    with pytest.raises(TrainingError, match="before a fit") as caught:
        learn.update(loss=torch.zeros(()))
    assert "learn.fit(1)" in caught.value.fix
    learn.fit(1)


def test_nothing_is_wrapped_where_nobody_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step pays nothing for the check: the very functions of phase and callback are called."""
    monkeypatch.setattr(access, "always", False)
    learn, found = learner(check_access=False), []
    clip = sp.GradientClip(1.0)
    made = callback("step_end", lambda learn: found.append(learn._listeners["backward_end"]))
    learn.fit(1, callbacks=[made, clip])
    assert found[0] == [clip.backward_end]


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(3), torch.zeros(()), torch.zeros(2, 0), torch.zeros(2, dtype=torch.bfloat16),
        torch.tensor([True, False]), torch.zeros(4, 4).t(), torch.zeros(2, dtype=torch.complex64),
    ],
    ids=str,
)  # fmt: skip
def test_every_kind_of_tensor_is_marked_by_its_content(value: torch.Tensor) -> None:
    assert access._mark(value) == access._mark(value.clone())
    if value.numel():
        other = ~value if value.dtype is torch.bool else value + 1
        assert access._mark(value) != access._mark(other)
