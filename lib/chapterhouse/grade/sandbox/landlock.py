"""Landlock: which files a process and its children may open, decided by the process itself.

Source: the kernel's userspace API, ``Documentation/userspace-api/landlock.rst``. What a kernel does
not know yet (truncation before ABI 3, TCP before 4, signals before 6) is left out there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

from . import kernel

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_HANDLED_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_READ = _READ_FILE | _READ_DIR
_NET_TCP = 0b11
_SCOPES = 0b11
_VERSION_FLAG, _PATH_BENEATH = 1, 1


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """The version of Landlock that this kernel has.

    Raises:
        OSError: it has none, or it is switched off.
    """
    return kernel.syscall("landlock", kernel.LANDLOCK_CREATE, None, 0, _VERSION_FLAG)


def restrict(readable: list[str], writable: list[str]) -> None:
    """From here on only these files and folders can be read, and these read and written.

    Nothing can be executed, no TCP port bound or connected, no process outside signalled. Needs
    ``no_new_privs``. Paths that do not exist are left out.

    Raises:
        OSError: the kernel refused.
    """
    version = abi()
    handled = max(mask for known, mask in _HANDLED_BY_ABI.items() if known <= version)
    fields = [handled]
    fields += [_NET_TCP] if version >= 4 else []
    fields += [_SCOPES] if version >= 6 else []
    attr = (ctypes.c_uint64 * len(fields))(*fields)
    pointer = ctypes.cast(attr, ctypes.POINTER(ctypes.c_uint64))
    size = ctypes.sizeof(attr)
    ruleset = kernel.syscall("landlock ruleset", kernel.LANDLOCK_CREATE, pointer, size, 0)
    try:
        for paths, rights in ((readable, _READ), (writable, handled & ~_EXECUTE)):
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    _allow(ruleset, path, rights)
        kernel.syscall("landlock restrict", kernel.LANDLOCK_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        # A rule on a file may name only the rights that files have.
        rule = _PathBeneath(rights if Path(path).is_dir() else rights & _FILE_RIGHTS, parent)
        pointer = ctypes.cast(ctypes.pointer(rule), ctypes.POINTER(ctypes.c_uint64))
        kernel.syscall(f"landlock {path}", kernel.LANDLOCK_ADD, ruleset, _PATH_BENEATH, pointer, 0)
    finally:
        os.close(parent)
