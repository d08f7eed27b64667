"""Which environment variables a chapter reads, and the hashes of their values.

- What the chapter's own code or the course's library reads counts, whatever its name; so does what
  a package or the standard library reads, but for names of the session (`SESSION`): who is logged
  in and on what terminal changes no result, and would make everything stale.
- What is written before it is read is the chapter's own, and does not count.
- Compiled libraries read without asking Python: variables that configure numerics (`NUMERICS`)
  count for every chapter.
- Who goes through all variables, or starts another program, uses all but the session's. A package
  that goes through all looks for those that begin with its own name: this does not count.
- The names in `PRIVATE` differ from run to run and never count.

Values are kept as hashes only. This module is imported in the chapter's own process: it needs only
the standard library.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

ALL, ALL_NUMERICS = "=all", "=numerics"  # no variable's name has an equals sign
PRIVATE = ("PWD", "OLDPWD", "SHLVL", "_", "IPYTHONDIR", "CHAPTERHOUSE_", "JPY_", "PYTEST_")
SESSION = (
    "PATH", "HOME", "USER", "LOGNAME", "USERNAME", "SHELL", "HOSTNAME", "TERM", "COLORTERM",
    "LINES", "DISPLAY", "WAYLAND_DISPLAY", "EDITOR", "VISUAL", "PAGER", "LS_COLORS", "MAIL",
    "TMPDIR", "TEMP", "TMP", "TMUX", "STY", "WINDOWID", "COLORFGBG", "MAKEFLAGS", "MAKELEVEL",
    "MFLAGS", "MAKEOVERRIDES", "VIRTUAL_ENV", "CONDA_", "XDG_", "SSH_", "DBUS_", "GIT_", "GITHUB_",
    "CI", "GPG_", "VSCODE_", "JUPYTER_", "IPYTHON", "PYDEVD_", "NO_COLOR", "FORCE_COLOR",
    "CLICOLOR", "LC_", "DEBUGINFOD_", "INVOCATION_ID", "JOURNAL_STREAM", "PIP_", "UV_",
)  # fmt: skip
NUMERICS = (
    "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "NUMEXPR_", "VECLIB_", "NPY_",
    "DNNL_", "ONEDNN_", "ATEN_", "TORCH_", "TORCHDYNAMO_", "TORCHEXPORT_", "TORCHINDUCTOR_",
    "AOTINDUCTOR_", "AOT_", "INDUCTOR_", "PYTORCH_", "TRITON_", "FX_", "SYMPY_", "CUBLAS_",
    "CUDA_", "CUDNN_", "NCCL_", "NVIDIA_TF32_OVERRIDE", "LD_PRELOAD", "LD_LIBRARY_PATH",
    "PYTHONPATH", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONUTF8", "PYTHONHASHSEED",
    "PYTHONDEVMODE",
)  # fmt: skip
# Modules that read for whoever calls them.
_BETWEEN = {
    __name__, "os", "posixpath", "genericpath", "pathlib", "tempfile", "shutil",
    "_collections_abc", "collections.abc",
}  # fmt: skip
_PACKAGES = tuple(
    f"{path}{os.sep}" for path in {sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path} if path
)


@functools.cache
def named(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a variable is one of `patterns`: whole names, and beginnings that end in ``_``."""
    return any(name == p or (p[-1] == "_" != p and name.startswith(p)) for p in patterns)


