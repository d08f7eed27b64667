"""How the one page that becomes the PDF is laid out: its sheets, running heads, and what must fit.

The page is as wide on the screen as on paper. So a short script can measure there what is too wide
(a formula, a table, a picture) and make it smaller before Chromium prints.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Width of A4 without its margins, in millimetres.
TEXT_WIDTH_MM = 174

STYLE = f"""\
@page {{ size: A4; margin: 24mm 18mm 22mm;
  @bottom-center {{ content: counter(page); font: 9pt sans-serif; color: #4b5c64; }} }}
@page :first {{ @bottom-center {{ content: none; }} }}
html {{ font-size: 10.5pt; scroll-padding: 0; }}
body {{ display: block; width: {TEXT_WIDTH_MM}mm; min-width: 0; margin: 0; }}
.sheet {{ break-before: page; }}
.bd-article {{ padding: 0; orphans: 3; widows: 3; }}
.bd-article p, .bd-article li, .bd-article dd {{ max-width: none; }}
.bd-article pre, .bd-article pre * {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
.bd-article div, .bd-article pre {{ max-height: none; overflow: visible !important; }}
.bd-article * {{ content-visibility: visible !important; }}
.bd-article img {{ max-width: 100%; max-height: 150mm; width: auto; height: auto; }}
.bd-article table {{ font-size: 0.85rem; overflow-wrap: break-word; }}
.bd-article table pre, .bd-article table code {{ overflow-wrap: anywhere; }}
.bd-article table.measured td {{ white-space: normal !important; }}
.bd-article table.measured td:has(a) {{ min-width: 62mm; }}
.bd-article h1, .bd-article h2, .bd-article h3, .bd-article h4, .bd-article caption,
.bd-article summary, .bd-article .admonition-title {{ break-after: avoid; }}
.bd-article thead {{ display: table-header-group; }}
.bd-article tr, .bd-article figure, .bd-article img, .bd-article .math-display,
.bd-article .sprat-scrub, .bd-article .admonition, .bd-article dt {{ break-inside: avoid; }}
.bd-article .exercise {{ break-inside: auto; }}
.bd-article dt {{ break-after: avoid; }}
.sprat-scrub > div[role="img"] {{ print-color-adjust: exact; }}
.sprat-scrub label, .hero .hero-links, .facts-links, .facts-help, .bd-article .live-start {{
  display: none !important; }}
.front {{ text-align: center; padding-top: 70mm; }}
.front img {{ width: 60mm; }}
.front h1 {{ font-size: 30pt; }}
.contents ol {{ list-style: none; padding: 0; }}
.contents li {{ display: flex; justify-content: space-between; padding: 0; line-height: 1.5;
  border-bottom: 1px dotted #999; font-variant-numeric: tabular-nums; }}
"""

# Asked for early, the font of formulas is there when the page has loaded, which is when Chromium
# prints. `zoom` makes a table smaller with its lines and paddings; a formula has only its letters.
FIT = """\
document.fonts.load('1em "Book Math"');
const room = (box) => {
  const style = getComputedStyle(box);
  return box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
};
const fitFormula = (box) => {
  const formula = box.querySelector("math");
  for (let turn = 0; formula && turn < 4 && box.scrollWidth > box.clientWidth + 1; turn += 1) {
    const size = parseFloat(getComputedStyle(formula).fontSize);
    formula.style.fontSize = `${size * Math.min(0.97, box.clientWidth / box.scrollWidth)}px`;
  }
};
const fitTable = (table) => {
  for (let turn = 0; turn < 4; turn += 1) {
    const share = room(table.parentElement) / table.getBoundingClientRect().width;
    if (share > 0.998) return;
    table.style.zoom = parseFloat(table.style.zoom || 1) * share - 0.01;
  }
};
addEventListener("load", () => {
  document.querySelectorAll(".bd-article .math-display").forEach(fitFormula);
  document.querySelectorAll(".bd-article table").forEach(fitTable);
});
"""


def running_heads(book: str, titles: Sequence[str], places: Sequence[str]) -> str:
    """The rules that print the book's name and the page's own above each sheet.

    Args:
        book: the book's title.
        titles: the title of each page of the site.
        places: the id of the section that holds it.
    """
    font = "font: 9pt sans-serif; color: #4b5c64;"
    rules = []
    for title, place in zip(titles, places, strict=True):
        own = f"@top-right {{ content: {_quoted(title)}; {font} }}" if title != book else ""
        rules.append(
            f"@page {place} {{ @top-left {{ content: {_quoted(book)}; {font} }} {own} }}\n"
            f"#{place} {{ page: {place}; }}\n"
        )
    return "".join(rules)


def _quoted(text: str) -> str:
    """A text as a string of CSS that may stand inside a page's own style."""
    plain = "".join(c if c.isalnum() or c in " .,:;-()?!" else f"\\{ord(c):x} " for c in text)
    return f'"{plain}"'
