"""Values as JSON, for the visible cases that a notebook carries: small, and readable by a person.

Plain numbers, text, lists and dictionaries with text keys stand as they are; everything else is an
object with one key that starts with a dollar sign. Floats keep every bit.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from chapterhouse.errors import ExerciseError
from chapterhouse.exercise.values import as_array, is_array, is_tensor


def encode(value: Any) -> Any:
    """A value as what ``json.dumps`` takes.

    Raises:
        ExerciseError: its type cannot be written.
    """
    if value is None or isinstance(value, (bool, str)) or type(value) in (int, float):
        return value
    if is_array(value):
        array = as_array(value)
        if array.dtype.kind not in "fiub":
            raise _cannot(f"an array of {array.dtype}")
        name = str(value.dtype).removeprefix("torch.") if is_tensor(value) else str(array.dtype)
        kind = "$tensor" if is_tensor(value) else "$array"
        return {kind: {"dtype": name, "shape": list(array.shape), "data": array.ravel().tolist()}}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return [encode(part) for part in value]
    if isinstance(value, tuple):
        return {"$tuple": [encode(part) for part in value]}
    if isinstance(value, (set, frozenset)):
        return {"$set": sorted((encode(part) for part in value), key=repr)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, dict):
        return {"$dict": [[encode(key), encode(part)] for key, part in value.items()]}
    raise _cannot(f"a {type(value).__name__}")


def decode(data: Any) -> Any:
    """The value that `encode` wrote; torch is imported only where there is a tensor."""
    if isinstance(data, list):
        return [decode(part) for part in data]
    if not isinstance(data, dict):
        return data
    ((kind, content),) = data.items()
    match kind:
        case "$tensor":
            import torch

            return torch.tensor(content["data"], dtype=getattr(torch, content["dtype"])).reshape(
                content["shape"]
            )
        case "$array":
            return np.array(content["data"], dtype=content["dtype"]).reshape(content["shape"])
        case "$tuple":
            return tuple(decode(part) for part in content)
        case "$set":
            return {decode(part) for part in content}
        case "$bytes":
            return base64.b64decode(content)
        case "$dict":
            return {decode(key): decode(part) for key, part in content}
    raise ExerciseError(
        f"This notebook holds data of the kind {kind!r}, which this version does not know.",
        fix="download the notebook again, or install the wheel from the same site",
    )


def _cannot(what: str) -> ExerciseError:
    return ExerciseError(
        f"A visible case holds {what}, which a notebook cannot carry.",
        fix="use numbers, text, arrays or tensors, or make the case hidden",
    )
