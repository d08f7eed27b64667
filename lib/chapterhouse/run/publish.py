"""Put a chapter's result where the site looks for it, and keep it for the next time."""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import UTC, datetime

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.run import origin, trace
from chapterhouse.run.cache import Cache, Result, cell_hashes, make_key
from chapterhouse.run.chapter import Execution, assemble
from chapterhouse.run.plan import Plan
from chapterhouse.run.record import (
    Run,
    collect_claims,
    collect_values,
    executed_path,
    history_path,
    remember,
)

_ABANDONED_S = 3600.0  # a file is written in much less


def publish(plan: Plan, result: Result, course: Course) -> Run:
    """Write the executed notebook and its record, if they are not there already.

    Raises:
        OSError: the disk is full, or may not be written to.
    """
    executed = assemble(
        plan.notebook,
        result.outputs,
        injected=result.injected,
        language_info=result.language_info,
    )
    for text, suffix in ((nb.dumps(executed), ".ipynb"), (result.run.dumps(), ".json")):
        path = executed_path(course, plan.profile, plan.slug, suffix)
        # An unchanged file keeps its time, so that the site knows that its page is up to date.
        if not path.is_file() or path.read_bytes() != text.encode():
            nb.write_text(text, path)
    executed_path(course, plan.profile, plan.slug, ".failed.ipynb").unlink(missing_ok=True)
    return result.run


def publish_new(plan: Plan, execution: Execution, course: Course, cache: Cache) -> Run:
    """Publish and keep what an execution gave.

    A run in which a claim did not hold is whole, and published as such, but it has failed: it is
    not kept, and neither is an older result that it contradicts.

    A file that was edited while the chapter ran makes the result one of a kind, as does a use of
    files that nobody could see: it is published, but not kept.

    Raises:
        OSError: the disk is full, or may not be written to.
    """
    now = trace.Hashes(course)
    if execution.failure is not None:
        cache.forget(plan, now)
        return _publish_failure(plan, execution, course)
    used = execution.used
    sources = {**used.libraries, **used.files}
    steady = not execution.unsure and all(now.of(name) == hash_ for name, hash_ in sources.items())
    key = make_key(plan, execution.machine, used) if steady else ""
    run = _judged(_record(plan, execution, status="ran", key=key))
    result = Result(
        key=key,
        cells=cell_hashes(plan),
        overrides=plan.overrides,
        machine=execution.machine,
        used=used,
        users=execution.users,
        outputs=execution.outputs,
        injected=execution.injected,
        language_info=execution.language_info,
        run=run,
    )
    if run.status == "failed":
        cache.forget(plan, now)
    elif steady:
        cache.keep(plan, result)  # first: should the disk be full now, nothing passes for a result
    publish(plan, result, course)
    remember(run, course, now=datetime.now(UTC), commit=origin.commit(course))
    _sweep(run, course)
    return run


def _judged(run: Run) -> Run:
    """A run that came to its end: it failed all the same if a claim did not hold."""
    broken = [str(claim) for claim in run.claims if not claim.held]
    if not broken:
        return run
    count = f"{len(broken)} of {len(run.claims)} claims"
    does = "does" if len(broken) == 1 else "do"
    error = f"{count} {does} not hold: {'; '.join(broken)}"
    return dataclasses.replace(run, status="failed", key="", error=error)


def _sweep(run: Run, course: Course) -> None:
    """Remove what killed runs left half written of this chapter.

    Another run may be writing the same just now, so only what is older than any run stays open.
    """
    for new in (
        executed_path(course, run.profile, run.slug, ".json"),
        history_path(course, run.profile, run.slug),
    ):
        for left in new.parent.glob(f".{run.slug}.*"):
            with contextlib.suppress(OSError):  # the other has just put it in its place
                if left.stat().st_mtime < new.stat().st_mtime - _ABANDONED_S:
                    left.unlink()


def _publish_failure(plan: Plan, execution: Execution, course: Course) -> Run:
    """Leave the partial notebook to look at, and no executed copy that passes for a good one."""
    assert execution.failure is not None
    partial = assemble(
        plan.notebook,
        execution.outputs,
        injected=execution.injected,
        language_info=execution.language_info,
    )
    nb.write(partial, executed_path(course, plan.profile, plan.slug, ".failed.ipynb"))
    executed_path(course, plan.profile, plan.slug).unlink(missing_ok=True)
    run = _record(plan, execution, status="failed", error=execution.failure.headline, stopped=True)
    run.save(executed_path(course, plan.profile, plan.slug, ".json"))
    remember(run, course, now=datetime.now(UTC), commit=origin.commit(course))
    return run


def _record(
    plan: Plan,
    execution: Execution,
    *,
    status: str,
    key: str = "",
    error: str = "",
    stopped: bool = False,
) -> Run:
    outputs = [output for made in execution.outputs for output in made]
    return Run(
        slug=plan.slug,
        status=status,
        profile=plan.profile,
        wall_s=execution.wall_s,
        cpu_s=execution.cpu_s,
        peak_memory_bytes=execution.peak_memory_bytes,
        parameters=plan.parameters,
        claims=collect_claims(outputs),
        values=collect_values(outputs),
        data=execution.used.data,
        libraries=execution.used.libraries,
        environment=execution.used.distributions,
        machine=execution.machine,
        cells=execution.cells,
        key=key,
        error=error,
        processor=execution.processor,
        stopped=stopped,
    )
