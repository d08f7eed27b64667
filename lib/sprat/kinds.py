"""What was given where a tensor or a column was expected, in words, and the call that mends it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor

from sprat.errors import DataError

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_NUMBERS = (int, float, bool)


def is_number(value: Any) -> bool:
    """Whether it can be compared with numbers: no word, no list, nothing."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether it is a whole number."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_picture(value: Any) -> bool:
    """Whether it is a picture of PIL, which need not be installed."""
    return any(kind.__module__.startswith("PIL.") for kind in type(value).__mro__)


def is_frame(value: Any) -> bool:
    """Whether it is a table of pandas or polars."""
    return type(value).__name__ == "DataFrame" and hasattr(value, "columns")


def refuse_column(values: Any) -> None:
    """Refuse what looks like data and is no column, before anybody counts or indexes it.

    Raises:
        DataError: what was found, and the call that makes a column of it.
    """
    kind = type(values).__name__
    if is_frame(values):
        columns = list(values.columns)
        raise DataError(
            f"A column of data was expected; a DataFrame with {columns[:3]!r:.60} was given.",
            fix="as inputs: block = sprat.TableRow.of(frame), then Data(block.read(frame), y); "
            f"as a target: frame[{columns[0] if columns else 'name'!r}].values",
        )
    if is_picture(values):
        raise DataError(
            "A column of data has one entry for each sample; this is one picture.",
            fix=_read("[picture]", "picture") + ", a batch of one",
        )
    if isinstance(values, torch.utils.data.DataLoader):
        raise DataError(
            "A DataLoader gives batches; Data holds samples.",
            fix="give the loader to the learner itself: Learner(model, (loader,), loss=...)",
        )
    if isinstance(values, torch.utils.data.Dataset):
        raise DataError(
            f"{kind} is a Dataset of torch, which gives one sample at a time; Data holds columns.",
            fix="give the learner torch.utils.data.DataLoader(dataset, batch_size=64, "
            "shuffle=True); or take samples out: x, y = zip(*dataset), and "
            "Data(torch.stack(x), torch.tensor(y))",
        )
    if isinstance(values, Iterator):
        raise DataError(
            f"A {kind} gives its entries once and has no length.", fix="make a list of it: list(…)"
        )
    if isinstance(values, (set, frozenset)):
        raise DataError("A set has no order.", fix="make a list of it: sorted(…)")
    if isinstance(values, Mapping):
        names = ", ".join(map(repr, islice(values, 3)))
        raise DataError(
            f"A column of data has one entry for each sample; {kind} has not: it has {names}.",
            fix="pass a tensor, a numpy array or a list with one entry a sample: "
            'Data(columns["x"], columns["y"]); for a table, block = sprat.TableRow.of(columns) '
            "and Data(block.read(columns))",
        )


def refuse_inputs(values: Any, channels: int) -> None:
    """Refuse what is no batch of inputs, in the words of somebody who predicts.

    Raises:
        DataError: what was found, and the call that makes a batch of it.
    """
    kind = type(values).__name__
    mode, order = _MODES.get(channels, "RGB"), "[None, None]"
    if channels != 1:
        order = ".permute(2, 0, 1)[None]"
    one = f'torch.from_numpy(numpy.array(picture.convert("{mode}"))){order}'
    said = f"predict takes a batch of inputs; {{}} was given, {kind}."
    if is_picture(values):
        raise DataError(said.format("one picture"), fix=f"learn.predict({one})")
    if isinstance(values, (str, PurePath)):
        if isinstance(values, str) and not _is_file(values):
            return  # a text: blocks have their own words for that
        opened = one.replace("picture.", "PIL.Image.open(path).")
        raise DataError(said.format("a path"), fix=f"read it: learn.predict({opened})")
    if is_frame(values):
        raise DataError(
            said.format("a table"), fix="read it with the task's block: task.input.read(frame)"
        )
    if isinstance(values, (torch.utils.data.DataLoader, torch.utils.data.Dataset, Iterator)):
        raise DataError(
            said.format("what holds many"),
            fix="go over a loader with y_hat, y = learn.predictions(loader)",
        )
    if hasattr(values, "x") and hasattr(values, "y"):
        raise DataError(
            said.format("inputs with targets"),
            fix="give the inputs, learn.predict(data.x); or learn.predictions(data) for all of it",
        )
    if not hasattr(values, "__len__"):
        raise DataError(said.format("none"), fix="give a tensor (batch, ...): learn.predict(x[:8])")


def class_names(classes: Any) -> Any:
    """The names of classes as they were given.

    Raises:
        DataError: it is a number, or one word, which would be taken for its letters.
    """
    if isinstance(classes, str) or not hasattr(classes, "__iter__"):
        raise DataError(
            f"classes is {classes!r}; a list of names was expected.",
            fix=f"pass classes=[str(i) for i in range({classes})]"
            if isinstance(classes, int)
            else 'pass a list, classes=["cat", "dog"]',
        )
    return classes


def label_fix(y: Any) -> str:
    """The call that makes label indices of some targets, or nothing where there is none."""
    if isinstance(y, Tensor):
        if y.ndim == 2:
            return "give one index a sample: y[:, 0], or y.argmax(1) of one column a class"
        return ""
    held = list_held(y) if isinstance(y, list) else ""
    if held == "of numbers":
        return "make a tensor of the labels: Data(x, torch.tensor(y))"
    if held == "of words":
        return (
            "turn words into indices: classes = sorted(set(y)), then "
            "Data(x, torch.tensor([classes.index(word) for word in y]), classes=classes)"
        )
    return ""


