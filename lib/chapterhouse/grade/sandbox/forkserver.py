"""The fork server: one warmed interpreter that forks a child for each job.

It is started as a script, outside the sandbox, with an empty environment, and stands alone like the
harness. It imports torch once, so that a job does not wait for it. It never sees a job: source and
inputs go straight from the grader to the child, because a child inherits every object of this
process and can find them with ``gc``. It reads only what the grader sends: limits and descriptors.

It stays single-threaded (torch is told so before it is imported), since a fork copies only one
thread and the locks of the others would stay locked. It never touches CUDA, which does not survive
a fork.

Protocol: the grader sends one JSON line with three descriptors: control, channel, output. The
child gets the last two. When the grader shuts control down, the job is killed; when the job has
ended, one JSON line about it is written there. When the grader goes away, everything is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Protocol

ROOM = "grading_room"
_TICK_S = 0.025


class Backend(Protocol):
    """One level of isolation, as the fork server uses it."""

    def clone(self) -> int:
        """Fork into what the level isolates; 0 in the child."""

    def admit(self, pid: int, limits: dict[str, Any]) -> None:
        """The parent's part of the setup, while the child waits."""

    def enter(self, limits: dict[str, Any]) -> None:
        """The child's part of the setup; raises OSError when a wall cannot be built."""

    def kill(self, pid: int) -> None:
        """End a job and everything it started."""

    def release(self, pid: int) -> dict[str, Any]:
        """After a job has ended: what it used, and remove what was made for it."""

    def watch(self, pid: int) -> str | None:
        """Called often while a job runs: why it must end now, or None."""

    def close(self) -> None:
        """Remove what the level made for itself."""


class Server:
    """Serves jobs until the grader closes its end.

    Args:
        control: the socket that the grader sends jobs on.
        backend: the level of isolation.
        serve_job: the harness, called in the child with its channel.
    """

    def __init__(
        self, control: socket.socket, backend: Backend, serve_job: Callable[[int], NoReturn]
    ) -> None:
        self._control, self._backend, self._serve_job = control, backend, serve_job
        self._jobs: dict[int, socket.socket] = {}  # pid → control of its job
        self._reasons: dict[int, str] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Take jobs, reap children, kill what must end; returns when the grader has gone."""
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._selector.register(self._control, selectors.EVENT_READ, None)
        self._selector.register(woken, selectors.EVENT_READ, 0)
        try:
            while True:
                for key, _ in self._selector.select(_TICK_S if self._jobs else None):
                    if key.data is None and not self._take_job():
                        return
                    if key.data == 0:
                        os.read(woken, 4096)
                    if key.data:
                        self._end(key.data, None)
                self._reap()
                self._watch()
        finally:
            for pid in self._jobs:
                self._backend.kill(pid)
                os.waitpid(pid, 0)
                self._backend.release(pid)
            self._backend.close()

    def _take_job(self) -> bool:
        line, fds, _, _ = socket.recv_fds(self._control, 65536, 3)
        if not line:
            return False
        job_control = socket.socket(fileno=fds[0])
        job_control.sendall(b"+")
        try:
            self._start(json.loads(line), job_control, fds[1], fds[2])
        except OSError as error:
            _report(job_control, {"broken": f"could not start the job: {error}"})
        finally:
            os.close(fds[1])
            os.close(fds[2])
        return True

    def _start(
        self, limits: dict[str, Any], job_control: socket.socket, channel: int, output: int
    ) -> None:
        wait, go = os.pipe()
        try:
            pid = self._backend.clone()
        except OSError:
            os.close(wait)
            os.close(go)
            raise
        if pid == 0:
            os.close(go)
            self._child(limits, wait, channel, output)
        os.close(wait)
        try:
            self._backend.admit(pid, limits)
            os.write(go, b"g")
        except OSError as error:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._backend.release(pid)
            raise error
        finally:
            os.close(go)
        self._jobs[pid] = job_control
        self._selector.register(job_control, selectors.EVENT_READ, pid)

    def _child(self, limits: dict[str, Any], wait: int, channel: int, output: int) -> NoReturn:
        """Enter the sandbox and hand over to the harness; never returns."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if os.read(wait, 1) != b"g":
                os._exit(1)
            _keep_only(channel, output)
            try:
                self._backend.enter(limits)
            except Exception as error:  # whatever it is, a job without its walls must not run
                os.write(3, _one_frame({"event": "setup", "error": f"{error!r:.500}"}))
                os._exit(1)
            os.write(3, _one_frame({"event": "ready"}))
            self._serve_job(3)
        finally:
            os._exit(1)

    def _end(self, pid: int, reason: str | None) -> None:
        if reason:
            self._reasons.setdefault(pid, reason)
        # Its control is readable for ever now; the report goes out on it when the job is reaped.
        if self._jobs[pid] in self._selector.get_map():
            self._selector.unregister(self._jobs[pid])
        self._backend.kill(pid)

    def _watch(self) -> None:
        for pid in list(self._jobs):
            reason = self._backend.watch(pid)
            if reason:
                self._end(pid, reason)

    def _reap(self) -> None:
        for pid in list(self._jobs):
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done == 0:
                continue
            job_control = self._jobs.pop(pid)
            if job_control in self._selector.get_map():
                self._selector.unregister(job_control)
            report = {
                "exit": os.waitstatus_to_exitcode(status),
                "cpu_s": usage.ru_utime + usage.ru_stime,
                "reason": self._reasons.pop(pid, None),
            }
            _report(job_control, report | self._backend.release(pid))


