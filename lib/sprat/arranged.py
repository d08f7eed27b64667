"""Which parts of a batch are inputs and which are targets, said once for a loader.

A loader of torch's kind yields what its data set holds: pictures, ages, targets, weights, the
numbers of patients. Which of them the model sees, and which the loss, nobody can guess.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sprat.data import Batch
from sprat.errors import DataError

Place = int | str
_KEPT = ("sampler", "batch_sampler", "dataset", "generator", "num_workers")  # read by checkpoints


class Arranged:
    """A loader whose batches are taken apart by places or names; what isn't named is left out.

    Args:
        loader: yields tuples, lists, named tuples or dicts, such as torch's `DataLoader`.
        x: where the inputs are: a place from 0 up, or a name; a tuple of these for several inputs.
        y: where the targets are, likewise; None where there are none.
    """

    def __init__(
        self,
        loader: Any,
        *,
        x: Place | tuple[Place, ...] = 0,
        y: Place | tuple[Place, ...] | None = 1,
    ) -> None:
        self.loader, self.x, self.y = loader, x, y
        for name in _KEPT:
            if hasattr(loader, name):
                setattr(self, name, getattr(loader, name))

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for raw in self.loader:
            yield Batch(_part(raw, self.x), None if self.y is None else _part(raw, self.y))


def _part(raw: Any, place: Place | tuple[Place, ...]) -> Any:
    if isinstance(place, tuple):
        return tuple(_part(raw, each) for each in place)
    fields = getattr(raw, "_fields", ())
    if isinstance(raw, Mapping) and place in raw:
        return raw[place]
    if isinstance(place, str) and place in fields:
        return getattr(raw, place)
    if isinstance(raw, (tuple, list)) and isinstance(place, int) and -len(raw) <= place < len(raw):
        return raw[place]
    if isinstance(raw, Mapping) or fields:
        known = ", ".join(map(repr, raw if isinstance(raw, Mapping) else fields))
    else:
        known = f"0 to {len(raw) - 1}" if isinstance(raw, (tuple, list)) else type(raw).__name__
    raise DataError(f"A batch of the loader has no part {place!r}.", fix=f"use one of {known}")
