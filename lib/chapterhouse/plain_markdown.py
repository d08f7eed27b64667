"""MyST turned into plain markdown, for places that know no directives and no roles.

Colab, GitHub and most notebook viewers show ```` ```{note} ```` as raw text. Here an admonition
becomes a quotation with a bold title, a dropdown becomes ``<details>``, and what points elsewhere
becomes a link or plain text. A directive or role that is not known is an error, because leaving it
would show raw syntax to a reader.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chapterhouse import myst
from chapterhouse.errors import NotebookError
from chapterhouse.myst import Directive, Literal, Role

ADMONITIONS = {
    "note", "tip", "hint", "important", "warning", "caution", "attention", "danger", "error",
    "seealso", "admonition", "dropdown", "margin", "sidebar", "exercise", "solution", "epigraph",
    "pull-quote", "highlights", "topic", "card", "grid-item-card", "tab-item", "versionadded",
}  # fmt: skip
_TRANSPARENT = {"div", "container", "grid", "grid-item", "tab-set", "card-carousel", "centered"}
_DROPPED = {"bibliography", "contents", "tableofcontents", "exercise-end", "solution-end", "index"}
_CODE_ROLES = {"code", "file", "samp", "kbd", "command", "program", "option", "envvar", "literal"}
_PLAIN_ROLES = {"abbr", "guilabel", "menuselection", "dfn", "index", "sub-ref", "emphasis"}


@dataclass(frozen=True)
class Link:
    """Where something is: the words to show and, where there is a public address, the address."""

    text: str
    url: str | None = None

    def markdown(self, title: str | None = None) -> str:
        """A markdown link, or only the words when there is no address."""
        words = title or self.text
        return f"[{words}]({self.url})" if self.url else words


@dataclass(frozen=True)
class Links:
    """How to resolve what a page points to; the defaults keep the words and link nothing.

    Args:
        page: a path as written in ``{doc}`` or a markdown link, with its ``#anchor``.
        label: the name in ``{ref}``, ``{numref}`` or ``{eq}``.
        term: the word in ``{term}``.
        cite: the key of one work in the bibliography.
        image: the address of a picture, from its path as written.
    """

    page: Callable[[str], Link] = Link
    label: Callable[[str], Link] = Link
    term: Callable[[str], Link] = Link
    cite: Callable[[str], Link] = Link
    image: Callable[[str], str] = str


@dataclass(frozen=True)
class Converter:
    """Turns MyST text into plain markdown.

    Args:
        links: how to resolve what the text points to.
        directives: directives with a rendering of their own, by name.
        name: what errors call the text.
    """

    links: Links = field(default_factory=Links)
    directives: Mapping[str, Callable[[Directive], str]] = field(default_factory=dict)
    name: str = "the text"

    def convert(self, text: str) -> str:
        """The whole text as plain markdown.

        Raises:
            NotebookError: a directive or a role has no plain form.
        """
        parts: list[str] = []
        for block in myst.blocks(text):
            match block:
                case Directive():
                    part = _indent(self._directive(block), block.indent)
                case Literal():
                    part = block.text
                case _:
                    # A dropped line leaves a hole; three empty lines say no more than one.
                    part = re.sub(r"\n{3,}", "\n\n", self._prose(block.text))
            parts.append(part.strip("\n"))
        # An empty line on both sides, so that a quotation never swallows its neighbour.
        return "\n\n".join(part for part in parts if part)

    # ---- blocks ----------------------------------------------------------------------------

    def _directive(self, block: Directive) -> str:
        name = block.name.lower()
        if name in self.directives:
            return self.directives[name](block)
        if name in ADMONITIONS or name.startswith("prf:"):
            return self._admonition(block)
        if name in _TRANSPARENT:
            return self.convert(block.body)
        if name in _DROPPED:
            return ""
        render = {
            "math": _display_math,
            "figure": self._figure,
            "image": self._figure,
            "table": self._table,
            "list-table": self._list_table,
            "glossary": lambda b: self.convert(b.body),
            "raw": lambda b: b.body if b.argument == "html" else "",
        }.get(name)
        if render is not None:
            return render(block)
        if name in myst.LITERAL_DIRECTIVES:
            return f"```{block.argument}\n{block.body}\n```"
        raise NotebookError(
            f"{self.name}, line {block.line}: the directive {{{block.name}}} has no plain form, "
            "so Colab would show it as raw text.",
            fix=f"use one of {', '.join(sorted(ADMONITIONS))}, figure, math, table, list-table",
        )

    def _admonition(self, block: Directive) -> str:
        kind = block.name.removeprefix("prf:").replace("-", " ").capitalize()
        title, body = kind, block.body
        if block.name in ("admonition", "dropdown", "card", "grid-item-card", "tab-item", "topic"):
            title = block.argument or kind
        elif block.name.startswith("prf:") or block.name in ("exercise", "solution"):
            title = f"{kind}: {block.argument}" if block.argument else kind
        elif block.argument:
            # In a note the words behind the name are the first words of its body.
            body = f"{block.argument}\n{body}" if body else block.argument
        title = self._inline(title)
        inner = self.convert(body)
        if block.name == "dropdown" or "dropdown" in block.classes:
            return f"<details><summary>{title}</summary>\n\n{inner}\n\n</details>"
        return _quote(f"**{title}**\n\n{inner}".rstrip())

    def _figure(self, block: Directive) -> str:
        alt = html.escape(block.options.get("alt", ""), quote=True)
        source = self.links.image(block.argument)
        width = f' width="{block.options["width"]}"' if "width" in block.options else ""
        image = f'<img src="{html.escape(source, quote=True)}" alt="{alt}"{width}>'
        caption = self.convert(block.body) if block.name == "figure" else ""
        if not caption:
            return image
        first, _, rest = caption.partition("\n\n")
        return f"{image}\n\n*{' '.join(first.split())}*" + (f"\n\n{rest}" if rest else "")

    def _table(self, block: Directive) -> str:
        caption = f"**{self._inline(block.argument)}**\n\n" if block.argument else ""
        return caption + self.convert(block.body)

    def _list_table(self, block: Directive) -> str:
        rows: list[list[str]] = []
        for line in block.body.split("\n"):
            row = re.match(r"^\s*\*\s+-\s?(.*)$", line)
            cell = re.match(r"^\s*-\s?(.*)$", line)
            if row:
                rows.append([row[1]])
            elif cell and rows:
                rows[-1].append(cell[1])
            elif rows and line.strip():
                rows[-1][-1] += " " + line.strip()
        if not rows:
            return ""
        width = max(map(len, rows))
        cells = [[self._inline(c).replace("|", r"\|") for c in r] for r in rows]
        lines = ["| " + " | ".join(r + [""] * (width - len(r))) + " |" for r in cells]
        if block.options.get("header-rows", "0") == "0":
            lines.insert(0, "|" + "  |" * width)
        lines.insert(1, "|" + " --- |" * width)
        caption = f"**{self._inline(block.argument)}**\n\n" if block.argument else ""
        return caption + "\n".join(lines)

    # ---- prose -----------------------------------------------------------------------------

    def _prose(self, text: str) -> str:
        kept = [
            line
            for line in text.split("\n")
            # Targets, comments and block breaks mean something only to MyST.
            if not re.match(r"^\s*\([\w:.-]+\)=\s*$|^%|^\+\+\+", line)
        ]
        # `$$ … $$ (name)` labels an equation; the name is no part of it.
        text = re.sub(r"(\$\$)[ \t]*\([\w:.-]+\)[ \t]*$", r"\1", "\n".join(kept), flags=re.M)
        return self._inline(text)

    def _inline(self, text: str) -> str:
        # Roles first, while they still are roles; then links, with code and mathematics hidden.
        text = myst.replace_roles(text, self._role)
        hidden, restore = myst.protect_code(text)
        hidden = re.sub(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]*)\)", self._link, hidden)
        hidden = re.sub(r'(<img\b[^>]*?\bsrc=")([^"]+)(")', self._html_image, hidden)
        hidden = re.sub(r"^\[\^([\w-]+)\]:\s*", r"<sup>\1</sup> ", hidden, flags=re.MULTILINE)
        hidden = re.sub(r"\[\^([\w-]+)\]", r"<sup>\1</sup>", hidden)
        return restore(hidden)

    def _link(self, match: re.Match[str]) -> str:
        bang, words, target = match[1], match[2], match[3]
        if bang:
            return f"![{words}]({self._image(target)})"
        if re.match(r"^([a-z][a-z0-9+.-]*:|//)", target) or not target:
            return match[0]
        if target.startswith("#"):
            return self.links.label(target[1:]).markdown(words or None)
        return self.links.page(target).markdown(words or None)

    def _html_image(self, match: re.Match[str]) -> str:
        return match[1] + self._image(match[2]) + match[3]

    def _image(self, source: str) -> str:
        absolute = re.match(r"^(https?:|data:|attachment:)", source)
        return source if absolute else self.links.image(source)

    def _role(self, role: Role) -> str:
        name = role.name.lower()
        if name.startswith("cite"):
            return self._cite(role)
        if name in _CODE_ROLES or name.split(":")[0] == "py" or name in ("func", "class", "meth"):
            return f"`{role.body}`"
        if name in _PLAIN_ROLES:
            return re.sub(r"\s*\([^()]*\)$", "", role.body) if name == "abbr" else role.body
        render: dict[str, Callable[[], str]] = {
            "math": lambda: f"${role.body}$",
            "term": lambda: self.links.term(role.target).markdown(role.title),
            "doc": lambda: self.links.page(role.target).markdown(role.title),
            "download": lambda: self.links.page(role.target).markdown(role.title),
            "ref": lambda: self.links.label(role.target).markdown(role.title),
            "prf:ref": lambda: self.links.label(role.target).markdown(role.title),
            "numref": lambda: self.links.label(role.target).markdown(_unnumbered(role.title)),
            "eq": lambda: self.links.label(role.target).markdown("the equation"),
            "sub": lambda: f"<sub>{role.body}</sub>",
            "sup": lambda: f"<sup>{role.body}</sup>",
            "strong": lambda: f"**{role.body}**",
        }
        if name in render:
            return render[name]()
        raise NotebookError(
            f"{self.name}: the role {{{role.name}}} in {role.text!r} has no plain form, "
            "so Colab would show it as raw text.",
            fix=f"use one of {', '.join(sorted(render))}, cite, run, or plain markdown",
        )

    def _cite(self, role: Role) -> str:
        works = [self.links.cite(key.strip()).markdown() for key in role.body.split(",")]
        joined = "; ".join(works)
        return joined if role.name.endswith(":t") else f"({joined})"


def _indent(text: str, indent: str) -> str:
    return "\n".join(f"{indent}{line}" if line else "" for line in text.split("\n"))


def _quote(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def _display_math(block: Directive) -> str:
    body = "\n".join(part for part in (block.argument, block.body) if part)
    return f"$$\n{body}\n$$"


def _unnumbered(title: str | None) -> str | None:
    """The words of a ``{numref}`` title without its number, which only the site knows."""
    if title is None:
        return None
    return re.sub(r"\s*(%s|\{number\}|\{name\})\s*", " ", title).strip() or None
