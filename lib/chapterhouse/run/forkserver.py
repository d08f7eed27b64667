"""The warmed process: it has imported what chapters import, and forks a kernel at each request.

It is started as ``python -c "from chapterhouse.run.forkserver import main; main()" SETTINGS`` and
needs only the standard library besides what it warms. It never runs a cell.

A fork is safe here because the process stays single-threaded (a fork copies only one thread, and
the locks of the others would stay locked), holds no ZMQ context and no event loop, and has not
touched CUDA, which does not survive a fork. If warming breaks one of these, it says so and ends.

A kernel leads its own session, has the descriptors 0, 1 and 2 only, the environment and folder of
its request, the random state of a new process, and is killed by the system when this process dies.
This process ends, and kills what is left, when its runner closes the control socket or dies.

Protocol, one JSON message a packet: ``{"ready": [modules]}`` or ``{"unsafe": why}`` first; then for
each request ``{"arguments", "env", "cwd"}`` with three descriptors (report, stdout, stderr), on
report ``{"pid": …}``, and ``{"exit": …}`` when that kernel has ended.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import importlib.util
import json
import os
import random
import selectors
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from chapterhouse.run import inside
from chapterhouse.run.preloaded import Preloaded

# Always there in a kernel, and never hidden: what a kernel itself is made of.
_KERNEL = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell")
_LONGEST = 1 << 20  # bytes of one request; an environment fits many times
_PATIENCE_S = 5.0  # between looks at whether the runner lives, should another hold its socket open
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Job:
    """A kernel to become, in the child: its command line's arguments, environment and folder."""

    arguments: list[str]
    env: dict[str, str]
    cwd: str
    stdout: int
    stderr: int
    server_pid: int


def main() -> None:
    """Warm up and serve; in a child, start the kernel."""
    settings = json.loads(sys.argv.pop())
    control = socket.socket(fileno=settings["control"])
    # A file in the folder where the server was started must not pass for a module.
    sys.path[:] = [entry for entry in sys.path if entry]
    preloaded, found, why = _warm(settings["modules"])
    answer = {"unsafe": why} if why else {"ready": found}
    control.send(json.dumps(answer).encode())
    if why:
        return
    job = Server(control, os.getppid()).run()
    # Here and not in the loop, so that the notebook's frames lie no deeper than in a cold kernel.
    if job is not None:
        _become(job, preloaded)
        inside.start(preloaded.variables)
        _leave()


def _warm(modules: list[str]) -> tuple[Preloaded, list[str], str]:
    """Import, and hide what was imported: it, the names found, and why no fork is safe, if so."""
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    for name in _KERNEL:
        importlib.import_module(name)
    preloaded = Preloaded()
    found = preloaded.load(modules)
    torch = sys.modules.get("torch")
    why = ""
    if torch is not None and torch.cuda.is_initialized():
        why = "CUDA is initialised by what the kernel preloads"
    threads = _threads()
    if threads > 1:
        why = f"what the kernel preloads has started threads: {threads} are running"
    preloaded.hide()
    # What is here now is never collected, so children do not copy its pages to look.
    gc.collect()
    gc.freeze()
    return preloaded, found, why


class Server:
    """Serves requests until the runner has gone.

    Args:
        control: the socket that requests come from.
        runner_pid: the process that started this one.
    """

    def __init__(self, control: socket.socket, runner_pid: int) -> None:
        self._control, self._runner_pid = control, runner_pid
        self._reports: dict[int, socket.socket] = {}  # pid → where its end is told
        self._selector = selectors.DefaultSelector()
        self._pipe = os.pipe()  # a byte comes out when a kernel has ended

    def run(self) -> Job | None:
        """Serve; returns None when the runner has gone, or in a child the kernel to become."""
        _adopt_orphans()
        for end in self._pipe:
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._pipe[0], selectors.EVENT_READ)
        while os.getppid() == self._runner_pid:
            for key, _ in self._selector.select(_PATIENCE_S):
                if key.fileobj == self._pipe[0]:
                    os.read(self._pipe[0], 4096)
                    continue
                line, fds, _, _ = socket.recv_fds(self._control, _LONGEST, 3)
                if not line:
                    self._end()
                    return None
                job = self._fork(json.loads(line), fds)
                if job is not None:
                    return job
            self._reap()
        self._end()
        return None

    def _fork(self, request: dict[str, Any], fds: list[int]) -> Job | None:
        report = socket.socket(fileno=fds[0])
        server_pid = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            _tell(report, {"broken": error.strerror})
            pid = -1
        if pid == 0:
            report.close()
            self._forget()
            return Job(**request, stdout=fds[1], stderr=fds[2], server_pid=server_pid)
        for fd in fds[1:]:
            os.close(fd)
        if pid > 0:
            self._reports[pid] = report
            _tell(report, {"pid": pid})
        return None

    def _forget(self) -> None:
        """Close, in a child, all that is the server's own.

        Each by its owner: one that closed its number later would close another file's.
        """
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        self._control.close()
        for report in self._reports.values():
            report.close()
        for end in self._pipe:
            os.close(end)

    def _reap(self) -> None:
        """Tell the end of each kernel that has ended; of an adopted orphan, nobody asks."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            report = self._reports.pop(pid, None)
            if report is not None:
                _tell(report, {"exit": os.waitstatus_to_exitcode(status)})
                report.close()

    def _end(self) -> None:
        """Kill every kernel with its process group, and the orphans that fall to this process."""
        for pid in self._reports:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        while True:
            for pid in _children():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            try:
                os.waitpid(-1, 0)  # only then do its children become ours
            except ChildProcessError:
                return


def _become(job: Job, preloaded: Preloaded) -> None:
    """Turn this child into what a new process would be."""
    inside.die_with(job.server_pid)
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (job.stdout, 1), (job.stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    os.chdir(job.cwd)
    os.environ.clear()
    os.environ.update(job.env)
    os.environ.pop(inside.RUNNER_PID, None)  # this child watches the server, which watches it
    # 1: as told elsewhere, the system ends this kernel with its server, so ipykernel need not look.
    sys.argv[:] = ["-c", *job.arguments, "--IPKernelApp.parent_handle=1"]
    sys.path.insert(0, "")
    importlib.invalidate_caches()
    _new_randomness(preloaded)


def _leave() -> NoReturn:
    """End this child as a process ends, but leave it to the system to free what it holds."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _new_randomness(preloaded: Preloaded) -> None:
    """The random state of a new process: unlike its siblings'."""
    random.seed()
    numpy_random, torch = preloaded.get("numpy.random"), preloaded.get("torch")
    if numpy_random is not None:
        numpy_random.seed()
    if torch is not None:
        torch.default_generator.seed()  # not torch.seed(), which imports torch


def _adopt_orphans() -> None:
    """Become the parent of whatever a dead kernel leaves running, so that it can be found."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _children() -> list[int]:
    """The processes whose parent is this one; none where the system doesn't say."""
    try:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def _threads() -> int:
    """How many threads this process has, those of compiled libraries included."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - only the number matters
    except OSError:
        return threading.active_count()


def _tell(report: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the runner may no longer wait for it
        report.send(json.dumps(message).encode())
