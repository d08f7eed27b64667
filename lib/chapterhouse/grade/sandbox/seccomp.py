"""A seccomp filter: which system calls a process may make, and with which arguments.

The filter is classic BPF, built by hand; it is an allow-list. What a program may try in good faith
is refused with EPERM, what only an attack calls ends the process with SIGSYS, and what is not named
gets ENOSYS. `clone3` is among the latter, because its flags lie in memory where a filter cannot
look; libc then falls back to `clone`, whose flags it can.

Source: ``Documentation/userspace-api/seccomp_filter.rst``.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct

from . import kernel, syscalls

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE, _UNKNOWN = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_SET_MODE_FILTER = 1

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020000
# Terminal and pipe questions that the standard library asks of any descriptor.
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Parent-death signal, thread names, and the names that allocators give to their mappings.
_PRCTLS = (1, 2, 3, 15, 16, 0x53564D41)
# F_SETOWN, F_SETSIG, F_SETOWN_EX: they have the kernel send a signal to any process of the user.
_FCNTLS_REFUSED = (8, 10, 15)

_Program = list[tuple[int, int, int, int]]


class _FilterHead(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def build(own_pid: int | None = None) -> bytes:
    """The filter's instructions.

    Args:
        own_pid: given where there is no pid namespace: then no process can be started, none but
            this one signalled, and no socket made except a pair.

    Raises:
        OSError: the architecture is not known.
    """
    machine = kernel.machine()
    walled = own_pid is None
    program: _Program = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_ABOVE, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
    ]
    rules = [(syscalls.ALLOWED, _ALLOW), (syscalls.REFUSED, _REFUSE), (syscalls.FATAL, _KILL)]
    rules += [
        (table, _ALLOW if walled else _REFUSE)
        for table in (syscalls.FORKING, syscalls.SERVING, syscalls.METADATA)
    ]
    for table, action in rules:
        for number in syscalls.numbers(table, machine).values():
            program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, action)]
    examined = syscalls.numbers(syscalls.EXAMINED, machine)
    for name, check in _checks(own_pid).items():
        program += [(_EQUAL, 0, len(check), examined[name]), *check]
    program.append((_RETURN, 0, 0, _UNKNOWN))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def _checks(own_pid: int | None) -> dict[str, _Program]:
    """For each examined call, the instructions that decide it."""
    anyone = [(_RETURN, 0, 0, _ALLOW)]
    refuse = [(_RETURN, 0, 0, _REFUSE)]
    unix = _one_of(0, (socket.AF_UNIX,))
    if own_pid is None:
        clone, kill, new_socket = _without_bits(0, _CLONE_NAMESPACES), anyone, unix
        thread_kill = limit = anyone
    else:
        clone, kill, new_socket = _with_bit(0, _CLONE_THREAD), _one_of(0, (own_pid,)), refuse
        thread_kill, limit = refuse, _one_of(0, (0, own_pid))
    return {
        "clone": clone,
        "socket": new_socket,
        "socketpair": unix,
        "ioctl": _one_of(1, _IOCTLS),
        "prctl": _one_of(0, _PRCTLS),
        "kill": kill,
        "tgkill": kill,
        "tkill": thread_kill,
        "fcntl": _none_of(1, _FCNTLS_REFUSED),
        "prlimit64": limit,
        "sched_setaffinity": limit,
    }


def _argument(index: int) -> tuple[int, int, int, int]:
    # The low half of a 64-bit argument; both architectures are little-endian.
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * index)


def _one_of(index: int, values: tuple[int, ...]) -> _Program:
    program = [_argument(index)]
    for value in values:
        program += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*program, (_RETURN, 0, 0, _REFUSE)]


def _none_of(index: int, values: tuple[int, ...]) -> _Program:
    program = [_argument(index)]
    for value in values:
        program += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _REFUSE)]
    return [*program, (_RETURN, 0, 0, _ALLOW)]


def _without_bits(index: int, bits: int) -> _Program:
    return [
        _argument(index),
        (_ANY_BIT, 0, 1, bits),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _with_bit(index: int, bit: int) -> _Program:
    return [
        _argument(index),
        (_ANY_BIT, 0, 1, bit),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


def install(program: bytes) -> None:
    """Put the filter on this process for good. Needs ``no_new_privs``.

    Raises:
        OSError: the kernel refused.
    """
    instructions = ctypes.create_string_buffer(program, len(program))
    head = _FilterHead(len(program) // 8, ctypes.addressof(instructions))
    pointer = ctypes.cast(ctypes.pointer(head), ctypes.POINTER(ctypes.c_ushort))
    kernel.syscall("seccomp", kernel.number("seccomp"), _SET_MODE_FILTER, 0, pointer)
