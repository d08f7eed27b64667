"""One style sheet out of many, without the rules that match nothing on any page."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import tinycss2
from tinycss2 import ast

# Rules that hold other rules.
_GROUPS = {"media", "supports", "layer", "container"}
_URL = re.compile(r"url\(\s*(['\"]?)([^'\")]+)\1\s*\)")
_VARIABLE = re.compile(r"(?<=[{;])(--[\w-]+):((?:[^;{}\"']|\"[^\"]*\"|'[^']*')*)(;|(?=\}))")
_IMPORT = re.compile(r"@import\s+(?:url\(\s*)?['\"]?([^'\")\s;]+)['\"]?\s*\)?\s*;")
_USED_VARIABLE = re.compile(r"var\(\s*(--[\w-]+)|getPropertyValue\(\s*['\"](--[\w-]+)")


@dataclass(frozen=True)
class Vocabulary:
    """What pages and their scripts can name: tags, and the words of classes, ids and scripts."""

    tags: frozenset[str]
    words: frozenset[str]


def read(path: str, folder: Path) -> list[tuple[str, str]]:
    """A sheet as (path, text), and before it the sheets that it imports."""
    text = (folder / path).read_text(encoding="utf-8")
    found: list[tuple[str, str]] = []
    for address in _IMPORT.findall(text):
        name = posixpath.normpath(posixpath.join(posixpath.dirname(path), address))
        found.extend(read(name, folder))
    return [*found, (path, _IMPORT.sub("", text))]


def merge(sheets: Iterable[tuple[str, str]], vocabulary: Vocabulary, *, target: str) -> str:
    """One sheet with the rules that can match, in order, without comments and needless space.

    Args:
        sheets: path within the site and text of each, in the order in which pages load them.
        vocabulary: what is on the pages.
        target: the path of the sheet that is made; addresses are rewritten for it.
    """
    parts = []
    for path, text in sheets:
        rules = tinycss2.parse_stylesheet(
            _moved(text, path, target), skip_comments=True, skip_whitespace=True
        )
        parts.append(_rules(rules, vocabulary))
    return _squeeze("".join(parts))


def without_unused_variables(css: str, elsewhere: str) -> str:
    """The sheet without custom properties that nobody reads, neither here nor in `elsewhere`."""
    while True:
        used = {a or b for a, b in _USED_VARIABLE.findall(css + elsewhere)}
        kept = _VARIABLE.sub(partial(_if_used, used=used), css)
        kept = re.sub(r"(?<=[}{])[^{}@]+\{\}", "", kept)
        if kept == css:
            return css
        css = kept


def _if_used(match: re.Match[str], *, used: set[str]) -> str:
    return match[0] if match[1] in used else ""


def _rules(rules: Sequence[ast.Node], vocabulary: Vocabulary) -> str:
    made = []
    for rule in rules:
        if isinstance(rule, ast.QualifiedRule):
            selectors = [
                tinycss2.serialize(selector).strip()
                for selector in _selectors(rule.prelude)
                if _can_match(selector, vocabulary)
            ]
            body = tinycss2.serialize(_without_comments(rule.content))
            if selectors and body.strip():
                made.append(f"{','.join(selectors)}{{{body}}}")
        elif isinstance(rule, ast.AtRule):
            made.append(_at_rule(rule, vocabulary))
    return "".join(made)


def _at_rule(rule: ast.AtRule, vocabulary: Vocabulary) -> str:
    name, prelude = rule.lower_at_keyword, tinycss2.serialize(rule.prelude).strip()
    if name in ("charset", "import"):
        return ""  # the sheet is UTF-8, and what it imports stands in it already
    if rule.content is None:
        return f"@{name} {prelude};"
    if name in _GROUPS:
        inner = tinycss2.parse_blocks_contents(
            rule.content, skip_comments=True, skip_whitespace=True
        )
        body = _rules(inner, vocabulary)
        return f"@{name} {prelude}{{{body}}}" if body else ""
    return f"@{name} {prelude}{{{tinycss2.serialize(_without_comments(rule.content))}}}"


def _without_comments(tokens: Sequence[ast.Node]) -> list[ast.Node]:
    return [token for token in tokens if not isinstance(token, ast.Comment)]


def _selectors(prelude: Sequence[ast.Node]) -> list[list[ast.Node]]:
    """The selectors of a rule, split at its commas."""
    found: list[list[ast.Node]] = [[]]
    for token in _without_comments(prelude):
        if isinstance(token, ast.LiteralToken) and token.value == ",":
            found.append([])
        else:
            found[-1].append(token)
    return found


def _can_match(selector: Sequence[ast.Node], vocabulary: Vocabulary) -> bool:
    """Whether every class, id and tag that the selector asks for is on some page."""
    before = ""
    for token in selector:
        if isinstance(token, ast.HashToken):
            if token.value not in vocabulary.words:
                return False
        elif isinstance(token, ast.IdentToken):
            if before == "." and token.value not in vocabulary.words:
                return False
            if before not in (".", ":") and token.lower_value not in vocabulary.tags:
                return False
        # What stands in :not(…), :is(…) and […] is not judged: such a rule is kept.
        before = token.value if isinstance(token, ast.LiteralToken) else ""
    return True


def _moved(text: str, path: str, target: str) -> str:
    """The text with its addresses seen from the sheet that is made."""

    def move(match: re.Match[str]) -> str:
        address = match[2].strip()
        if re.match(r"^([a-z]+:|//|#)", address):
            return match[0]
        absolute = posixpath.normpath(posixpath.join(posixpath.dirname(path), address))
        return f'url("{posixpath.relpath(absolute, posixpath.dirname(target))}")'

    return _URL.sub(move, text)


def _squeeze(css: str) -> str:
    """Without the white space that means nothing; strings stay as they are."""
    pieces = re.split(r"(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')", css)
    for i in range(0, len(pieces), 2):
        text = re.sub(r"\s+", " ", pieces[i])
        pieces[i] = re.sub(r"\s*([{};,])\s*", r"\1", text).replace(";}", "}")
    return re.sub(r"(?<=[{;])(-?-?[\w-]+): ", r"\1:", "".join(pieces))
