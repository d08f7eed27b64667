"""What phases ask of a learner besides its loss: parts of its model, and a second data stream."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

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

    def next(self, learn: "Learner") -> Batch:
        """The next batch, encoded and on the learner's device.

        Raises:
            DataError: the learner has no such part, or it is empty.
        """
        loader = learn.loader(self.split)
        if loader is not self._loader:  # the phase serves another learner now
            self._loader, self._batches = loader, iter(loader)
        for _ in range(2):
            for raw in self._batches:
                return learn.encode(raw)
            self._batches = iter(loader)
        raise DataError(
            f"The loader of {self.split!r} yields no batch.", fix="give it at least one sample"
        )
