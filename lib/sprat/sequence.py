"""A loader read in the order of its data, whatever order it trains in.

Whoever says where a sample stands has to know the order in which samples came.
"""

import copy
from itertools import chain
from typing import Any

import torch
from torch.utils import data as torch_data

from sprat.arranged import Arranged
from sprat.data import Batch
from sprat.errors import DataError
from sprat.loader import Loader

BATCH_SIZE = 256  # where a sampler makes batches of its own


def in_sequence(loader: Any) -> Any:
    """The same samples in the order of the data, all of them, where that can be known.

    A `Loader` is read unshuffled and to its end. So is torch's `DataLoader` if its sampler gives
    every sample of its data set once. A stream, a loader of another kind, and a sampler that leaves
    samples out or repeats some, stay as they are.

    Args:
        loader: any loader; it is not changed, and no random number is drawn from its generator.
    """
    loader = getattr(loader, "whole", loader)  # of all processes
    if isinstance(loader, Loader):
        if not (loader.shuffle or loader.drop_last):
            return loader
        calm = copy.copy(loader)
        calm.shuffle = calm.drop_last = False
        return calm
    if isinstance(loader, Arranged):
        return Arranged(in_sequence(loader.loader), x=loader.x, y=loader.y)
    if not isinstance(loader, torch_data.DataLoader) or knows_its_order(loader):
        return loader
    return _unshuffled(loader) if _is_whole(loader) else loader


def knows_its_order(loader: Any) -> bool:
    """Whether a loader gives samples in the order of its data set, as far as its type says so."""
    if isinstance(loader, Arranged):
        return knows_its_order(loader.loader)
    if isinstance(loader, Loader):
        return not loader.shuffle
    return (
        isinstance(loader, torch_data.DataLoader)
        and not isinstance(loader.dataset, torch_data.IterableDataset)
        and type(_order(loader)) is torch_data.SequentialSampler
    )


def steady_batches(loader: Any) -> list[Batch]:
    """All batches of a loader, in an order that means something.

    Raises:
        DataError: the loader yields nothing, or other samples or another order the next time.
    """
    loader = in_sequence(loader)
    batches = [Batch.of(raw) for raw in loader]
    if not batches:
        raise DataError("The loader yields no batch.", fix="check the data it was made from")
    if not knows_its_order(loader):
        again = [Batch.of(raw) for raw in loader]
        if again and not _same([b.x for b in batches], [b.x for b in again]):
            raise DataError(
                f"{_name(loader)} gives other samples, or another order, each time it is read, so "
                "where a sample stands can't be said.",
                fix="pass data=sprat.Data(x, y), or a DataLoader without shuffle=True or a sampler "
                "of its own, over torch.utils.data.Subset(dataset, indices) for a part",
            )
    return batches


def _name(loader: Any) -> str:
    sampler = _order(loader) if isinstance(loader, torch_data.DataLoader) else None
    plain = (torch_data.SequentialSampler, torch_data.RandomSampler, type(None))
    of = "" if isinstance(sampler, plain) else f" with {type(sampler).__name__}"
    return f"The {type(loader).__name__}{of}"


def _order(loader: "torch_data.DataLoader[Any]") -> Any:
    """What says in which order samples come: a sampler, or one that makes whole batches."""
    batches = loader.batch_sampler
    if batches is None:
        return loader.sampler
    return batches.sampler if type(batches) is torch_data.BatchSampler else batches


def _is_whole(loader: "torch_data.DataLoader[Any]") -> bool:
    """Whether the sampler gives every sample of the data set once."""
    if isinstance(loader.dataset, torch_data.IterableDataset):
        return False
    count, sampler = len(loader.dataset), _order(loader)  # type: ignore[arg-type]
    if type(sampler) is torch_data.RandomSampler:
        return not sampler.replacement and sampler.num_samples == count
    with torch.random.fork_rng(devices=[]):
        given = list(copy.deepcopy(sampler))
    if sampler is loader.batch_sampler:
        given = list(chain.from_iterable(given))
    return all(isinstance(place, int) for place in given) and sorted(given) == list(range(count))


def _unshuffled(loader: "torch_data.DataLoader[Any]") -> "torch_data.DataLoader[Any]":
    """A plain loader over the same data set, with all that turns its samples into batches."""
    alone = loader.batch_sampler is None  # each sample is a batch already
    return torch_data.DataLoader(
        loader.dataset,
        None if alone else loader.batch_size or BATCH_SIZE,
        collate_fn=loader.collate_fn,
        num_workers=loader.num_workers,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
    )


def _same(one: Any, other: Any) -> bool:
    """Whether two values hold the same, tensor by tensor."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.shape == other.shape and _equal(one, other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    fields = getattr(one, "__dataclass_fields__", None)
    if fields:
        return all(_same(getattr(one, name), getattr(other, name)) for name in fields)
    return bool(one == other)


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    holes = one.is_floating_point()
    return torch.equal(one.nan_to_num(), other.nan_to_num()) if holes else torch.equal(one, other)
