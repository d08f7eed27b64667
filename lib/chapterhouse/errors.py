"""The exceptions of chapterhouse: what went wrong, and what mends it.

    ChapterhouseError
    ├── CourseError        the course's layout or settings
    ├── NotebookError      a notebook that cannot be read or breaks the house rules
    ├── RunError           a chapter could not be executed
    │   ├── ParameterError a parameter that the chapter doesn't have, or of another type
    │   └── CellFailed     one of its cells raised
    ├── SiteError          the website could not be built
    │   └── ReleaseError   a version, or a folder of versions, is not as it should be
    ├── ExerciseError      an exercise folder or a student's notebook
    └── GradingError       the grader, never the student, is at fault

Every error carries its fix, because the person who reads it should not have to read our source.
"""

from __future__ import annotations

import errno


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


class ParameterError(RunError):
    """A parameter that a chapter does not have, or a value of another type than its default."""

    exit_code = 2


class CellFailed(RunError):  # noqa: N818 - named for what happened, as the report says it
    """One cell of a chapter raised, ran out of time or killed its kernel."""


class SiteError(ChapterhouseError):
    """The website could not be built, or is not as promised."""


class ReleaseError(SiteError):
    """A version, or a folder of versions side by side, is not as it should be."""

    exit_code = 2


class ExerciseError(ChapterhouseError):
    """An exercise folder or a student's notebook cannot be used as it is."""

    exit_code = 2


class GradingError(ChapterhouseError):
    """The grader broke. It never means that an answer is wrong."""

    exit_code = 3


def from_os_error(error: OSError) -> ChapterhouseError:
    """What the operating system refused (a full disk, a read-only folder), with its fix."""
    fixes = {
        errno.ENOSPC: "free some space on that disk, then run the command again",
        errno.EDQUOT: "free some of your quota, then run the command again",
        errno.EFBIG: "raise the file size limit (ulimit -f), then run the command again",
        errno.EACCES: "check who owns it and its permissions",
        errno.EROFS: "use a folder that can be written to",
    }
    where = f"{error.filename}: " if error.filename else ""
    return ChapterhouseError(
        f"{where}{error.strerror or error}.",
        fix=fixes.get(error.errno or 0, "check the path and its permissions"),
    )
