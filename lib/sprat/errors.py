"""The exceptions of sprat: what was found, what was expected, and the call that mends it.

SpratError
├── BlockError       a value is not what its block says
├── TaskError        blocks, encodings, loss or model do not fit together
├── DataError        data that is missing, empty, corrupted or of unequal lengths
├── CallbackError    callbacks that contradict each other
├── DispatchError    no way, or more than one, to show these types
├── TrainingError    training cannot go on (a loss that is not finite, say)
├── ExportError      a saved model that cannot be written or read
└── ClaimFailed      a statement does not hold in a script or a test, or can't be judged
"""


class SpratError(Exception):
    """Base of every error that a user of sprat can mend.

    Args:
        found: what was found and what was expected, in one or two sentences.
        fix: the call or edit that repairs it.
    """

    def __init__(self, found: str, *, fix: str) -> None:
        super().__init__(found, fix)
        self.found = found
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.found}\n  fix: {self.fix}"


class BlockError(SpratError):
    """A value is not what its block says it is."""


class TaskError(SpratError):
    """Blocks, encodings, loss or model do not fit together."""


class DataError(SpratError):
    """Data is missing, empty, corrupted, or its parts have unequal lengths."""


class CallbackError(SpratError):
    """Two callbacks contradict each other."""


class DispatchError(SpratError):
    """There is no way to show these types, or more than one."""


class TrainingError(SpratError):
    """Training cannot go on."""


class ExportError(SpratError):
    """A saved model cannot be written or read."""


class ClaimFailed(SpratError, AssertionError):  # noqa: N818 - the name says what happened
    """A statement does not hold in a script or a test, or can't be judged; see `sprat.claims`."""
