"""Claims that compare a number and tell no limit, which leaves their margin on no page.

``claim("…", accuracy > 0.85)`` and ``claim("…", good)`` after ``good = accuracy > 0.85`` both rest
on a number, so they are written ``claim("…", accuracy, above=0.85)``. A yes or no stays as it is:
whether two texts or two tensors are equal, whether a name stands in a list. Looked at is what
decides: through ``and``, ``or``, ``not``, ``all`` and ``any``, and through a name to what was
assigned to it last, here or in a cell above.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from chapterhouse.parsed import parse

_LIMITS = {"above", "below", "near", "exactly"}
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_TOLERANT = {"allclose", "isclose", "approx"}
_COUNTING = {"len", "sum", "round", "abs", "count", "count_nonzero", "numel"}
_THROUGH = {"all", "any", "bool", "item"}


def bare(cells: Iterable[str]) -> list[str]:
    """The claims of a notebook that compare a number without telling it as a limit.

    Args:
        cells: the sources of its code cells, in order; one that is no plain Python is passed over.

    Returns:
        One line of code a claim, as Python writes it.
    """
    known: dict[str, ast.expr] = {}
    found = []
    for source in cells:
        try:
            tree = parse(source)
        except SyntaxError:  # a cell with magic commands
            continue
        for node in in_order(tree):
            if isinstance(node, ast.Assign):
                known |= {t.id: node.value for t in node.targets if isinstance(t, ast.Name)}
            elif _is_claim(node) and _compares(node.args[1], known, set()):
                found.append(ast.unparse(node))
    return found


def in_order(tree: ast.Module) -> list[ast.Assign | ast.Call]:
    """Assignments and calls as they stand in the text."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Assign, ast.Call))]
    return sorted(nodes, key=lambda node: (node.lineno, node.col_offset))


def _is_claim(node: ast.Assign | ast.Call) -> bool:
    if not isinstance(node, ast.Call) or len(node.args) < 2:
        return False
    named = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return named == "claim" and not _LIMITS & {word.arg for word in node.keywords}


def _compares(node: ast.expr, known: dict[str, ast.expr], seen: set[str]) -> bool:
    """Whether an expression decides by the size of a number."""
    if isinstance(node, ast.Compare):
        return any(isinstance(op, _ORDER) for op in node.ops) or any(
            _is_number(side) for side in (node.left, *node.comparators)
        )
    if isinstance(node, ast.Name):
        if node.id in seen or node.id not in known:
            return False
        return _compares(known[node.id], known, seen | {node.id})
    return any(_compares(part, known, seen) for part in _deciding(node)) or _tolerates(node)


def _deciding(node: ast.expr) -> Iterator[ast.expr]:
    """The parts of an expression whose truth is its truth."""
    if isinstance(node, ast.BoolOp):
        yield from node.values
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
        yield from (node.left, node.right)
    elif isinstance(node, (ast.GeneratorExp, ast.ListComp)):
        yield node.elt
    elif isinstance(node, ast.Call) and _called(node) in _THROUGH:
        yield from node.args
        if isinstance(node.func, ast.Attribute):
            yield node.func.value


def _tolerates(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _called(node) in _TOLERANT


def _is_number(node: ast.expr) -> bool:
    """A written number, arithmetic, or a call that counts; a name may be anything."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and _is_number(node.operand)
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) or _is_number(node.right)
    return isinstance(node, ast.Call) and _called(node) in _COUNTING


def _called(node: ast.Call) -> str:
    return str(getattr(node.func, "attr", getattr(node.func, "id", "")))
