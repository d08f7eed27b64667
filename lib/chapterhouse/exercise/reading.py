"""Reading strangers' files in a process of its own, with limits.

A file can be made to hang or fill a JSON reader or Python's parser. Those run in a child that has
little memory and little time; when it dies, the file gets one message and the next one a new child.
The child executes nothing of what it reads. It answers in JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import resource
import select
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from chapterhouse.errors import ExerciseError
from chapterhouse.exercise.cells import parse, read_bytes
from chapterhouse.exercise.extract import Answer, Wanted, extract

TIMEOUT_S = 10.0
MEMORY_BYTES = 2 * 1024**3
_SIZE = struct.Struct(">Q")


@dataclass(frozen=True)
class Submission:
    """One file that was read: its name, the hash of its bytes, and the answers found in it."""

    path: Path
    sha256: str
    answers: tuple[Answer, ...]


class Reader:
    """Reads submissions, one at a time. Use it as a context manager.

    Args:
        catalogue: the exercises to look for.
        timeout_s: how long one file may take.
    """

    def __init__(self, catalogue: Sequence[Wanted], *, timeout_s: float = TIMEOUT_S) -> None:
        self._catalogue = [asdict(exercise) for exercise in catalogue]
        self._timeout_s = timeout_s
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Reader:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def read(self, path: Path, *, only: str | None = None) -> Submission:
        """The answers in one file; with `only`, the answer to that one exercise.

        Raises:
            ExerciseError: the file cannot be read, is not a submission, or is made to do harm.
        """
        data = read_bytes(path)
        request = {"name": str(path), "catalogue": self._catalogue, "only": only}
        reply = self._ask(json.dumps(request).encode(), data)
        if reply is None:
            self._end()
            raise ExerciseError(
                f"{path} could not be read in {self._timeout_s:g} s and "
                f"{MEMORY_BYTES // 1024**3} GiB.",
                fix="hand in the notebook of the exercises, with your answers in it",
            )
        if "found" in reply:
            raise ExerciseError(str(reply["found"]), fix=str(reply["fix"]))
        answers = tuple(
            Answer(row["exercise"], row["source"], tuple(row["repairs"]), row["offset"])
            for row in reply["answers"]
        )
        return Submission(path, hashlib.sha256(data).hexdigest(), answers)

    def _ask(self, *messages: bytes) -> dict[str, Any] | None:
        """One question to the child, or None when it died or took too long."""
        child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            for message in messages:
                child.stdin.write(_SIZE.pack(len(message)) + message)
            child.stdin.flush()
            if not select.select([child.stdout], [], [], self._timeout_s)[0]:
                return None
            answer = _receive(child.stdout)
        except OSError:
            return None
        if answer is None:
            return None
        reply: dict[str, Any] = json.loads(answer)
        return reply

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: the folder that we stand in may hold a stranger's json.py.
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            with contextlib.suppress(OSError):
                self._child.communicate()
            self._child = None


def _receive(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_SIZE.size)
    if len(head) < _SIZE.size:
        return None
    (size,) = _SIZE.unpack(head)
    body = stream.read(size)
    return body if len(body) == size else None


def _serve(stream_in: IO[bytes], stream_out: IO[bytes]) -> None:
    """The child: answer until the parent goes away."""
    while True:
        request, data = _receive(stream_in), _receive(stream_in)
        if request is None or data is None:
            return
        asked = json.loads(request)
        catalogue = [
            Wanted(row["id"], row["chapter"], row["kind"], tuple(row["names"]), row["starter"])
            for row in asked["catalogue"]
        ]
        reply: dict[str, Any]
        try:
            answers = extract(parse(data, name=asked["name"]), catalogue, only=asked["only"])
            reply = {"answers": [asdict(answer) for answer in answers]}
        except ExerciseError as error:
            reply = {"found": error.found, "fix": error.fix}
        text = json.dumps(reply).encode()
        stream_out.write(_SIZE.pack(len(text)) + text)
        stream_out.flush()


def _main() -> None:
    for limit, value in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(OSError, ValueError):  # a host may forbid or lack it
            resource.setrlimit(limit, (value, value))
    _serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    _main()
