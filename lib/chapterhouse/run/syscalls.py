"""Have the system ask before a process, or any child of it, opens, looks at or changes a file.

A seccomp filter lets every system call pass but those that name a file; each of these waits until
whoever holds the filter's descriptor has seen it and said yes or no. The filter is inherited by
children and holds for compiled code, so nothing escapes it by not being Python. It is no wall
against an enemy: another thread may change a path after it was read.

Sources: ``seccomp_unotify(2)``; ``Documentation/userspace-api/seccomp_filter.rst``. This module is
imported in the chapter's own process: it needs only the standard library.
"""

from __future__ import annotations

import array  # noqa: F401 - socket.send_fds imports it, when nobody answers an import yet
import ctypes
import functools
import os
import platform
import socket
import struct
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One system call: what it does, and where its arguments are.

    `does` is ``open``, ``open2`` (its flags lie in memory), ``look``, ``change`` or ``execute``;
    `paths` has for each path the arguments of its folder's descriptor (None: the working folder)
    and of its text; `flags` is the argument that holds them.
    """

    name: str
    does: str
    paths: tuple[tuple[int | None, int], ...]
    flags: int | None = None


_AT = ((0, 1),)
_PLAIN = ((None, 0),)
_CALLS = (
    Call("open", "open", _PLAIN, 1),
    Call("openat", "open", _AT, 2),
    Call("openat2", "open2", _AT, 2),
    Call("stat", "look", _PLAIN),
    Call("lstat", "look", _PLAIN),
    Call("access", "look", _PLAIN),
    Call("newfstatat", "look", _AT, 3),
    Call("statx", "look", _AT, 2),
    Call("faccessat", "look", _AT),
    Call("faccessat2", "look", _AT, 3),
    Call("execve", "execute", _PLAIN),
    Call("execveat", "execute", _AT, 4),
    Call("creat", "change", _PLAIN),
    Call("truncate", "change", _PLAIN),
    Call("mkdir", "change", _PLAIN),
    Call("rmdir", "change", _PLAIN),
    Call("unlink", "change", _PLAIN),
    Call("mknod", "change", _PLAIN),
    Call("chmod", "change", _PLAIN),
    Call("rename", "change", ((None, 0), (None, 1))),
    Call("link", "change", ((None, 0), (None, 1))),
    Call("symlink", "change", ((None, 1),)),
    Call("mkdirat", "change", _AT),
    Call("unlinkat", "change", _AT),
    Call("mknodat", "change", _AT),
    Call("fchmodat", "change", _AT),
    Call("renameat", "change", ((0, 1), (2, 3))),
    Call("renameat2", "change", ((0, 1), (2, 3))),
    Call("linkat", "change", ((0, 1), (2, 3))),
    Call("symlinkat", "change", ((1, 2),)),
)
_NUMBERS = {
    "x86_64": {
        "open": 2, "openat": 257, "openat2": 437, "stat": 4, "lstat": 6, "access": 21,
        "newfstatat": 262, "statx": 332, "faccessat": 269, "faccessat2": 439, "execve": 59,
        "execveat": 322, "creat": 85, "truncate": 76, "mkdir": 83, "rmdir": 84, "unlink": 87,
        "mknod": 133, "chmod": 90, "rename": 82, "link": 86, "symlink": 88, "mkdirat": 258,
        "unlinkat": 263, "mknodat": 259, "fchmodat": 268, "renameat": 264, "renameat2": 316,
        "linkat": 265, "symlinkat": 266,
    },
    "aarch64": {
        "openat": 56, "openat2": 437, "newfstatat": 79, "statx": 291, "faccessat": 48,
        "faccessat2": 439, "execve": 221, "execveat": 281, "truncate": 45, "mkdirat": 34,
        "unlinkat": 35, "mknodat": 33, "fchmodat": 53, "renameat": 38, "renameat2": 276,
        "linkat": 37, "symlinkat": 36,
    },
}  # fmt: skip
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _GET_ACTION_AVAIL, _NO_NEW_PRIVS = 1, 2, 38
_FOR_ALL_THREADS = 1 | 8 | 16  # TSYNC, NEW_LISTENER, and an error number if one cannot follow
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
WATCHED = b"watched"
_EMPTY_PATH = 0x1000  # the call is about an open descriptor: nothing is named


class _FilterHead(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def known() -> dict[int, Call]:
    """The calls that are asked about, by this machine's numbers; none where it cannot be done."""
    if not _offered():
        return {}
    numbers = _NUMBERS.get(platform.machine(), {})
    return {numbers[call.name]: call for call in _CALLS if call.name in numbers}


@functools.cache
def _offered() -> bool:
    """Whether this system has filters that ask; a locked container may have none."""
    if not sys.platform.startswith("linux") or platform.machine() not in _SECCOMP:
        return False
    action = ctypes.c_uint32(_ASK)
    number = _SECCOMP[platform.machine()]
    return bool(ctypes.CDLL(None).syscall(number, _GET_ACTION_AVAIL, 0, ctypes.byref(action)) == 0)


def ask(address: str) -> str:
    """Have this process's calls asked about from now on, by whoever listens at a unix socket.

    Args:
        address: of the socket; the filter's descriptor is sent there.

    Returns:
        Why it cannot be; empty when it is done.
    """
    calls = known()
    if not calls:
        return f"system calls cannot be watched on {sys.platform} {platform.machine()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        try:
            line.connect(address)
            listener = _install(_program(calls))
        except OSError as error:
            return f"the system refused to have its calls watched ({error.strerror})"
        try:
            socket.send_fds(line, [str(os.getpid()).encode()], [listener])
        finally:
            os.close(listener)
        return "" if line.recv(100) == WATCHED else "nobody watches"


def _program(calls: dict[int, Call]) -> bytes:
    program = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_EQUAL, 1, 0, _ARCHITECTURES[platform.machine()]),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    for number, call in calls.items():
        if call.does == "look" and call.flags is not None:
            check = [
                (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * call.flags),
                (_ANY_BIT, 0, 1, _EMPTY_PATH),
                (_RETURN, 0, 0, _ALLOW),
                (_RETURN, 0, 0, _ASK),
            ]
        else:
            check = [(_RETURN, 0, 0, _ASK)]
        program += [(_EQUAL, 0, len(check), number), *check]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def _install(program: bytes) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    # Without it only root may install a filter. Its price: sudo and the like do not work in there.
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    instructions = ctypes.create_string_buffer(program, len(program))
    head = _FilterHead(len(program) // 8, ctypes.addressof(instructions))
    listener = libc.syscall(
        _SECCOMP[platform.machine()], _SET_MODE_FILTER, _FOR_ALL_THREADS, ctypes.byref(head)
    )
    if listener < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(listener)
