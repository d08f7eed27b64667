"""Batches: from data in memory, taken whole, or from any loader of torch's kind.

`Loader` indexes a whole batch with one call, which is what makes it faster than asking for one
sample at a time and stacking them (``benchmarks/learner_overhead.py`` has the figures). Any
`torch.utils.data.DataLoader` does as well wherever a `Loader` does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sprat.bucket import bucketed, lengths_of
from sprat.data import Batch, Column, Data, head, moved, take
from sprat.errors import DataError
from sprat.given import check_whole
from sprat.graphs import GraphBatch
from sprat.kinds import refuse_columns, refuse_loader
from sprat.ragged import Ragged
from sprat.rows import Rows

_OURS = (GraphBatch, Ragged, Rows)


class Loader:
    """Batches from data in memory, each taken by one indexing call.

    Args:
        data: what to cut up.
        batch_size: samples in a batch; the last one may be smaller.
        shuffle: a new random order for every pass.
        drop_last: leave out a last batch that is smaller.
        generator: where the order comes from; torch's own by default.
        device: where batches are put; by default where the data is.
        on_device: put the whole of the data there before the first batch, so that no batch is
            copied; ``"auto"`` does so on a GPU where it takes a quarter of the free memory at most.
        bucket: with `shuffle`, put samples that are about equally long into one batch, sorted
            over so many batches at a time; see ``bucket.py``.
    """

    def __init__(
        self,
        data: Data,
        batch_size: int = 64,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        on_device: bool | str = False,
        bucket: int | None = None,
    ) -> None:
        if not isinstance(data, Data):
            raise DataError(
                f"Loader got a {type(data).__name__}; a Data was expected.",
                fix="make one: sprat.Loader(sprat.Data(x, y), 64)",
            )
        check_whole("batch_size", batch_size, example=64)
        if drop_last and len(data) < batch_size:
            raise DataError(
                f"{len(data)} samples make no whole batch of {batch_size}.",
                fix="give a smaller batch_size, or drop_last=False",
            )
        if bucket is not None and bucket < 1:
            raise DataError(f"bucket is {bucket}.", fix="give a number of batches, such as 50")
        if on_device not in (True, False, "auto") or (on_device is True and device is None):
            raise DataError(
                f"on_device is {on_device!r} and device is {device}.",
                fix='pass on_device=True with device="cuda", or on_device="auto"',
            )
        self.batch_size, self.bucket = batch_size, bucket
        self.shuffle, self.drop_last = shuffle, drop_last
        self.generator = generator
        self.device = None if device is None else torch.device(device)
        whole = on_device if isinstance(on_device, bool) else fits(data, self.device)
        self.data = data.to(self.device) if whole and self.device is not None else data
        self._lengths = None if bucket is None else lengths_of(data.x)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.data), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        count = len(self.data)
        if self.shuffle:
            order = torch.randperm(count, generator=self.generator)
        else:
            order = torch.arange(count)
        if isinstance(self.data.x, Tensor):
            order = order.to(self.data.x.device)  # once a pass, not once a batch
        batches = (self._batch(index) for index in self._cut(order)[: len(self)])
        if self.device is None or self.device.type != "cuda":
            yield from batches
            return
        # One batch ahead: the copy to the GPU runs while the step before it computes.
        ahead = next(batches, None)
        for batch in batches:
            assert ahead is not None
            yield ahead
            ahead = batch
        if ahead is not None:
            yield ahead

    def _cut(self, order: Tensor) -> Sequence[Tensor]:
        if self._lengths is None or self.bucket is None or not self.shuffle:
            return order.split(self.batch_size)
        return bucketed(
            order, self._lengths, self.batch_size, self.bucket, generator=self.generator
        )

    def _batch(self, index: Tensor) -> Batch:
        x, y = take(self.data, index)
        x, y = _filled(x), _filled(y)
        if self.device is None:
            return Batch(x, y, index)
        if self.device.type == "cuda":
            x, y = _pinned(x), _pinned(y)  # only from pinned memory does the copy not wait
        return Batch(moved(x, self.device), moved(y, self.device), index)


def make_loaders(
    data: Any,
    batch_size: int,
    *,
    device: torch.device,
    generator: torch.Generator | None = None,
) -> dict[str, Any]:
    """A loader for each part of a learner's data: ``"train"``, and ``"valid"`` if there is one.

    Args:
        data: one part, ``(train, valid)``, or parts by name for phases that use others too:
            ``{"train": …, "unlabelled": …, "valid": …}``; each a `Data` or a loader.
        batch_size: samples in a training batch of a `Data`; validation takes twice as many.
        device: where batches are put.
        generator: where the order of training samples comes from.

    Raises:
        DataError: there are more than two parts, or one is neither data nor a loader.
    """
    if isinstance(data, Mapping):
        return _by_name(data, batch_size, device=device, generator=generator)
    parts = data if isinstance(data, tuple) else (data,)
    refuse_columns(parts)
    if not 1 <= len(parts) <= 2:
        raise DataError(
            f"data has {len(parts)} parts; (train, valid) was expected.",
            fix="pass data.split(valid=0.1), or one part to train without validation",
        )
    loaders = {"train": as_loader(parts[0], batch_size, device, shuffle=True, generator=generator)}
    if len(parts) == 2:
        loaders["valid"] = as_loader(parts[1], 2 * batch_size, device)
    return loaders


def _by_name(
    data: Mapping[str, Any],
    batch_size: int,
    *,
    device: torch.device,
    generator: torch.Generator | None,
) -> dict[str, Any]:
    """Loaders of parts with names: "valid" and "test" in order, all others shuffled."""
    if "train" not in data:
        raise DataError(
            f"data has the parts {', '.join(map(str, data)) or 'none'}; 'train' is missing.",
            fix='pass {"train": …, "valid": …}, and whatever else your phases go over',
        )
    return {
        name: as_loader(part, 2 * batch_size, device)
        if name in ("valid", "test")
        else as_loader(part, batch_size, device, shuffle=True, generator=generator)
        for name, part in data.items()
    }


def as_loader(
    data: Any,
    batch_size: int,
    device: torch.device,
    *,
    shuffle: bool = False,
    generator: torch.Generator | None = None,
) -> Any:
    """A `Loader` over a `Data`; a loader as it is.

    Raises:
        DataError: it is neither, a list of `Data`, samples themselves, or a loader that does not
            know its length.
    """
    if isinstance(data, Data):
        return Loader(
            data,
            batch_size,
            shuffle=shuffle,
            generator=generator,
            device=device,
            on_device="auto",
        )
    if isinstance(data, list) and any(isinstance(part, Data) for part in data):
        raise DataError(
            "The data is a list of Data; a list is taken for a loader, each entry for a batch.",
            fix="pass a tuple: (train, valid)",
        )
    if isinstance(data, tuple):
        refuse_columns(data)
    refuse_loader(data)
    _refuse_samples(data)
    if not hasattr(data, "__iter__") or not hasattr(data, "__len__"):
        raise DataError(
            f"{type(data).__name__} is neither a Data nor a loader that knows its length.",
            fix="pass a sprat.Data or a torch.utils.data.DataLoader",
        )
    try:
        len(data)
    except TypeError as error:
        raise DataError(
            f"This {type(data).__name__} does not know its length: {error}.",
            fix="give the data set of the loader a method: def __len__(self): return "
            "number_of_samples; or pass list(loader) where all batches fit into memory",
        ) from None
    return data


def _refuse_samples(data: Any) -> None:
    """Refuse what holds samples: each of them would be taken for a batch.

    Raises:
        DataError: with the call that makes data of them.
    """
    kind = type(data).__name__
    if isinstance(data, Mapping):
        named = ", ".join(map(repr, list(data)[:2]))
        found, fix = f"A dict of {named}", "pass sprat.Data(x, y), with the columns of the dict"
    elif isinstance(data, tuple) and any(isinstance(part, Tensor) for part in data):
        found, fix = f"A tuple of {len(data)} columns", "pass sprat.Data(x, y)"
    elif isinstance(data, (Tensor, str, bytes, *_OURS)) or hasattr(data, "__array__"):
        columns = ", with x = block.read(table) for a table" if kind == "DataFrame" else ""
        found, fix = f"A {kind}", f"pass sprat.Data(x), or sprat.Data(x, y) with targets{columns}"
    elif isinstance(data, list) and data and isinstance(data[0], str):
        found, fix = "A list of strings", "pass sprat.Data(texts), or sprat.Data(texts, y)"
    else:
        return
    raise DataError(f"{found} holds samples, where a Data or a loader was expected.", fix=fix)


def first_batch(loader: Any, count: int) -> Batch:
    """The first samples of a loader; in data order, whatever the shuffling, where it is a `Loader`.

    A plain loader may be a stream or draw random numbers, so a look at it can change what comes.
    """
    if isinstance(loader, Loader):
        data = loader.data
        x, y = take(data, torch.arange(min(count, len(data))))
        return Batch(_filled(x), _filled(y))
    raw = Batch.of(next(iter(loader)))
    return Batch(head(raw.x, count), None if raw.y is None else head(raw.y, count))


def fits(data: Data, device: torch.device | None) -> bool:
    """Whether data should be kept on a device whole: a GPU, of whose free memory it takes little.

    On the CPU it is where it should be anyway.
    """
    if device is None or device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return 4 * (num_bytes(data.x) + num_bytes(data.y)) <= free


def num_bytes(column: Any) -> int:
    """The memory that the tensors of a column take."""
    if isinstance(column, Tensor):
        return column.numel() * column.element_size()
    if isinstance(column, tuple):
        return sum(map(num_bytes, column))
    return sum(map(num_bytes, vars(column).values())) if isinstance(column, _OURS) else 0


def _filled(value: Any) -> Any:
    """Rows of different lengths as a rectangle, as wide as the longest of this batch."""
    if isinstance(value, tuple):
        return tuple(map(_filled, value))
    return value.padded() if isinstance(value, Ragged) else value


def _pinned(value: Any) -> Any:
    """In memory from which a copy to the GPU does not wait, where there is a way to do it."""
    if isinstance(value, tuple):
        return tuple(map(_pinned, value))
    can = isinstance(value, Tensor) or (isinstance(value, Column) and hasattr(value, "pin_memory"))
    return value.pin_memory() if can and value.device.type == "cpu" else value
