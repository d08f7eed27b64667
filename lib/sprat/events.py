"""What a callback has to be before it is listened to; and events by the names of other libraries.

A method that no event calls is silent: a callback written for fastai, Keras, Lightning, skorch or
ignite would do nothing here, and nobody would know. So names that read like an event are refused
with ours beside them, and so is a callback that overrides no event at all.
"""

import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sprat.errors import CallbackError

EVENTS = (
    "fit_begin", "epoch_begin", "phase_begin", "step_begin", "backward_end",
    "step_end", "phase_end", "epoch_end", "fit_end",
)  # fmt: skip

_BEGIN = {"before", "begin", "begins", "begun", "start", "starts", "started", "enter", "pre"}
_END = {
    "after", "end", "ends", "ended", "finish", "finished", "complete", "completed", "stop",
    "stopped", "done", "exit", "post", "computed",
}  # fmt: skip
_STEP = {"batch", "minibatch", "step", "iteration", "iter", "substep"}
_BACKWARD = {"backward", "grad", "grads", "gradient", "gradients", "optimizer", "optimiser"}
_PHASE = {
    "phase", "loader", "valid", "val", "validate", "validation", "test", "testing", "eval",
    "evaluate", "evaluation", "predict", "prediction", "inference",
}  # fmt: skip
_FORWARD = {"forward", "pred", "loss", "model"}
_FIT = {"fit", "train", "training", "run", "experiment", "stage"}
_KINDS = (_STEP, _BACKWARD, _PHASE, _FORWARD, _FIT, {"epoch"})
_FILLING = {"on", "cancel", "sanity", "check", "zero", "get", "each", "every", "of", "the"}
_KNOWN = frozenset().union(_BEGIN, _END, _FILLING, *_KINDS)
#: Names that don't follow the pattern, and what does their work here.
_OTHERS = {
    "setup": "fit_begin", "initialize": "fit_begin", "after_create": "fit_begin",
    "on_init_begin": "fit_begin", "on_init_start": "fit_begin", "on_init_end": "fit_begin",
    "started": "fit_begin", "completed": "fit_end", "teardown": "fit_end",
    "cleanup_fit": "fit_end", "on_exception": "fit_end", "exception_raised": "fit_end",
    "on_keyboard_interrupt": "fit_end", "on_log": "epoch_end", "on_save": "state_dict",
    "on_save_checkpoint": "state_dict", "on_load_checkpoint": "load_state_dict",
    "before_step": "backward_end", "before_train": "phase_begin", "after_train": "phase_end",
}  # fmt: skip


def ours(name: str) -> str | None:
    """The event that a method of this name was meant for, or None where it is no event's name."""
    if name in _OTHERS:
        return _OTHERS[name]
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    words = set(snake.split("_"))
    timed = words & (_BEGIN | _END)
    if words <= _KNOWN and (timed or "on" in words) and len(words) > 1:
        return _event(words)
    near = difflib.get_close_matches(snake, EVENTS, 1, cutoff=0.85)
    return near[0] if near else None


def _event(words: set[str]) -> str:
    when = "begin" if words & _BEGIN else "end"
    if "zero" in words:
        return "step_begin"
    if words & _BACKWARD:
        return "backward_end"
    if words & (_STEP | _FORWARD):
        return f"step_{when}"
    if words & _PHASE:
        return f"phase_{when}"
    return f"epoch_{when}" if "epoch" in words else f"fit_{when}"


def as_list(given: Any) -> list[Any]:
    """The callbacks as a list of our own; a generator's are taken out once.

    Raises:
        CallbackError: it is one callback alone, or nothing that holds any.
    """
    if isinstance(given, (str, Mapping, type)) or not isinstance(given, Iterable):
        one = given.__name__ if isinstance(given, type) else repr(given)
        raise CallbackError(
            f"callbacks is {one}; a list of callbacks was expected.",
            fix="leave callbacks= out, or pass an empty list: callbacks=[]"
            if given is None
            else f"put it in brackets: callbacks=[{_made(given)}]",
        )
    return list(given)


