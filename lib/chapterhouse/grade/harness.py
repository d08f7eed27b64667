"""Runs a student's source and the calls made on it. The only code that shares their process.

It stands alone: beside `wire` it imports the standard library, and numpy and torch as they are
already loaded. It knows no expected value and decides nothing. A student can rewrite all of it
while it runs, and gains only what returning other values would gain. What it does carefully, it
does for the honest student: fresh inputs for each call, a value copied to bytes before the next
line of theirs runs, clear messages.

The channel carries frames of `wire`. In: one job, then one call at a time, each sent when the
answer to the one before has arrived, so that the other side can time it. Out: ``loaded`` or
``failed``, then one ``result`` a call.
"""

from __future__ import annotations

import builtins
import errno
import hashlib
import inspect
import json
import linecache
import os
import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn

from .wire import Decoder, Encoder, FrameReader, WireError, pack

FILENAME = "<submission>"
_ALWAYS_ALLOWED = frozenset({"__future__", "typing"})
_REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EROFS)
_MAX_MESSAGE = 500


class ForbiddenImport(ImportError):  # noqa: N818 - students read the name
    """The submission imports a module that its exercise does not allow."""


class _UnsupportedValue(Exception):  # noqa: N818 - students read the name
    """What a call returned cannot cross."""


def serve(channel: int) -> NoReturn:
    """Run the job that arrives on a descriptor, answer its calls, and end the process."""
    frames = _Frames(channel)
    header, _ = frames.receive()
    try:
        namespace = load(header["source"], header["imports"])
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the student's, too
        frames.send({"event": "failed"} | _describe(error))
        os._exit(0)
    frames.send({"event": "loaded"})
    while True:
        call, body = frames.receive()
        frames.send(*answer(namespace, call, body, header["value_bytes"]))


class _Frames:
    """Frames over a descriptor; ends the process when the other side has gone."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._reader = FrameReader(2**40)
        self._ready: list[tuple[dict[str, Any], bytes]] = []

    def receive(self) -> tuple[dict[str, Any], bytes]:
        while not self._ready:
            data = os.read(self._channel, 1 << 20)
            if not data:
                os._exit(0)
            self._ready += self._reader.feed(data)
        return self._ready.pop(0)

    def send(self, header: dict[str, Any], buffers: tuple[bytes, ...] = ()) -> None:
        # What was printed belongs to this answer: it must be on its way before it.
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:  # the student may have closed or replaced the stream
                continue
        view = memoryview(pack(header, buffers))
        try:
            while view:
                view = view[os.write(self._channel, view) :]
        except OSError:
            os._exit(0)


def load(source: str, imports: list[str]) -> dict[str, Any]:
    """Execute a submission's source in a fresh ``__main__``, as a notebook would; its namespace."""
    module = types.ModuleType("__main__")
    # dataclasses, typing and pickle look a class up by its module's name.
    sys.modules["__main__"] = module
    # inspect.getsource, which torch uses, reads lines from here.
    linecache.cache[FILENAME] = (len(source), None, source.splitlines(True), FILENAME)
    namespace = module.__dict__
    namespace["__builtins__"] = dict(vars(builtins), __import__=_guarded_import(imports))
    _seed(0)
    exec(_compiled(source), namespace)
    return namespace


def _compiled(source: str) -> types.CodeType:
    """A submission's code. A text that is no Python is a SyntaxError in every version of it."""
    try:
        return compile(source, FILENAME, "exec", dont_inherit=True)
    except ValueError as error:  # a NUL, before Python 3.11.4
        raise SyntaxError(str(error)) from None


