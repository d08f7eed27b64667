"""The runner's side of `chapterhouse.run.syscalls`: it sees every file that a chapter touches.

Whatever opens, lists, looks at or changes a file is seen, compiled code and child processes
included, and it is known which cell ran meanwhile. A change of the course outside of the chapter's
own room is refused by the system (EACCES) and remembered.

Not seen: what another process does for the chapter, one that it did not start (a database server,
say); descriptors that came in over a socket; the times of files, which count for nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import socket
import struct
import threading
from pathlib import Path

from chapterhouse.course import Course
from chapterhouse.run import syscalls
from chapterhouse.run.kernel import Room
from chapterhouse.run.ours import Ours, signature

_RECEIVE, _ANSWER, _SETTINGS = 0xC0502100, 0xC0182101, 0x40082104  # SECCOMP_IOCTL_NOTIF_*
_SAME_CPU = 1  # who asks and who answers take turns, so they may share a processor's cache
_GO_ON = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
_QUESTION = struct.Struct("QIIiIQ6Q")
_REPLY = struct.Struct("QqiI")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_AT_CWD = -100
_PAGE = 4096
_LONGEST = 4096  # bytes of a path


class _Span(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Tracer:
    """Watches one chapter's kernel and its children. Use it as a context.

    `opened` and `looked` map a path below the course (a folder whose list was read ends in ``/``)
    to the ids of the cells that ran meanwhile; `signatures` has for each that was opened its
    signature before the first time; `listed_by_children` are folders that were listed
    by another process than the kernel; `outside` are files elsewhere that were opened to read, and
    `made` those that were opened to write; `refused` are changes that were not allowed, as
    (path, cell). `executed` says whether a cell has started another program.

    Args:
        course: what may not be changed.
        room: the chapter's own.
    """

    def __init__(self, course: Course, room: Room) -> None:
        self.cell = ""
        self.active = False
        self.executed = False
        self.opened: dict[str, set[str]] = {}
        self.looked: dict[str, set[str]] = {}
        self.signatures: dict[str, str] = {}
        self.listed_by_children: set[str] = set()
        self.outside: set[str] = set()
        self.made: set[str] = set()
        self.refused: list[tuple[str, str]] = []
        self._ours = Ours(course.root, course.build, room.folder)
        self._prefix = f"{course.root}{os.sep}"
        self._sockets = f"{room.sockets}{os.sep}"
        self._calls = syscalls.known()
        # While it waits others may run; what returns at once keeps the interpreter, because getting
        # it back from a busy thread takes milliseconds.
        self._wait = ctypes.CDLL(None, use_errno=True).ioctl
        self._quick = ctypes.PyDLL(None, use_errno=True)
        self._kernel_pid = 0
        self._ended = threading.Event()
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.bind(str(room.tracer))
        self._line.listen(1)
        self._line.settimeout(0.2)
        self._thread = threading.Thread(target=self._serve, name="tracer", daemon=True)

    def __enter__(self) -> Tracer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; the kernel must have ended, for nobody answers it from now on."""
        self._ended.set()
        self._thread.join()
        self._line.close()

    def _serve(self) -> None:
        listener = self._await_kernel()
        if listener is None:
            return
        try:
            self._answer_all(listener)
        finally:
            os.close(listener)

    def _await_kernel(self) -> int | None:
        while not self._ended.is_set():
            try:
                line, _ = self._line.accept()
            except TimeoutError:
                continue
            with line:
                line.settimeout(5)
                with contextlib.suppress(OSError):
                    word, fds, _, _ = socket.recv_fds(line, 100, 1)
                    if fds:
                        self._kernel_pid, self.active = int(word), True
                        self._quick.ioctl(fds[0], ctypes.c_ulong(_SETTINGS), ctypes.c_ulong(1))
                        line.send(syscalls.WATCHED)
                        return fds[0]
        return None

    def _answer_all(self, listener: int) -> None:
        question, reply = bytearray(_QUESTION.size), bytearray(_REPLY.size)
        asked = (ctypes.c_char * len(question)).from_buffer(question)
        answered = (ctypes.c_char * len(reply)).from_buffer(reply)
        nothing = bytes(len(question))
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while not self._ended.is_set():
            events = poll.poll(200)
            if not events:
                continue
            if events[0][1] & select.POLLHUP:
                return  # nobody is left who could ask
            question[:] = nothing
            if self._wait(listener, ctypes.c_ulong(_RECEIVE), asked) < 0:
                continue  # who asked was killed meanwhile
            number, pid, _, call, _, _, *arguments = _QUESTION.unpack(question)
            try:
                allowed = self._see(pid, self._calls[call], arguments)
            except PermissionError:
                allowed, self.active = True, False  # this system lets nobody look: all is unseen
            except (OSError, ValueError):
                allowed = True  # who asked is gone, or named no path
            verdict = (0, _GO_ON) if allowed else (-errno.EACCES, 0)
            _REPLY.pack_into(reply, 0, number, 0, *verdict)
            self._quick.ioctl(listener, ctypes.c_ulong(_ANSWER), answered)

    def _see(self, pid: int, call: syscalls.Call, arguments: list[int]) -> bool:
        """Note one call; whether it may go on."""
        paths = [self._path(pid, arguments, *places) for places in call.paths]
        if call.does == "look":
            self._note(self.looked, paths[0])
        elif call.does == "execute":
            self.executed |= bool(self.cell)  # the kernel itself starts some, too
            self._note(self.opened, paths[0])
        elif call.does == "change":
            return self._may_change(paths)
        else:
            flags = arguments[call.flags or 0]
            if call.does == "open2":
                (flags,) = struct.unpack("Q", self._read(pid, flags, 8))
            if flags & _WRITING:
                return self._may_open(paths[0], flags)
            self._opened(pid, paths[0], listing=bool(flags & os.O_DIRECTORY))
        return True

    def _may_open(self, path: str, flags: int) -> bool:
        """Whether a file may be opened to write.

        A file of the course that is opened for both, as a database is, may be read: it is not
        opened so, but nothing was changed yet, and whoever wants only to read it tries again.
        """
        both = flags & os.O_RDWR and not flags & os.O_TRUNC and Path(path).is_file()
        if not both:
            return self._may_change([path])
        self._note(self.opened, path)
        return not self._ours.may_not_change(_true(path))

    def _opened(self, pid: int, path: str, *, listing: bool) -> None:
        if not listing:
            self._note(self.opened, path)
            if not path.startswith((self._prefix, self._sockets)):
                self.outside.add(path)
            return
        self._note(self.opened, path + os.sep)
        if not Path(f"/proc/{self._kernel_pid}/task/{pid}").exists():
            self.listed_by_children.add(path + os.sep)

    def _note(self, where: dict[str, set[str]], path: str) -> None:
        if path.startswith(self._prefix):
            if where is self.opened and path not in where:
                self.signatures[path] = signature(path)
            where.setdefault(path, set()).add(self.cell)

    def _may_change(self, paths: list[str]) -> bool:
        for path in paths:
            true = _true(path)
            if self._ours.may_not_change(true):
                self.refused.append((true, self.cell))
                return False
            self.made.add(true)
        return True

    def _path(self, pid: int, arguments: list[int], folder: int | None, text: int) -> str:
        """The absolute path that a call names."""
        name = os.fsdecode(self._text(pid, arguments[text]))
        if not name.startswith(os.sep):
            fd = _AT_CWD if folder is None else ctypes.c_int(arguments[folder]).value
            place = f"/proc/{pid}/cwd" if fd == _AT_CWD else f"/proc/{pid}/fd/{fd}"
            name = f"{os.readlink(place)}/{name}"  # noqa: PTH115 - called for every file
        return os.path.normpath(name)

    def _text(self, pid: int, address: int) -> bytes:
        """The zero-ended text at an address of another process; page by page, for a page's end
        may be the end of what can be read."""
        found = b""
        while len(found) < _LONGEST:
            part = self._read(pid, address + len(found), _PAGE - (address + len(found)) % _PAGE)
            text, end, _ = part.partition(b"\0")
            found += text
            if end:
                return found
        raise ValueError("the path is too long for the system")

    def _read(self, pid: int, address: int, length: int) -> bytes:
        buffer = ctypes.create_string_buffer(length)
        ours = _Span(ctypes.addressof(buffer), length)
        theirs = _Span(address, length)
        got = self._quick.process_vm_readv(
            pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, ctypes.c_ulong(0)
        )
        if got != length:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return buffer.raw


def _true(path: str) -> str:
    """Where a path leads: a link in the room may lead out of it."""
    given = Path(path)
    return str(given.parent.resolve() / given.name)
