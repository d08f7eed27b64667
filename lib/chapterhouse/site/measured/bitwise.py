"""Claims of equality to the last bit that do not say for which devices and threads they hold.

Sums of floats come out otherwise in another order, and the order is the device's and the threads'.
So a claim that rests on ``torch.equal`` (or numpy's ``array_equal``) is given `on`, whatever its
tensors hold. Looked at is what decides, through names as `bare` does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from chapterhouse.parsed import parse
from chapterhouse.site.measured.bare import in_order

_EQUAL = {"equal", "array_equal"}


def unsaid(cells: Iterable[str]) -> list[str]:
    """The claims of a notebook that compare to the last bit without `on`, as lines of code.

    Args:
        cells: the sources of its code cells, in order; one that is no plain Python is passed over.
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
            elif _is_claim(node) and _rests_on_bits(node.args[1], known, set()):
                found.append(ast.unparse(node))
    return found


def _is_claim(node: ast.Call) -> bool:
    named = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return named == "claim" and len(node.args) > 1 and "on" not in {w.arg for w in node.keywords}


def _rests_on_bits(node: ast.expr, known: dict[str, ast.expr], seen: set[str]) -> bool:
    """Whether a yes or no is that of `equal`, by itself or through what a name was assigned."""
    if isinstance(node, ast.UnaryOp):
        return False  # that something has changed needs no last bit
    if isinstance(node, ast.Name) and node.id in known and node.id not in seen:
        return _rests_on_bits(known[node.id], known, seen | {node.id})
    if isinstance(node, ast.BoolOp):
        return any(_rests_on_bits(value, known, seen) for value in node.values)
    return any(isinstance(part, ast.Attribute) and part.attr in _EQUAL for part in ast.walk(node))
