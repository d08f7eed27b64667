"""The Linux calls that Python does not offer, through ctypes. Each raises OSError when refused."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_SIGCHLD = 17
_MADV_COLLAPSE, _HUGE_BYTES = 25, 2 << 20

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 24, 38, 47
_PR_SET_DUMPABLE = 4
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522

# The same numbers on every architecture since Linux 5.
MOUNT_SETATTR, LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 442, 444, 445, 446
_NUMBERS = {
    "x86_64": {"clone": 56, "pivot_root": 155, "capset": 126, "seccomp": 317},
    "aarch64": {"clone": 220, "pivot_root": 41, "capset": 91, "seccomp": 277},
}

_libc = ctypes.CDLL(None, use_errno=True)
# Keeps the interpreter's lock: after a clone there is no other thread to give it back.
_libc_locked = ctypes.PyDLL(None, use_errno=True)


def machine() -> str:
    """The architecture, as the kernel names it.

    Raises:
        OSError: this is not Linux, or an architecture whose system calls are not known here.
    """
    if sys.platform != "linux":
        raise OSError("it needs Linux")
    name = platform.machine()
    if name not in _NUMBERS:
        raise OSError(f"the sandbox knows the system calls of {' and '.join(_NUMBERS)}, not {name}")
    return name


def _checked(what: str, result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def syscall(name: str, number: int, *arguments: int | bytes | ctypes._Pointer | None) -> int:
    """A system call by number; `name` is for the message."""
    plain = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(name, _libc.syscall(ctypes.c_long(number), *plain))


def number(name: str) -> int:
    """The number of one of the calls used here, on this architecture."""
    return _NUMBERS[machine()][name]


def gather_pages() -> int:
    """Put this process's memory into huge pages where the kernel can; the bytes that it did.

    A fork copies the table of pages, not the pages: with 2 MiB pages that table is 512 times
    shorter. Measured with torch imported: a fork and its end fall from 20 ms to 7 ms.
    """
    _libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    gathered = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, _, _, inode = line.split()[:5]
        if rights != "rw-p" or inode != "0":
            continue
        start, end = (int(edge, 16) for edge in span.split("-"))
        start, end = -(-start // _HUGE_BYTES) * _HUGE_BYTES, end // _HUGE_BYTES * _HUGE_BYTES
        if end > start and _libc.madvise(start, end - start, _MADV_COLLAPSE) == 0:
            gathered += end - start
    return gathered


def clone(flags: int) -> int:
    """Fork into new namespaces; 0 in the child. Only for a process with a single thread."""
    api = ctypes.pythonapi
    api.PyOS_BeforeFork()
    zero = ctypes.c_long(0)
    result = _libc_locked.syscall(
        ctypes.c_long(number("clone")), ctypes.c_long(flags | _SIGCHLD), zero, zero, zero, zero
    )
    code = ctypes.get_errno()
    if result == 0:
        api.PyOS_AfterFork_Child()
    else:
        api.PyOS_AfterFork_Parent()
    if result < 0:
        raise OSError(code, f"clone: {os.strerror(code)}")
    return int(result)


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags`."""
    _checked("unshare", _libc.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mount `source` on `target`."""
    text = kind.encode() if kind else None
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), text, ctypes.c_ulong(flags), data.encode() or None
    )
    _checked(f"mount {kind or source} on {target}", result)


def restrict_mount(target: str, attributes: int) -> None:
    """Add attributes (read-only, nosuid, nodev) to a mount and to all beneath it."""
    # struct mount_attr: attr_set, attr_clr, propagation, userns_fd
    attr = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    path = os.fsencode(target)
    size = ctypes.sizeof(attr)
    syscall(
        f"mount_setattr {target}",
        MOUNT_SETATTR,
        _AT_FDCWD,
        path,
        _AT_RECURSIVE,
        ctypes.cast(attr, ctypes.POINTER(ctypes.c_uint64)),
        size,
    )


def pivot_into(folder: str) -> None:
    """Make `folder`, a mount, the root, and let go of everything else."""
    os.chdir(folder)
    # With both arguments ".", the old root ends on top of the new one, and is taken off it.
    syscall("pivot_root", number("pivot_root"), b".", b".")
    _checked("umount2", _libc.umount2(b".", MNT_DETACH))
    os.chdir("/")


def set_hostname(name: str) -> None:
    """Name the machine, as the own UTS namespace sees it."""
    _checked("sethostname", _libc.sethostname(name.encode(), len(name)))


def _prctl(what: str, *arguments: int) -> None:
    plain = [ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:5]]
    _checked(what, _libc.prctl(*plain))


def die_with_parent() -> None:
    """Have this process killed when its parent ends. A change of user clears it."""
    _prctl("PR_SET_PDEATHSIG", _PR_SET_PDEATHSIG, 9)


def hide_memory() -> None:
    """Keep other processes of this user from reading this one's memory; also: no core dumps."""
    _prctl("PR_SET_DUMPABLE", _PR_SET_DUMPABLE, 0)


def forbid_new_privileges() -> None:
    """No file that is executed from here on can add privileges."""
    _prctl("PR_SET_NO_NEW_PRIVS", _PR_SET_NO_NEW_PRIVS, 1)


def drop_bounding_set() -> None:
    """No capability can ever be gained again."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        _prctl("PR_CAPBSET_DROP", _PR_CAPBSET_DROP, capability)
    _prctl("PR_CAP_AMBIENT", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def drop_capabilities() -> None:
    """Give up every capability that this process holds."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    pointer = ctypes.POINTER(ctypes.c_uint32)
    syscall("capset", number("capset"), ctypes.cast(header, pointer), ctypes.cast(none, pointer))
