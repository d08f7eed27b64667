"""Verdicts: a closed set. "Your answer is wrong" and "we broke" never share a code.

`Verdict.BROKEN` is the only one that is our fault; it carries no score, and the work is to be
graded again. Every other verdict is about the submission.
"""

from __future__ import annotations

from enum import Enum

from chapterhouse.grade.protocol import Status


class Verdict(Enum):
    """How one exercise of one submission ended.

    The value is the code that is stored, the same as the prefix of example submissions.
    """

    ACCEPTED = "ac"
    PARTIAL = "pa"
    WRONG = "wa"
    RUNTIME = "re"
    COMPILE = "ce"
    TIME = "tle"
    MEMORY = "mle"
    OUTPUT = "ole"
    FORBIDDEN = "fb"
    KILLED = "ki"
    MISSING = "ms"
    MANUAL = "mn"
    BROKEN = "xx"

    @property
    def label(self) -> str:
        """The verdict in a word or two."""
        return _TEXT[self][0]

    @property
    def symbol(self) -> str:
        """One character for tables; the label always stands beside it."""
        return _TEXT[self][1]

    @property
    def meaning(self) -> str:
        """What it means, in one sentence."""
        return _TEXT[self][2]

    @property
    def advice(self) -> str:
        """What the student can do next."""
        return _TEXT[self][3]

    @property
    def is_ours(self) -> bool:
        """Whether the grader, and not the submission, is at fault."""
        return self is Verdict.BROKEN


_TEXT: dict[Verdict, tuple[str, str, str, str]] = {
    Verdict.ACCEPTED: (
        "accepted",
        "✔",
        "Every case passes.",
        "Nothing is left to do.",
    ),
    Verdict.PARTIAL: (
        "partial",
        "◐",
        "Some cases pass, and their points count.",
        "Read the message of each case that fails.",
    ),
    Verdict.WRONG: (
        "wrong",
        "✘",
        "The code runs, and its values are not right.",
        "Start with the visible case: compare what came back with what was expected.",
    ),
    Verdict.RUNTIME: (
        "runtime error",
        "✘",
        "The code raises an exception when it is called.",
        "Run the check cell: it shows the line that raises.",
    ),
    Verdict.COMPILE: (
        "compile error",
        "✘",
        "The code cannot be run at all, so nothing was called.",
        "Restart the kernel, run the answer cell alone, and mend the first error.",
    ),
    Verdict.TIME: (
        "time",
        "⏱",
        "The code took longer than the exercise allows.",
        "Look for a loop that does not end, or for work element by element.",
    ),
    Verdict.MEMORY: (
        "memory",
        "⏱",
        "The code needed more memory than the exercise allows.",
        "Look for a list or tensor that grows with every step.",
    ),
    Verdict.OUTPUT: (
        "output",
        "⏱",
        "The code printed or returned more than the exercise allows.",
        "Remove prints from loops.",
    ),
    Verdict.FORBIDDEN: (
        "forbidden",
        "✘",
        "The code uses something that the exercise does not allow.",
        "Use only the imports named under the exercise's title; files and network are closed.",
    ),
    Verdict.KILLED: (
        "killed",
        "✘",
        "The process ended in the midst of the work.",
        "Remove calls that end the process, such as exit().",
    ),
    Verdict.MISSING: (
        "missing",
        "–",
        "No answer was found, or the starter is unchanged.",
        "Write the answer below the line `# exercise: …` and keep the function's name.",
    ),
    Verdict.MANUAL: (
        "manual",
        "✎",
        "A person will mark this answer.",
        "Nothing is left to do.",
    ),
    Verdict.BROKEN: (
        "our fault",
        "!",
        "The grader failed; this says nothing about the answer.",
        "Nothing: it will be graded again, and no point is lost.",
    ),
}

_OF_STATUS = {
    Status.COMPILE: Verdict.COMPILE,
    Status.TIME: Verdict.TIME,
    Status.MEMORY: Verdict.MEMORY,
    Status.OUTPUT: Verdict.OUTPUT,
    Status.KILLED: Verdict.KILLED,
    Status.FORBIDDEN: Verdict.FORBIDDEN,
    Status.BROKEN: Verdict.BROKEN,
}


def of_status(status: Status) -> Verdict | None:
    """The verdict that a run's end decides by itself; None when its values decide."""
    return _OF_STATUS.get(status)


def of_cases(verdicts: list[Verdict]) -> Verdict:
    """The verdict that the cases of a run give together.

    All accepted is accepted, some is partial; else the kind of failure that a student should look
    at first: a wrong value, then an exception, then time.
    """
    if all(verdict is Verdict.ACCEPTED for verdict in verdicts):
        return Verdict.ACCEPTED
    if any(verdict is Verdict.ACCEPTED for verdict in verdicts):
        return Verdict.PARTIAL
    for candidate in (Verdict.WRONG, Verdict.RUNTIME, Verdict.TIME):
        if candidate in verdicts:
            return candidate
    return Verdict.KILLED
