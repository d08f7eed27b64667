"""List what a version of torch offers, from its wheel's text: nothing is installed or imported.

``python scripts/torch_names.py torch-2.8.0-….whl`` writes ``tests/sprat/torch_names.txt.gz``, by
which a test refuses names that the oldest torch on Colab does not have. One line a module: its
name, then every name that its source or its stubs bind or import at the top.
"""

import ast
import gzip
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).parents[1] / "tests" / "sprat" / "torch_names.txt.gz"
# Functions that are made when torch is imported; only stubs name them.
STUBS = {
    "torch": ("torch._C", "torch._C._VariableFunctions"),
    "torch.nn.functional": ("torch._C._nn",),
}


def bound(body: list[ast.stmt]) -> Iterator[str]:
    """The names that statements bind, also in ``if``, ``try``, ``with``; a star as ``*module``."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                star = f"*{'.' * node.level}{node.module or ''}"
                yield star if alias.name == "*" else alias.asname or alias.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from bound(getattr(node, part, []))


def names(wheel: zipfile.ZipFile) -> dict[str, set[str]]:
    """Module to names, for everything of torch but its tests and internals of the compiler."""
    found: dict[str, set[str]] = {}
    packages = set()
    for path in wheel.namelist():
        if not path.startswith("torch/") or not path.endswith((".py", ".pyi")):
            continue
        parts = path.rpartition(".")[0].split("/")
        if parts[-1] == "__init__":
            parts.pop()
            packages.add(".".join(parts))
        tree = ast.parse(wheel.read(path))
        found.setdefault(".".join(parts), set()).update(bound(tree.body))
    for module in list(found):
        above, _, last = module.rpartition(".")
        if above in found:
            found[above].add(last)
    for module, stubs in STUBS.items():
        for stub in stubs:
            found[module] |= found[stub]
    for module in found:
        _resolve(module, found, packages)
    return {m: n for m, n in found.items() if "._" not in m and ".testing._" not in m}


def _resolve(module: str, found: dict[str, set[str]], packages: set[str]) -> None:
    """Put in what ``from … import *`` brings."""
    for star in [name for name in found[module] if name.startswith("*")]:
        found[module].discard(star)
        target = star[1:]
        if target.startswith("."):
            level = len(target) - len(target.lstrip("."))
            base = module.split(".")
            base = base[: len(base) - level + (module in packages)]
            target = ".".join([*base, *filter(None, [target.lstrip(".")])])
        if target in found and target != module:
            _resolve(target, found, packages)
            found[module] |= {name for name in found[target] if not name.startswith("*")}


def main() -> None:
    """Read the wheel that is named on the command line, and write the list."""
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        found = names(wheel)
    lines = [f"{module} {' '.join(sorted(found[module]))}" for module in sorted(found)]
    version = Path(sys.argv[1]).name.split("-")[1]
    text = "\n".join([f"# torch {version}", *lines]) + "\n"
    TARGET.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{TARGET}: {len(lines)} modules, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
