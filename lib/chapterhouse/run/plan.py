"""What is about to run: one chapter, read and checked, with its parameters and its limits."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from chapterhouse import notebook as nb
from chapterhouse.course import Course, Limits
from chapterhouse.errors import NotebookError, ParameterError


@dataclass(frozen=True)
class Plan:
    """One chapter, ready to run.

    `parameters` are all names of the parameters cell with the values of this run; `overrides` only
    those that the profile or the command line sets. `variables` are environment variables that its
    kernel has besides the usual ones; one that is empty here is taken away from it.
    """

    slug: str
    path: Path
    notebook: NotebookNode
    profile: str
    parameters: dict[str, Any]
    overrides: dict[str, Any]
    limits: Limits
    variables: dict[str, str] = field(default_factory=dict)


def make_plan(
    course: Course,
    path: Path,
    *,
    profile: str = "fast",
    assignments: Mapping[str, str] | None = None,
) -> Plan:
    """Read one chapter and settle its parameters.

    Args:
        course: where it belongs.
        path: the stored notebook.
        profile: ``fast``, ``full`` or another profile of the course.
        assignments: name → value as typed on the command line.

    Raises:
        NotebookError: the notebook is missing, broken or breaks a house rule.
        ParameterError: an assignment names an unknown parameter or has another type.
        CourseError: there is no such profile.
    """
    limits = course.limits(profile)
    _refuse_same_ids(path)
    notebook = nb.read(path)
    nb.check(notebook, name=str(path))
    defaults = nb.parameters(notebook, name=str(path))
    overrides = _profile_values(notebook, profile, defaults, path)
    for name, text in (assignments or {}).items():
        _refuse_unknown(name, defaults, path)
        overrides[name] = _typed(name, text, defaults[name], path)
    return Plan(
        slug=path.stem,
        path=path,
        notebook=notebook,
        profile=profile,
        parameters={**defaults, **overrides},
        overrides=overrides,
        limits=_limits(notebook, profile, limits, path),
    )


def parse_assignments(texts: Sequence[str]) -> dict[str, str]:
    """``["epochs=3"]`` → ``{"epochs": "3"}``.

    Raises:
        ParameterError: one has no ``=`` or no name.
    """
    assignments = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ParameterError(
                f"-p {text!r} is not NAME=VALUE.", fix="write it like -p epochs=3, without spaces"
            )
        assignments[name.strip()] = value
    return assignments


def _refuse_same_ids(path: Path) -> None:
    """Two cells with one id: nbformat would give one of them a new, random one, with a warning."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        ids = [cell["id"] for cell in cells if "id" in cell]
    except (OSError, ValueError, TypeError, KeyError):
        return  # whatever it is, reading the notebook tells it
    numbers = [i for i, cell in enumerate(cells, 1) if ids.count(cell.get("id")) > 1]
    if numbers:
        raise NotebookError(
            f"{path} has cells with the same id {cells[numbers[0] - 1]['id']!r}: "
            f"cells {', '.join(map(str, numbers))}.",
            fix="give one of them another id; copying a cell in a text editor does this",
        )


def _profile_values(
    notebook: NotebookNode, profile: str, defaults: dict[str, Any], path: Path
) -> dict[str, Any]:
    values = nb.profile_parameters(notebook, profile)
    where = f"metadata.chapterhouse.profiles.{profile} of {path}"
    for name, value in values.items():
        if name not in defaults:
            raise NotebookError(
                f"{where} sets the unknown parameter {name!r}; {_known(defaults)}.",
                fix="correct the name, or add it to the parameters cell",
            )
        if not _fits(value, defaults[name]):
            raise NotebookError(
                f"{where} sets {name} to {value!r}; {_kind(defaults[name])} was expected.",
                fix="give it a value of the parameters cell's type",
            )
    return values


def _limits(notebook: NotebookNode, profile: str, limits: Limits, path: Path) -> Limits:
    """The profile's limits with the chapter's own ``timeout_s``.

    That is a number, which counts for the fast profile, or a table from profile to seconds.
    """
    own = notebook.metadata.get("chapterhouse", {}).get("timeout_s", {})
    if not isinstance(own, Mapping):
        own = {"fast": own}
    timeout_s = own.get(profile, limits.timeout_s)
    if not isinstance(timeout_s, int | float) or isinstance(timeout_s, bool) or timeout_s <= 0:
        raise NotebookError(
            f"metadata.chapterhouse.timeout_s of {path} is {timeout_s!r}; a positive number of "
            "seconds was expected.",
            fix="write it like 90, or like {'fast': 90, 'full': 3600}",
        )
    return dataclasses.replace(limits, timeout_s=float(timeout_s))


def _refuse_unknown(name: str, defaults: dict[str, Any], path: Path) -> None:
    if name not in defaults:
        raise ParameterError(
            f"{path.stem} has no parameter {name!r}; {_known(defaults)}.",
            fix="use one of those, or name the chapters that have it",
        )


def _typed(name: str, text: str, default: Any, path: Path) -> Any:
    """The value that `text` stands for, of the default's type."""
    if isinstance(default, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = text
    if not _fits(value, default):
        raise ParameterError(
            f"The parameter {name} of {path.stem} is {_kind(default)} ({default!r}); "
            f"{text!r} was given.",
            fix=f"give {_kind(default)}, like -p {name}={default!r}",
        )
    return float(value) if isinstance(default, float) else value


def _fits(value: Any, default: Any) -> bool:
    """Whether a value may stand in for a default: the same type, or an int for a float."""
    if default is None:
        return True
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, list | tuple):
        return isinstance(value, list | tuple)
    return type(value) is type(default)


def _kind(default: Any) -> str:
    name = type(default).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _known(defaults: dict[str, Any]) -> str:
    return f"it has {', '.join(sorted(defaults))}" if defaults else "it has none"