def refuse_columns(parts: Sequence[Any]) -> None:
    """Refuse inputs and targets in the place of the parts to train and to validate on.

    Raises:
        DataError: with the `Data` that was meant.
    """
    if len(parts) == 2 and all(map(_is_array, parts)):
        x, y = (type(part).__name__ for part in parts)
        raise DataError(
            f"data is a pair of {x} and {y}; (train, valid) was expected, each with its targets.",
            fix="make data of inputs and targets: data=sprat.Data(x, y), or "
            "sprat.Data(x, y).split(valid=0.1)",
        )


def refuse_loader(data: Any) -> None:
    """Refuse what is given in the place of a loader and holds no batches.

    Raises:
        DataError: what was found, and the call that makes batches of it.
    """
    kind = data.__name__ if isinstance(data, type) else type(data).__name__
    if data is None or isinstance(data, (str, bytes, PurePath)):
        raise DataError(
            f"data is {data!r:.60}; a sprat.Data or a loader was expected.",
            fix='fetch it: sprat.datasets.fetch("mnist_5000").split(valid=0.1); or make it of '
            "tensors: sprat.Data(x, y)",
        )
    if isinstance(data, type):
        raise DataError(
            f"data is the class {kind}; an object was expected.", fix=f"make one: {kind}(x, y)"
        )
    if _is_array(data) or is_frame(data) or is_picture(data):
        fix = "make data of it: sprat.Data(x, y); a list of batches (x, y) does as well: [(x, y)]"
        if is_frame(data):
            fix = "block = sprat.TableRow.of(frame), then sprat.Data(block.read(frame), y)"
        raise DataError(f"A {kind} holds samples, and batches were expected.", fix=fix)
    if isinstance(data, torch.utils.data.Dataset):
        raise DataError(
            f"{kind} is a Dataset of torch, which gives one sample at a time; batches were "
            "expected: it is neither a Data nor a loader.",
            fix="pass torch.utils.data.DataLoader(dataset, batch_size=64, shuffle=True)",
        )
    if isinstance(data, Iterator):
        raise DataError(
            f"A {kind} gives its batches once and is neither a Data nor a loader that knows its "
            "length.",
            fix="make a list of it: data=list(batches)",
        )


def _is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or type(value).__name__ in ("ndarray", "Series")


def no_tensor(dtype: Any) -> DataError:
    """What is said of an array for which torch has no tensor."""
    return DataError(
        f"A column of data has the type {dtype}, which torch has no tensor for.",
        fix="fill what is missing and turn it into numbers, or pass a list: column.tolist()",
    )


def list_held(values: Sequence[Any]) -> str:
    """What a list holds, as far as that says what to do with it; else nothing."""
    first = next(iter(values), None)
    if isinstance(first, Tensor) or hasattr(first, "__array__"):
        shapes = {tuple(value.shape) for value in values if hasattr(value, "shape")}
        if len(shapes) > 1:
            one, other = sorted(shapes)[:2]
            return f"of tensors of several shapes, {one} and {other}"
        return "of tensors"
    if isinstance(first, PurePath) or (isinstance(first, str) and _is_file(first)):
        return "of paths"
    if isinstance(first, str):
        return "of words"
    if is_picture(first):
        return "of PIL pictures"
    if isinstance(first, tuple):
        return "of tuples"
    if isinstance(first, list):
        return "of lists"
    return "of numbers" if isinstance(first, _NUMBERS) else ""


def list_fix(values: Sequence[Any], *, block: Any) -> str:
    """The call that makes a tensor of a list, for a block with classes, channels or neither."""
    held, classes = list_held(values), getattr(block, "classes", None)
    channels = getattr(block, "channels", 3)
    if held == "of paths":
        return "read them: " + _read("paths", "PIL.Image.open(picture)", channels)
    if held == "of PIL pictures":
        return "make a tensor of them: " + _read("pictures", "picture", channels)
    if held == "of words" and classes is not None:
        return (
            f"give indices into the classes: classes = {list(classes)!r:.80}, then "
            "torch.tensor([classes.index(word) for word in y])"
        )
    if held == "of words":
        return "describe texts by the block sprat.Text(), numbers as torch.tensor([float(v) …])"
    if held.startswith("of tensors of several"):
        return (
            "resize and stack them: torch.stack([torch.nn.functional.interpolate("
            'torch.as_tensor(v)[None].float(), size=(64, 64), mode="bilinear")[0].to(torch.uint8) '
            "for v in values])"
        )
    if held == "of tensors":
        return "stack them: torch.stack([torch.as_tensor(value) for value in values])"
    if held == "of tuples":
        return "take the pairs apart: x, y = zip(*pairs), then Data(torch.stack(x), torch.stack(y))"
    if held in ("of numbers", "of lists"):
        return "convert it with torch.as_tensor(...)" + ("" if classes else ".float()")
    return "convert it with torch.as_tensor(...)"


def _read(them: str, one: str, channels: int = 3) -> str:
    mode = _MODES.get(channels, "RGB")
    return (
        f'torch.stack([torch.from_numpy(numpy.array({one}.convert("{mode}").resize((64, 64)))'
        f".reshape(64, 64, {len(mode)})).permute(2, 0, 1) for picture in {them}])"
    )


def _is_file(text: str) -> bool:
    return len(text) < 300 and text.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".bmp"))
