"""How a chapter failed, told so that nobody has to open the notebook to see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chapterhouse.run.normalise import strip_ansi
from chapterhouse.run.record import executed_path

if TYPE_CHECKING:
    from chapterhouse.run.engine import Session
    from chapterhouse.run.plan import Plan

_MOST_OUTPUT = 2000  # characters of a cell's output shown before the error
_LOG_LINES = 12


@dataclass(frozen=True)
class Failure:
    """One failed cell.

    `number` counts the stored notebook's cells from 1; 0 means that no cell was reached.
    """

    path: Path
    number: int
    of: int
    cell_id: str
    source: str
    output: str
    reason: str
    traceback: str = ""
    fix: str = ""

    @property
    def headline(self) -> str:
        """Where and what, in one line."""
        if not self.number:
            return f"{self.path}: {self.reason}"
        return f"{self.path}, cell {self.number} of {self.of} (id {self.cell_id}): {self.reason}"

    def text(self, *, colour: bool = False) -> str:
        """The whole story: place, source, output so far, traceback."""
        parts = [self.headline]
        for title, body in (
            ("source", self.source),
            ("output so far", self.output),
            ("traceback", self.traceback),
        ):
            if body.strip():
                shown = body if colour else strip_ansi(body)
                parts.append(f"  {title}:\n" + _indent(shown.rstrip()))
        return "\n".join([*parts, f"  fix: {self.fix}"] if self.fix else parts)


def describe(
    plan: Plan, session: Session, outputs: list[list[dict[str, Any]]], error: Exception
) -> Failure:
    """Tell what `error`, raised while `session` executed `plan`, means."""
    partial = executed_path(session.course, plan.profile, plan.slug, ".failed.ipynb")
    breach = session.watch.breach
    ename = getattr(error, "ename", "")
    traceback = "\n".join(getattr(error, "traceback", ()))
    if breach:
        reason, traceback = breach, ""
    elif ename:
        reason = strip_ansi(f"{ename}: {getattr(error, 'evalue', '')}").rstrip(": ")
    elif not session.cells or not session.watch.seen:
        reason = f"its kernel did not start: {error}"
    else:
        reason = f"its kernel died ({session.death or error})"
        traceback = _last_words(session.room.log)
    number, cell_id, source = _place(plan, session)
    return Failure(
        path=plan.path,
        number=number,
        of=len(plan.notebook.cells),
        cell_id=cell_id,
        source=source,
        output=_output(session, outputs),
        reason=reason,
        traceback=traceback,
        fix=session.watch.fix or f"mend that cell; the notebook up to there is in {partial}",
    )


def _place(plan: Plan, session: Session) -> tuple[int, str, str]:
    """The failed cell's number in the stored notebook, its id and its source."""
    if not session.cells or not session.watch.seen:
        return 0, "", ""
    at = min(session.at, len(session.cells) - 1)
    cell = session.cells[at]
    stored = [c.id for c in plan.notebook.cells]
    number = stored.index(cell.id) + 1 if cell.id in stored else at
    return number, cell.id, cell.source


def _output(session: Session, outputs: list[list[dict[str, Any]]]) -> str:
    """What the failed cell had shown, as text."""
    if not session.cells or session.at >= len(session.cells):
        return ""
    codes = [i for i, cell in enumerate(session.cells) if cell.cell_type == "code"]
    if session.at not in codes:
        return ""
    shown = []
    for output in outputs[codes.index(session.at)]:
        if output["output_type"] == "stream":
            shown.append(output["text"])
        elif "data" in output:
            shown.append(str(output["data"].get("text/plain", "")) + "\n")
    text = "".join(shown)
    return text if len(text) <= _MOST_OUTPUT else "…" + text[-_MOST_OUTPUT:]


def _last_words(log: Path) -> str:
    """What the kernel's process wrote as it died, if anything."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    # A crash report names the innermost call first; anything else ends with what matters.
    crash = [i for i, line in enumerate(lines) if line.startswith("Fatal Python error")]
    lines = lines[crash[-1] :][:_LOG_LINES] if crash else lines[-_LOG_LINES:]
    return "\n".join(lines)


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
