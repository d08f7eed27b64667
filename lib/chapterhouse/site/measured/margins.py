"""How far a claim is from failing: by the limits that it recorded, or those read from its code.

``claim("…", accuracy, above=0.85)`` records its limit. ``claim("…", accuracy > 0.85,
value=accuracy)`` records none, but it compares the very expression that it shows with a number that
is written out, so 0.85 is its limit. Only this is taken for one: where the number is computed, or
something else is compared, or one of several conditions would do, none is told.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chapterhouse.parsed import parse
from chapterhouse.site.measured import drawing

_FLIPPED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
_SIGN = {ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥"}
_ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True)
class Limit:
    """One bound on a claim's value: ``>``, ``≥``, ``<``, ``≤`` or ``=`` a number.

    With the sign ``≈`` the value may differ from the number by `within`.
    """

    sign: str
    number: float
    within: float = 0.0

    def margin(self, value: float) -> float:
        """How far inside the bound the value lies; negative outside."""
        if self.sign in ("≈", "="):
            return self.within - abs(value - self.number)
        return value - self.number if self.sign in (">", "≥") else self.number - value

    def part(self, value: float) -> float | None:
        """The margin as a part of the tolerance, or of the limit where that is the only measure."""
        whole = self.within if self.sign == "≈" else abs(self.number)
        return self.margin(value) / whole if whole else None

    def __str__(self) -> str:
        number = drawing.number(self.number)
        if self.sign == "≈":
            return f"{number} ± {drawing.number(self.within)}"
        return f"{self.sign} {number}"


def recorded(claim: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits that stand in a claim's record; nothing for one made without."""
    return tuple(
        Limit(str(limit["sign"]), float(limit["number"]), float(limit.get("within", 0)))
        for limit in claim.get("limits") or ()
    )


def nearest(limits: Iterable[Limit], value: float) -> Limit | None:
    """The bound that the value would cross first."""
    return min(limits, key=lambda limit: limit.margin(value), default=None)


def limits(source: str) -> dict[str, tuple[Limit, ...]]:
    """The bounds of every claim in one cell, by the claim's text.

    A text that is computed, or that two claims share, is left out.
    """
    found: dict[str, tuple[Limit, ...]] = {}
    twice = set()
    for call in _claims(source):
        text = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
        if not isinstance(text, str):
            continue
        if text in found:
            twice.add(text)
        value = next((word.value for word in call.keywords if word.arg == "value"), None)
        found[text] = tuple(_bounds(call.args[1], value)) if value is not None else ()
    return {text: bounds for text, bounds in found.items() if bounds and text not in twice}


def _claims(source: str) -> Iterator[ast.Call]:
    """Every call of something named ``claim`` with a text and a condition, its texts put in."""
    try:
        tree = parse(source)
    except SyntaxError:  # a cell with magic commands
        return
    texts = _texts(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) >= 2:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name == "claim":
                first = node.args[0]
                if isinstance(first, ast.Name) and first.id in texts:
                    node.args[0] = texts[first.id]
                yield node


def _texts(tree: ast.Module) -> dict[str, ast.Constant]:
    """Names to which one cell assigns one text and nothing else."""
    found: dict[str, ast.Constant] = {}
    stores: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            stores[node.id] = stores.get(node.id, 0) + 1
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = node.value
    return {name: value for name, value in found.items() if stores[name] == 1}


def _bounds(condition: ast.expr, value: ast.expr) -> Iterator[Limit]:
    """The bounds that must all hold: comparisons, chained or joined by ``and``."""
    if isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.And):
        for part in condition.values:
            yield from _bounds(part, value)
    if not isinstance(condition, ast.Compare):
        return
    shown = _shape(value)
    sides = [condition.left, *condition.comparators]
    for left, compare, right in zip(sides, condition.ops, sides[1:], strict=False):
        kind = type(compare)
        if kind not in _SIGN:
            continue
        if _shape(left) == shown and (number := _number(right)) is not None:
            yield Limit(_SIGN[kind], number)
        elif _shape(right) == shown and (number := _number(left)) is not None:
            yield Limit(_SIGN[_FLIPPED[kind]], number)


def _shape(node: ast.expr) -> str:
    """An expression as text, the same for the same expression; ``float(x)`` is ``x``."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("float", "int")
        and len(node.args) == 1
        and not node.keywords
    ):
        # int() may cut digits off, and is then another value.
        return _shape(node.args[0]) if node.func.id == "float" else ast.dump(node)
    return ast.dump(node)


def _number(node: ast.expr) -> float | None:
    """The value of an expression of written numbers, or None."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            return None
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _number(node.operand)
        return None if number is None else -number
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        left, right = _number(node.left), _number(node.right)
        if left is None or right is None:
            return None
        try:
            result = float(_ARITHMETIC[type(node.op)](left, right))
        except (ZeroDivisionError, OverflowError):
            return None
        return result if math.isfinite(result) else None
    return None