def refuse_other_kinds(given: list[Any], base: type) -> None:
    """Refuse what is no callback, is one twice, or declares its access by something else than sets.

    Args:
        given: what was given as callbacks.
        base: the class of all callbacks.

    Raises:
        CallbackError: what was found, and what to pass.
    """
    for number, part in enumerate(given):
        if not isinstance(part, base):
            raise CallbackError(
                f"{part!r} was given as a callback.",
                fix=f"make an object of the class: callbacks=[{_made(part)}]"
                if isinstance(part, type) and issubclass(part, base)
                else "pass objects of subclasses of sprat.Callback: callbacks=[GradientClip(1)]",
            )
        if any(part is other for other in given[:number]):
            raise CallbackError(
                f"{part!r} was given twice, so each event would call it twice.",
                fix="give it once, to Learner or to fit; or make another object",
            )
        declares = {name: getattr(part, name) for name in ("reads", "writes", "after")}
        after = declares.pop("after")
        for name, declared in declares.items():
            if isinstance(declared, str) or not isinstance(declared, Iterable):
                raise CallbackError(
                    f"{type(part).__name__}.{name} is {declared!r}; a set of names was expected.",
                    fix=f"write {name} = {{{declared!r}}}",
                )
        if not isinstance(after, tuple) or not all(isinstance(kind, type) for kind in after):
            raise CallbackError(
                f"{type(part).__name__}.after is {after!r}; a tuple of classes was expected.",
                fix="write after = (OtherCallback,), with the comma",
            )


def refuse_silent(callbacks: Iterable[Any], base: type) -> None:
    """Refuse callbacks that would never be called, or not as they are written.

    One that overrides `state_dict` may be without events: a checkpoint calls it.

    Args:
        callbacks: what will listen.
        base: the class of all callbacks.

    Raises:
        CallbackError: naming the method, and the event that it was meant for.
    """
    for callback in callbacks:
        name = type(callback).__name__
        if strange := _strange(callback, base):
            listed = " and ".join(strange)
            raise CallbackError(
                f"{name} has {listed}, which sprat never calls: its events have other names.",
                fix="rename "
                + " and ".join(f"{theirs} to {our}" for theirs, our in strange.items())
                + ", with (self, learn); or, if it is no event, start its name with an underscore",
            )
        own = next((event for event in EVENTS if event in vars(callback)), None)
        if own is not None:
            raise CallbackError(
                f"{name} has {own} put on the object; events are looked up on its class.",
                fix=f"define it in the class: def {own}(self, learn)",
            )
        heard = [e for e in (*EVENTS, "state_dict") if getattr(type(callback), e, None)
                 is not getattr(base, e)]  # fmt: skip
        if not heard:
            raise CallbackError(
                f"{name} overrides no event, so nothing would ever call it.",
                fix=f"define one of {', '.join(EVENTS)}: def epoch_end(self, learn): ...",
            )
        for event in heard:
            if event in EVENTS:
                _refuse_other_arguments(callback, event)


def _strange(callback: Any, base: type) -> dict[str, str]:
    """Methods that read like events of other libraries, with ours."""
    found = {}
    for kind in type(callback).__mro__:
        if kind is base or not issubclass(kind, base):
            continue  # what it brings from elsewhere is not written for us
        for name, value in vars(kind).items():
            plain = not name.startswith("_") and not hasattr(base, name)
            if plain and inspect.isfunction(value) and (our := ours(name)):
                found[name] = our
    return found


def _refuse_other_arguments(callback: Any, event: str) -> None:
    try:
        inspect.signature(getattr(callback, event)).bind(None)
    except TypeError:
        name = type(callback).__name__
        signature = inspect.signature(getattr(type(callback), event))
        raise CallbackError(
            f"{name}.{event} is defined with {signature}; it is called with the learner alone.",
            fix=f"define it as: def {event}(self, learn); epoch, batch and numbers are in "
            "learn.epoch, learn.batch and learn.state",
        ) from None


def _made(part: Any) -> str:
    """A call that makes what was given as a class or by its name, or the thing itself."""
    if not isinstance(part, type):
        return repr(part) if not isinstance(part, str) else f"{part}()"
    try:
        parameters = list(inspect.signature(part).parameters.values())
    except (TypeError, ValueError):
        return f"{part.__name__}()"
    needed = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    return f"{part.__name__}({', '.join(f'{name}=…' for name in needed)})"
