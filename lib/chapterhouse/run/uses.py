"""Which cell used which file of the course: kept in a chapter's kernel while it runs.

A cell uses a library file when it is the first to load it, and when a name in it stands for
something that was defined there: a function, a class, or an object of such a class, with what that
object holds. It uses a data file when it opens it. Neither slows the cell down: nothing looks on
while it runs, only once when it has ended.

This module is imported in the chapter's own process: it needs only the standard library and leaves
no name in the notebook.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

_DEPTH = 3  # how far into what an object holds: learner → callbacks → one of them
_MOST = 200  # objects looked at for one name
_CONTAINERS = (list, tuple, set, frozenset)


class Uses:
    """The files that each cell of one kernel used.

    Args:
        libraries: the folders of the course's own libraries.
    """

    def __init__(self, libraries: Iterable[str]) -> None:
        self._prefixes = tuple(library.rstrip(os.sep) + os.sep for library in libraries)
        self._loaded: set[str] = set()
        self._cell = 0
        self.files: dict[str, set[int]] = {}  # path → the counts of the cells that used it

    def opened(self, path: str) -> None:
        """The running cell has used a file of the course, or ``$NAME``: a variable."""
        if self._cell:
            self.files.setdefault(path, set()).add(self._cell)

    def begin(self, info: Any) -> None:
        """A cell is about to run (IPython's ``pre_run_cell``)."""
        self._cell += 1
        self._loaded = set(sys.modules)

    def end(self, result: Any) -> None:
        """A cell has run (IPython's ``post_run_cell``)."""
        for name in sys.modules.keys() - self._loaded:
            self._note(_file(sys.modules.get(name)))
        shell = sys.modules["IPython"].get_ipython()
        try:
            names = _names(shell.transform_cell(result.info.raw_cell))
        except (SyntaxError, ValueError, RecursionError):  # the chapter has been told
            return
        for chain in names:
            for thing in _things(shell.user_ns, chain):
                for path in _definers(thing):
                    self._note(path)

    def _note(self, path: str) -> None:
        if path.startswith(self._prefixes):
            self.opened(path)


def _names(source: str) -> set[tuple[str, ...]]:
    """Every name that a cell mentions, with the attributes that follow it: ``("sp", "Task")``."""
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(source)):
        chain: list[str] = []
        while isinstance(node, ast.Attribute):
            chain.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            found.add((node.id, *reversed(chain)))
    return found


def _things(namespace: dict[str, Any], chain: tuple[str, ...]) -> Iterator[Any]:
    """What a chain of names stands for, and what that holds.

    Attributes are followed through modules only, and never asked for: on other objects, and on a
    lazy module, asking runs code.
    """
    if chain[0] not in namespace:
        return
    thing = namespace[chain[0]]
    for name in chain[1:]:
        if not isinstance(thing, ModuleType) or name not in vars(thing):
            break
        thing = vars(thing)[name]
    seen: set[int] = set()
    open_ = [(thing, 0)]
    while open_ and len(seen) < _MOST:
        thing, depth = open_.pop(0)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        yield thing
        if depth < _DEPTH:
            open_.extend((held, depth + 1) for held in _held(thing))


def _held(thing: Any) -> Iterable[Any]:
    """What an object holds, without running any of its code."""
    if type(thing) in _CONTAINERS:
        return list(thing)
    if type(thing) is dict:
        return list(thing.values())
    if isinstance(thing, ModuleType | type):
        return ()
    try:
        return list(object.__getattribute__(thing, "__dict__").values())
    except AttributeError:
        return ()


def _definers(thing: Any) -> Iterator[str]:
    """The files that define a module, a function, or a class with its bases; else an object's."""
    if isinstance(thing, ModuleType):
        yield _file(thing)
        return
    function = isinstance(thing, FunctionType | MethodType)
    owners = (thing,) if function else (thing if isinstance(thing, type) else type(thing)).__mro__
    for owner in owners:
        name = owner.__module__
        if isinstance(name, str):  # a class may say what it likes
            yield _file(sys.modules.get(name))


def _file(module: Any) -> str:
    file = getattr(module, "__dict__", {}).get("__file__")
    return file if isinstance(file, str) else ""
