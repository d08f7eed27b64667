"""Plain values and tensors in one safetensors file: tensors as such, the rest as JSON beside them.

Reading a file runs nothing that stands in it. JSON knows neither tuples nor keys that are no text,
so these are marked: ``{"tuple": [...]}``, ``{"items": [[key, value], ...]}``, and a tensor is
``{"tensor": "its name"}``. The JSON lies in the file's header, which is part of the format
(https://github.com/huggingface/safetensors#format), so that a file is whole or not there.
"""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sprat.errors import ExportError


def write(path: Path, value: Any) -> None:
    """Write a value, whole or not at all.

    Args:
        path: the file.
        value: None, numbers, texts, tensors, and lists, tuples and dicts of them.

    Raises:
        ExportError: something else is among it, or the file can't be written.
    """
    tensors: dict[str, Tensor] = {}
    plain = json.dumps(_plain(value, tensors))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            save_file(tensors, temporary, metadata={"value": plain})
            with Path(temporary).open("rb") as written:
                os.fsync(written.fileno())  # or a crash could leave the new name on an empty file
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except (OSError, SafetensorError) as error:
        raise ExportError(
            f"{path} can't be written: {error}.",
            fix="choose a folder that can be written and has room",
        ) from None


def read(path: Path) -> Any:
    """Read what `write` wrote; tensors on the CPU.

    Raises:
        ExportError: the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return _value(json.loads((file.metadata() or {})["value"]), tensors)
    except FileNotFoundError:
        raise ExportError(f"{path} is missing.", fix="check the path") from None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(
            f"{path} is damaged: {error}.", fix="delete it; an older one beside it is used then"
        ) from None


def each(value: Any, change: Callable[[Any], Any]) -> Any:
    """Lists, tuples and dicts with every value in them changed by a function; a value, changed."""
    if isinstance(value, dict):
        return {key: each(part, change) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(each(part, change) for part in value)
    return change(value)


def _plain(value: Any, tensors: dict[str, Tensor]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        name = str(len(tensors))
        # A copy of its own: safetensors takes no two tensors that share memory.
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(value, tuple):
        return {"tuple": [_plain(part, tensors) for part in value]}
    if isinstance(value, list):
        return [_plain(part, tensors) for part in value]
    if isinstance(value, dict):
        return {"items": [[_plain(k, tensors), _plain(v, tensors)] for k, v in value.items()]}
    raise ExportError(
        f"A {type(value).__name__} can't be saved as plain data: {value!r}.",
        fix="let state_dict give numbers, texts, tensors, and lists and dicts of them",
    )


def _value(plain: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(plain, list):
        return [_value(part, tensors) for part in plain]
    if not isinstance(plain, dict):
        return plain
    ((kind, inside),) = plain.items()
    if kind == "tensor":
        return tensors[inside]
    if kind == "tuple":
        return tuple(_value(part, tensors) for part in inside)
    return {_value(key, tensors): _value(value, tensors) for key, value in inside}
