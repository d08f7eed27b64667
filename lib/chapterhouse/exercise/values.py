"""Plain values: what kind each is, and how to name it to a student in a few words.

Values that come out of the sandbox are exact plain types, made by our own parser. Nothing here
calls a method that a student could have written.
"""

from __future__ import annotations

import math
import unicodedata
from typing import Any

import numpy as np


def is_tensor(value: object) -> bool:
    """Whether a value is a torch tensor, without importing torch."""
    return type(value).__module__.split(".")[0] == "torch" and type(value).__name__ in (
        "Tensor",
        "Parameter",
    )


def is_array(value: object) -> bool:
    """Whether a value is a numpy array or a torch tensor."""
    return isinstance(value, np.ndarray) or is_tensor(value)


def as_array(value: Any) -> np.ndarray:
    """An array or tensor as numpy; half-precision brain floats become float32, exactly."""
    if isinstance(value, np.ndarray):
        return value
    plain = value.detach().cpu()
    if str(plain.dtype) == "torch.bfloat16":
        plain = plain.float()
    return plain.resolve_conj().resolve_neg().numpy()


def kind(value: object) -> str:
    """The kind of a value: lists and tuples are one kind, arrays and tensors are two."""
    if value is None:
        return "None"
    if isinstance(value, (bool, np.bool_)):
        return "a truth value"
    if isinstance(value, (int, float, complex, np.number)):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, (set, frozenset)):
        return "a set"
    if isinstance(value, dict):
        return "a dictionary"
    if isinstance(value, np.ndarray):
        return "a numpy array"
    return "a tensor" if is_tensor(value) else f"a {type(value).__name__}"


def dtype_kind(array: np.ndarray) -> str:
    """The family of an array's numbers, in a word."""
    return {
        "f": "floating point",
        "i": "whole number",
        "u": "whole number",
        "b": "true/false",
        "c": "complex",
    }.get(array.dtype.kind, "text")


def short(value: Any, limit: int = 160) -> str:
    """A value in at most `limit` characters, on one line, for a person to read."""
    if is_array(value):
        array = as_array(value)
        body = np.array2string(array, precision=4, threshold=12, edgeitems=2, separator=", ")
        text = f"{kind(value).split()[-1]} {array.shape} {' '.join(body.split())}"
    elif isinstance(value, float):
        text = f"{value:.6g}" if math.isfinite(value) else str(value)
    elif isinstance(value, (list, tuple)):
        parts = [short(part, 60) for part in value[:6]] + (["…"] if len(value) > 6 else [])
        text = f"[{', '.join(parts)}]" if isinstance(value, list) else f"({', '.join(parts)})"
    elif isinstance(value, dict):
        items = list(value.items())[:6]
        text = "{" + ", ".join(f"{key!r}: {short(part, 60)}" for key, part in items) + "}"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def describe(value: Any) -> str:
    """What a value is, in a few words: ``a tensor of shape (3, 2)``, ``the number 0.3``."""
    if value is None:
        return "None (is a `return` missing?)"
    if is_array(value):
        return f"{kind(value)} of shape {as_array(value).shape}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, dict):
        return f"a dictionary of {len(value)}"
    if kind(value) == "a number":
        return f"the number {short(value)}"
    return short(value, 60)


def printable(text: str, limit: int = 400) -> str:
    """Text that is safe to show: no control, direction or surrogate characters, not too long."""
    kept = "".join(
        " " if char in "\n\t" else char
        for char in text[: 4 * limit]
        if char in "\n\t" or unicodedata.category(char)[0] != "C"
    )
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"
