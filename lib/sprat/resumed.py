"""Taking up a fit that was interrupted, from the state that a `Checkpoint` has left.

`take_up` puts weights and history into a learner; the next fit asks its `Resumed` for the epochs
and the batches that are left, and finds optimisers, callbacks and random numbers as they were.

To go on in the middle of an epoch, the loader has to give the batches that are left, in the order
that it had drawn. So the state also says where the random numbers stood when the phase began: from
there the loader draws the same order, and what has been seen is skipped.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from sprat import files
from sprat.callbacks import Callback
from sprat.checkpoint import FORMAT, Checkpoint, states
from sprat.errors import ExportError, TrainingError
from sprat.history import History
from sprat.phases import Phase
from sprat.snapshot import numbered, outline, set_random_state

if TYPE_CHECKING:
    from sprat.learner import Learner


def take_up(learn: "Learner", folder: Path, *, missing_ok: bool) -> "Resumed | None":
    """Put the newest state of a folder into a learner; `Learner.resume` is this."""
    found = states(folder)
    if not found:
        if missing_ok:
            return None
        raise ExportError(
            f"There is no state in {folder}.",
            fix="train with callbacks=[sprat.Checkpoint(folder)], or pass missing_ok=True",
        )
    path = found[-1][1]
    state = files.read(path)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ExportError(
            f"{path} is of another format than {FORMAT}.", fix="update sprat: pip install -U sprat"
        )
    _choose_own(learn, state, path)
    _refuse_other_kind(learn, state, path)
    if learn.group is not None:
        state = learn.group.own_state(state)
    _refuse_other_weights(learn, state["model"], path)
    _refuse_other_loaders(learn, state.get("loaders", {}), path)
    learn.model.load_state_dict(state["model"])
    if state.get("loss") and isinstance(learn.loss_function, nn.Module):
        learn.loss_function.load_state_dict(state["loss"])
    columns = state["history"]
    learn.history = History(columns["rows"], columns["losses"].tolist(), columns["lrs"].tolist())
    learn.moves = state["moves"]
    learn.resumed = Resumed(path, state, list(learn.model.parameters()))
    if learn.group is not None:
        learn.group.wait()  # or the first process could train, and delete what others still read
    return learn.resumed


def _refuse_other_weights(learn: "Learner", found: dict[str, Tensor], path: Path) -> None:
    """Before any is put in: a model that has half of them is of no use."""
    model = learn.model.state_dict()
    lazy = {name for name, value in model.items() if isinstance(value, Tensor) and is_lazy(value)}
    here, there = ({n: _shape(v) for n, v in state.items()} for state in (model, found))
    for name in [*there, *here]:
        if here.get(name) != there.get(name) and name not in lazy:
            raise ExportError(
                f"The weights in {path} don't fit {type(learn.model).__name__}: {name} has the "
                f"shape {there.get(name, 'none')}, here {here.get(name, 'none')}.",
                fix="build the learner as the one that was interrupted",
            )


def _refuse_other_loaders(learn: "Learner", found: dict[str, Any], path: Path) -> None:
    """An epoch of other batches has no such place in it, and draws other random numbers."""
    here = outline(learn)
    for split, there in found.items():
        for what, value in there.items():
            now = here.get(split, {}).get(what)
            if now != value:
                raise TrainingError(
                    f"The training in {path} had {value} as its {what} of {split!r}; here it is "
                    f"{now}.",
                    fix=f"build the learner as the one that was interrupted: {_FIXES[what]}",
                )


_FIXES = {
    "batch size": "with the same batch_size=",
    "number of samples": "from the same data",
    "number of batches": "from the same data, with the same loader",
    "number of workers": "with a DataLoader of the same num_workers=",
}


def _shape(value: Any) -> tuple[int, ...]:
    """Modules may keep other things than tensors, and tensors that have no shape yet."""
    return tuple(value.shape) if isinstance(value, Tensor) and not is_lazy(value) else ()


def _refuse_other_kind(learn: "Learner", state: dict[str, Any], path: Path) -> None:
    """FSDP's files hold tensors that others can't read, and the other way round."""
    found = state.get("distributed", "ddp" if state.get("others") else None)
    here = None if learn.group is None else learn.group.kind
    if "fsdp" in (found, here) and found != here:
        raise TrainingError(
            f"{path} is of a training with distributed={found!r}; this one has {here!r}.",
            fix=f"build the learner with distributed={found!r}",
        )


def _choose_own(learn: "Learner", state: dict[str, Any], path: Path) -> None:
    """Put what this process drew and measured in the place of what the first one did."""
    others = state.get("others", [])
    rank, size = (0, 1) if learn.group is None else (learn.group.rank, learn.group.size)
    if size != len(others) + 1:
        raise TrainingError(
            f"{path} is of a training by {len(others) + 1} processes; here there are {size}.",
            fix=f"start as many: torchrun --standalone --nproc-per-node={len(others) + 1} train.py"
            if others
            else "go on in one process, without distributed=",
        )
    if rank:
        mine = others[rank - 1]
        state |= {"began": mine["began"], "random": mine["random"]}
        state["callbacks"] |= mine["callbacks"]


class Resumed:
    """Where an interrupted fit stood. The next fit goes on from there.

    Args:
        path: the file that it was read from.
        state: what stands in it.
        weights: the model's, which were taken up.
    """

    def __init__(self, path: Path, state: dict[str, Any], weights: list[nn.Parameter]) -> None:
        self.path, self.state, self.weights = path, state, weights
        self.epoch, self.phase, self.step = state["place"]
        self.epochs, self.part = state["epochs"], state["part"]
        self.active = False  # between `Learner.resume` and the fit that goes on it changes nothing

    def __repr__(self) -> str:
        step = f", before step {self.step}" if self.step else ""
        return f"Resumed(epoch {self.epoch} of {self.epochs}{step}; {self.path})"

    def callback_state(self, callback: Callback, learn: "Learner") -> dict[str, Any]:
        """What the interrupted fit kept of a callback that listens now; nothing of a new one."""
        name = next(name for name, heard in numbered(learn.heard).items() if heard is callback)
        kept: dict[str, Any] = self.state["callbacks"].get(name, {})
        return kept

    def plan(self, learn: "Learner") -> Iterator[tuple[int, tuple[Phase, ...]]]:
        """The epochs that are left, with the phases that are left of each.

        Raises:
            TrainingError: the fit is not the one that was interrupted.
        """
        if learn.part < self.part:
            return  # of `fine_tune` the first fit, which had been finished
        if (learn.part, learn.epochs) != (self.part, self.epochs):
            raise TrainingError(
                f"The fit that is taken up has {self.epochs} epochs; this one has {learn.epochs}.",
                fix="call the same method with the same arguments as the one that was interrupted; "
                "it does what is left",
            )
        if list(map(id, learn.model.parameters())) != list(map(id, self.weights)):
            raise TrainingError(
                "Weights of the model were replaced after the training had been taken up, and its "
                "optimisers know the old ones.",
                fix="replace them before learn.resume; or start a new fit from what was taken up: "
                "learn.resumed = None",
            )
        self._restore_optimizers(learn)
        if not self.step:  # at the seam of two epochs nothing has begun
            self._restore_callbacks(learn)
            set_random_state(learn, self.state["random"])
            learn.resumed = None
        self.active = True
        for epoch in range(self.epoch, learn.epochs):
            yield epoch, learn.phases[self.phase if epoch == self.epoch else 0 :]

    def batches(self, learn: "Learner", phase: Phase) -> Iterator[tuple[int, Any]]:
        """The batches that are left of the phase in which training was interrupted."""
        learn.resumed = None
        set_random_state(learn, self.state["began"])
        left = iter(enumerate(learn.loader(phase.split)))
        next(islice(left, self.step, self.step), None)  # draws the order and skips what was seen
        self._restore_callbacks(learn)
        set_random_state(learn, self.state["random"])
        return left

    def _restore_optimizers(self, learn: "Learner") -> None:
        try:
            for name, state in self.state["optimizers"].items():
                learn.optimizers[name].load_state_dict(state)
            learn.scaler.load_state_dict(self.state["scaler"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise ExportError(
                f"The optimisers in {self.path} are not the learner's: {error}.",
                fix="build the learner as the one that was interrupted",
            ) from None

    def _restore_callbacks(self, learn: "Learner") -> None:
        for name, phase in numbered(list(learn.phases)).items():
            if kept := self.state.get("phases", {}).get(name):
                phase.load_state_dict(kept, learn)
        here = numbered(learn.heard)
        for name, state in self.state["callbacks"].items():
            if name in here:
                here[name].load_state_dict(state)
            elif state and not name.startswith(Checkpoint.__name__):  # it only looks on
                raise TrainingError(
                    f"The interrupted fit had the callback {name}; this one has not.",
                    fix="pass the same callbacks",
                )
