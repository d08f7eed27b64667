"""Callbacks: what they are called for, in which order, and what contradicts what."""

from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat.callbacks import EVENTS, in_order
from sprat.errors import CallbackError, TrainingError
from sprat.recorder import Recorder


class Writes(sp.Callback):
    writes: ClassVar = {"weights"}


class AlsoWrites(sp.Callback):
    writes: ClassVar = {"weights"}


class Reads(sp.Callback):
    reads: ClassVar = {"weights"}


class Passes(sp.Callback):
    reads: ClassVar = {"a"}
    writes: ClassVar = {"b"}


class PassesBack(sp.Callback):
    reads: ClassVar = {"b"}
    writes: ClassVar = {"a"}


def names(callbacks: list[sp.Callback]) -> list[str]:
    return [type(callback).__name__ for callback in callbacks]


def test_who_writes_goes_before_who_reads() -> None:
    assert names(in_order([Reads(), Writes()])) == ["Writes", "Reads"]
    assert names(in_order([Writes(), Reads()])) == ["Writes", "Reads"]


def test_the_rest_keeps_the_order_given() -> None:
    class First(sp.Callback):
        pass

    class Second(sp.Callback):
        pass

    assert names(in_order([First(), Second()])) == ["First", "Second"]
    assert names(in_order([Second(), First()])) == ["Second", "First"]


def test_clipping_runs_before_the_recorder_and_after_writers_of_gradients() -> None:
    class AddsNoise(sp.Callback):
        writes: ClassVar = {"grads"}

        after = ()

    class Watches(sp.Callback):
        reads: ClassVar = {"grads"}

    assert names(in_order([Watches(), sp.GradientClip(1.0)])) == ["GradientClip", "Watches"]
    with pytest.raises(CallbackError, match="AddsNoise and GradientClip both write 'grads'"):
        in_order([AddsNoise(), sp.GradientClip(1.0)])


def test_two_writers_contradict_each_other_and_both_are_named(learn: sp.Learner) -> None:
    with pytest.raises(CallbackError) as caught:
        in_order([Writes(), AlsoWrites()])
    assert "Writes and AlsoWrites both write 'weights'" in str(caught.value)
    assert "after" in caught.value.fix


def test_the_contradiction_shows_when_the_learner_is_built() -> None:
    with pytest.raises(CallbackError, match="Writes and AlsoWrites"):
        sp.Learner(
            nn.Linear(2, 1),
            ([(torch.ones(3, 2), torch.ones(3, 1))],),
            loss=F.mse_loss,
            callbacks=[Writes(), AlsoWrites()],
        )


def test_after_settles_it() -> None:
    class Later(AlsoWrites):
        after = (Writes,)

    assert names(in_order([Later(), Writes()])) == ["Writes", "Later"]


def test_two_that_wait_for_each_other_are_named() -> None:
    with pytest.raises(CallbackError, match="Passes and PassesBack each read what the other"):
        in_order([Passes(), PassesBack()])


def test_a_circle_of_three_is_named() -> None:
    class A(sp.Callback):
        reads: ClassVar = {"c"}
        writes: ClassVar = {"a"}

    class B(sp.Callback):
        reads: ClassVar = {"a"}
        writes: ClassVar = {"b"}

    class C(sp.Callback):
        reads: ClassVar = {"b"}
        writes: ClassVar = {"c"}

    with pytest.raises(CallbackError, match="A, B, C wait for each other in a circle"):
        in_order([A(), B(), C()])


class Diary(sp.Callback):
    """Writes down every event."""

    def __init__(self) -> None:
        self.events: list[str] = []


def _note(event: str) -> object:
    def method(self: Diary, learn: sp.Learner) -> None:
        phase = getattr(learn, "phase", None)
        inner = event.startswith(("step", "backward", "phase"))
        self.events.append(f"{phase.name} {event}" if inner and phase else event)

    return method


for _event in EVENTS:
    setattr(Diary, _event, _note(_event))


def test_the_exact_order_of_events(learn: sp.Learner) -> None:
    diary = Diary()
    train, valid = learn.steps_per_epoch, len(learn.loaders["valid"])
    learn.fit(2, callbacks=[diary])
    epoch = [
        "epoch_begin",
        "train phase_begin",
        *["train step_begin", "train backward_end", "train step_end"] * train,
        "train phase_end",
        "valid phase_begin",
        *["valid step_begin", "valid step_end"] * valid,
        "valid phase_end",
        "epoch_end",
    ]
    assert diary.events == ["fit_begin", *epoch, *epoch, "fit_end"]


