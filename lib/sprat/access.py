"""Who writes what: declared access, checked on request.

    learn = Learner(..., check_access=True)        # or learn.fit(1, check_access=True)

Around every event of every callback, and around every step of a phase, the state of the learner is
looked at: what has changed must be among what the callback or the phase says that it `writes`. Else
the fit ends with an error that names the writer and what it wrote. The idea is FluxTraining.jl's
(https://github.com/FluxML/FluxTraining.jl, ``stateaccess``). Looking reads every weight twice an
event, so it is for tests and for a first try; without it nothing of this runs.

What is written without being declared is found by its effect, however it was done: by an
assignment, in place, or through another function. What is only read has no effect, so `reads` is
not checked: it says nothing more than the order in which callbacks are called.

The names of the state, where they are not those of a learner's attributes: ``weights`` (with
running statistics), ``grads``, ``lr``, ``optimizers`` (what they keep, and their other settings),
``descent`` (how the weights move: `Learner.descend`), ``mode`` (training or not), ``batch``, and
each name that a step leaves in ``learn.state``.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from sprat.callbacks import Callback, Cancel
from sprat.errors import CallbackError

if TYPE_CHECKING:
    from sprat.data import Batch
    from sprat.learner import Learner
    from sprat.phases import Phase

#: What a training phase changes by handing a loss to `Learner.update`.
UPDATE = frozenset({"weights", "grads", "optimizers", "scaler", "moves", "cleared"})
#: Who writes the first name may change the others by it.
_BRINGS: dict[str, frozenset[str]] = {"descent": UPDATE, "model": frozenset({"weights", "grads"})}
# What the loop itself keeps while others act, or what is looked at under a name of its own.
_OWN = {
    "model", "optimizers", "batch", "state", "history", "metrics", "loaders", "phases",
    "callbacks", "descend", "heard", "resumed", "watch", "check_access", "task", "group",
}  # fmt: skip
#: What a call that only looks may leave otherwise: what metrics gathered, of no use after it.
_LEFT = frozenset({"metrics"})

always = False  # whether every fit is checked: for tests

Seen = dict[str, Any]


def seen(learn: "Learner") -> Seen:
    """A mark of each part of a learner's state, which differs where the part has changed."""
    optimizers = learn.optimizers
    groups = [group for optimizer in optimizers.values() for group in optimizer.param_groups]
    marks: Seen = {
        "model": id(learn.model),
        "mode": learn.model.training,
        "weights": _mark(dict(learn.model.state_dict(keep_vars=True))),
        "grads": _mark([weight.grad for weight in learn.model.parameters()]),
        "lr": _mark([group["lr"] for group in groups]),
        "optimizers": (
            _mark({name: (id(o), dict(o.state)) for name, o in optimizers.items()}),
            _mark([{k: v for k, v in g.items() if k not in ("lr", "params")} for g in groups]),
            _mark([[id(weight) for weight in group["params"]] for group in groups]),
        ),
        "batch": _mark((learn.batch.x, learn.batch.y, learn.batch.index)),
        "history": _mark(vars(learn.history)),
        "metrics": _mark([(id(metric), vars(metric)) for metric in learn.metrics]),
        "loaders": {name: id(loader) for name, loader in learn.loaders.items()},
        "phases": [id(phase) for phase in learn.phases],
        "callbacks": [id(callback) for callback in learn.callbacks],
        "descent": getattr(learn.descend, "__func__", learn.descend),
        "scaler": _mark(learn.scaler.state_dict()),
    }
    named = learn.state if isinstance(learn.state, Mapping) else {"state": learn.state}
    marks |= {str(name): _mark(value) for name, value in named.items()}
    for name, value in vars(learn).items():
        if name not in _OWN and name not in marks and not name.startswith("_"):
            marks[name] = value if isinstance(value, (int, float, str)) else id(value)
    return marks


