"""Kernels that are forked from a warmed process: torch is imported once, not once a notebook.

Any nbclient program uses them by naming the class, without a kernel spec on the machine::

    NotebookClient(notebook, kernel_manager_class="chapterhouse.run.warm.WarmKernelManager")

papermill uses them with ``--engine warm``, and a kernel spec by
``"metadata": {"kernel_provisioner": {"provisioner_name": "chapterhouse-warm"}}``.

Where a fork is not safe the kernel is an ordinary one, and the provisioner's `notice` says why.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from importlib.metadata import EntryPoint
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import List, Unicode, default

from chapterhouse.run.forkclient import THREADS, CannotFork, ForkedKernel, refuse, server, unsafe

NAME = "chapterhouse-warm"
# What most notebooks on deep learning wait for. An optimizer imports torch._dynamo when it is made.
MODULES = ("numpy", "torch", "torch._dynamo", "matplotlib.pyplot", "safetensors.torch")
START = "from chapterhouse.run.inside import main; main()"
_ENTRY_POINT = EntryPoint(NAME, f"{__name__}:WarmProvisioner", "jupyter_client.kernel_provisioners")
_log = logging.getLogger(__name__)


class WarmProvisioner(LocalProvisioner):
    """Forks the kernel from a warmed process; starts an ordinary one where that isn't safe."""

    modules = List(Unicode(), help="What is imported beforehand; `MODULES` by default.")
    notice = Unicode("", help="Why the kernel is an ordinary one; empty when it is warm.")

    @default("modules")
    def _usual_modules(self) -> list[str]:
        return list(MODULES)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel and return its connection information."""
        env = dict(kwargs.get("env") or os.environ)
        for name in THREADS:
            env.setdefault(name, "1")
        kwargs["env"] = env
        try:
            forked = await asyncio.to_thread(self._fork, cmd, kwargs)
        except CannotFork as reason:
            self.notice = f"an ordinary kernel was started, which imports everything anew: {reason}"
            _log.warning(self.notice)
            return await super().launch_kernel(cmd, **kwargs)
        self.process = forked  # type: ignore[assignment]
        self.pid = self.pgid = forked.pid
        self.cwd = kwargs.get("cwd")
        return self.connection_info

    def _fork(self, cmd: list[str], kwargs: dict[str, Any]) -> ForkedKernel:
        if why := unsafe():
            raise CannotFork(why)
        if len(cmd) < 3 or cmd[1] not in ("-c", "-m"):
            raise CannotFork(f"the kernel's command {cmd[:2]} is not PYTHON -c … or PYTHON -m …")
        env = {name: str(value) for name, value in kwargs["env"].items()}
        warmed = server(cmd[0], self.modules, env)
        try:
            return warmed.fork(
                cmd[3:],
                env=env,
                cwd=str(kwargs.get("cwd") or os.getcwd()),  # noqa: PTH109
                stdout=_descriptor(kwargs.get("stdout"), 1),
                stderr=_descriptor(kwargs.get("stderr"), 2),
            )
        except CannotFork as reason:
            refuse(warmed, str(reason))
            raise

    async def wait(self) -> int | None:
        """Wait for the end of the kernel; the usual one looks only ten times a second."""
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline and self.process and self.process.poll() is None:
            await asyncio.sleep(0.005)
        return await super().wait()


class _ThisInterpreter(KernelSpecManager):
    """Offers one kernel whatever its name: this interpreter, warm."""

    modules = List(Unicode())

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=[sys.executable, "-c", START, "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
            metadata={
                "kernel_provisioner": {
                    "provisioner_name": NAME,
                    "config": {"modules": list(self.modules)},
                }
            },
        )


class _Client(AsyncKernelClient):
    """Talks to a kernel as soon as it answers; the usual one then listens 0.2 s for nothing."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers a question, and what it publishes arrives here.

        Raises:
            RuntimeError: it died, or did not answer within `timeout` seconds.
        """
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while not await self._answers():
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")

    async def _answers(self) -> bool:
        """Ask once; whether the answer came, and after it the news that the kernel is idle."""
        request = self.kernel_info()
        try:
            while True:
                answer = await self.shell_channel.get_msg(timeout=1)
                if answer["parent_header"].get("msg_id") == request:
                    break
            while True:
                # The last that is published for a request; nothing comes if we are not connected.
                news = await self.iopub_channel.get_msg(timeout=0.2)
                if (
                    news["parent_header"].get("msg_id") == request
                    and news["content"].get("execution_state") == "idle"
                ):
                    self._handle_kernel_info_reply(answer)
                    return True
        except Empty:
            return False


class WarmKernelManager(AsyncKernelManager):
    """Manages one kernel of this very interpreter, forked from a warmed process.

    Args:
        modules: what is imported beforehand; `MODULES` by default.
    """

    modules = List(Unicode(), help="What is imported beforehand; `MODULES` by default.")

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.client_factory = _Client
        # Known without its entry point, too: from a source tree, say, or an older installation.
        KernelProvisionerFactory.provisioners.setdefault(NAME, _ENTRY_POINT)

    @default("modules")
    def _usual_modules(self) -> list[str]:
        return list(MODULES)

    @default("kernel_spec_manager")
    def _this_interpreter(self) -> KernelSpecManager:
        return _ThisInterpreter(parent=self, modules=self.modules)


def _descriptor(stream: Any, usual: int) -> int:
    """The descriptor behind what Popen accepts as a stream."""
    if stream is None:
        return usual
    return stream if isinstance(stream, int) and stream >= 0 else int(stream.fileno())
