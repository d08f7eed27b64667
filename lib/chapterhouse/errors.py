"""The exceptions of chapterhouse: what went wrong, and what mends it.

    ChapterhouseError
    ├── CourseError        the course's layout or settings
    ├── NotebookError      a notebook that cannot be read or breaks the house rules
    ├── RunError           a chapter could not be executed
    │   └── CellFailed     one of its cells raised
    ├── SiteError          the website could not be built
    ├── ExerciseError      an exercise folder or a student's notebook
    └── GradingError       the grader, never the student, is at fault

Every error carries its fix, because the person who reads it should not have to read our source.
"""

from __future__ import annotations


class ChapterhouseError(Exception):
    """Base of every error that a user can cause or mend.

    Args:
        found: what was found, and what was expected, in one sentence.
        fix: the command or the edit that repairs it.
    """

    exit_code = 1

    def __init__(self, found: str, *, fix: str) -> None:
        super().__init__(found, fix)
        self.found = found
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.found}\n  fix: {self.fix}"


class CourseError(ChapterhouseError):
    """The course's folders or its settings are not as they should be."""

    exit_code = 2


class NotebookError(ChapterhouseError):
    """A notebook cannot be read, or breaks a rule that chapters keep."""

    exit_code = 2


class RunError(ChapterhouseError):
    """A chapter could not be executed to its end."""


class CellFailed(RunError):  # noqa: N818 - named for what happened, as the report says it
    """One cell of a chapter raised, ran out of time or killed its kernel."""


class SiteError(ChapterhouseError):
    """The website could not be built, or is not as promised."""


class ExerciseError(ChapterhouseError):
    """An exercise folder or a student's notebook cannot be used as it is."""

    exit_code = 2


class GradingError(ChapterhouseError):
    """The grader broke. It never means that an answer is wrong."""

    exit_code = 3
