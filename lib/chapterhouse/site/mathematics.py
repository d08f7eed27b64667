"""Formulas as MathML, made while the site is built: pages need no script and no pictures for them.

KaTeX (https://katex.org) reads the TeX; it runs in QuickJS, within this process. What browsers do
not take from it is put into the form of MathML Core (https://www.w3.org/TR/mathml-core/), which
they all draw by themselves. A formula that KaTeX cannot read is a warning, with its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_CORE_SIDES = {"left": "left", "right": "right", "center": "center"}
# First code points of the mathematical alphabets: capital A, small a, digit 0 (Unicode, U+1D400).
_ALPHABETS = {
    "bold": (0x1D400, 0x1D41A, 0x1D7CE),
    "bold-italic": (0x1D468, 0x1D482, None),
    "script": (0x1D49C, 0x1D4B6, None),
    "fraktur": (0x1D504, 0x1D51E, None),
    "double-struck": (0x1D538, 0x1D552, 0x1D7D8),
    "sans-serif": (0x1D5A0, 0x1D5BA, 0x1D7E2),
    "monospace": (0x1D670, 0x1D68A, 0x1D7F6),
}
# Letters that Unicode had before the alphabets, and so left out of them.
_EARLIER = {
    0x1D49D: "ℬ", 0x1D4A0: "ℰ", 0x1D4A1: "ℱ", 0x1D4A3: "ℋ", 0x1D4A4: "ℐ", 0x1D4A7: "ℒ",
    0x1D4A8: "ℳ", 0x1D4AD: "ℛ", 0x1D4BA: "ℯ", 0x1D4BC: "ℊ", 0x1D4C4: "ℴ", 0x1D506: "ℭ",
    0x1D50B: "ℌ", 0x1D50C: "ℑ", 0x1D515: "ℜ", 0x1D51D: "ℨ", 0x1D53A: "ℂ", 0x1D53F: "ℍ",
    0x1D545: "ℕ", 0x1D547: "ℙ", 0x1D548: "ℚ", 0x1D549: "ℝ", 0x1D551: "ℤ",
}  # fmt: skip

_log = logging.getLogger(__name__)
ElementTree.register_namespace("", _NAMESPACE)


class FormulaError(ValueError):
    """A formula that cannot be read, and why."""


def to_mathml(tex: str, *, display: bool, macros: Mapping[str, str] | None = None) -> str:
    """One formula as MathML, with its TeX as an annotation for those who copy it.

    Args:
        tex: the formula, without dollar signs.
        display: whether it stands on lines of its own.
        macros: names with their backslash, to what they stand for.

    Raises:
        FormulaError: KaTeX cannot read it.
        ExtensionError: KaTeX or QuickJS is not installed.
    """
    import quickjs

    options = {
        "output": "mathml", "displayMode": display, "throwOnError": True, "strict": "ignore",
        "macros": dict(macros or {}),
    }  # fmt: skip
    try:
        html = _katex()(tex, json.dumps(options))
    except quickjs.JSException as error:
        first = str(error).splitlines()[0]
        raise FormulaError(first.removeprefix("ParseError: ")) from None
    text = re.sub(r"^<span class=\"katex\">|</span>$", "", html)
    root = ElementTree.fromstring(text.replace("&nbsp;", "\u00a0"))
    _to_core(root)
    return ElementTree.tostring(root, encoding="unicode")


@cache
def _katex() -> Any:
    """KaTeX's `renderToString` as a function of TeX and options in JSON."""
    spec = find_spec("sphinxcontrib.katex")
    script = Path(spec.origin).with_name("katex.min.js") if spec and spec.origin else None
    try:
        import quickjs
    except ImportError:
        script = None
    if script is None or not script.is_file():
        raise ExtensionError(
            "KaTeX is not installed, and formulas need it. "
            "fix: pip install sphinxcontrib-katex==0.9.11 quickjs==1.19.4, or the extra [book]"
        )
    context = quickjs.Context()
    context.eval(script.read_text(encoding="utf-8"))
    return context.eval("(tex, options) => katex.renderToString(tex, JSON.parse(options))")


