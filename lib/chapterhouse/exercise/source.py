"""Reading a student's Python as text: notebook magics, what a piece defines, and what it needs.

Nothing here executes the text. It may be anything, so every parser error is an answer, not a crash.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from dataclasses import dataclass, field
from functools import lru_cache

from chapterhouse.parsed import parse

MAX_SOURCE_CHARACTERS = 200_000

_MAGIC = re.compile(r"^(\s*)(?:[%!?]|[\w.]+\?{1,2}\s*$|\w[\w, ]*=\s*[%!])")
# Cell magics after whose first line the cell is still Python.
_PYTHON_CELLS = {"time", "timeit", "capture", "prun", "python", "python3", "debug"}


@dataclass(frozen=True)
class Names:
    """What one piece of source defines at its top level, and which global names it needs."""

    defined: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Statement:
    """One top-level statement that binds names: its text, and where in its piece it starts."""

    text: str
    line: int
    names: Names = field(default_factory=Names)


def parses(source: str) -> bool:
    """Whether the text is Python."""
    return _tree(source) is not None


@lru_cache(4096)
def drop_magics(source: str) -> tuple[str, tuple[str, ...]]:
    """The text without IPython's magics and shell lines, and a note for each that was dropped.

    Text that already is Python is left alone, so a line inside a string that looks like a magic
    stays. Each dropped line leaves a ``pass`` of the same indent, so that line numbers hold.
    """
    if parses(source):
        return source, ()
    lines, notes = source.split("\n"), []
    first = next((i for i, line in enumerate(lines) if not _is_blank(line)), None)
    if first is not None and lines[first].startswith("%%"):
        magic = lines[first][2:].split()[0] if lines[first][2:].split() else ""
        notes.append(f"the cell magic {lines[first].strip()[:40]!r} was dropped")
        if magic not in _PYTHON_CELLS:
            blank = "\n".join("" for _ in lines)
            return blank, (notes[0] + " with its cell, which isn't Python",)
        lines[first] = ""
    for number, line in enumerate(lines):
        if match := _MAGIC.match(line):
            notes.append(f"the line {line.strip()[:40]!r} was dropped: it is IPython, not Python")
            lines[number] = f"{match.group(1)}pass"
    changed = "\n".join(lines)
    # When the text is still not Python, the student's own mistake is what the grader should name.
    return (changed, tuple(notes)) if notes else (source, ())


@lru_cache(4096)
def names(source: str) -> Names:
    """What a piece of source defines and needs; nothing of both when it isn't Python."""
    tree = _tree(source)
    if tree is None:
        return Names()
    try:
        top = symtable.symtable(source, "answer", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Names()
    defined = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    needed: set[str] = set()
    tables = [top]
    while tables:
        table = tables.pop()
        tables.extend(table.get_children())
        for symbol in table.get_symbols():
            is_global = table is top or symbol.is_global()
            if is_global and symbol.is_referenced():
                needed.add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                defined.add(symbol.get_name())
    return Names(frozenset(defined), frozenset(needed - defined - set(dir(builtins))))


@lru_cache(4096)
def statements(source: str) -> tuple[Statement, ...]:
    """The top-level statements that bind names: imports, functions, classes, assignments."""
    tree = _tree(source)
    if tree is None:
        return ()
    kinds = (
        ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef,
        ast.Assign, ast.AnnAssign,
    )  # fmt: skip
    lines, found = source.split("\n"), []
    for node in tree.body:
        if isinstance(node, kinds):
            decorators = [d.lineno for d in getattr(node, "decorator_list", [])]
            first = min([node.lineno, *decorators])
            text = "\n".join(lines[first - 1 : node.end_lineno])
            found.append(Statement(text, first, names(text)))
    return tuple(found)


def same_code(source: str, other: str) -> bool:
    """Whether two texts are the same but for blank lines, comments on their own line and spaces."""
    return _bare(source) == _bare(other)


def _bare(source: str) -> list[str]:
    kept = (line.rstrip() for line in source.split("\n"))
    return [line for line in kept if not _is_blank(line)]


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _tree(source: str) -> ast.Module | None:
    if len(source) > MAX_SOURCE_CHARACTERS:
        return None
    try:
        return parse(source)
    except SyntaxError:
        return None
