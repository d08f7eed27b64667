"""An object spelled as the call that makes it: what `print` shows of callbacks, phases, metrics."""

import inspect
from pathlib import PurePath
from typing import Any

from torch import Tensor, nn

_MOST = 60  # characters of one argument


def spelled(part: Any) -> str:
    """The call that makes an object, such as ``EarlyStopping(monitor='valid_loss', patience=3)``.

    An argument is shown where the object keeps it under its own name (with an underscore, perhaps),
    and left out where it is none, false or 0 because nobody gave another.
    """
    words, kept = [], {name.removeprefix("_"): value for name, value in vars(part).items()}
    for name, parameter in inspect.signature(type(part).__init__).parameters.items():
        if name == "self" or parameter.kind is parameter.VAR_KEYWORD or name not in kept:
            continue
        value = kept[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            words += [_value(one) for one in value]
        elif parameter.default is parameter.empty or not _says_nothing(value, parameter.default):
            words.append(f"{name}={_value(value)}")
    return f"{type(part).__name__}({', '.join(words)})"


def _says_nothing(value: Any, default: Any) -> bool:
    return value is None or (type(value) is type(default) and not value and not default)


def _value(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"<{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}>"
    if isinstance(value, PurePath):
        return repr(str(value))
    if isinstance(value, nn.Module):
        return f"<{type(value).__name__}>"
    if type(value) in (list, tuple):
        inner = ", ".join(map(_value, value))
        if isinstance(value, list):
            return _short(f"[{inner}]")
        return _short(f"({inner},)" if len(value) == 1 else f"({inner})")
    if inspect.isfunction(value) or inspect.ismethod(value) or isinstance(value, type):
        return value.__qualname__.split("<locals>.")[-1].replace("<lambda>", "<a function>")
    if inspect.isbuiltin(value):
        return value.__name__
    plain = type(value).__repr__ is object.__repr__
    return f"<{type(value).__name__}>" if plain else _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
