"""Modules that a process has loaded, but that nobody in it has asked for yet.

A kernel that is forked from a warmed process inherits every module of that process. Left alone,
``sys.modules`` would name torch in a chapter that never imported it, and the record of what a
chapter was made from would be wrong. So the warmed process notes, while it imports, which module
needs which; the child then hides them all, and an ``import`` brings back the module with what it
needs, and no more: ``sys.modules`` is at every moment what a cold process would show.

Only the standard library is needed here.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from chapterhouse.run.variables import ReadBy


class Preloaded:
    """What was loaded while `loading`, and which module needed which for it."""

    def __init__(self) -> None:
        self._base = frozenset(sys.modules)
        self._needs: dict[str, set[str]] = {}
        self._group: dict[str, str] = {}  # module → the request that first brought it
        self._reads = ReadBy(_executing)
        self._back: set[str] = set()
        self._asked: set[str] = set()
        self._modules: dict[str, Any] = {}
        self._specs: dict[str, ModuleSpec | None] = {}

    def load(self, names: Iterable[str]) -> list[str]:
        """Import each module; the names that could be imported."""
        found = []
        with self._noting():
            for name in names:
                try:
                    importlib.import_module(name)
                # Whatever it is, a chapter that imports it will be told; this is only a head start.
                except Exception:
                    continue
                found.append(name)
                self._asked.add(name)
                for new in sys.modules.keys() - self._base - self._group.keys():
                    self._group[new] = name
        return found

    def hide(self) -> None:
        """Take what was loaded out of ``sys.modules``, and bring it back when it is imported."""
        for name in [name for name in sys.modules if name not in self._base]:
            module = sys.modules.pop(name)
            if module is not None:
                self._modules[name] = module
                self._specs[name] = getattr(module, "__dict__", {}).get("__spec__")
        self._adopt_orphans()
        kept: dict[str, set[str]] = {}
        for name in self._modules:
            parent, _, child = name.rpartition(".")
            if parent and parent not in kept:
                kept[parent] = self._closure(parent)
            if parent and name not in kept[parent]:
                _detach(self._modules.get(parent) or sys.modules.get(parent), child, name, self)
        sys.meta_path.insert(0, _Finder(self))

    def bring_back(self, name: str) -> Any:
        """Put a hidden module and what it needs into ``sys.modules`` again; the module itself."""
        wanted = self._closure(name)
        for each in [known for known in self._modules if known in wanted]:
            module = self._modules[each]
            self._back.add(each)
            sys.modules.setdefault(each, module)
            parent, _, child = each.rpartition(".")
            if parent in sys.modules and child not in vars(sys.modules[parent]):
                setattr(sys.modules[parent], child, module)
        return self._modules[name]

    def variables(self) -> set[str]:
        """The environment variables that the modules brought back have read as they were loaded."""
        return {each for name in self._back for each in self._reads.of.get(name, ())}

    def spec(self, name: str) -> ModuleSpec | None:
        """The spec that a hidden module was loaded by."""
        return self._specs[name]

    def get(self, name: str) -> Any:
        """A hidden module, which stays hidden; None when it was not loaded."""
        return self._modules.get(name)

    def has(self, name: str) -> bool:
        """Whether a module of that name was loaded."""
        return name in self._modules

    def is_module(self, name: str, value: object) -> bool:
        """Whether `value` is the hidden module `name`."""
        return self._modules.get(name) is value

    def _closure(self, name: str) -> set[str]:
        """A module, its parents, and all that they needed when they were loaded."""
        found: set[str] = set()
        open_ = [name]
        while open_:
            each = open_.pop()
            if each in found or each not in self._modules:
                continue
            found.add(each)
            open_.extend(self._needs.get(each, ()))
            open_.append(each.rpartition(".")[0])
        return found

    def _adopt_orphans(self) -> None:
        """Give modules that no import statement named to whoever put them there.

        Compiled extensions put some of their parts into ``sys.modules`` themselves, and some
        modules put themselves there by another name.
        """
        named: set[str] = set()
        for full in self._asked.union(*self._needs.values()):
            while full:  # importing a.b.c imports a and a.b, too
                named.add(full)
                full = full.rpartition(".")[0]
        for name, spec in self._specs.items():
            if spec is not None and name in named:
                continue
            owner = spec.name if spec is not None else name.rpartition(".")[0]
            if owner == name or owner not in self._modules:
                owner = self._group.get(name, "")
            if owner and owner != name:
                self._needs.setdefault(owner, set()).add(name)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Note each import under the module that is being executed just then."""
        import_, import_module = builtins.__import__, importlib.import_module

        def noting_import(
            name: str,
            globals: Any = None,
            locals: Any = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> ModuleType:
            made = import_(name, globals, locals, fromlist or (), level)
            importer = _executing()
            if importer:
                full = _absolute(name, globals, level)
                needs = self._needs.setdefault(importer, set())
                needs.add(full)
                needs.update(f"{full}.{item}" for item in fromlist or ())
            return made

        def noting_import_module(name: str, package: str | None = None) -> ModuleType:
            made = import_module(name, package)
            if importer := _executing():
                self._needs.setdefault(importer, set()).add(
                    importlib.util.resolve_name(name, package)
                )
            return made

        builtins.__import__ = noting_import
        importlib.import_module = noting_import_module
        self._reads.watch()
        try:
            yield
        finally:
            self._reads.stop()
            builtins.__import__ = import_
            importlib.import_module = import_module


class _Finder:
    """Finds and loads what is loaded already."""

    def __init__(self, preloaded: Preloaded) -> None:
        self._preloaded = preloaded

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """A spec like the true one, with this object as its loader."""
        if not self._preloaded.has(name):
            return None
        true = self._preloaded.spec(name)
        spec = ModuleSpec(name, self, origin=true.origin if true else None)  # type: ignore[arg-type]
        if true is not None:
            spec.submodule_search_locations = true.submodule_search_locations
            spec.has_location = true.has_location
        return spec

    def create_module(self, spec: ModuleSpec) -> Any:
        """The module, as it was loaded before the fork."""
        return self._preloaded.bring_back(spec.name)

    def exec_module(self, module: Any) -> None:
        """Nothing runs twice; only the true spec is put back, which importing has replaced."""
        name = module.__spec__.name
        module.__spec__ = self._preloaded.spec(name)


def _executing() -> str:
    """The name of the module whose body is being executed; empty when there is none."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            name = frame.f_globals.get("__name__", "")
            return "" if name == "__main__" else str(name)
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def _absolute(name: str, globals_: dict[str, Any] | None, level: int) -> str:
    """The full name of what ``from ..name import`` means in a module."""
    if not level:
        return name
    package = (globals_ or {}).get("__package__") or (globals_ or {}).get("__name__", "")
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else base


def _detach(parent: Any, child: str, name: str, preloaded: Preloaded) -> None:
    """Remove a hidden module from its package: in a cold process its import would set it there."""
    if parent is not None and preloaded.is_module(name, vars(parent).get(child)):
        delattr(parent, child)
