"""Data in memory: two columns, inputs and targets, of the same length.

Everything works on whole columns or whole batches at once: a function given to `Data.map` or
`Data.filter` is called once, not once a sample.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sprat.cells import cells_of, in_order
from sprat.columns import Column, as_column, count, describe, head, moved, rows, sample
from sprat.errors import DataError
from sprat.given import check_function, check_generator
from sprat.kinds import class_names, is_whole, label_fix
from sprat.splits import (
    Splits,
    as_index,
    as_keys,
    check_share,
    latest,
    refuse_missing_classes,
    refuse_one_key,
    stratified,
)
from sprat.whole_groups import whole_groups

__all__ = ["Batch", "Column", "Data", "Splits", "count", "head", "moved", "rows", "sample", "take"]


@dataclass(slots=True)
class Batch:
    """What one step works on.

    Args:
        x: inputs, the first axis is the batch; a tuple of such where there are several.
        y: targets, or None where there are none.
        index: where in its `Data` each sample stands, (batch,), or None.
    """

    x: Any
    y: Any = None
    index: Tensor | None = None

    @classmethod
    def of(cls, raw: Any) -> "Batch":
        """A batch from what a loader yields: a `Batch`, ``(x, y)``, ``(x,)`` or ``x`` alone.

        A named tuple or a dict of x and y goes by these names; any other dict is the inputs.
        Several inputs or targets come as a tuple; torch makes a list of it, ``[[a, b], y]``, which
        is a tuple again here if each part has one entry a sample.

        Raises:
            DataError: the loader yields a tuple of three or more, whose meaning we can't guess, or
                something that is no batch: a number, a word, nothing.
        """
        if isinstance(raw, Batch):
            return raw
        if isinstance(raw, Mapping) and set(raw) == {"x", "y"}:
            raw = (raw["x"], raw["y"])
        elif set(getattr(raw, "_fields", ())) == {"x", "y"}:
            raw = (raw.x, raw.y)
        elif not isinstance(raw, (tuple, list)):
            raw = (raw,)
        if len(raw) > 2:
            raise _several(raw)
        if len(raw) == 2:
            raw = _as_tuples(*raw)
        x = raw[0] if raw else None
        if not (x.ndim if isinstance(x, Tensor) else _has_length(x)):
            raise DataError(
                f"The loader yields {_kind(raw)}, which is no batch.",
                fix="yield (x, y) whose first axis counts samples, as torch's DataLoader does",
            )
        return cls(*raw)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device; itself where it is there already."""
        x, y = moved(self.x, device), moved(self.y, device)
        return self if x is self.x and y is self.y else Batch(x, y, self.index)

    def __len__(self) -> int:
        return count(self.x)


class Encoded(Batch):
    """A batch that the task has encoded already: whoever works ahead of the step makes these."""

    __slots__ = ()


