"""The watch over one kernel: time, memory, output. A breach kills its whole process group."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import psutil

from chapterhouse.course import Limits

_PERIOD_S = 0.2
_CHILDREN_EVERY = 5  # listing children reads all of /proc, so it is done less often


class Watch:
    """Measures one kernel and its children, and kills them when they pass a limit.

    Args:
        limits: what the chapter may use.
        stop: set when the whole run is given up; the kernel is then killed too.
    """

    def __init__(self, limits: Limits, stop: threading.Event) -> None:
        self.limits = limits
        self.breach = ""
        self.fix = ""
        self.peak_memory_bytes = 0
        self.cpu_s = 0.0
        self._stop = stop
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._kernel: psutil.Process | None = None
        self._children: list[psutil.Process] = []
        self._output_bytes = 0
        self._thread = threading.Thread(target=self._observe, name="watch", daemon=True)
        self._killing = threading.Lock()

    @property
    def seen(self) -> bool:
        """Whether there has been a kernel to watch."""
        return self._kernel is not None

    def begin(self, process: subprocess.Popen[bytes]) -> None:
        """Start to watch a kernel, which leads its own process group."""
        self._started = time.monotonic()
        self._process = process
        with contextlib.suppress(psutil.Error):
            self._kernel = psutil.Process(process.pid)
            self._thread.start()

    def cause_of_death(self) -> str:
        """How the kernel's process ended, if it ended by itself: ``exit code 3``, ``SIGSEGV``."""
        code = self._process.poll() if self._process else None
        if code is None:
            return "no reason known"
        if code == -signal.SIGKILL:
            return "SIGKILL; the machine may have run out of memory"
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def end(self) -> None:
        """Kill what is left of the kernel and its children, and stop watching."""
        self._ended.set()
        self.kill()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def kill(self) -> None:
        """Kill the kernel, its process group, and children that left the group."""
        with self._killing:
            if self._kernel is None:
                return
            with contextlib.suppress(psutil.Error):
                self._children = self._kernel.children(recursive=True)
            # The group outlives its leader while a member lives, so its number is still ours.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._kernel.pid, signal.SIGKILL)
            for child in self._children:
                with contextlib.suppress(psutil.Error):
                    child.kill()  # psutil checks that the process id was not given to another

    def count_output(self, size_bytes: int) -> None:
        """Add to the output so far; past the limit the kernel is killed."""
        self._output_bytes += size_bytes
        if self._output_bytes > self.limits.max_output_bytes and not self.breach:
            self._break(
                f"printed more than {_mebibytes(self.limits.max_output_bytes)}",
                fix="print less, or raise max_output_bytes in [tool.chapterhouse.profiles]",
            )

    def _observe(self) -> None:
        tick = 0
        while not self._ended.wait(_PERIOD_S):
            if self._stop.is_set():
                self._break("was interrupted")
                return
            if self._spent_s() > self.limits.timeout_s:
                self._break(
                    f"ran out of time: the chapter may take {self.limits.timeout_s:g} s",
                    fix="do less in this profile, or raise metadata.chapterhouse.timeout_s",
                )
                return
            try:
                memory_bytes = self._measure(list_children=tick % _CHILDREN_EVERY == 0)
            except psutil.Error:
                return  # the kernel is gone; whoever talks to it will notice
            if memory_bytes > self.limits.max_memory_bytes:
                limit = _mebibytes(self.limits.max_memory_bytes)
                self._break(
                    f"used {_mebibytes(memory_bytes)} of memory; {limit} is the limit",
                    fix="take smaller batches, or raise max_memory_bytes in "
                    "[tool.chapterhouse.profiles]",
                )
                return
            tick += 1

    def _spent_s(self) -> float:
        """Wall clock since the start, less the time that the kernel waited for a processor.

        A chapter is not to blame for a busy machine; one that sleeps or spins still runs out.
        """
        assert self._kernel is not None
        return time.monotonic() - self._started - starved_s(self._kernel.pid)

    def _measure(self, *, list_children: bool) -> int:
        """Memory in use now, in bytes; remembers the peak and the processor time so far."""
        assert self._kernel is not None
        if list_children:
            self._children = self._kernel.children(recursive=True)
        memory_bytes = self._kernel.memory_info().rss
        times = self._kernel.cpu_times()
        cpu_s = times.user + times.system + times.children_user + times.children_system
        for child in self._children:
            with contextlib.suppress(psutil.Error):
                # What the child has for itself: forked workers share most pages with the kernel.
                memory_bytes += child.memory_full_info().uss
                own = child.cpu_times()
                cpu_s += own.user + own.system
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory_bytes)
        self.cpu_s = max(self.cpu_s, cpu_s)
        return memory_bytes

    def _break(self, reason: str, *, fix: str = "") -> None:
        self.breach, self.fix = reason, fix
        self.kill()


def starved_s(pid: int) -> float:
    """Seconds that a process's main thread was ready to run but had no processor; Linux only."""
    try:
        waited_ns = Path(f"/proc/{pid}/schedstat").read_text().split()[1]
    except (OSError, IndexError):
        return 0.0
    return int(waited_ns) / 1e9


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:,.0f} MiB"
