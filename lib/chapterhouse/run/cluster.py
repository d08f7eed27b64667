"""Chapters on other machines: a Dask scheduler hands them to its workers, the longest first.

Every worker must see the course's folder under the same path, and have chapterhouse installed. A
chapter whose metadata says ``"gpu": "required"`` runs only where a worker offers the resource
(``dask worker ADDRESS --resources GPU=1``). When a worker is lost, the scheduler gives its chapter
to another one. When the run is given up, or its process dies, the workers kill the kernels.

What is kept is published here, by the run that asked. Dask trusts whoever reaches its scheduler:
use an address of your own network, or ``tls://`` with the certificates of Dask's configuration.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chapterhouse.course import Course
from chapterhouse.errors import ChapterhouseError, CourseError, RunError
from chapterhouse.run import chapter
from chapterhouse.run.chapter import Execution
from chapterhouse.run.plan import Plan
from chapterhouse.run.trace import Hashes

if TYPE_CHECKING:
    from distributed import Client, Future

_PATIENCE_S = 5.0  # for the scheduler to answer
_WORKERS_S = 10.0  # for a first worker to be there
_LOOK_S = 0.1


@dataclass(frozen=True)
class _Told:
    """An error of ours, in a form that can travel."""

    found: str
    fix: str


class Cluster:
    """Executes plans on the workers of a scheduler; stands in for `chapter.execute`.

    Args:
        client: connected to the scheduler.
        address: of the scheduler, for messages.
    """

    def __init__(self, client: Client, address: str) -> None:
        self._client, self._address = client, address
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        self.jobs = max(1, sum(worker["nthreads"] for worker in workers))
        self._gpus = sum(worker.get("resources", {}).get("GPU", 0) for worker in workers)

    def __call__(
        self,
        plan: Plan,
        course: Course,
        *,
        hashes: Hashes,
        progress: chapter.Progress,
        stop: threading.Event,
    ) -> Execution:
        """Execute one plan on some worker, and wait for it.

        Raises:
            RunError: no worker has the GPU that the chapter needs, the chapter's workers died one
                after the other, or the scheduler went away.
            OSError: the worker's system refused a file or a process.
        """
        needs_gpu = plan.notebook.metadata.get("chapterhouse", {}).get("gpu") == "required"
        if needs_gpu and not self._gpus:
            raise RunError(
                f"{plan.slug} needs a GPU, and no worker of {self._address} offers one.",
                fix=f"start one with `dask worker {self._address} --resources GPU=1`",
            )
        key = f"chapterhouse-{plan.slug}-{uuid.uuid4().hex}"
        self._client.subscribe_topic(key, lambda event: progress(*event[1]))
        future = self._client.submit(
            _execute_here,
            plan,
            course,
            hashes,
            key=key,
            pure=False,
            resources={"GPU": 1} if needs_gpu else None,
        )
        try:
            return self._await(future, plan, stop)
        finally:
            self._client.unsubscribe_topic(key)
            future.cancel()  # does nothing to one that has ended

    def _await(self, future: Future, plan: Plan, stop: threading.Event) -> Execution:
        while not future.done():
            if stop.wait(_LOOK_S):
                raise RunError(f"{plan.slug} was given up.", fix="run it again")
        if future.status == "finished":
            result = future.result()
            if isinstance(result, _Told):
                raise RunError(result.found, fix=result.fix)
            return result
        if future.status != "error":
            raise RunError(
                f"The scheduler {self._address} went away while {plan.slug} ran.",
                fix="start it again, then run the command again",
            )
        error = future.exception()
        if type(error).__name__ == "KilledWorker":
            raise RunError(
                f"{plan.slug} was lost with its worker, again and again.",
                fix="look at the workers' logs: they may not have the memory for it",
            )
        raise error


@contextmanager
def connect(address: str) -> Iterator[Cluster]:
    """A connection to a scheduler, closed afterwards.

    Args:
        address: such as ``tcp://192.168.1.5:8786``.

    Raises:
        CourseError: the address is not one, nothing answers there, it has no worker, or Dask is
            not installed.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise CourseError(
            "Running on a cluster needs Dask, which is not installed.",
            fix="pip install 'sprat[cluster]'",
        ) from None
    try:
        client = Client(address, timeout=_PATIENCE_S)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"No scheduler answers at {address}: {error}.",
            fix="start one with `dask scheduler`, and give the address that it prints",
        ) from None
    try:
        try:
            client.wait_for_workers(1, timeout=_WORKERS_S)
        except TimeoutError:
            raise CourseError(
                f"The scheduler at {address} has no workers.",
                fix=f"start one on each machine with `dask worker {address}`",
            ) from None
        yield Cluster(client, address)
    finally:
        client.close()


def _execute_here(plan: Plan, course: Course, hashes: Hashes) -> Execution | _Told:
    """Execute a plan in this worker; runs in one of its threads."""
    from distributed import get_worker

    worker, stop, ended = get_worker(), threading.Event(), threading.Event()
    key = str(worker.get_current_task())
    watcher = threading.Thread(
        target=_watch_task, args=(worker, key, stop, ended), name=f"wanted-{plan.slug}", daemon=True
    )
    watcher.start()
    try:
        if not plan.path.is_file():
            raise RunError(
                f"{plan.path} is not on the worker {worker.name}.",
                fix="mount the course's folder under the same path on every worker",
            )
        return chapter.execute(
            plan,
            course,
            hashes=hashes,
            progress=lambda done, total: worker.log_event(key, (done, total)),
            stop=stop,
        )
    except ChapterhouseError as error:
        return _Told(error.found, error.fix)
    finally:
        ended.set()


def _watch_task(worker: Any, key: str, stop: threading.Event, ended: threading.Event) -> None:
    """Set `stop` when the scheduler no longer wants the task: its client gave it up, or died."""
    while not ended.wait(_LOOK_S):
        task = worker.state.tasks.get(key)
        if task is None or task.state not in ("executing", "long-running"):
            stop.set()
            return