class Data:
    """Inputs and their targets, in memory.

    Args:
        x: inputs, length N: a tensor, a numpy array (becomes a tensor), a list, any `Column`
            (`sprat.tabular.Rows`, say); or a tuple of such columns, for several inputs at once.
        y: targets likewise, or None.
        classes: the names of the labels, where `y` holds label indices.
        name: what reports call it.
        allow_missing: let classes be missing from it, and from parts of it: no `Learner` minds.

    Raises:
        DataError: there are no samples, or `x` and `y` differ in length.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        classes: Sequence[str] | None = None,
        name: str = "data",
        allow_missing: bool = False,
    ) -> None:
        self.x = as_column(x)
        self.y = None if y is None else as_column(y)
        self.classes = None if classes is None else tuple(class_names(classes))
        self.name, self.allow_missing = name, allow_missing
        if self.y is not None and count(self.x) != count(self.y):
            raise DataError(
                f"x has {count(self.x)} samples and y has {count(self.y)}.",
                fix="give one target for each input",
            )

    def __len__(self) -> int:
        return count(self.x)

    def __repr__(self) -> str:
        parts = [f"{len(self):,} samples", f"x {describe(self.x)}"]
        if self.y is not None:
            parts.append(f"y {describe(self.y)}")
        if self.classes is not None:
            parts.append(f"{len(self.classes)} classes")
        return f"Data({self.name!r}: {', '.join(parts)})"

    def __getitem__(self, index: Any) -> Any:
        """One sample as ``(x, y)`` for an integer; a smaller `Data` for a slice, indices or a mask.

        Indices and masks are tensors, lists or numpy arrays.

        Raises:
            DataError: a mask whose length is not that of the data, or indices that are none of it.
        """
        if hasattr(index, "__index__") and not getattr(index, "ndim", 0):
            place = int(index)
            return sample(self.x, place), None if self.y is None else sample(self.y, place)
        if isinstance(index, slice):
            index = torch.arange(len(self))[index]
        index = as_index(index, len(self))
        if index.dtype == torch.bool:
            if index.shape != (len(self),):
                raise DataError(
                    f"The mask has shape {tuple(index.shape)}; ({len(self)},) was expected.",
                    fix="give one true or false for each sample",
                )
            index = index.nonzero()[:, 0]
        return self._with(*take(self, index))

    def _with(self, x: Any, y: Any) -> "Data":
        return Data(x, y, classes=self.classes, name=self.name, allow_missing=self.allow_missing)

    def map(self, function: Callable[[Any], Any]) -> "Data":
        """New data with `function` applied once to the whole column of inputs."""
        check_function("map", function, 1)
        return self._with(function(self.x), self.y)

    def filter(self, keep: Callable[[Any, Any], Tensor]) -> "Data":
        """The samples for which ``keep(x, y)``, called once with whole columns, is true."""
        check_function("filter", keep, 2)
        try:
            kept = torch.as_tensor(keep(self.x, self.y))
        except RuntimeError as error:
            if "Boolean value of Tensor" not in str(error):
                raise
            raise DataError(
                "filter calls keep once with whole columns, of which `and`, `or` and `if` can't "
                "be asked.",
                fix="combine masks: data.filter(lambda x, y: (y == 1) & (x[:, 0] > 0))",
            ) from error
        return self[kept.bool().cpu()]

    def group(self, by: Any = None) -> dict[Any, "Data"]:
        """One `Data` for each value of some key: numbers by size, then words by the alphabet.

        Args:
            by: a function of whole columns ``(x, y)`` or the keys themselves: a tensor, a list or a
                column of pandas with one entry a sample, compared by value. By default the target.

        Raises:
            DataError: there is not one key a sample.
        """
        if isinstance(by, str):
            raise DataError(
                f"group got the word {by!r}; a function or one key a sample was expected.",
                fix="leave it out to group by the target, or give data.group(lambda x, y: y)",
            )
        keys = self._targets() if by is None else by(self.x, self.y) if callable(by) else by
        keys = keys.tolist() if isinstance(keys, Tensor) else list(keys)
        places: dict[Any, list[int]] = {}
        names: dict[Any, Any] = {}  # of equal keys the first
        for place, (key, value) in enumerate(zip(keys, cells_of("by", keys), strict=True)):
            places.setdefault(value, []).append(place)
            names.setdefault(value, key)
        if None in places:
            raise DataError(
                f"by= is missing for some of {len(self)} samples.",
                fix="drop them first with data.filter(...), or give them a value",
            )
        if sum(map(len, places.values())) != len(self):
            raise DataError(
                f"There are {len(keys)} keys for {len(self)} samples.",
                fix="give one key for each sample",
            )
        try:
            order = sorted(places, key=lambda value: names[value])
        except TypeError:  # of several kinds
            order = in_order(places)
        return {names[value]: self[torch.tensor(places[value])] for value in order}

    def shuffle(self, *, generator: torch.Generator | None = None) -> "Data":
        """The same samples in random order."""
        check_generator(generator)
        return self[torch.randperm(len(self), generator=generator)]

    def take(self, count: int) -> "Data":
        """The first `count` samples.

        Raises:
            DataError: there are fewer, or none are asked for.
        """
        if not is_whole(count) or not 0 < count <= len(self):
            raise DataError(
                f"{count!r} samples asked for; {self.name!r} has {len(self):,}.",
                fix=f"ask for 1 to {len(self):,}",
            )
        return self[:count]

    def split(
        self,
        valid: float | int,
        *,
        stratify: bool = False,
        by_time: Any = None,
        by_group: Any = None,
        allow_missing: bool | None = None,
        generator: torch.Generator | None = None,
    ) -> Splits:
        """Parts to train on and to validate on; at random, unless something else is asked for.

        Args:
            valid: the share (a float below 1) or the number (an int) of samples to validate on.
            stratify: keep the share of every label the same in both parts, as near as whole
                samples allow.
            by_time: when each sample was, (N,): the latest are held out, those of one time
                together, of a number as near to the one asked for as times allow.
            by_group: whose each sample is, (N,): groups drawn at random are held out whole, of a
                number as near to the one asked for as groups allow. It warns where more than
                twice as many have to be held out.
            allow_missing: let a class be missing from a part; by default as the data has it.
            generator: where the randomness comes from; torch's own by default.

        Raises:
            DataError: a part would be empty, or a class would be missing from a part.
        """
        size = check_share(valid, len(self))
        check_generator(generator)
        if sum((stratify, by_time is not None, by_group is not None)) > 1:
            raise DataError(
                "A split goes by labels, by time or by group, not by several of them.",
                fix="give one of stratify, by_time and by_group",
            )
        missing = self.allow_missing if allow_missing is None else allow_missing
        fix = "hold out another share"
        order = torch.arange(len(self))
        held = torch.zeros(len(self), dtype=torch.bool)
        if by_time is not None:
            times = as_keys(by_time, len(self), "by_time")
            refuse_one_key(times, "by_time", size)
            held = latest(times, size)
        elif by_group is not None:
            groups = as_keys(by_group, len(self), "by_group")
            refuse_one_key(groups, "by_group", size)
            held = whole_groups(groups, size, generator=generator)
        else:
            order = torch.randperm(len(self), generator=generator)
            chosen = order[:size]
            if stratify:
                chosen = stratified(order, self._targets(), size, allow_missing=missing)
            held[chosen] = True
            fix = "pass stratify=True"
        if held.all() or not held.any():
            raise DataError(
                f"valid={valid} of {len(self):,} samples leaves one part empty.",
                fix=f"give a share between 0 and 1: valid={valid / 100:g}"
                if isinstance(valid, float) and 1 < valid < 100
                else "give a share between 0 and 1, or a number below the number of samples",
            )
        parts = Splits(self[order[~held[order]]], self[order[held[order]]])
        for part in parts:
            part.allow_missing = missing
        if not missing:
            refuse_missing_classes(held, self.y, self.classes, fix)
        return parts

    def _targets(self) -> Tensor:
        if not isinstance(self.y, Tensor) or self.y.ndim != 1:
            found = "" if self.y is None else f"; its targets are {describe(self.y)}"
            raise DataError(
                f"{self.name!r} has no column of label indices{found}.",
                fix=label_fix(self.y)
                or "pass y= with one per sample, or say which keys to go by: group(by), "
                "split(by_group=)",
            )
        return self.y

    def to(self, device: torch.device | str) -> "Data":
        """The same data with its tensors on another device.

        Raises:
            DataError: this machine has no such device.
        """
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError, TypeError) as error:
            raise DataError(
                f"The device {str(device)!r} can't be used: {str(error).splitlines()[0]}",
                fix='use "cpu", or leave the data where it is: a Learner moves batches itself',
            ) from None
        return self._with(moved(self.x, device), moved(self.y, device))


def _has_length(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes))


def _as_tuples(x: Any, y: Any) -> tuple[Any, Any]:
    """Lists of tensors that have one entry a sample, as tuples of columns."""
    lists = [part for part in (x, y) if isinstance(part, list)]
    parts = [each for some in (x, y) for each in (some if isinstance(some, list) else [some])]
    if not lists or not all(lists) or not all(isinstance(p, Tensor) and p.ndim for p in parts):
        return x, y
    if len({len(part) for part in parts}) > 1:
        return x, y
    return (tuple(x) if isinstance(x, list) else x), (tuple(y) if isinstance(y, list) else y)


def _several(raw: Any) -> DataError:
    """What is said of a tuple whose meaning nobody knows."""
    names = getattr(raw, "_fields", range(len(raw)))
    inputs = ", ".join(map(repr, names[:-1]))
    found = f" ({', '.join(names)})" if isinstance(names, tuple) else ""
    return DataError(
        f"The loader yields {len(raw)} things in a batch{found}; (x, y) was expected.",
        fix=f"say which is which: sprat.Arranged(loader, x={names[0]!r}, y={names[1]!r}), or "
        f"x=({inputs}), y={names[-1]!r} where there are several inputs",
    )


def _kind(raw: Any) -> str:
    """What a loader yields, in words."""
    if not raw:
        return "an empty tuple"
    first = raw[0]
    return f"{first!r}" if isinstance(first, (int, float, str)) else f"{type(first).__name__} alone"


def take(data: Data, index: Tensor) -> tuple[Any, Any]:
    """The inputs and targets at `index`, an int64 tensor of shape (batch,)."""
    return rows(data.x, index), None if data.y is None else rows(data.y, index)
