"""Light pages: rules, icons and scripts that nobody needs are gone, and the others are not."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import tinycss2
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chapterhouse.site.settings import SiteSettings
from chapterhouse.site.slim import fonts, pages, slim, styles

SITE = SiteSettings(
    title="A course", base_url="https://ann.github.io/course/", repository_url="", branch="main",
    colab_prefix="", root_page="book/index", pages=(), bibliography=(),
)  # fmt: skip
WORDS = styles.Vocabulary(
    tags=frozenset({"html", "body", "p", "a", "math"}), words=frozenset({"card", "big", "top"})
)


def merged(css: str) -> str:
    return styles.merge([("_static/styles/x.css", css)], WORDS, target="_static/book.css")


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".card { color: red }", ".card{color:red }"),
        (".gone { color: red }", ""),
        (".card.gone, p > a.big { x: y }", "p > a.big{x:y }"),
        ("#top a:hover { x: y }", "#top a:hover{x:y }"),
        ("#bottom { x: y }", ""),
        ("video { x: y }", ""),
        ("p:not(.gone) { x: y }", "p:not(.gone){x:y }"),
        ('[data-theme="dark"] .card { x: y }', '[data-theme="dark"] .card{x:y }'),
        ("* , ::before { x: y }", "*,::before{x:y }"),
        ("@media print { .gone { x: y } .card { x: y } }", "@media print{.card{x:y }}"),
        ("@media print { .gone { x: y } }", ""),
        ("@charset 'utf-8'; p{}", ""),
        ("/* note */ p { x: y; /* note */ z: w }", "p{x:y;z:w }"),
    ],
)
def test_only_rules_that_can_match_are_kept(css: str, left: str) -> None:
    assert merged(css).replace(" }", "}") == left.replace(" }", "}")


def test_strings_and_addresses_survive() -> None:
    css = merged('p::after { content: "a ; b { c }"; background: url(../img/x.png) }')
    assert '"a ; b { c }"' in css
    assert 'url("img/x.png")' in css


def test_imported_sheets_come_before_the_one_that_imports_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "basic.css").write_text("p { a: b }")
    (tmp_path / "sub/theme.css").write_text('@import "../basic.css";\np { a: c }')
    assert styles.read("sub/theme.css", tmp_path) == [
        ("basic.css", "p { a: b }"),
        ("sub/theme.css", "\np { a: c }"),
    ]


def test_variables_that_nobody_reads_go_and_those_that_only_they_read() -> None:
    css = ":root{--a:1px;--b:var(--c);--c:2px;--d:3px}p{margin:var(--a)}"
    assert styles.without_unused_variables(css, "") == ":root{--a:1px;}p{margin:var(--a)}"
    assert "--d" in styles.without_unused_variables(css, "<p style='top:var(--d)'>")


NAMES = st.sampled_from(["card", "big", "gone", "lost"])
SELECTORS = st.builds(
    lambda tag, names: tag + "".join(f".{name}" for name in names),
    st.sampled_from(["", "p", "a", "video"]),
    st.lists(NAMES, min_size=1, max_size=3),
)


@given(st.lists(SELECTORS, min_size=1, max_size=4))
def test_a_rule_is_kept_exactly_when_some_element_could_match(selectors: list[str]) -> None:
    kept = tinycss2.parse_stylesheet(merged(f"{','.join(selectors)} {{ x: y }}"))
    left = tinycss2.serialize(kept[0].prelude).split(",") if kept else []
    possible = [
        s for s in selectors
        if not {"gone", "lost"} & set(re.findall(r"\.(\w+)", s)) and not s.startswith("video")
    ]  # fmt: skip
    assert left == possible


def test_icons_are_found_however_they_are_written() -> None:
    css = '.a:before{content:"\\f0c9"}.b{--fa:"\\f002"}.c{content:"\uf185"}.d{content:"x"}'
    assert fonts.icon_characters(css) == {"\uf0c9", "\uf002", "\uf185"}
    # The marks of boxes are named in one place and shown through a variable.
    named = ':root{--pst-icon-bell:"\\f0f3"}.note::after{content:var(--pst-icon-bell)}'
    assert fonts.icon_characters(named) == {"\uf0f3"}


@pytest.mark.parametrize(
    ("kind", "text", "marked"),
    [
        ("stream", "x" * pages.LONG_LINE, False),
        ("stream", "x" * (pages.LONG_LINE + 1), True),
        ("text_plain", "short\n" + "<span>&lt;</span>" * pages.LONG_LINE, False),
        ("text_plain", "short\n" + "<span>&lt;</span>" * (pages.LONG_LINE + 1), True),
        ("text_html", "x" * 999, False),
    ],
)
def test_only_output_with_a_line_too_long_for_a_page_is_broken(
    kind: str, text: str, marked: bool
) -> None:
    output = (
        f'<div class="output {kind} highlight-myst-ansi notranslate"><div class="highlight">'
        f"<pre><span></span>{text}\n</pre></div></div>"
    )
    html = pages.with_long_lines_continued(f"<article>{output}<p>{'y' * 999}</p></article>")
    assert ('class="output long-lines ' in html) == marked
    assert html.replace("long-lines ", "") == f"<article>{output}<p>{'y' * 999}</p></article>"


PAGE = """\
<!DOCTYPE html><html lang="en"><head><meta charset="utf-8" />
<meta name="viewport" content="a" /><meta name="viewport" content="b" /><title>Hello</title>
<link href="../_static/one.css?digest=1" rel="stylesheet" />
<link rel="preload" as="script" href="../_static/one.js" />
<script src="../_static/one.js?v=1"></script><script>let two = one + 1;</script>
<script>DOCUMENTATION_OPTIONS.pagename = 'x';</script></head>
<body><script src="../searchindex.js"></script><article><p>Five words are too few.</p>
<p>But this <em>sentence</em> has enough of them, &amp; more.</p>
<img src="../_images/a.png" alt="a"><img src="../_images/a.png" alt="b">
<p class="card">x</p><script>let mine = 1</script></article>
<script defer src="../_static/last.js"></script></body></html>
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, text in {
        "_static/one.css": ".card { color: red } .gone { color: blue }",
        "_static/one.js": "let one = 1;\n//# sourceMappingURL=one.js.map",
        "_static/last.js": "console.log(two)",
        "searchindex.js": "Search.setIndex({})",
        "chapters/a.html": PAGE,
        "chapters/b.html": PAGE,
        "index.html": "<html></html>",
    }.items():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text(text)
    (tmp_path / "site/_images").mkdir()
    noise = Image.effect_noise((64, 48), 40)
    noise.save(tmp_path / "site/_images/a.png", compress_level=0)
    slim(tmp_path / "site", SITE, tmp_path / "kept")
    return tmp_path / "site"


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_page_loads_one_sheet_and_one_script_that_waits(site: Path) -> None:
    html = (site / "chapters/a.html").read_text()
    tags = Tags(html).found
    (sheet,) = [a["href"] for t, a in tags if t == "link" and a["rel"] == "stylesheet"]
    (script,) = [a for t, a in tags if t == "script" and "src" in a]
    assert "defer" in script
    assert (site / "chapters" / sheet).read_text() == ".card{color:red}"
    text = (site / "chapters" / script["src"]).read_text()
    # In the order of the page, and without the map that is not there.
    assert text.index("let one = 1") < text.index("let two") < text.index("console.log(two)")
    assert "sourceMappingURL" not in text
    assert "let mine = 1" in html, "what stands in the article is the author's"
    assert "searchindex" not in html
    assert html.count('name="viewport"') == 1
    assert not (site / "_static/one.css").exists()
    assert not (site / "_static/one.js").exists()


