"""One job on the trusted side: sends its calls, collects what comes back, ends it on time.

What comes from a job is hostile until parsed: frames go through `wire` with limits, printed text
has a cap, and both are cleaned of control characters. A frame that is out of order or malformed
ends the job as KILLED; it never raises.

Times are taken here, with this process's clock. A call is sent when the answer to the one before
has arrived, so a submission can neither claim a time nor move its own to another call.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

from chapterhouse.grade.protocol import Call, Failure, Job, Outcome, Result, Status
from chapterhouse.grade.wire import Decoder, Encoder, FrameReader, WireError, pack

_SETUP_S = 20.0
_END_S = 10.0
_MAX_TEXT = 2000
_KINDS = {"memory": Status.MEMORY, "forbidden": Status.FORBIDDEN}
# Control characters, and the marks that turn the direction of text around.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Text that is safe to print: no control or direction characters, not too long."""
    return _CONTROL.sub("", text.replace("\r\n", "\n"))[:_MAX_TEXT]


class Conversation:
    """The exchange with one job. `hold` drives it to its end and gives the `Outcome`.

    Args:
        job: what to run.
        level: the sandbox's level, to be recorded.
    """

    def __init__(self, job: Job, level: str) -> None:
        self._job, self._level = job, level
        self._control, control = socket.socketpair()
        self._channel, channel = socket.socketpair()
        self._output, output = socket.socketpair()
        self.their_ends = (control, channel, output)
        self._our_ends = (self._control, self._channel, self._output)
        self._reader = FrameReader(job.limits.value_bytes)
        self._calls: Iterator[Call] = iter(job.calls)
        self._to_send = memoryview(b"")
        self._printed = bytearray()
        self._results: list[Result] = []
        self._kinds: set[Status] = set()
        self._failure: Failure | None = None
        self._status: Status | None = None  # set once it is known how the job ended
        self._phase, self._deadline = "setup", 0.0
        self._report: dict[str, Any] | None = None
        self._started = self._sent_at = time.perf_counter()

    def abandon(self, reason: str) -> None:
        """The job could not be handed over: the fault is ours."""
        self._end(Status.BROKEN, "Sandbox", reason)
        self._report = {}
        for end in (*self._our_ends, *self.their_ends):
            end.close()

    def await_start(self) -> None:
        """Wait until the fork server has taken the job.

        Raises:
            OSError: it has not.
        """
        self._control.settimeout(_SETUP_S)
        if self._control.recv(1) != b"+":
            raise OSError("the grading server did not take the job")

    def hold(self) -> Outcome:
        """Exchange frames until the job has ended, and say how it did."""
        if self._report is not None:  # abandoned
            return self._outcome()
        try:
            with selectors.DefaultSelector() as selector:
                for end in self._our_ends:
                    end.setblocking(False)
                    selector.register(end, selectors.EVENT_READ)
                self._loop(selector)
            self._drain()
        finally:
            for end in self._our_ends:
                end.close()
        return self._outcome()

    def _loop(self, selector: selectors.BaseSelector) -> None:
        self._move_to("setup", _SETUP_S)
        while self._report is None:
            write = selectors.EVENT_WRITE if self._to_send else 0
            if self._channel in selector.get_map():
                selector.modify(self._channel, selectors.EVENT_READ | write)
            for key, mask in selector.select(max(0.0, self._deadline - time.perf_counter())):
                if mask & selectors.EVENT_WRITE:
                    self._write()
                if mask & selectors.EVENT_READ and not self._read(key.fileobj):
                    selector.unregister(key.fileobj)
            if time.perf_counter() > self._deadline:
                self._too_late()

    def _move_to(self, phase: str, seconds: float) -> None:
        self._phase, self._deadline = phase, time.perf_counter() + seconds

    def _too_late(self) -> None:
        if self._phase == "ended":
            self._report = {"broken": "the grading server does not answer"}
        elif self._phase == "setup":
            self._end(Status.BROKEN, "Sandbox", "the sandbox was not ready in time")
        else:
            limit = self._job.limits.wall_s
            self._end(Status.TIME, "TimeLimit", f"the work took more than {limit:g} s")

    def _end(self, status: Status, kind: str = "", message: str = "") -> None:
        """The job has ended or must end: have it killed. The first reason given is the one kept."""
        if self._phase == "ended":
            return
        self._status = status
        if message:
            self._failure = Failure(kind, clean(message))
        self._have_killed()

    def _have_killed(self) -> None:
        self._move_to("ended", _END_S)
        self._to_send = memoryview(b"")
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)

    def _write(self) -> None:
        try:
            sent = self._channel.send(self._to_send[: 1 << 20])
        except BlockingIOError:
            return
        except OSError:  # the job has closed its end; reading will say so
            sent = len(self._to_send)
        self._to_send = self._to_send[sent:]
        self._sent_at = time.perf_counter()

    def _read(self, end: Any) -> bool:
        """Take what has arrived on one end; False when nothing more will."""
        try:
            data = end.recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if end is self._control:
            self._report = _parse_report(data)
        elif end is self._output:
            self._print(data)
        elif data:
            self._receive(data)
        elif self._phase != "ended":
            self._have_killed()  # how it ended is in the report of the fork server
        return bool(data)

    def _drain(self) -> None:
        """What the job sent before it ended still counts."""
        for end in (self._channel, self._output):
            with contextlib.suppress(OSError):
                while data := end.recv(1 << 18):
                    if end is self._output:
                        self._print(data)
                    elif self._status is None:
                        self._receive(data)

    def _print(self, data: bytes) -> None:
        room = self._job.limits.output_bytes - len(self._printed)
        self._printed += data[: max(0, room)]
        if len(data) > room:
            limit = self._job.limits.output_bytes
            self._end(Status.OUTPUT, "OutputLimit", f"more than {limit:,} bytes were printed")

    def _receive(self, data: bytes) -> None:
        try:
            for header, body in self._reader.feed(data):
                self._message(header, body)
        except WireError as error:
            self._end(Status.KILLED, "Protocol", f"what came back cannot be read: {error}")

    def _message(self, header: dict[str, Any], body: bytes) -> None:
        event = header.get("event")
        if event == "setup" and self._phase == "setup":
            self._end(Status.BROKEN, "Sandbox", str(header.get("error")))
        elif event == "ready" and self._phase == "setup":
            # The clock starts when the sandbox stands.
            self._move_to("loading", self._job.limits.wall_s)
            self._send_job()
        elif event == "failed" and self._phase == "loading":
            self._failure = _parse_failure(header)
            self._end(_KINDS.get(str(header.get("kind")), Status.COMPILE))
        elif event == "loaded" and self._phase == "loading":
            self._phase = "answering"
            self._send_call()
        elif event == "result" and self._phase == "answering" and not self._to_send:
            self._results.append(self._result(header, body))
            self._send_call()
        elif self._phase != "ended":
            raise WireError("a frame is out of order")

    def _result(self, header: dict[str, Any], body: bytes) -> Result:
        wall_s = time.perf_counter() - self._sent_at
        mutated = header.get("mutated")
        if not isinstance(mutated, list) or len(mutated) > 100:
            raise WireError("a result does not say what it changed")
        changed = tuple(clean(str(name))[:100] for name in mutated)
        if "failure" in header:
            if header.get("kind") in _KINDS:
                self._kinds.add(_KINDS[header["kind"]])
            return Result(failure=_parse_failure(header), wall_s=wall_s, mutated=changed)
        if "value" not in header:
            raise WireError("a result holds neither a value nor a failure")
        return Result(Decoder(body).decode(header["value"]), wall_s=wall_s, mutated=changed)

    def _send_job(self) -> None:
        job, value_bytes = self._job, self._job.limits.value_bytes
        header = {"source": job.source, "imports": job.imports, "value_bytes": value_bytes}
        self._send(header, Encoder(0))

    def _send_call(self) -> None:
        call = next(self._calls, None)
        if call is None:
            self._end(Status.OK)
            return
        encoder = Encoder(2**40, keep_grad=True)
        try:
            parts = {
                "args": encoder.encode(call.args),
                "kwargs": encoder.encode(dict(call.kwargs)),
                "steps": encoder.encode(call.steps),
            }
            self._send({"target": call.target, "seed": call.seed} | parts, encoder)
        except WireError as error:  # the inputs are the exercise's, not the student's
            self._end(Status.BROKEN, "Inputs", f"the inputs of {call.target}: {error}")

    def _send(self, header: dict[str, Any], encoder: Encoder) -> None:
        self._to_send = memoryview(pack(header, encoder.buffers))

    def _outcome(self) -> Outcome:
        report = self._report or {}
        status = self._status
        if report.get("broken") and status not in (Status.OK, Status.COMPILE):
            status, self._failure = Status.BROKEN, Failure("Sandbox", clean(str(report["broken"])))
        elif status is None or (status is Status.TIME and report.get("reason") == "memory"):
            # Processes that are killed for their memory can leave others waiting for them.
            status = self._early_end(report)
        elif status is Status.OK:
            if report.get("reason") == "memory":
                self._kinds.add(Status.MEMORY)
            order = (Status.FORBIDDEN, Status.MEMORY)
            status = next((kind for kind in order if kind in self._kinds), Status.OK)
        return Outcome(
            status,
            tuple(self._results),
            self._failure,
            _CONTROL.sub("", self._printed.decode(errors="replace").replace("\r\n", "\n")),
            float(report.get("cpu_s", 0.0)),
            time.perf_counter() - self._started,
            int(report.get("peak_memory_bytes", 0)),
            self._level,
        )

    def _early_end(self, report: dict[str, Any]) -> Status:
        """Why a job ended before it had answered every call."""
        code, reason, limits = report.get("exit"), report.get("reason"), self._job.limits
        if self._phase == "setup" or code is None:
            self._failure = Failure("Sandbox", "the job ended before its sandbox stood")
            return Status.BROKEN
        if reason == "memory":
            text = f"more than {limits.memory_bytes / 2**20:,.0f} MiB of memory were used"
            self._failure = Failure("MemoryLimit", text)
            return Status.MEMORY
        # The kernel counts the limit in ticks and reports the use exactly: on a busy machine they
        # differ. Nobody else sends this signal: a job cannot, and the grader's own kill is known.
        spent = report.get("cpu_s", 0.0) > 0.5 * math.ceil(limits.cpu_s)
        if spent and code in (-signal.SIGKILL, -signal.SIGXCPU):
            text = f"the work took more than {limits.cpu_s:g} s of processor time"
            self._failure = Failure("TimeLimit", text)
            return Status.TIME
        if code == -signal.SIGSYS:
            self._failure = Failure("Refused", "a system call that no exercise needs was made")
            return Status.FORBIDDEN
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        text = reason or f"the process ended by itself ({how}) before its work was done"
        self._failure = Failure("Exited", clean(text))
        return Status.KILLED


def _parse_failure(header: dict[str, Any]) -> Failure:
    failure = header.get("failure")
    if not isinstance(failure, dict):
        raise WireError("a failure is not described")
    line = failure.get("line")
    return Failure(
        clean(str(failure.get("type")))[:100],
        clean(str(failure.get("message"))),
        line if type(line) is int and 0 < line < 10**6 else None,
    )


def _parse_report(data: bytes) -> dict[str, Any]:
    """What the fork server, which is ours, says about a job that has ended."""
    try:
        report = json.loads(data)
    except ValueError:
        return {"broken": "the grading server ended before the job did"}
    return report if isinstance(report, dict) else {}
