"""The words of pages, section by section, as the search page shows them."""

import json

import pytest

from chapterhouse.errors import SiteError
from chapterhouse.site import search

PAGE = """\
<html><head><title>no</title></head><body><nav>no sidebar</nav><article>
<section id="lines"><h1>Lines<a class="headerlink" href="#lines">#</a></h1>
<p>A <em>line</em> has a slope.</p><p>Next&nbsp;one.</p>
<script>let no = "script";</script><svg><text>no drawing</text><svg></svg></svg>
<section id="code"><h2>Code &amp; output</h2>
<div class="highlight"><pre><span>w</span><span>*</span><span>x</span>
<span>y</span></pre><button>Copy</button></div>
<math><semantics><mi>x</mi><annotation>no tex</annotation></semantics></math></section>
<p>After the section.</p></section>
<section id="empty"></section>
</article><footer>no footer</footer></body></html>
"""


def test_words_stand_in_the_section_they_belong_to():
    assert search.sections(PAGE) == [
        ("lines", "Lines", "A line has a slope. Next one. After the section."),
        ("code", "Code & output", "w*x y x"),
    ]


def test_words_before_any_section_and_a_page_without_an_article():
    assert search.sections("<article><p>one</p><p>two</p></article>") == [("", "", "one two")]
    assert search.sections("<main>no article</main>") == []


def test_the_search_page_loads_its_script_before_the_index(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book/lines.html").write_text(PAGE)
    (tmp_path / "empty.html").write_text("<p>nothing</p>")
    (tmp_path / "_static").mkdir()
    (tmp_path / "search.html").write_text(
        '<head>\n  <script src="_static/searchtools.js"></script>\n'
        '  <script src="searchindex.js?v=1"></script>\n</head>'
    )
    search.add(tmp_path)
    lines = (tmp_path / "search.html").read_text().splitlines()
    assert [line.strip() for line in lines][1:4] == [
        '<script src="_static/searchtools.js"></script>',
        '<script src="_static/search.js"></script>',
        '<script src="searchindex.js?v=1"></script>',
    ]
    assert (tmp_path / "_static/search.js").is_file()
    told = (tmp_path / "_static/texts/book/lines.js").read_text()
    name, _, rest = told.removeprefix("bookText(").partition(", ")
    assert json.loads(name) == "book/lines"
    assert json.loads(rest.removesuffix(");\n"))[1] == ["code", "Code & output", "w*x y x"]
    assert not (tmp_path / "_static/texts/empty.js").exists()


def test_a_site_without_a_search_is_left_alone_and_an_unknown_one_refused(tmp_path):
    search.add(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "search.html").write_text("<head></head>")
    with pytest.raises(SiteError, match=r"loads no searchindex\.js"):
        search.add(tmp_path)
