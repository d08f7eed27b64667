"""What phases ask of a learner besides its loss: parts of its model, and a second data stream."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sprat.data import Batch
from sprat.errors import DataError, TaskError

if TYPE_CHECKING:
    from sprat.learner import Learner


def part(learn: "Learner", name: str, *, fix: str) -> Any:
    """A part or a method of the learner's model, such as ``encode`` or ``discriminator``.

    Raises:
        TaskError: the model has none of that name.
    """
    found = getattr(learn.model, name, None)
    if found is None:
        raise TaskError(
            f"{type(learn.phase).__name__} needs {name!r} of the model; "
            f"{type(learn.model).__name__} has none.",
            fix=fix,
        )
    return found


class Stream:
    """Batches of one part of the data without end: when a pass is over, the next begins.

    A phase goes over one part of the data itself; what it takes from another comes from here.

    Args:
        split: the name of the part, as in ``data={"train": …, "unlabelled": …}``.
    """

    def __init__(self, split: str) -> None:
        self.split = split
        self._loader: Any = None
        self._batches: Iterator[Any] = iter(())
        self._began: Tensor | None = None  # where random numbers stood before this pass
        self._taken = 0  # batches of this pass

    def __repr__(self) -> str:
        return repr(self.split)

    def next(self, learn: "Learner") -> Batch:
        """The next batch, encoded and on the learner's device.

        Raises:
            DataError: the learner has no such part, or it is empty.
        """
        loader = learn.loader(self.split)
        if loader is not self._loader:  # the phase serves another learner now
            self._begin(loader)
        for _ in range(2):
            for raw in self._batches:
                self._taken += 1
                return learn.encode(raw)
            self._begin(loader)
        raise DataError(
            f"The loader of {self.split!r} yields no batch.", fix="give it at least one sample"
        )

    def _begin(self, loader: Any) -> None:
        self._loader, self._batches, self._taken = loader, iter(loader), 0
        self._began = _random(loader).get_state()

    def state_dict(self) -> dict[str, Any]:
        """Where it stands: the pass's order is drawn again from the same random numbers."""
        return {} if self._began is None else {"began": self._began, "taken": self._taken}

    def load_state_dict(self, state: dict[str, Any], learn: "Learner") -> None:
        """Go on from there, and leave random numbers where they are."""
        self._loader, self._began, self._taken = None, None, 0
        if not state:
            return
        loader = learn.loader(self.split)
        generator = _random(loader)
        now = generator.get_state()
        generator.set_state(state["began"])
        self._begin(loader)
        for _ in islice(self._batches, state["taken"]):
            self._taken += 1
        generator.set_state(now)


def _random(loader: Any) -> torch.Generator:
    """What a loader draws its order from: a generator of its own, or torch's."""
    own = getattr(loader, "generator", None)
    return own if isinstance(own, torch.Generator) else torch.default_generator
