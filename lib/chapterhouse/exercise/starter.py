"""From the reference to the starter: the solution regions go, a prompt to write them comes.

In ``solution.py``::

    def sgd_step(params, grads, lr):
        \"\"\"One step of gradient descent.\"\"\"
        # BEGIN SOLUTION
        return [p - lr * g for p, g in zip(params, grads, strict=True)]
        # END SOLUTION

becomes a body of ``raise NotImplementedError("sgd_step: write this part")``. Lines in the region
that start with ``# STARTER:`` are put in its place instead, without that word.
"""

from __future__ import annotations

import ast
import re

from chapterhouse.errors import ExerciseError
from chapterhouse.parsed import parse

_BEGIN = re.compile(r"^(\s*)# BEGIN SOLUTION\s*$")
_END = re.compile(r"^\s*# END SOLUTION\s*$")
_STATED = re.compile(r"^(\s*)# STARTER: ?(.*)$")


def make(solution: str, *, name: str) -> str:
    """The starter of a reference; `name` is what errors call its file.

    Raises:
        ExerciseError: there is no region, a region is not closed, or the starter does not parse.
    """
    lines: list[str] = []
    region: list[str] | None = None
    indent, opened, regions = "", 0, 0
    for number, line in enumerate(solution.splitlines(), 1):
        begin, end = _BEGIN.match(line), _END.match(line)
        if begin:
            if region is not None:
                raise _fault(name, number, f"opens a solution region inside that of line {opened}")
            region, indent, opened, regions = [], begin.group(1), number, regions + 1
        elif end:
            if region is None:
                raise _fault(name, number, "closes a solution region that was not opened")
            lines.extend(_replacement(region, indent, _enclosing(lines, indent)))
            region = None
        elif region is not None:
            region.append(line)
        else:
            lines.append(line)
    if region is not None:
        raise _fault(name, opened, "opens a solution region that is never closed")
    if not regions:
        raise _fault(name, 1, "has no solution region")
    text = "\n".join(lines).strip("\n") + "\n"
    try:
        parse(text)
    except SyntaxError as error:
        where = f" in its line {error.lineno}" if error.lineno else ""
        raise ExerciseError(
            f"{name}: the starter made from it is not valid Python: {error.msg}{where}.",
            fix="move BEGIN SOLUTION and END SOLUTION so that whole statements stand between them",
        ) from None
    return text


def public_names(source: str) -> tuple[str, ...]:
    """The functions and classes at the top level of trusted source, without ``_private`` ones."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = [node.name for node in ast.parse(source).body if isinstance(node, kinds)]
    return tuple(name for name in found if not name.startswith("_"))


def _replacement(region: list[str], indent: str, owner: str) -> list[str]:
    """What stands in a region's place: the stated lines, or a prompt."""
    stated = [match for line in region if (match := _STATED.match(line))]
    if stated:
        return [(indent + match.group(2)).rstrip() for match in stated]
    prompt = f"{owner}: write this part" if owner else "write this part"
    return [f'{indent}raise NotImplementedError("{prompt}")']


def _enclosing(lines: list[str], indent: str) -> str:
    """The dotted name of the functions and classes around a line with this indent."""
    names: list[str] = []
    depth = len(indent)
    for line in reversed(lines):
        match = re.match(r"^(\s*)(?:async )?(?:def|class) (\w+)", line)
        if match and len(match.group(1)) < depth:
            names.append(match.group(2))
            depth = len(match.group(1))
    return ".".join(reversed(names))


def _fault(name: str, line: int, what: str) -> ExerciseError:
    return ExerciseError(
        f"{name}:{line} {what}.",
        fix="put `# BEGIN SOLUTION` above and `# END SOLUTION` below what the student writes",
    )
