"""The trusted side of the sandbox: starts the fork server, keeps it alive, sends it jobs.

The server is told which modules to warm and never anything about a job. `Pool.run` returns an
`Outcome` whatever happens inside; only our own faults become `Status.BROKEN`. It may be called from
several threads at once.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path

from chapterhouse.errors import GradingError
from chapterhouse.grade.conversation import Conversation, clean
from chapterhouse.grade.protocol import Job, Outcome

WARM = ("numpy", "torch", "torch._dynamo", "sprat")
_START_S = 120.0
_END_S = 10.0
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "USER": "student",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Pool:
    """A sandbox of one level: a warmed fork server and one child a job.

    Args:
        level: ``strong``, ``medium`` or ``none``.
        warm: modules that the server imports before the first job; absent ones are left out.
        use_cgroups: limit memory and processes by control groups where this user may make them.
            Without, the processes are watched, which is coarser.
    """

    def __init__(self, level: str, warm: tuple[str, ...] = WARM, use_cgroups: bool = True) -> None:
        if sys.platform == "win32":
            raise GradingError(
                "The sandbox needs Linux or macOS; this is Windows.", fix="use WSL 2 or Colab"
            )
        self.level = level
        self._warm, self._use_cgroups = warm, use_cgroups
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        # Libraries that keep a cache at home must not find the grader's, nor leave theirs there.
        self._home = tempfile.TemporaryDirectory(prefix="sprat-grading-")
        with self._lock:
            self._start()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, job: Job) -> Outcome:
        """Run one job to its end; see `protocol.Sandbox.run`."""
        for _ in range(2):
            conversation = Conversation(job, self.level)
            try:
                with self._lock:
                    self._send(job, conversation)
                break
            except (OSError, GradingError) as error:
                # A server that died between two jobs is replaced at the second try.
                conversation.abandon(str(error))
        return conversation.hold()

    def close(self) -> None:
        """End the server, and with it every job."""
        with self._lock:
            self._stop()
            self._home.cleanup()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        home = self._home.name
        settings = {
            "home": home,
            "level": self.level,
            "warm": self._warm,
            "use_cgroups": self._use_cgroups,
            "paths": _library_paths(self._warm),
            "control": theirs.fileno(),
        }
        script = Path(__file__).parent / "sandbox" / "forkserver.py"
        # A file, not a pipe: nobody reads it unless the server fails, and a full pipe blocks.
        with theirs, (Path(home) / "stderr").open("wb") as complaints:
            self._server = subprocess.Popen(
                [sys.executable, "-I", str(script), json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                pass_fds=(theirs.fileno(),),
                env=_ENVIRONMENT | {"HOME": home, "TMPDIR": home},
                cwd="/",
                start_new_session=True,
            )
        self._control = ours
        ours.settimeout(_START_S)
        try:
            answer = json.loads(_read_line(ours))
        except (OSError, ValueError):
            answer = {"broken": "the grading server did not start"}
        if "ready" not in answer:
            said = self._last_words()
            self._stop()
            raise GradingError(
                f"The sandbox's {self.level} level could not start: {answer['broken']}. {said}",
                fix="run `chapterhouse grade --probe` to see which levels this machine has",
            )
        ours.settimeout(None)

    def _last_words(self) -> str:
        """The end of what a server that failed wrote."""
        said = (Path(self._home.name) / "stderr").read_bytes()
        return clean(said[-2000:].decode(errors="replace")).strip()

    def _send(self, job: Job, conversation: Conversation) -> None:
        if self._server is None or self._server.poll() is not None:
            self._stop()
            Path(self._home.name).mkdir(exist_ok=True)  # a server removes it when it ends
            self._start()
        assert self._control is not None
        with contextlib.ExitStack() as stack:
            for end in conversation.their_ends:
                stack.enter_context(end)
            fds = [end.fileno() for end in conversation.their_ends]
            socket.send_fds(self._control, [json.dumps(asdict(job.limits)).encode()], fds)
        # One job at a time on the control socket: wait until the server has taken this one.
        conversation.await_start()

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._server is not None:
            try:
                self._server.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        self._server = self._control = None


def _read_line(end: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        data = end.recv(65536)
        if not data:
            raise OSError("the grading server closed its end")
        line += data
    return line


def _library_paths(modules: tuple[str, ...]) -> list[str]:
    """Folders to add to the server's path, for modules that lie outside an installed place."""
    paths = []
    for name in modules:
        if "." in name:
            continue
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            paths.append(str(Path(next(iter(spec.submodule_search_locations))).parent))
    return paths
