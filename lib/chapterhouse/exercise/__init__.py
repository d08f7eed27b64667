"""Exercises: a folder on disk, the notebook a student gets, and the answers taken back from it."""

from chapterhouse.exercise.cases import Case
from chapterhouse.exercise.checkers import (
    Checker,
    accuracy,
    all_of,
    at_least,
    close,
    equal,
    same_set,
    same_shape,
    satisfies,
    sums_to,
    symmetric,
    text,
    within,
)
from chapterhouse.exercise.folder import Exercise, load, load_all
from chapterhouse.exercise.local import check

__all__ = [
    "Case",
    "Checker",
    "Exercise",
    "accuracy",
    "all_of",
    "at_least",
    "check",
    "close",
    "equal",
    "load",
    "load_all",
    "same_set",
    "same_shape",
    "satisfies",
    "sums_to",
    "symmetric",
    "text",
    "within",
]
