"""The search finds and shows the words of pages, with a server and from a folder without one."""

import shutil
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(params=["server", "folder"])
def base(request, small_site, address, tmp_path) -> str:
    """Where the small course is read from."""
    if request.param == "server":
        return address(small_site)
    folder = tmp_path / "a folder"
    shutil.copytree(small_site.build / "html", folder)
    return f"{folder.as_uri()}/"


@pytest.fixture
def tab(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.asked = []
    page.wrong = []
    context.on("request", lambda request: page.asked.append(request.url))
    context.on("weberror", lambda error: page.wrong.append(str(error.error)))
    context.on(
        "requestfailed", lambda r: None if "ERR_ABORTED" in r.failure else page.wrong.append(r.url)
    )  # leaving a page ends what it was still loading
    page.on("console", lambda m: page.wrong.append(m.text) if m.type == "error" else None)
    yield page
    wrong = [*page.wrong]
    context.close()
    assert wrong == []


def found(tab, base: str, words: str) -> dict[str, str]:
    """The results of a search, title → the words shown, when all have come."""
    tab.goto(f"{base}search.html?q={words}")
    tab.get_by_text("Search finished").wait_for()
    tab.wait_for_function(
        "document.querySelectorAll('ul.search > li').length"
        " === document.querySelectorAll('ul.search > li > p.context').length"
    )
    items = tab.locator("ul.search > li").all()
    return {i.locator("a").first.inner_text(): i.locator("p.context").inner_text() for i in items}


def test_a_result_shows_the_words_and_leads_to_their_section(tab, base):
    (context,) = found(tab, base, "quokkas").values()
    assert "Quokkas are not in this chapter." in context
    assert tab.locator("p.context mark").all_inner_texts() == ["Quokkas"]
    results = found(tab, base, "swims")
    assert list(results) == ["A line through points"]
    assert results["A line through points"].startswith("The formula: ")
    place = tab.locator("p.context a")
    place.click()
    tab.wait_for_url("**/chapters/01_line.html#the-formula")


def test_other_forms_of_a_word_are_found_and_marked(tab, base):
    assert "A line through points" in found(tab, base, "swimming")
    assert tab.locator("p.context mark").all_inner_texts() == ["swim"]


def test_a_word_is_found_where_one_begins_and_words_side_by_side_first(tab, base):
    results = found(tab, base, "line fits")
    assert "a line fits to a tenth" in results["A line through points"]
    marks = tab.locator("p.context mark").all_inner_texts()
    assert [mark for mark in marks if mark.lower() not in ("line", "fit", "fits")] == []
    assert {"line", "fits"} <= set(marks)


def test_code_is_searched_and_a_heading_shows_its_own_section(tab, base):
    results = found(tab, base, "polyfit")
    assert "polyfit(x, y, 1)" in results["A line through points"]
    results = found(tab, base, "the formula")
    assert "With " in results["A line through points > The formula"]


def test_the_search_asks_only_for_what_it_shows(tab, base):
    assert found(tab, base, "quokkas")
    names = [url.removeprefix(base) for url in tab.asked if url.startswith(base)]
    assert len(names) == len([u for u in tab.asked if urlsplit(u).scheme in ("http", "file")])
    assert [name for name in names if name.endswith(".html")] == []
    assert [name for name in names if "/texts/" in name] == ["_static/texts/chapters/01_line.js"]
    tab.asked.clear()
    tab.goto(f"{base}search.html")
    tab.goto(f"{base}chapters/01_line.html")
    assert [url for url in tab.asked if "/texts/" in url] == []


def test_nothing_found_is_said(tab, base):
    tab.goto(f"{base}search.html?q=wombats")
    tab.get_by_text("did not match any documents").wait_for()
    assert tab.locator("ul.search > li").count() == 0
