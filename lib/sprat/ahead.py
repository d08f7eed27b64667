"""Batches that are augmented on the CPU in a thread, while the step before them computes.

What is drawn does not depend on how far the thread has come. The order of the samples is drawn
before it starts; the thread draws from a generator that nobody else has; and the generator that
this one stands in for moves on when a batch is taken, not when it is made. So equal runs are equal,
and a checkpoint in mid-epoch finds the generator where the batches seen so far have left it.
"""

import copy
import queue
import threading
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor

from sprat.data import Batch, Encoded
from sprat.loader import Loader

AHEAD = 2  # batches that wait; more would only take memory

#: A batch and where the generator stood after it; or what went wrong; or None at the end.
Item = tuple[Encoded, Tensor] | BaseException | None


class Ahead:
    """A loader whose batches are prepared ahead.

    A `Loader`, and a `DataLoader` with workers, draw nothing for a single batch, so their batches
    are fetched in the thread. Another loader may draw for each batch, from where the steps draw as
    well; its batches are fetched and prepared when their turn comes.

    Args:
        loader: gives raw batches.
        prepare: encodes and augments one, on the CPU, drawing from the generator that it is given.
        generator: where the randomness comes from, on the CPU; torch's own by default.
        shared: others draw from `generator` too, so only a seed is drawn from it, once a pass.
            From torch's own everybody may draw.
    """

    def __init__(
        self,
        loader: Any,
        prepare: Callable[[Batch, torch.Generator | None], Batch],
        *,
        generator: torch.Generator | None = None,
        shared: bool = False,
    ) -> None:
        self.threaded = isinstance(loader, Loader) or getattr(loader, "num_workers", 0) > 0
        if isinstance(loader, Loader):
            loader = copy.copy(loader)
            loader.device = None  # the batch goes to the device after it is prepared
        self.loader, self.prepare = loader, prepare
        self.generator, self.shared = generator, shared or generator is None

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Encoded]:
        if not self.threaded:
            yield from (self._ready(raw, self.generator) for raw in self.loader)
            return
        raws = iter(self.loader)
        first = list(islice(raws, 1))  # by which the order of the samples is drawn
        waiting: queue.Queue[Item] = queue.Queue(AHEAD)
        over = threading.Event()
        work = (chain(first, raws), self._own(), waiting, over)
        thread = threading.Thread(
            target=self._work, args=work, name="sprat augments ahead", daemon=True
        )
        thread.start()
        try:
            while (item := waiting.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                batch, place = item
                if self.generator is not None and not self.shared:
                    self.generator.set_state(place)
                yield batch
        finally:  # also when the loop ends early
            over.set()
            thread.join()

    def _own(self) -> torch.Generator:
        """The generator of one pass, which its thread alone draws from."""
        own = torch.Generator()
        if self.generator is not None and not self.shared:
            return own.set_state(self.generator.get_state())
        seed = torch.randint(2**63 - 1, (), generator=self.generator)
        return own.manual_seed(int(seed))

    def _work(
        self,
        raws: Iterator[Any],
        own: torch.Generator,
        waiting: "queue.Queue[Item]",
        over: threading.Event,
    ) -> None:
        """What the thread does."""

        def put(item: Item) -> bool:
            while not over.is_set():
                try:
                    waiting.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        try:
            for raw in raws:
                if not put((self._ready(raw, own), own.get_state())):
                    return
            put(None)
        except BaseException as error:
            put(error)

    def _ready(self, raw: Any, generator: torch.Generator | None) -> Encoded:
        batch = self.prepare(Batch.of(raw).to("cpu"), generator)
        return Encoded(batch.x, batch.y, batch.index)
