"""Callbacks that nothing would call, or not as they are written, are refused with our event."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat.callbacks import EVENTS
from sprat.errors import CallbackError
from sprat.events import ours

pytestmark = pytest.mark.usefixtures("untyped")

NAMES = {
    # fastai, also its first versions and its course
    "before_fit": "fit_begin", "after_fit": "fit_end", "before_epoch": "epoch_begin",
    "after_epoch": "epoch_end", "before_train": "phase_begin", "after_train": "phase_end",
    "before_validate": "phase_begin", "after_validate": "phase_end", "before_batch": "step_begin",
    "after_batch": "step_end", "after_pred": "step_end", "after_loss": "step_end",
    "before_backward": "backward_end", "after_backward": "backward_end",
    "before_step": "backward_end", "after_step": "step_end", "after_cancel_fit": "fit_end",
    "begin_fit": "fit_begin", "begin_batch": "step_begin", "begin_validate": "phase_begin",
    # Keras
    "on_train_begin": "fit_begin", "on_train_end": "fit_end", "on_epoch_begin": "epoch_begin",
    "on_epoch_end": "epoch_end", "on_train_batch_end": "step_end", "on_batch_end": "step_end",
    "on_test_begin": "phase_begin", "on_predict_batch_end": "step_end",
    # Lightning
    "on_fit_start": "fit_begin", "on_train_start": "fit_begin", "on_train_epoch_end": "epoch_end",
    "on_train_batch_start": "step_begin", "on_validation_epoch_end": "phase_end",
    "on_validation_batch_end": "step_end", "on_after_backward": "backward_end",
    "on_before_optimizer_step": "backward_end", "on_before_zero_grad": "step_begin",
    "on_exception": "fit_end", "on_save_checkpoint": "state_dict", "setup": "fit_begin",
    "teardown": "fit_end", "on_sanity_check_start": "fit_begin",
    # skorch, transformers, ignite, catalyst
    "on_grad_computed": "backward_end", "on_step_begin": "step_begin", "on_step_end": "step_end",
    "on_substep_end": "step_end", "on_evaluate": "phase_end", "on_log": "epoch_end",
    "on_pre_optimizer_step": "backward_end", "started": "fit_begin", "epoch_started": "epoch_begin",
    "iteration_completed": "step_end", "on_loader_start": "phase_begin",
    "on_experiment_end": "fit_end",
    # of nobody, but meant
    "epoch_start": "epoch_begin", "end_epoch": "epoch_end", "epochend": "epoch_end",
    "onEpochEnd": "epoch_end", "step_ends": "step_end", "fit_start": "fit_begin",
    "batch_begin": "step_begin", "training_end": "fit_end", "validation_begin": "phase_begin",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_event_of_another_library_is_ours_by_another_name(name: str) -> None:
    found = ours(name)
    # Within an epoch Lightning's and ours differ; a person who reads either finds the way.
    allowed = {"phase_end", "epoch_end"} if "epoch" in name and "train" in name else {NAMES[name]}
    assert found in allowed


@pytest.mark.parametrize(
    "name",
    ["start", "train", "steps", "update", "mixed", "changed", "after", "best", "plot", "loss",
     "before", "epochs", "end_of_text", "start_at", "batch_size", "fit", "on", "reset", "value"],
)  # fmt: skip
def test_a_method_of_ones_own_keeps_its_name(name: str) -> None:
    assert ours(name) is None


def learner(**options: Any) -> sp.Learner:
    options = {"loss": F.mse_loss, "device": "cpu", "progress": False} | options
    return sp.Learner(nn.Linear(2, 1), ([(torch.ones(3, 2), torch.ones(3, 1))],), **options)


def callback(**body: Any) -> type[sp.Callback]:
    return type("Mine", (sp.Callback,), body)


def nothing(self: sp.Callback, learn: sp.Learner) -> None:
    """An event as it should be written."""
    learn.heard_of = [*getattr(learn, "heard_of", ()), self]


@pytest.mark.parametrize("give", ["learner", "fit", "fit_one_cycle", "fine_tune"])
def test_it_is_refused_where_it_is_given_and_the_fix_is_called(give: str) -> None:
    def train(made: sp.Callback) -> sp.Learner:
        if give == "learner":
            learn = learner(callbacks=[made])
            learn.fit(1)
        else:
            learn = learner()
            getattr(learn, give)(1, callbacks=[made])
        return learn

    with pytest.raises(CallbackError, match="Mine has before_fit and on_epoch_end") as caught:
        train(callback(before_fit=nothing, on_epoch_end=nothing, step_end=nothing)())
    assert "rename before_fit to fit_begin and on_epoch_end to epoch_end" in caught.value.fix
    mended = callback(fit_begin=nothing, epoch_end=nothing, step_end=nothing)()
    assert mended in train(mended).heard_of


def test_a_helper_that_is_named_like_an_event_has_an_underscore() -> None:
    made = callback(_before_fit=nothing, epoch_end=lambda self, learn: self._before_fit(learn))()
    learn = learner()
    learn.fit(1, callbacks=[made])
    assert learn.heard_of == [made]


def test_a_base_that_is_no_callback_may_have_other_names() -> None:
    class Both:
        on_epoch_end = nothing

    made = type("Mine", (sp.Callback, Both), {"epoch_end": nothing})()
    learner().fit(1, callbacks=[made])
    with pytest.raises(CallbackError, match="overrides no event"):
        learner(callbacks=[type("Mine", (sp.Callback, Both), {})()])


class KeepsAState(sp.Callback):
    def state_dict(self) -> dict[str, Any]:
        return {"mine": 1}


def test_what_only_keeps_a_state_for_checkpoints_is_listened_to() -> None:
    learner(callbacks=[KeepsAState()]).fit(1)


MISTAKES: dict[str, tuple[Callable[[], Any], str, str, Callable[[], Any]]] = {
    "no event": (
        lambda: callback()(), "Mine overrides no event", "define one of fit_begin",
        lambda: callback(epoch_end=nothing)(),
    ),
    "the base itself": (
        sp.Callback, "Callback overrides no event", "def epoch_end(self, learn)",
        lambda: callback(epoch_end=nothing)(),
    ),
    "the arguments of Keras": (
        lambda: callback(epoch_end=lambda self, epoch, logs: None)(),
        r"Mine.epoch_end is defined with \(self, epoch, logs\)", "def epoch_end(self, learn)",
        lambda: callback(epoch_end=nothing)(),
    ),
    "no learner": (
        lambda: callback(epoch_end=lambda self: None)(), r"defined with \(self\)",
        "def epoch_end(self, learn)", lambda: callback(epoch_end=nothing)(),
    ),
    "an event on the object": (
        lambda: _with_own(callback(step_end=nothing)()), "epoch_end put on the object",
        "def epoch_end(self, learn)", lambda: callback(step_end=nothing, epoch_end=nothing)(),
    ),
    "a word for a set": (
        lambda: callback(epoch_end=nothing, writes="weights")(), "Mine.writes is 'weights'; a set",
        "writes = {'weights'}", lambda: callback(epoch_end=nothing, writes={"weights"})(),
    ),
    "a class for a tuple": (
        lambda: callback(epoch_end=nothing, after=sp.EMA)(), "Mine.after is .*a tuple of classes",
        "with the comma", lambda: callback(epoch_end=nothing, after=(sp.EMA,))(),
    ),
    "a class": (
        lambda: sp.EMA, "EMA'> was given as a callback", "callbacks=[EMA()]", sp.EMA,
    ),
    "a class that needs something": (
        lambda: sp.GradientClip, "GradientClip'> was", "[GradientClip(max_norm=…)]",
        lambda: sp.GradientClip(max_norm=1.0),
    ),
    "a word": (
        lambda: "ema", "'ema' was given as a callback", "objects of subclasses",
        lambda: sp.GradientClip(1),
    ),
    "a function": (
        lambda: lambda learn: None, "<function .* was given as a callback", "objects of subclasses",
        lambda: sp.GradientClip(1),
    ),
}  # fmt: skip


def _with_own(made: sp.Callback) -> sp.Callback:
    made.epoch_end = lambda learn: None
    return made


@pytest.mark.parametrize("name", MISTAKES)
def test_callbacks_of_another_kind(name: str) -> None:
    make, says, fix, mended = MISTAKES[name]
    with pytest.raises(CallbackError, match=says) as caught:
        learner(callbacks=[make()])
    assert fix in caught.value.fix
    with pytest.raises(CallbackError, match=says):
        learner().fit(1, callbacks=[make()])
    learner().fit(1, callbacks=[mended()])


LISTS: dict[str, tuple[Callable[[], Any], str]] = {
    "one alone": (lambda: sp.EMA(), "callbacks=[EMA(decay=0.999, warmup=True)]"),
    "a class alone": (lambda: sp.EMA, "callbacks=[EMA()]"),
    "a name alone": (lambda: "EMA", "callbacks=[EMA()]"),
    "nothing": (lambda: None, "callbacks=[]"),
}


@pytest.mark.parametrize("name", LISTS)
def test_callbacks_that_are_no_list(name: str) -> None:
    given, fix = LISTS[name]
    for call in (
        lambda: learner(callbacks=given()),
        lambda: learner().fit(1, callbacks=given()),
        lambda: learner().fit_one_cycle(1, callbacks=given()),
        lambda: learner().fit_flat_cos(1, callbacks=given()),
        lambda: learner().fine_tune(1, callbacks=given()),
    ):
        with pytest.raises(CallbackError, match="a list of callbacks was expected") as caught:
            call()
        assert fix in caught.value.fix
        made = eval(fix.removeprefix("callbacks="), {"EMA": sp.EMA})
        learner().fit(1, callbacks=made)


def test_one_object_twice_is_refused() -> None:
    stop = sp.EarlyStopping("train_loss")
    with pytest.raises(CallbackError, match=r"EarlyStopping\(.*was given twice") as caught:
        learner(callbacks=[stop]).fit(1, callbacks=[stop])
    assert "give it once" in caught.value.fix
    learner(callbacks=[stop]).fit(1)


def test_fine_tuning_uses_callbacks_of_a_generator_in_both_fits() -> None:
    made = callback(fit_begin=nothing)()
    learn = learner()
    learn.fine_tune(1, callbacks=(one for one in [made]))
    assert learn.heard_of == [made, made]


def test_all_events_are_told_to_a_callback_that_has_them_all() -> None:
    class All(sp.Callback):
        seen: ClassVar[set[str]] = set()

    for event in EVENTS:
        setattr(All, event, lambda self, learn, event=event: self.seen.add(event))
    learner(callbacks=[All()]).fit(1)
    assert All.seen == set(EVENTS)


def test_early_stopping_says_why_it_ended(
    learn: sp.Learner, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPRAT_PROGRESS", "plain")
    stop = sp.EarlyStopping(patience=2, min_delta=1e9)
    learn.fit(9, callbacks=[stop])
    assert len(learn.history) == 3
    best = f"{learn.history['valid_loss'][0]:.4g}"
    assert stop.ended == (
        "EarlyStopping ended the fit: valid_loss has not become better for 2 epochs "
        f"(the best was {best})."
    )
    assert capsys.readouterr().out.rstrip().endswith(stop.ended)
    learn.fit(1, callbacks=[stop])
    assert stop.ended == ""
    learn.progress = False
    learn.fit(9, callbacks=[stop])
    assert stop.ended
    assert "EarlyStopping" not in capsys.readouterr().out
