"""Checkpoints: the best models of a fit, and its whole state, from which it goes on exactly.

    runs/first/
    ├── state-000000120.safetensors   everything, after 120 moves of the weights; see `files`
    └── best/epoch-003/               weights and config as `sprat.save` writes them

The state holds weights, optimisers, loss scale, history, what callbacks keep, where every source of
random numbers stands, and how far the fit was, in the middle of an epoch too. Plain data all of it,
never pickle.

Where several processes train together, the first one writes, for all: each draws random numbers of
its own and has measured its own part of each batch, so the state holds these of every process. All
of them read it from there, so the folder has to be one that all can reach. What FSDP splits is put
together for the file, so the first process needs CPU memory for all of it.

What is read back, and how a fit goes on from it, stands in ``resumed.py``.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from sprat import files
from sprat.accumulate import Accumulate
from sprat.callbacks import Callback
from sprat.errors import TrainingError
from sprat.export import save
from sprat.given import check_folder
from sprat.history import History
from sprat.kinds import is_whole
from sprat.recorder import Recorder
from sprat.snapshot import numbered, outline, random_state
from sprat.stopping import Monitor

if TYPE_CHECKING:
    from sprat.learner import Learner

FORMAT = 1


class Checkpoint(Callback):
    """Save while training: the state to go on from, and the best models.

    The best are those of all fits of a learner that write to the folder, also where each fit has a
    `Checkpoint` of its own.

    Args:
        folder: where to; made if missing.
        every: save the state after so many training steps too, not only after every epoch.
        keep: how many states to keep, the newest.
        best: how many of the best models to keep, in ``folder/best``; read one with `sprat.load`.
        monitor: the column of the history that says which is best.
        better: ``"lower"`` or ``"higher"``; by default as the metric says, see `Monitor`.

    Raises:
        TrainingError: a number is below what makes sense, or `better` is neither.
    """

    after: ClassVar = (Callback,)  # it saves what the others have become

    def __init__(
        self,
        folder: str | Path,
        *,
        every: int | None = None,
        keep: int = 2,
        best: int = 0,
        monitor: str = "valid_loss",
        better: str | None = None,
    ) -> None:
        counts = {
            "every": 1 if every is None else every,
            "keep": keep,
            "best": best + 1 if is_whole(best) else best,
        }
        if not all(is_whole(count) and count > 0 for count in counts.values()):
            raise TrainingError(
                f"Checkpoint got every={every!r}, keep={keep!r}, best={best!r}.",
                fix="give every and keep of 1 or more, best of 0 or more",
            )
        self.folder, self.every, self.keep, self.best = (
            check_folder(folder, call="sprat.Checkpoint"),
            every,
            keep,
            best,
        )
        self.monitor = Monitor(monitor, better)
        self.steps = 0
        self.scores: list[tuple[float, str]] = []
        self.history: History | None = None  # whose epochs `scores` is about

    def fit_begin(self, learn: "Learner") -> None:
        """Refuse a folder that another training has filled, and find the best models so far.

        Raises:
            TrainingError: a training that went further left its states there, or models; with what
                to do instead.
            CallbackError: nobody says which models are the better ones.
        """
        self.steps = 0
        found = states(self.folder)
        if found and found[-1][0] > learn.moves:
            raise TrainingError(
                f"{self.folder} holds the state of a training that went on for "
                f"{found[-1][0]} steps; this one is at {learn.moves}.",
                fix=f"go on from there with learn.resume({str(self.folder)!r}), or choose another "
                "folder",
            )
        if self.best:
            self.monitor.watch(learn)
        if self.history is not learn.history:
            self.history, self.scores = learn.history, self._found(learn) if self.best else []

    def _found(self, learn: "Learner") -> list[tuple[float, str]]:
        """The models that earlier fits left, with what their epochs brought."""
        if learn.resumed is not None:
            return []  # the state that is taken up says it
        rows = learn.history.rows
        names = sorted(path.name for path in (self.folder / "best").glob("epoch-*"))
        scores = []
        for name in names:
            epoch = int(name.removeprefix("epoch-"))
            if epoch >= len(rows):
                raise TrainingError(
                    f"{self.folder / 'best'} holds {name} of another training; this one has done "
                    f"{len(rows)} epochs.",
                    fix="choose another folder, or delete that one",
                )
            scores.append((self.monitor.of(rows[epoch]), name))
        return sorted(scores, reverse=True)

    def phase_begin(self, learn: "Learner") -> None:
        """Note where random numbers stand before the loader draws its order."""
        if self.every is not None and learn.phase.trains:
            self.place = random_state(learn)

    def step_end(self, learn: "Learner") -> None:
        """Save the state, where it is due."""
        if self.every is not None and learn.phase.trains:
            self.steps += 1
            if self.steps % self.every == 0:
                phase = next(i for i, p in enumerate(learn.phases) if p is learn.phase)
                self._save(learn, (learn.epoch, phase, learn.step + 1), self.place)

    def epoch_end(self, learn: "Learner") -> None:
        """Save the state, and the model if it is among the best."""
        if self.best:
            self._keep_best(learn)
        self._save(learn, (learn.epoch + 1, 0, 0), None)

    def _keep_best(self, learn: "Learner") -> None:
        name = f"epoch-{len(learn.history) - 1:03d}"
        ranked = sorted([*self.scores, (self.monitor.score(learn), name)], reverse=True)
        self.scores, dropped = ranked[: self.best], ranked[self.best :]
        if any(kept == name for _, kept in self.scores):
            save(learn, self.folder / "best" / name)
        if learn.group is not None and not learn.group.first:
            return
        for _, old in dropped:
            shutil.rmtree(self.folder / "best" / old, ignore_errors=True)

    def _save(
        self, learn: "Learner", place: tuple[int, int, int], began: dict[str, Any] | None
    ) -> None:
        mine = {
            "began": began,
            "random": random_state(learn),
            "callbacks": _own(learn),
        }
        # Every process comes here, after the same step.
        others = learn.group.collected(mine)[1:] if learn.group is not None else []
        state = {
            "format": FORMAT,
            "distributed": None if learn.group is None else learn.group.kind,
            "part": learn.part,
            "epochs": learn.epochs,
            "place": place,
            "began": began,
            "moves": learn.moves,
            "loaders": outline(learn),
            "model": dict(learn.model.state_dict()),
            "loss": _weights(learn.loss_function),
            "optimizers": {name: o.state_dict() for name, o in learn.optimizers.items()},
            "scaler": learn.scaler.state_dict(),
            "history": _plain_history(learn.history),
            "callbacks": {n: c.state_dict() for n, c in numbered(learn.heard).items()},
            "phases": {n: p.state_dict() for n, p in numbered(list(learn.phases)).items()},
            "random": mine["random"],
            "others": others,
        }
        if learn.group is not None:
            state = learn.group.whole_state(state)
            if not learn.group.first:
                return
        files.write(self.folder / f"state-{learn.moves:09d}.safetensors", state)
        for _, old in states(self.folder)[: -self.keep]:
            old.unlink(missing_ok=True)

    def state_dict(self) -> dict[str, Any]:
        """How many steps it has seen, and which models are the best."""
        return {"steps": self.steps, "scores": self.scores}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.steps, self.scores = state["steps"], [tuple(s) for s in state["scores"]]


def states(folder: Path) -> list[tuple[int, Path]]:
    """The states in a folder, as ``(moves, file)``, the newest last."""
    found = folder.glob("state-*.safetensors")
    return sorted((int(path.stem.removeprefix("state-")), path) for path in found)


def _own(learn: "Learner") -> dict[str, Any]:
    """What callbacks keep that is of one process alone: measures and gradients of its samples.

    FSDP's gradients are of all samples already, and each process has a part of each.
    """
    sharded = learn.group is not None and learn.group.kind == "fsdp"
    kinds = (Recorder,) if sharded else (Recorder, Accumulate)
    heard = numbered(learn.heard).items()
    found = {name: c.state_dict() for name, c in heard if isinstance(c, kinds)}
    # From here it is sent; on a GPU it would arrive on the sender's, which is not the receiver's.
    return files.each(found, lambda v: v.cpu() if isinstance(v, torch.Tensor) else v)


def _weights(loss: Any) -> dict[str, Any]:
    """Those of a loss that learns itself; see `sprat.weights` for how."""
    return dict(loss.state_dict()) if isinstance(loss, torch.nn.Module) else {}


def _plain_history(history: History) -> dict[str, Any]:
    """As tensors, which are smaller than numbers in JSON and as exact."""
    losses, lrs = (torch.tensor(v, dtype=torch.float64) for v in (history.losses, history.lrs))
    return {"rows": history.rows, "losses": losses, "lrs": lrs}
