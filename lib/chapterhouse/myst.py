"""MyST markdown read as blocks and roles, without Sphinx.

Enough of the syntax for what the platform rewrites: fences (```` ``` ````, ``~~~``, ``:::``) that
are literal code or directives, their options, roles inside prose, code spans and mathematics that
must stay as they are. Source: the MyST specification, "Directives" and "Roles".
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

# Directives whose body is not markdown: nothing in it is a role or a nested directive.
LITERAL_DIRECTIVES = {
    "code", "code-block", "sourcecode", "code-cell", "literalinclude", "math", "raw", "eval-rst",
    "parsed-literal", "bibliography", "csv-table", "iframe",
}  # fmt: skip

_OPEN = re.compile(r"^(?P<indent>\s*)(?P<mark>`{3,}(?=[^`]*$)|~{3,}|:{3,})(?P<info>.*)$")
_DIRECTIVE = re.compile(r"^\{(?P<name>[A-Za-z][\w:.+-]*)\}\s*(?P<argument>.*)$")
_OPTION = re.compile(r"^:(?P<key>[A-Za-z][\w-]*):(?:\s+(?P<value>.*))?$")

# One alternative after another: a role, a code span, display and inline mathematics. Nothing of
# them reaches over an empty line, which ends a paragraph.
_WITHIN = r"(?:(?!\n[ \t]*\n).)+?"
_INLINE = re.compile(
    rf"\{{(?P<role>[A-Za-z][\w:.+-]*)\}}(?P<ticks>`+)(?!`)(?P<body>{_WITHIN})(?<!`)(?P=ticks)(?!`)"
    rf"|(?<![`\\])(?P<code>`+)(?!`){_WITHIN}(?<!`)(?P=code)(?!`)"
    rf"|(?<!\\)\$\${_WITHIN}\$\$"
    rf"|(?<![\\$\w])\$(?![\s$])(?:(?!\n[ \t]*\n)[^$])*?(?<![\s\\])\$(?![\d$])",
    re.DOTALL,
)


@dataclass(frozen=True)
class Prose:
    """Lines of markdown outside every fence."""

    text: str


@dataclass(frozen=True)
class Literal:
    """A fence of plain code, with its fences, exactly as it stands."""

    text: str


@dataclass(frozen=True)
class Directive:
    """A directive: its name, argument, options and body, and the text that it was read from."""

    name: str
    argument: str
    options: dict[str, str]
    body: str
    indent: str
    text: str
    line: int
    closed: bool = True

    @property
    def classes(self) -> list[str]:
        """The names in its ``:class:`` option."""
        return self.options.get("class", "").replace(",", " ").split()


Block = Prose | Literal | Directive


@dataclass(frozen=True)
class Role:
    """A role in the running text, such as ``{term}`batch```."""

    name: str
    body: str
    text: str

    @property
    def target(self) -> str:
        """What stands in angle brackets, or the whole body."""
        match = re.match(r"^(?P<title>.*?)\s*<(?P<target>[^<>]+)>$", self.body, re.DOTALL)
        return match["target"].strip() if match else self.body.strip()

    @property
    def title(self) -> str | None:
        """What stands before the angle brackets, or None."""
        match = re.match(r"^(?P<title>.+?)\s*<[^<>]+>$", self.body, re.DOTALL)
        return match["title"].strip() if match else None


def blocks(text: str) -> list[Block]:
    """The blocks of one markdown text in order; joining their ``text`` with newlines gives it back.

    A fence that is never closed reaches to the end, as Markdown has it.
    """
    lines = text.split("\n")
    found: list[Block] = []
    prose: list[str] = []
    number = 0
    while number < len(lines):
        opened = _OPEN.match(lines[number])
        if opened is None or not _is_fence(opened):
            prose.append(lines[number])
            number += 1
            continue
        end = _closing_line(lines, number, opened)
        if prose:
            found.append(Prose("\n".join(prose)))
            prose = []
        found.append(_fence(lines[number : end + 1], opened, closed=end < len(lines), line=number))
        number = end + 1
    if prose:
        found.append(Prose("\n".join(prose)))
    return found


def _is_fence(opened: re.Match[str]) -> bool:
    """Colons open a fence only with a directive behind them; ticks and tildes always do."""
    if not opened["mark"].startswith(":"):
        return True
    return _DIRECTIVE.match(opened["info"].strip()) is not None


def _closing_line(lines: list[str], start: int, opened: re.Match[str]) -> int:
    """The index of the line that closes a fence; one past the end when nothing does."""
    mark = opened["mark"]
    for number in range(start + 1, len(lines)):
        bare = lines[number].strip()
        if len(bare) >= len(mark) and set(bare) == {mark[0]}:
            return number
    return len(lines)


def _fence(lines: list[str], opened: re.Match[str], *, closed: bool, line: int) -> Block:
    text = "\n".join(lines)
    directive = _DIRECTIVE.match(opened["info"].strip())
    if directive is None:
        return Literal(text)
    inner = textwrap.dedent("\n".join(lines[1:-1] if closed else lines[1:]))
    options, body = _options(inner)
    return Directive(
        name=directive["name"],
        argument=directive["argument"].strip(),
        options=options,
        body=body,
        indent=opened["indent"],
        text=text,
        line=line + 1,
        closed=closed,
    )


def _options(inner: str) -> tuple[dict[str, str], str]:
    """Split ``:key: value`` lines, or a block between ``---`` lines, from the body."""
    lines = inner.split("\n")
    options: dict[str, str] = {}
    number = 0
    if lines[0].strip() == "---" and "---" in [line.strip() for line in lines[1:]]:
        number = 1 + [line.strip() for line in lines[1:]].index("---")
        for line in lines[1:number]:
            key, _, value = line.partition(":")
            options[key.strip()] = value.strip()
        number += 1
    else:
        while number < len(lines) and (match := _OPTION.match(lines[number].strip())):
            options[match["key"]] = (match["value"] or "").strip()
            number += 1
    return options, "\n".join(lines[number:]).strip("\n")


def replace_roles(prose: str, change: Callable[[Role], str | None]) -> str:
    """The text with each role put through `change`; None leaves it. Code and mathematics stay."""

    def swap(match: re.Match[str]) -> str:
        if match["role"] is None:
            return match[0]
        role = Role(match["role"], match["body"].replace("\n", " "), match[0])
        changed = change(role)
        return match[0] if changed is None else changed

    return _INLINE.sub(swap, prose)


def protect_code(prose: str) -> tuple[str, Callable[[str], str]]:
    """Take code spans and mathematics out, so that a plain search cannot change them.

    Returns the text with place-holders, and the function that puts everything back.
    """
    kept: list[str] = []

    def hide(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\x00{len(kept) - 1}\x00"

    hidden = _INLINE.sub(hide, prose)
    return hidden, lambda text: re.sub(r"\x00(\d+)\x00", lambda m: kept[int(m[1])], text)


def rewrite(
    text: str,
    *,
    role: Callable[[Role], str | None] = lambda _: None,
    directive: Callable[[Directive], str | None] = lambda _: None,
) -> str:
    """The text with roles and directives replaced, at every depth; the rest byte for byte the same.

    Args:
        role: gives the new text of a role, or None to leave it.
        directive: gives the new text of a directive, or None to leave it and look inside.
    """
    parts = []
    for block in blocks(text):
        match block:
            case Prose():
                parts.append(replace_roles(block.text, role))
            case Directive() if (new := directive(block)) is not None:
                parts.append(textwrap.indent(new, block.indent))
            case Directive() if block.name not in LITERAL_DIRECTIVES:
                parts.append(_rewrite_inside(block, role, directive))
            case _:
                parts.append(block.text)
    return "\n".join(parts)


def _rewrite_inside(
    block: Directive,
    role: Callable[[Role], str | None],
    directive: Callable[[Directive], str | None],
) -> str:
    """A directive with its first line and its body rewritten, and its fences as they stand."""
    first, *rest = block.text.split("\n")
    inner, closing = (rest[:-1], rest[-1:]) if block.closed else (rest, [])
    if inner:
        inner = [rewrite("\n".join(inner), role=role, directive=directive)]
    return "\n".join([replace_roles(first, role), *inner, *closing])


def walk(text: str) -> list[Directive | Role]:
    """Every directive and role of a text, at every depth, in no promised order."""
    found: list[Directive | Role] = []

    def keep_role(role: Role) -> None:
        found.append(role)

    def keep_directive(directive: Directive) -> None:
        found.append(directive)

    rewrite(text, role=keep_role, directive=keep_directive)
    return found
