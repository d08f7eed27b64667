"""Small mistakes made in the reference by machine, to see whether the cases notice.

Each mutant changes one thing that students get wrong: a sign, a comparison at its edge, a number by
one, a mean for a sum, a dropped transpose, a dropped line. A line of the reference whose changes
make no difference says so: ``# equivalent: why``.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
_TRANSPOSES = ("T", "mT", "t", "transpose")
_SWAPPED_NAMES = {"sum": "mean", "mean": "sum", "argmax": "argmin", "argmin": "argmax"}

Change = Callable[[ast.AST], None]


@dataclass(frozen=True)
class Mutant:
    """A changed reference: its source, and what was changed where."""

    source: str
    line: int
    change: str


def mutants(solution: str, most: int) -> list[Mutant]:
    """Up to `most` mutants of a reference's solution regions, spread over all that are possible."""
    tree = ast.parse(solution)
    lines = _student_lines(solution, tree)
    sites = [
        (index, part, line, change, apply)
        for index, node in enumerate(_bodies(tree))
        for part, (line, change, apply) in enumerate(_changes(node))
        if line in lines
    ]
    step = max(1.0, len(sites) / max(1, most))
    chosen = [sites[int(i * step)] for i in range(min(len(sites), most))]
    made = []
    for index, part, line, change, _ in chosen:
        changed = copy.deepcopy(tree)
        node = list(_bodies(changed))[index]
        list(_changes(node))[part][2](node)
        made.append(Mutant(ast.unparse(ast.fix_missing_locations(changed)), line, change))
    return made


def _student_lines(solution: str, tree: ast.Module) -> set[int]:
    """The numbers of the lines that a student writes and that don't say `# equivalent:`.

    What a line says holds for the whole of a simple statement that spans several.
    """
    found, exempt, inside = set(), set(), False
    for number, line in enumerate(solution.splitlines(), 1):
        text = line.strip()
        if text in ("# BEGIN SOLUTION", "# END SOLUTION"):
            inside = text == "# BEGIN SOLUTION"
        elif inside:
            found.add(number)
        if "# equivalent:" in line:
            exempt.add(number)
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            span = set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            exempt |= span if span & exempt else set()
    return found - exempt


def _bodies(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node in the bodies of functions, in a fixed order; not signatures, not annotations."""
    stack: list[ast.AST] = list(reversed(tree.body))
    inside = {id(tree): False}
    while stack:
        node = stack.pop()
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        within = inside.get(id(node), False)
        if within or is_function:
            yield node
        children: list[ast.AST]
        if is_function or isinstance(node, ast.ClassDef):
            children = list(node.body)  # type: ignore[attr-defined]
        elif isinstance(node, ast.AnnAssign):
            children = [node.value] if node.value else []
        else:
            children = list(ast.iter_child_nodes(node))
        for child in children:
            inside[id(child)] = within or is_function
        stack.extend(reversed(children))


def _changes(node: ast.AST) -> Iterator[tuple[int, str, Change]]:
    """What can be changed at one node: the line, words for it, and the change itself."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _OPERATORS:
            new = _OPERATORS[type(op)]
            words = f"{type(op).__name__} became {new.__name__}"
            yield node.lineno, words, _setter("op", new())
        case ast.Compare(ops=[op]) if type(op) in _COMPARISONS:
            new_op = _COMPARISONS[type(op)]
            words = f"{type(op).__name__} became {new_op.__name__}"
            yield node.lineno, words, _setter("ops", [new_op()])
        case ast.Constant(value=bool() as value):
            yield node.lineno, f"{value} became {not value}", _setter("value", not value)
        case ast.Constant(value=int() | float() as value):
            yield node.lineno, f"{value} became {value + 1}", _setter("value", value + 1)
        case ast.Attribute(attr=attr) if attr in _SWAPPED_NAMES:
            new_name = _SWAPPED_NAMES[attr]
            yield node.lineno, f"{attr} became {new_name}", _setter("attr", new_name)
    yield from _dropped(node)


def _dropped(node: ast.AST) -> Iterator[tuple[int, str, Change]]:
    """Parts of one node that can be left out."""
    is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    for name, child in ast.iter_fields(node):
        if is_function and name != "body":
            continue
        match child:
            case ast.Attribute(attr="T" | "mT" as attr, value=inner):
                yield child.lineno, f".{attr} was dropped", _setter(name, inner)
            case ast.Call(func=ast.Attribute(attr="t" | "transpose" as attr, value=inner)):
                yield child.lineno, f".{attr}() was dropped", _setter(name, inner)
            case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=inner):
                yield child.lineno, "a minus or not was dropped", _setter(name, inner)
            case [*items] if name in ("body", "orelse") and len(items) > 1:
                for number, item in enumerate(items):
                    if _is_droppable(item):
                        yield item.lineno, "the line was dropped", _dropper(name, number)


def _is_droppable(node: object) -> bool:
    """Whether a statement does something that a case should notice: a call or an update."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    return isinstance(node, (ast.AugAssign, ast.If))


def _setter(name: str, value: object) -> Change:
    return lambda node: setattr(node, name, value)


def _dropper(name: str, number: int) -> Change:
    def drop(node: ast.AST) -> None:
        body = list(getattr(node, name))
        body[number] = ast.Pass()
        setattr(node, name, body)

    return drop