def digest(name: str, value: str | None) -> str:
    """What is kept of a variable: the hash of its name and value; empty when it is not set."""
    return "" if value is None else hashlib.sha256(f"{name}={value}".encode()).hexdigest()


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each variable that a kept record used and that differs now, with what became of it.

    Args:
        before: what `Variables.report` said.
        now: the variables that a chapter would be given.
    """
    for name, old in before.items():
        if name in (ALL, ALL_NUMERICS):
            continue
        new = digest(name, now.get(name))
        if new != old:
            yield name, "is set now" if not old else "changed" if new else "is no longer set"
    for name in sorted(now.keys() - before.keys()):
        everything = ALL in before and not named(name, PRIVATE + SESSION)
        if everything or (ALL_NUMERICS in before and _configures(name)):
            yield name, "is set now"


def _configures(name: str) -> bool:
    # That one is part of the machine already.
    return named(name, NUMERICS) and name != "CUDA_VISIBLE_DEVICES"


class Variables:
    """The variables that this process reads from now on.

    Args:
        libraries: the folders of the course's own libraries.
        used: called with ``$NAME`` at each read that counts.
    """

    def __init__(self, libraries: Iterable[str], used: Callable[[str], None]) -> None:
        self._used = used
        self._own = tuple(library.rstrip(os.sep) + os.sep for library in libraries)
        self._start = dict(os.environ)
        self._settled: set[str] = set()  # written before it was read, so never an input
        self.read: set[str] = set()
        self.all = False

    def watch(self) -> Variables:
        """Begin; what was watched before is forgotten."""
        _watch(self)
        return self

    def noted(self, name: str, *, written: bool = False) -> None:
        """A variable is read, or is about to be written."""
        if name in self._settled or named(name, PRIVATE):
            return
        if written:
            if name not in self.read:
                self._settled.add(name)
        elif not named(name, SESSION) or self._asked_by_us():
            self._used(f"${name}")
            if not named(name, NUMERICS):
                self.read.add(name)

    def listed(self) -> None:
        """Somebody goes through all variables."""
        if self._asked_by_us():
            self.all = True

    def forget(self) -> None:
        """What was read so far does not count; what was written stays settled."""
        self.read.clear()
        self.all = False

    def report(self, before: Iterable[str] = (), *, everything: bool = False) -> dict[str, str]:
        """Name → hash of each variable that counts, as it was at the start.

        Args:
            before: names that were read before the start by what this process has inherited.
            everything: as if somebody had gone through all: what a child process inherits.
        """
        everything = everything or self.all
        names = self.read | set(before) | {name for name in self._start if _configures(name)}
        if everything:
            names |= {name for name in self._start if not named(name, PRIVATE + SESSION)}
        marks = {ALL_NUMERICS: ""} | ({ALL: ""} if everything else {})
        return marks | {name: digest(name, self._start.get(name)) for name in sorted(names)}

    def _asked_by_us(self) -> bool:
        """Whether the chapter's code or the course's library asked, not a package."""
        frame: Any = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
            frame = frame.f_back
        if frame is None:
            return False
        file = frame.f_code.co_filename
        if frame.f_globals.get("__name__") == "__main__" or file.startswith(self._own):
            return True
        return not file.startswith(("<frozen", *_PACKAGES))


class ReadBy:
    """The variables that modules read while they are loaded, before anybody has asked for them.

    Args:
        loading: says which module is being loaded just now.
    """

    def __init__(self, loading: Callable[[], str]) -> None:
        self._loading = loading
        self.of: dict[str, set[str]] = {}

    def watch(self) -> None:
        """Begin; what was watched before is forgotten."""
        _watch(self)

    def stop(self) -> None:
        """Note no more; `os.environ` is what it was."""
        _watching.clear()
        for table in _tables():
            table.__class__ = _PLAIN

    def noted(self, name: str, *, written: bool = False) -> None:
        """A variable is read, or is about to be written."""
        if not written and not named(name, PRIVATE + SESSION + NUMERICS):
            self.of.setdefault(self._loading(), set()).add(name)

    def listed(self) -> None:
        """A package goes through all variables: this does not count."""


_watching: list[Variables | ReadBy] = []
_PLAIN: Any = type(os.environ)


def _watch(watcher: Variables | ReadBy) -> None:
    for table in _tables():
        table.__class__ = _Watched
    _watching[:] = [watcher]


def _tables() -> list[Any]:
    """`os.environ`, and where there is one the table of the same variables as bytes."""
    found = (getattr(os, name, None) for name in ("environ", "environb"))
    return [table for table in found if table is not None]


class _Watched(_PLAIN):
    """`os.environ` that tells who reads it; nothing else about it changes."""

    def __getitem__(self, key: Any) -> Any:
        if sys._getframe(1).f_code.co_name != "__iter__":  # who goes through all was noted already
            _note(key)
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _note(key, written=True)
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        _note(key)  # it fails when there is none, so it reads, too
        super().__delitem__(key)

    def __iter__(self) -> Any:
        for each in _watching:
            each.listed()
        return super().__iter__()


def _note(key: Any, *, written: bool = False) -> None:
    if isinstance(key, str | bytes):
        for each in _watching:
            each.noted(os.fsdecode(key), written=written)
