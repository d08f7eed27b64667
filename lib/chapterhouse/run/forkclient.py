"""This side of the warmed processes: start them, ask them for kernels, end them.

One warmed process serves all kernels of this process that have the same interpreter, modules and
environment variables (those are read by compiled libraries when they are loaded).
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from chapterhouse.run import inside

PLATFORM = sys.platform
# One thread each: kernels run side by side, sums come out in the same order every time, and a
# process with threads cannot be forked safely.
THREADS = tuple(
    f"{name}_NUM_THREADS" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")
)
_SERVE = "from chapterhouse.run.forkserver import main; main()"
# Of one kernel alone, and read only while it runs.
_PRIVATE = {
    "IPYTHONDIR", "PWD", "OLDPWD", "JPY_PARENT_PID", "JPY_SESSION_NAME", "PYTEST_CURRENT_TEST",
    inside.RUNNER_PID, inside.ROOT, inside.BUILD, inside.ROOM, inside.LIBRARIES, inside.TRACER,
}  # fmt: skip
_WARM_UP_S = 120.0
_LONGEST = 1 << 16


class ForkedKernel:
    """A kernel that another process has forked, with the part of Popen that jupyter_client uses.

    Args:
        pid: the kernel's process, which leads its own group.
        report: where the server tells the end of the kernel.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, report: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._report = report
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, negative for a signal, or None while it runs."""
        return self._look(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, after waiting for it at most `timeout` seconds.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"kernel {self.pid}", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def _look(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._report], [], [], timeout)[0]:
                message = self._report.recv(_LONGEST)
                # The server kills its kernels when it dies itself.
                self.returncode = json.loads(message)["exit"] if message else -signal.SIGKILL
                self._report.close()
            return self.returncode


class CannotFork(Exception):  # noqa: N818 - named for what happened
    """A warm kernel is not to be had; the text says why."""


class Server:
    """One warmed process; it ends when `close` is called or this process ends.

    Args:
        executable: the Python interpreter of the kernels.
        modules: what to import before the first fork; what cannot be imported is passed over.
        env: the environment variables while that is imported.
    """

    def __init__(self, executable: str, modules: Sequence[str], env: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        settings = json.dumps({"control": theirs.fileno(), "modules": list(modules)})
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        self._lock = threading.Lock()
        self._control = ours
        self._ready = False
        self._process = subprocess.Popen(
            [executable, "-c", _SERVE, settings],
            env=dict(env),
            cwd=os.sep,
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C in the terminal is for the runner to handle
        )
        theirs.close()

    def fork(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        stdout: int,
        stderr: int,
    ) -> ForkedKernel:
        """A new kernel, its standard output and error on two descriptors of this process.

        Raises:
            CannotFork: the process could not be warmed, may not be forked, or has died.
        """
        request = {"arguments": list(arguments), "env": dict(env), "cwd": cwd}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, self._lock:
                self._await_ready()
                fds = [theirs.fileno(), stdout, stderr]
                socket.send_fds(self._control, [json.dumps(request).encode()], fds)
            answer = json.loads(ours.recv(_LONGEST) or b"{}")
            if "pid" not in answer:
                raise CannotFork(answer.get("broken") or self._last_words())
        except OSError as error:
            ours.close()
            raise CannotFork(f"the warmed process is gone ({error})") from None
        except CannotFork:
            ours.close()
            raise
        return ForkedKernel(answer["pid"], ours)

    def close(self) -> None:
        """End the process and every kernel that is left of it."""
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._words.close()

    def _await_ready(self) -> None:
        if self._ready:
            return
        if not select.select([self._control], [], [], _WARM_UP_S)[0]:
            raise CannotFork(f"preloading took more than {_WARM_UP_S:g} s")
        answer = json.loads(self._control.recv(_LONGEST) or b"{}")
        if "ready" not in answer:
            raise CannotFork(answer.get("unsafe") or self._last_words())
        self._ready = True

    def _last_words(self) -> str:
        self._words.seek(0)
        said = self._words.read().decode(errors="replace").strip().splitlines()
        return f"the warmed process ended: {said[-1] if said else 'it said nothing'}"


_servers: dict[tuple[Any, ...], Server] = {}
_refused: dict[tuple[Any, ...], str] = {}
_starting = threading.Lock()
_users = [0]


def server(executable: str, modules: Sequence[str], env: Mapping[str, str]) -> Server:
    """The warmed process for kernels like this, started if there is none.

    It warms up while the caller goes on; the first fork waits for it.
    """
    shared = {name: value for name, value in env.items() if name not in _PRIVATE}
    key = (os.getpid(), executable, tuple(modules), frozenset(shared.items()))
    with _starting:
        if key in _refused:
            raise CannotFork(_refused[key])
        if key not in _servers:
            _servers[key] = Server(executable, modules, shared)
        return _servers[key]


def refuse(broken: Server, why: str) -> None:
    """Try this warmed process no more; kernels like its own are ordinary ones from now on."""
    with _starting:
        for key in [key for key, value in _servers.items() if value is broken]:
            _refused[key] = why
            _servers.pop(key).close()


@contextmanager
def in_use() -> Iterator[None]:
    """Keep the warmed processes of this process for a while; the last to leave ends them."""
    with _starting:
        _users[0] += 1
    try:
        yield
    finally:
        with _starting:
            _users[0] -= 1
            last = _users[0] == 0
        if last:
            close_all()


@atexit.register
def close_all() -> None:
    """End every warmed process of this process; kernels started later warm a new one."""
    with _starting:
        for key in list(_servers):
            made = _servers.pop(key)
            if key[0] == os.getpid():  # after a fork, they are the parent's
                made.close()
        _refused.clear()


def unsafe() -> str:
    """Why no process may be forked on this system; empty where one may."""
    if not PLATFORM.startswith("linux"):
        return f"forking a process that has imported torch is not safe on {PLATFORM}"
    return ""