def _mark(value: Any) -> Any:
    """Something that is equal for equal contents, and small."""
    if isinstance(value, Tensor):
        return _of_tensor(value)
    if isinstance(value, Mapping):
        keyed = ((id(key) if isinstance(key, Tensor) else key, part) for key, part in value.items())
        return {key: _mark(part) for key, part in keyed}
    if isinstance(value, (list, tuple)):
        if len(value) > 64 and all(isinstance(part, (int, float)) for part in value):
            return len(value), hash(tuple(value))
        return [_mark(part) for part in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else id(value)


def _of_tensor(value: Tensor) -> Any:
    if is_lazy(value):
        return "not made yet"
    local = value.to_local() if hasattr(value, "to_local") else value  # of FSDP, what is here
    if local.layout is not torch.strided or local.is_meta or type(local) not in _PLAIN:
        return id(value)
    plain = local.detach().cpu().contiguous()
    content = plain.reshape(-1).view(torch.uint8) if plain.numel() else None
    number = 0 if content is None else zlib.crc32(content.numpy().data)
    return str(value.dtype), tuple(value.shape), number


_PLAIN = (Tensor, torch.nn.Parameter)


def changed(before: Seen, after: Seen) -> set[str]:
    """The names of what differs, also of what has come or gone."""
    names = {*before, *after}
    return {name for name in names if before.get(name, _NONE) != after.get(name, _NONE)}


_NONE = object()


@dataclass
class _Act:
    """Somebody who acts: what there was before, and what has changed by it so far."""

    before: Seen
    wrote: set[str] = field(default_factory=set)


class Watch:
    """Looks on while callbacks and phases act, each in its turn.

    A step calls callbacks in the middle (``backward_end``): what they do is theirs, not the step's.

    Args:
        learn: whose state it is.
    """

    def __init__(self, learn: "Learner") -> None:
        self.learn = learn
        self._acts: list[_Act] = []

    def listeners(
        self, found: Mapping[str, Iterable[Callable[["Learner"], None]]]
    ) -> dict[str, list[Callable[["Learner"], None]]]:
        """What to call at each event, each call checked."""
        return {
            event: [self._checked(call, event) for call in calls] for event, calls in found.items()
        }

    def _checked(
        self, call: Callable[["Learner"], None], event: str
    ) -> Callable[["Learner"], None]:
        callback: Callback = call.__self__  # type: ignore[attr-defined]

        def listen(learn: "Learner") -> None:
            with self.around(callback, event, frozenset(callback.writes)):
                call(learn)

        return listen

    def step(self, phase: "Phase") -> Callable[["Learner", "Batch"], Any]:
        """A phase's step, checked."""
        allowed = frozenset(phase.writes) | (UPDATE if phase.trains else frozenset())

        def step(learn: "Learner", batch: "Batch") -> Any:
            with self.around(phase, "step", allowed):
                return phase.step(learn, batch)

        return step

    @contextmanager
    def around(self, who: Any, event: str, declared: frozenset[str]) -> Iterator[None]:
        """Look before and after what somebody does.

        Raises:
            CallbackError: it wrote what it did not declare.
        """
        before = seen(self.learn)
        if self._acts:
            outer = self._acts[-1]
            outer.wrote |= changed(outer.before, before)
        act = _Act(before)
        self._acts.append(act)
        cancelled = None
        try:
            yield
        except Cancel as cancel:
            cancelled = cancel
        except BaseException:
            self._leave(act)
            raise
        wrote = self._leave(act) - declared.union(*(_BRINGS.get(n, ()) for n in declared))
        if wrote:
            raise CallbackError(
                f"{who!r} wrote {_listed(wrote)} in {event}, which it does not declare.",
                fix=f"say in the class {type(who).__name__}: "
                f"writes = {{{', '.join(map(repr, sorted(set(who.writes) | wrote)))}}}; "
                "or leave it as it is: work on a copy",
            )
        if cancelled is not None:
            raise cancelled

    def _leave(self, act: _Act) -> set[str]:
        self._acts.pop()
        after = seen(self.learn)
        if self._acts:
            self._acts[-1].before = after
        return act.wrote | changed(act.before, after)


def _listed(names: Iterable[str]) -> str:
    return " and ".join(repr(name) for name in sorted(names))


@contextmanager
def watching(learn: "Learner", wished: bool = False) -> Iterator[None]:
    """Check access inside of ``with``, where that is wished, here or of the learner."""
    kept = learn.watch
    if kept is None and (wished or learn.check_access or always):
        learn.watch = Watch(learn)
    try:
        yield
    finally:
        learn.watch = kept


def only_looks(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method of `Learner` that must leave it as it was; checked where the learner wants it.

    Raises:
        CallbackError: it left something changed.
    """

    @wraps(function)
    def look(learn: "Learner", *args: Any, **options: Any) -> Any:
        if not (learn.check_access or always) or learn.watch is not None:
            return function(learn, *args, **options)
        before = seen(learn)
        with watching(learn):
            result = function(learn, *args, **options)
        left = changed(before, seen(learn)) - _LEFT
        if left:
            raise CallbackError(
                f"{function.__name__} left {_listed(left)} changed; it should only look.",
                fix="find what the phase that measures, or a loader, writes, and do it on a copy",
            )
        return result

    return look