def _guarded_import(imports: list[str]) -> Callable[..., Any]:
    allowed, real_import = _ALWAYS_ALLOWED | set(imports), builtins.__import__

    def guarded(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        # A list comes from C code that imports for itself, as pickle and torch do.
        by_hand = not isinstance(fromlist, list)
        if by_hand and level == 0 and name.partition(".")[0] not in allowed:
            raise ForbiddenImport(
                f"{name} may not be imported in this exercise; it allows {', '.join(imports)}"
            )
        return real_import(name, globals, locals, fromlist, level)

    return guarded


def answer(
    namespace: dict[str, Any], call: dict[str, Any], body: bytes, value_bytes: int
) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """Make one call and return the frame that answers it, as header and buffers."""
    inputs = Decoder(body, keep_grad=True)
    args, kwargs, steps = (inputs.decode(call[part]) for part in ("args", "kwargs", "steps"))
    before = _snapshot([args, kwargs, steps])
    encoder = Encoder(value_bytes)
    names: list[str] = []
    try:
        if call["seed"] is not None:
            _seed(call["seed"])
        target = _find(namespace, call["target"])
        names = _argument_names(target, args, kwargs)
        value = target(*args, **kwargs) if callable(target) else target
        if steps:
            tree: Any = [_step(value, step, encoder) for step in steps]
        else:
            tree = _encode(encoder, value)
        header: dict[str, Any] = {"event": "result", "value": tree}
        buffers = tuple(encoder.buffers)
    except BaseException as error:
        header, buffers = {"event": "result"} | _describe(error), ()
    after = _snapshot([args, kwargs, steps])
    header["mutated"] = _changed(before, after, names)
    return header, buffers


def _find(namespace: dict[str, Any], name: str) -> Any:
    if name not in namespace:
        raise NameError(f"the submission does not define {name}")
    return namespace[name]


def _step(instance: Any, step: tuple[str, Any, dict[str, Any]], encoder: Encoder) -> Any:
    """One step on an object: call the method, or read the attribute when it is plain data."""
    method, args, kwargs = step
    attribute = getattr(instance, method)
    # Encoded at once: the next step may change what this one returned.
    return _encode(encoder, attribute(*args, **kwargs) if callable(attribute) else attribute)


def _encode(encoder: Encoder, value: Any) -> Any:
    try:
        return encoder.encode(value)
    except WireError as error:
        raise _UnsupportedValue(str(error)) from None


def _snapshot(parts: list[Any]) -> list[list[str]]:
    """The inputs as text and bytes, one entry an argument, to see later what a call changed."""
    args, kwargs, steps = parts
    rows = [list(args), list(kwargs.values())]
    rows += [[*step_args, *step_kwargs.values()] for _, step_args, step_kwargs in steps]
    return [[_fingerprint(value) for value in row] for row in rows]


def _fingerprint(value: Any) -> str:
    encoder = Encoder(2**40)
    try:
        tree = encoder.encode(value)
    except WireError:
        return "changed beyond what can cross"
    digest = hashlib.blake2b(json.dumps(tree).encode())
    for buffer in encoder.buffers:
        digest.update(buffer)
    return digest.hexdigest()


def _argument_names(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [parameter.name for parameter in parameters if parameter.kind in plain]
    names += [f"argument {i + 1}" for i in range(len(names), len(args))]
    return names[: len(args)] + list(kwargs)


def _changed(before: list[list[str]], after: list[list[str]], names: list[str]) -> list[str]:
    """Names of the arguments whose values changed; a step's are named by its number."""
    first = [a != b for a, b in zip(before[0] + before[1], after[0] + after[1], strict=True)]
    changed = [name for name, differs in zip(names, first, strict=False) if differs]
    changed += [f"step {i + 1}" for i in range(len(before) - 2) if before[i + 2] != after[i + 2]]
    return changed


def _seed(seed: int) -> None:
    import random

    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _describe(error: BaseException) -> dict[str, Any]:
    """An exception as text, and what kind of ending it is."""
    try:
        # `exit()` ends with SystemExit(None), whose text says nothing.
        message = str(error) if error.args != (None,) else ""
    except BaseException:  # an exception's own __str__ may raise
        message = ""
    line, trace = None, error.__traceback__
    if isinstance(error, SyntaxError):
        line, message = error.lineno, str(error.msg)
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILENAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    kind = None
    if isinstance(error, ForbiddenImport) or getattr(error, "errno", None) in _REFUSED:
        kind = "forbidden"
    elif isinstance(error, MemoryError) or "DefaultCPUAllocator" in message:
        kind = "memory"
    name = type(error).__name__.lstrip("_")
    failure = {"type": name, "message": message[:_MAX_MESSAGE], "line": line}
    return {"failure": failure, "kind": kind}
