"""A site that is not whole, or that would call another host, is refused."""

import pytest

from chapterhouse.errors import SiteError
from chapterhouse.site import check
from chapterhouse.site.settings import SiteSettings

WORDS = "word " * 30
SETTINGS = SiteSettings(
    title="T", base_url="", repository_url="", branch="main", colab_prefix="",
    root_page="index", pages=("index",), bibliography=(),
)  # fmt: skip


@pytest.fixture
def site(tmp_path):
    def write(body: str = "", head: str = "", **files: str):
        page = f"<html><head>{head}</head><body><article>{WORDS}{body}</article></body></html>"
        (tmp_path / "index.html").write_text(page)
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_a_whole_site_passes(site):
    body = (
        '<a href="https://example.org">a link that a reader clicks</a>'
        '<a href="#here">x</a><p id="here"></p><a href="a%20b.txt">y</a>'
        '<img src="data:image/png;base64,xx" alt="z"><script>const a = "https://example.org";</script>'
    )
    folder = site(body)
    (folder / "a b.txt").write_text("x")
    check.check(folder, SETTINGS)


@pytest.mark.parametrize(
    "body",
    [
        '<script src="https://cdn.org/x.js"></script>',
        '<script src="//cdn.org/x.js"></script>',
        '<img src="http://cdn.org/x.png" alt="x">',
        '<img srcset="a.png 1x, https://cdn.org/x.png 2x" alt="x">',
        '<iframe src="https://cdn.org"></iframe>',
        '<video poster="https://cdn.org/x.png"></video>',
        '<object data="https://cdn.org/x.svg"></object>',
        '<p style="background: url(https://cdn.org/x.png)"></p>',
        '<style>@import "https://cdn.org/x.css";</style>',
        '<style>@font-face { src: url("//cdn.org/x.woff2") }</style>',
        '<script>import("https://cdn.org/x.js")</script>',
        '<script type="module">import { a } from "https://cdn.org/x.js"</script>',
        '<script>fetch("https://cdn.org/x.json")</script>',
        '<script>new WebSocket("wss://cdn.org/x")</script>',
        '<script>s.src = "https://cdn.org/x.js"</script>',
    ],
)
def test_what_the_browser_would_load_from_elsewhere_is_named(site, body):
    with pytest.raises(SiteError, match=r"would load \S*cdn\.org\S* from another host"):
        check.check(site(body), SETTINGS)


@pytest.mark.parametrize("rel", ["stylesheet", "preload", "icon", "preconnect", "modulepreload"])
def test_links_that_load_are_not_links_that_are_clicked(site, rel):
    head = f'<link rel="{rel}" href="https://cdn.org/x">'
    with pytest.raises(SiteError, match="another host"):
        check.check(site(head=head), SETTINGS)
    check.check(site(head='<link rel="canonical" href="https://cdn.org/x">'), SETTINGS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s_dot_css", "a { background: url('https://cdn.org/x.png') }"),
        ("s_dot_css", "@import url(//cdn.org/x.css);"),
        ("s_dot_js", "const x = await import('https://cdn.org/x.js')"),
        ("s_dot_js", "importScripts('https://cdn.org/x.js')"),
    ],
)
def test_styles_and_scripts_are_read_too(site, name, text):
    with pytest.raises(SiteError, match=r"s\.(css|js) would load"):
        check.check(site(**{name: text}), SETTINGS)


def test_what_lies_on_the_sites_own_address_is_no_other_host(site):
    own = SiteSettings(**{**SETTINGS.__dict__, "base_url": "https://x.org/b/"})
    body = '<img src="https://x.org/b/p.png" alt="x">'
    check.check(site(body), own)
    with pytest.raises(SiteError, match="another host"):
        check.check(site('<img src="https://x.org/other.png" alt="x">'), own)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('<a href="gone.html">x</a>', r"points to gone\.html, which the site does not have"),
        ('<a href="#gone">x</a>', "has no such place"),
        ('<img src="gone.png" alt="x">', r"gone\.png"),
        ('<img src="data:x">', "without a text"),
        ('<img src="data:x" alt=" ">', "without a text"),
    ],
)
def test_what_leads_nowhere_or_says_nothing_is_named(site, body, says):
    with pytest.raises(SiteError, match=says):
        check.check(site(body), SETTINGS)


def test_an_empty_page_is_refused(site):
    folder = site()
    (folder / "index.html").write_text("<html><body><article>Title</article></body></html>")
    with pytest.raises(SiteError, match=r"index\.html is all but empty"):
        check.check(folder, SETTINGS)


def test_a_missing_page_is_refused(site):
    folder = site()
    (folder / "index.html").unlink()
    with pytest.raises(SiteError, match=r"index\.html is missing"):
        check.check(folder, SETTINGS)
