"""Formulas: what MathML they become, and what is refused."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from chapterhouse.site.mathematics import FormulaError, macros_of, to_mathml

SPACE = "{http://www.w3.org/1998/Math/MathML}"


def made(tex: str, *, display: bool = False, **more) -> ElementTree.Element:
    return ElementTree.fromstring(to_mathml(tex, display=display, **more))


def shown(element: ElementTree.Element) -> str:
    for note in list(element.iter(f"{SPACE}annotation")):
        note.text = ""
    return "".join(element.itertext())


def test_a_fraction_is_a_fraction_and_its_tex_goes_along() -> None:
    fraction = made(r"\frac{a}{b}")
    assert [part.text for part in fraction.find(f".//{SPACE}mfrac")] == ["a", "b"]
    assert fraction.find(f".//{SPACE}annotation").text == r"\frac{a}{b}"
    assert "display" not in fraction.attrib
    assert made("a", display=True).get("display") == "block"


@pytest.mark.parametrize(
    ("tex", "letters"),
    [
        (r"\mathbb{E}", "𝔼"),
        (r"\mathbb{R}", "ℝ"),
        (r"\mathcal{L}", "ℒ"),
        (r"\mathcal{N}", "𝒩"),
        (r"\mathbf{w}", "𝐰"),
        (r"\mathfrak{g}", "𝔤"),
    ],
)
def test_letters_of_other_alphabets_are_characters_of_their_own(tex: str, letters: str) -> None:
    """Browsers read `mathvariant` no longer."""
    formula = made(tex)
    assert shown(formula) == letters
    assert not [e for e in formula.iter() if e.get("mathvariant") not in (None, "normal")]


def test_lines_are_aligned_by_style() -> None:
    rows = made(r"\begin{aligned} a &= b \\ &\ge c \end{aligned}", display=True)
    table = rows.find(f".//{SPACE}mtable")
    assert table.get("class") == "math-aligned"
    assert [cell.get("style") for cell in table[1]] == ["text-align: right", "text-align: left"]
    assert "columnalign" not in table.attrib


def test_functions_stand_apart_from_what_they_are_of() -> None:
    names = [e.tag.removeprefix(SPACE) for e in made(r"2\log p").find(f".//{SPACE}mrow")]
    assert names == ["mn", "mspace", "mi", "mo", "mspace", "mi"]
    assert not made(r"\log(p)").findall(f".//{SPACE}mspace")


def test_braces_are_left_to_the_style_sheet() -> None:
    formula = made(r"\underbrace{a + b}_{\text{both}}", display=True)
    assert formula.find(f".//{SPACE}mrow[@class='math-braced']") is not None
    assert "⏟" not in shown(formula)


def test_macros_are_those_of_the_configuration() -> None:
    config = {"tex": {"macros": {"RR": r"\mathbb{R}", "norm": [r"\lVert #1 \rVert", 1]}}}
    assert shown(made(r"\norm{x} \in \RR", macros=macros_of(config))) == "∥x∥∈ℝ"
    assert macros_of(None) == macros_of({}) == {}


@pytest.mark.parametrize("tex", [r"\frac{a", r"\unknowncommand", "a_b_c", r"\left( a"])
def test_what_cannot_be_read_is_refused_with_its_reason(tex: str) -> None:
    with pytest.raises(FormulaError, match="KaTeX parse error"):
        to_mathml(tex, display=False)
