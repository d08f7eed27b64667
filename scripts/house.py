"""Measure the house: how long its files are, where imports lead, and what has no test.

``python scripts/house.py`` prints a table of both packages; ``--json`` prints all that was found,
with the names of what is over a budget. Imports are read from the source, those for type checkers
and those inside functions among them: what a reader has to follow is all three. The layers are
those of the import contracts in ``pyproject.toml``.
"""

import argparse
import ast
import json
import re
import statistics
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("sprat", "chapterhouse")
LONGEST_FUNCTION = 50


@dataclass
class House:
    """What is known of one package. Lists hold the names of what was counted."""

    files: int = 0
    lines: int = 0
    median: float = 0
    longest: int = 0
    longest_file: str = ""
    arrows: int = 0
    long_functions: list[str] = field(default_factory=list)
    circles: list[list[str]] = field(default_factory=list)
    upward: list[str] = field(default_factory=list)
    untested: list[str] = field(default_factory=list)
    tested: int = 0
    any_count: int = 0
    inner_imports: int = 0


def measure(root: Path, package: str) -> House:
    """All measures of a package.

    Args:
        root: the folder that holds ``lib``, ``tests`` and ``pyproject.toml``.
        package: its name.
    """
    modules = {_name(path, root / "lib"): path for path in (root / "lib" / package).rglob("*.py")}
    trees = {name: ast.parse(path.read_text("utf-8")) for name, path in modules.items()}
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in modules.items()}
    arrows = {name: set(imports(name, tree, modules)) for name, tree in trees.items()}
    longest = max(lengths, key=lambda name: lengths[name])
    tests = {path.stem for path in (root / "tests").rglob("test_*.py")}
    named = [name for name, path in modules.items() if path.stem not in ("__init__", "__main__")]
    untested = sorted(n for n in named if f"test_{n.rpartition('.')[2]}" not in tests)
    return House(
        files=len(modules),
        lines=sum(lengths.values()),
        median=statistics.median(lengths.values()),
        longest=lengths[longest],
        longest_file=longest,
        arrows=sum(map(len, arrows.values())),
        long_functions=sorted(
            f"{name}.{function}" for name, tree in trees.items() for function in _long(tree)
        ),
        circles=circles(arrows),
        upward=upward(arrows, layers(root / "pyproject.toml", package), package),
        untested=untested,
        tested=len(named) - len(untested),
        any_count=sum(
            isinstance(node, ast.Name) and node.id == "Any"
            for tree in trees.values()
            for node in ast.walk(tree)
        ),
        inner_imports=sum(map(_inner_imports, trees.values())),
    )


def _name(path: Path, lib: Path) -> str:
    parts = path.relative_to(lib).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(name: str, tree: ast.AST, modules: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that one of its files imports, wherever in the file."""
    folder = name if modules[name].stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            up = folder.split(".")[: len(folder.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            # A module, or a name in one.
            found = [
                full if (full := f"{base}.{alias.name}") in modules else base
                for alias in node.names
            ]
        else:
            continue
        yield from (each for each in found if each in modules and each != name)


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The sets of files from each of which imports lead to all others of the set, longest first.

    Tarjan, "Depth-first search and linear graph algorithms" (1972).
    """
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for other in sorted(arrows[name]):
            if other not in number:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], number[other])
        if lowest[name] == number[name]:
            start = stack.index(name)
            found.append(sorted(stack[start:]))
            del stack[start:]

    sys.setrecursionlimit(10_000)
    for name in sorted(arrows):
        if name not in number:
            visit(name)
    return sorted((each for each in found if len(each) > 1), key=lambda each: (-len(each), each))


def layers(settings: Path, package: str) -> dict[str, tuple[int, str]]:
    """Each room's layer, counted from the top, and what binds it there: ``"|"`` or ``":"``."""
    contracts = tomllib.loads(settings.read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    for contract in contracts:
        if contract["type"] != "layers":
            continue
        written = [re.split(r"\s*([|:])\s*", layer) for layer in contract["layers"]]
        prefix = "" if contract.get("containers") == [package] else f"{package}."
        names = [part for layer in written for part in layer[::2]]
        if prefix and not all(name.startswith(prefix) for name in names):
            continue
        if contract.get("containers", [package]) != [package]:
            continue
        return {
            part.removeprefix(prefix): (depth, layer[1] if len(layer) > 1 else "")
            for depth, layer in enumerate(written)
            for part in layer[::2]
        }
    return {}


def upward(
    arrows: dict[str, set[str]], depths: dict[str, tuple[int, str]], package: str
) -> list[str]:
    """Imports of a higher layer, or of a neighbour in a layer whose rooms stand apart (``|``)."""
    found = []
    for name, others in arrows.items():
        for other in others:
            here, there = (_room(each, package) for each in (name, other))
            if here == there or here not in depths or there not in depths:
                continue
            (low, bound), (high, _) = depths[here], depths[there]
            if high < low or (high == low and bound == "|"):
                found.append(f"{name} → {other}")
    return sorted(found)


def _room(name: str, package: str) -> str:
    return name.removeprefix(f"{package}.").partition(".")[0]


def _long(tree: ast.AST) -> Iterator[str]:
    """Functions with more to follow than a screen holds; signature and docstring don't count."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
            if node.end_lineno - first.lineno >= LONGEST_FUNCTION:
                yield node.name


def _inner_imports(tree: ast.AST) -> int:
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return len(inside)


def rows(house: House) -> dict[str, str]:
    """The measures as they are printed."""
    circled = sum(map(len, house.circles))
    modules = house.tested + len(house.untested)
    return {
        "files": f"{house.files}",
        "lines": f"{house.lines:,}",
        "median file": f"{house.median:g} lines",
        "longest file": f"{house.longest} lines ({house.longest_file})",
        "functions over 50 lines": f"{len(house.long_functions)}",
        "import arrows": f"{house.arrows}",
        "circles, types included": f"{len(house.circles)} ({circled} files)",
        "upward arrows": f"{len(house.upward)}",
        "modules with a test of their name": f"{house.tested} of {modules}",
        "Any": f"{house.any_count}",
        "imports inside functions": f"{house.inner_imports}",
    }


def main(argv: list[str] | None = None) -> int:
    """Print the measures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: this one)")
    parser.add_argument("--json", action="store_true", help="all that was found, with names")
    arguments = parser.parse_args(argv)
    houses = {package: measure(arguments.root, package) for package in PACKAGES}
    if arguments.json:
        found: dict[str, Any] = {package: asdict(house) for package, house in houses.items()}
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    tables = {package: rows(house) for package, house in houses.items()}
    width = max(map(len, tables[PACKAGES[0]]))
    columns = {
        package: max(map(len, [package, *table.values()])) for package, table in tables.items()
    }
    print(" " * width, *(package.ljust(columns[package]) for package in PACKAGES), sep="  ")
    for label in tables[PACKAGES[0]]:
        cells = (tables[package][label].ljust(columns[package]) for package in PACKAGES)
        print(label.ljust(width), *cells, sep="  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