def test_pictures_wait_keep_their_place_and_their_pixels(site: Path) -> None:
    images = [a for t, a in Tags((site / "chapters/a.html").read_text()).found if t == "img"]
    assert [a.get("loading") for a in images] == [None, "lazy"]
    assert set(images[0]) == {"src", "alt", "width", "height", "decoding"}
    assert '""' not in (site / "chapters/a.html").read_text()
    assert all((a["width"], a["height"]) == ("64", "48") for a in images)
    small = site / "chapters" / str(images[0]["src"])
    assert small.suffix == ".webp"
    assert small.stat().st_size < (site / "_images/a.png").stat().st_size
    with Image.open(site / "_images/a.png") as before, Image.open(small) as after:
        assert after.convert("L").tobytes() == before.tobytes()


def test_a_page_says_what_it_is_about(site: Path) -> None:
    metas = [a for t, a in Tags((site / "chapters/a.html").read_text()).found if t == "meta"]
    named = {a.get("name") or a.get("property"): a.get("content") for a in metas}
    assert named["description"] == "But this sentence has enough of them, & more."
    assert named["og:title"] == "Hello"
    assert named["og:url"] == "https://ann.github.io/course/chapters/a.html"


def test_the_font_of_formulas_has_what_they_show_and_little_else() -> None:
    characters = pages.formulas(
        "<p>x</p><math><mi>𝔼</mi><mo>∑</mo><annotation>q</annotation></math>"
    )
    assert characters == {"𝔼", "∑"}
    content = fonts.mathematics(characters)
    font = TTFont(io.BytesIO(content))
    assert {ord(c) for c in characters} == set(font.getBestCmap())
    assert "MATH" in font
    assert len(content) < 40_000