@pytest.mark.parametrize(
    ("what", "at", "expected"),
    [
        ("step", "step_begin", {"train step_begin": 10, "train step_end": 0, "epoch_end": 2}),
        ("phase", "step_end", {"train step_end": 2, "train phase_end": 2, "epoch_end": 2}),
        ("epoch", "step_end", {"train step_end": 2, "train phase_end": 2, "epoch_end": 2}),
        ("fit", "step_end", {"train step_end": 1, "train phase_end": 1, "epoch_end": 1}),
        # What is cancelled at its own beginning has not begun, so it does not end either.
        ("fit", "epoch_begin", {"train step_end": 0, "epoch_end": 0}),
        ("epoch", "epoch_begin", {"train step_end": 0, "epoch_begin": 2, "epoch_end": 0}),
        ("phase", "phase_begin", {"train step_end": 0, "train phase_end": 0, "epoch_end": 2}),
        ("fit", "fit_begin", {"epoch_begin": 0}),
    ],
)
def test_cancelling(learn: sp.Learner, what: str, at: str, expected: dict[str, int]) -> None:
    diary = Diary()
    learn.progress = False

    def stop(self: sp.Callback, learn: sp.Learner) -> None:
        if at in ("fit_begin", "epoch_begin") or learn.phase.trains:
            raise sp.Cancel(what)

    # The diary reads what Stop is said to write, so that it is called after it.
    stopper = type("Stop", (sp.Callback,), {at: stop, "reads": {"display"}})()
    learn.fit(2, callbacks=[diary, stopper])
    assert {event: diary.events.count(event) for event in expected} == expected
    assert diary.events[-1] == ("fit_begin" if at == "fit_begin" else "fit_end")
    assert torch.is_grad_enabled()
    validated = diary.events.count("valid phase_end")
    assert validated == {"step": 2, "phase": 2, "epoch": 0, "fit": 0}[what]


def test_cancel_knows_its_words() -> None:
    with pytest.raises(CallbackError, match="none of step, phase, epoch, fit"):
        sp.Cancel("batch")


def test_fit_end_comes_after_an_error_too(learn: sp.Learner) -> None:
    diary = Diary()

    class Fails(sp.Callback):
        def step_end(self, learn: sp.Learner) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn.fit(1, callbacks=[diary, Fails()])
    assert diary.events[-1] == "fit_end"
    assert learn._listeners == {}


def test_callbacks_of_one_fit_are_gone_in_the_next(learn: sp.Learner) -> None:
    diary = Diary()
    learn.fit(1, callbacks=[diary])
    count = len(diary.events)
    learn.fit(1)
    assert len(diary.events) == count


def test_events_that_nobody_overrides_have_no_listeners(learn: sp.Learner) -> None:
    seen = {}

    class Looks(sp.Callback):
        def fit_begin(self, learn: sp.Learner) -> None:
            seen.update(learn._listeners)

    learn.progress = False
    learn.fit(1, callbacks=[Looks()])
    assert set(seen) == {"fit_begin", "epoch_begin", "phase_begin", "step_end", "phase_end",
                         "epoch_end"}  # fmt: skip


def test_divergence_is_named_with_its_fix(learn: sp.Learner) -> None:
    with pytest.raises(TrainingError, match="training has diverged") as caught:
        learn.fit(3, lr=1e30)
    assert "lr_find" in caught.value.fix


def test_recorder_keeps_every_named_number(pictures: sp.Data, task: sp.Task) -> None:
    class Named(sp.TrainPhase):
        def step(self, learn: sp.Learner, batch: sp.Batch) -> dict:
            y_hat = learn.model(batch.x)
            return learn.update(
                loss=learn.loss(y_hat, batch.y), y_hat=y_hat, size=y_hat.square().mean().detach()
            )

    learn = sp.Learner(
        task, (pictures, pictures), model=sp.models.MLP(81, 3, [4]), phases=[Named()], device="cpu"
    )
    learn.fit(2)
    assert len(learn.history["train_size"]) == 2
    assert set(learn.history.rows[0]) == {"epoch", "train_loss", "train_size"}


def test_schedule_counts_over_all_epochs(learn: sp.Learner) -> None:
    learn.fit(2, callbacks=[sp.Schedule(sp.schedule.linear(1e-3, 2e-3))])
    assert learn.history.lrs[0] == pytest.approx(1e-3)
    assert learn.history.lrs[-1] == pytest.approx(2e-3)
    assert learn.history.lrs == sorted(learn.history.lrs)


def test_recorder_is_written_before_who_reads_the_history() -> None:
    class ReadsHistory(sp.Callback):
        reads: ClassVar = {"history"}

    assert names(in_order([ReadsHistory(), Recorder()])) == ["Recorder", "ReadsHistory"]


def test_whoever_declares_nothing_finds_the_row_of_the_epoch_too(learn: sp.Learner) -> None:
    found = []

    class Looks(sp.Callback):
        def epoch_end(self, learn: sp.Learner) -> None:
            found.append(learn.history.last("valid_loss"))

    history = learn.fit(2, callbacks=[Looks()])
    assert found == history["valid_loss"]