def _to_core(root: ElementTree.Element) -> None:
    """Replace what MathML Core left out: alphabets by name, sides of columns, TeX's spacing."""
    for element in list(root.iter()):
        _space_functions(element)
        _draw_brace(element)
        variant = element.attrib.get("mathvariant")
        name = _name(element)
        if element.text == "∥" and element.attrib.get("stretchy") == "false":
            # A bar of a norm, not the relation "parallel", to which browsers give room.
            element.set("lspace", "0")
            element.set("rspace", "0")
        if variant is not None and variant != "normal":
            del element.attrib["mathvariant"]
            if name == "mtext":
                element.set("class", f"math-{variant}")
            else:
                element.text = _lettered(element.text or "", variant)
        if name == "mtable":
            sides = element.attrib.pop("columnalign", "").split()
            tight = element.attrib.pop("columnspacing", "") == "0em"
            element.attrib.pop("rowspacing", None)
            if tight:
                element.set("class", "math-aligned")
            for row in element:
                for cell, side in zip(row, sides, strict=False):
                    cell.set("style", f"text-align: {_CORE_SIDES.get(side, 'center')}")


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _space_functions(row: ElementTree.Element) -> None:
    """Put TeX's thin space around the names of functions: between `log` and what it is of."""
    children = list(row)
    for i in range(len(children) - 1, 0, -1):
        if _name(children[i]) != "mo" or (children[i].text or "").strip() != "\u2061":
            continue
        after = children[i + 1] if i + 1 < len(children) else None
        if after is not None and _name(after) not in ("mo", "mspace"):
            row.insert(i + 1, _thin_space())
        before = children[i - 2] if i >= 2 else None
        if before is not None and _name(before) not in ("mo", "mspace"):
            row.insert(i - 1, _thin_space())


def _draw_brace(element: ElementTree.Element) -> None:
    """Make a brace over or under something a class of it, which the style sheet draws."""
    for name, brace, style in (("munder", "⏟", "math-braced"), ("mover", "⏞", "math-braced-over")):
        if _name(element) == name and len(element) == 2 and element[1].text == brace:
            base = element[0]
            element.clear()
            element.tag = f"{{{_NAMESPACE}}}mrow"
            element.set("class", style)
            element.append(base)


def _thin_space() -> ElementTree.Element:
    return ElementTree.Element(f"{{{_NAMESPACE}}}mspace", {"width": "0.1667em"})


def _lettered(text: str, variant: str) -> str:
    """`text` in one of Unicode's mathematical alphabets; what is in none stays."""
    capitals, smalls, digits = _ALPHABETS.get(variant, (None, None, None))
    made = []
    for letter in text:
        first, base = None, 0
        if "A" <= letter <= "Z":
            first, base = capitals, ord("A")
        elif "a" <= letter <= "z":
            first, base = smalls, ord("a")
        elif "0" <= letter <= "9":
            first, base = digits, ord("0")
        code = None if first is None else first + ord(letter) - base
        made.append(letter if code is None else _EARLIER.get(code, chr(code)))
    return "".join(made)


def macros_of(mathjax: Mapping[str, Any] | None) -> dict[str, str]:
    """KaTeX's macros from ``mathjax3_config: tex: macros``, where Jupyter Book keeps them."""
    given = ((mathjax or {}).get("tex") or {}).get("macros") or {}
    return {f"\\{name}": v if isinstance(v, str) else v[0] for name, v in given.items()}


def _visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(f'<span class="math">{_made(translator, node, display=False)}</span>')
    raise nodes.SkipNode


def _visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="math math-display"))
    translator.body.append(_made(translator, node, display=True))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def _made(
    translator: HTML5Translator, node: nodes.math | nodes.math_block, *, display: bool
) -> str:
    tex = node.astext().strip()
    outside = re.sub(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", "", tex, flags=re.DOTALL)
    if display and r"\\" in outside:
        tex = f"\\begin{{split}}{tex}\\end{{split}}"  # several lines, as Sphinx writes them
    try:
        macros = macros_of(translator.config.mathjax3_config)
        return to_mathml(tex, display=display, macros=macros)
    except FormulaError as error:
        _log.warning("the formula %r: %s", tex, error, location=node)
        return f"<code>{escape(tex)}</code>"


def add_to(app: Sphinx) -> None:
    """Make Sphinx write formulas this way."""
    app.add_html_math_renderer(
        "chapterhouse", inline_renderers=(_visit_inline, None), block_renderers=(_visit_block, None)
    )


def font_characters(html: str) -> set[str]:
    """The characters that a page's formulas show, for the part of the font that it needs."""
    shown = re.findall(r"<math\b.*?</math>", html, re.DOTALL)
    return {c for text in shown for c in re.sub(r"<annotation.*?</annotation>|<[^>]+>", "", text)}