def _report(job_control: socket.socket, report: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the grader may no longer wait for this job
        job_control.sendall(json.dumps(report).encode() + b"\n")
    job_control.close()


def _keep_only(channel: int, output: int) -> None:
    """Leave the child nothing but its output (1, 2) and its channel (3)."""
    null = os.open(os.devnull, os.O_RDWR)
    # First above every number that is about to be overwritten.
    null, output, channel = (fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in (null, output, channel))
    for source, target in ((null, 0), (output, 1), (output, 2), (channel, 3)):
        os.dup2(source, target)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))


def _one_frame(header: dict[str, Any]) -> bytes:
    return bytes(sys.modules[f"{ROOM}.wire"].pack(header))


def _open_room(folder: Path) -> None:
    """Make ``wire``, ``harness`` and the levels importable without the package they lie in."""
    for name, path in ((ROOM, folder), (f"{ROOM}.sandbox", folder / "sandbox")):
        package = types.ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package


def _warm(modules: list[str], paths: list[str]) -> list[str]:
    """Import what jobs use; the names that could be imported."""
    sys.path += [path for path in paths if path not in sys.path]
    found = []
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        found.append(name)
    if "torch" in found:
        _exercise_torch(sys.modules["torch"])
    return found


def _exercise_torch(torch: Any) -> None:
    """One training step, so that what torch sets up at its first use is set up before the fork.

    Some of that reads files which a job cannot see, such as /proc/cpuinfo.
    """
    torch.set_num_threads(1)
    layers = (torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(72, 2))
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(2, 1, 8, 8)).square().sum().backward()
    optimizer.step()


def main() -> None:
    """Start a server as its one argument says: level, modules to warm, paths, control."""
    settings = json.loads(sys.argv[1])
    control = socket.socket(fileno=settings["control"])
    control.set_inheritable(False)
    _open_room(Path(__file__).resolve().parent.parent)
    harness = importlib.import_module(f"{ROOM}.harness")
    level = importlib.import_module(f"{ROOM}.sandbox.{settings['level']}")
    warmed = _warm(settings["warm"], settings["paths"])
    try:
        backend = level.backend(warmed, settings["use_cgroups"])
    except OSError as error:
        control.sendall(json.dumps({"broken": str(error)}).encode() + b"\n")
        return
    # Objects that exist now are never collected, so children do not copy their pages to look.
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        importlib.import_module(f"{ROOM}.sandbox.kernel").gather_pages()
    control.sendall(json.dumps({"ready": warmed}).encode() + b"\n")
    try:
        Server(control, backend, harness.serve).run()
    finally:
        # The grader does this, too, unless it was killed.
        shutil.rmtree(settings["home"], ignore_errors=True)


if __name__ == "__main__":
    main()
