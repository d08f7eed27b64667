"""What helps a reader through the book: definitions, progress, keys, and pages without a server."""

import json
import re
import shutil
from collections.abc import Callable, Iterator

import pytest

from chapterhouse.site import serve

CHAPTER, HOOD, GLOSSARY = "chapters/01_line", "chapters/04_under_the_hood", "book/glossary"
DEFINITION = "A few examples at once."
#: Leaving a page ends what it was still loading, which is no fault.
LEFT = re.compile("ERR_ABORTED|ERR_CONNECTION_RESET")


def excused(message) -> bool:
    """Whether a line of the console is no error, or one of a request, which is judged by itself."""
    return message.type != "error" or message.text.startswith("Failed to load resource")


@pytest.fixture(scope="module")
def site(small_site, address) -> str:
    return address(small_site)


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Open pages in one new browser profile; whatever goes wrong on them fails the test."""
    contexts, wrong = [], []

    def open_page(url: str, **options):
        if not contexts:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            context.on("weberror", lambda error: wrong.append(str(error.error)))
            context.on("response", lambda r: wrong.append(r.url) if r.status >= 400 else None)
            context.on(
                "requestfailed",
                lambda r: None if LEFT.search(r.failure or "") else wrong.append(r.url),
            )
            contexts.append(context)
        tab = contexts[0].new_page()
        tab.on("console", lambda m: wrong.append(m.text) if not excused(m) else None)
        tab.goto(url, wait_until="load")
        # What scripts do once the page stands, they do in turns; the listener of keys comes last.
        tab.wait_for_function("!document.querySelector('[data-help]')?.hidden")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def settled(tab, expression: str) -> None:
    """Wait until something is so; a busy machine may take its time."""
    tab.wait_for_function(expression)


# ---- definitions


def test_a_term_shows_its_definition_to_pointer_and_keyboard(visit, site):
    tab = visit(f"{site}{CHAPTER}.html")
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    term, tip = tab.locator("a[data-definition]").first, tab.locator("#definition")
    assert tip.is_hidden()
    term.hover()
    assert tip.inner_text() == DEFINITION
    tip.hover()  # the pointer may move onto it
    assert tip.is_visible()
    tab.keyboard.press("Escape")
    assert tip.is_hidden()
    tab.mouse.move(5, 5)
    term.focus()
    assert tip.is_visible()
    assert term.get_attribute("aria-describedby") == "definition"
    tab.keyboard.press("Tab")
    assert tip.is_hidden()
    assert term.get_attribute("aria-describedby") is None
    assert asked == []


def test_a_finger_taps_once_for_the_definition_and_twice_for_the_glossary(visit, site):
    tab = visit(f"{site}{CHAPTER}.html", has_touch=True, viewport={"width": 390, "height": 800})
    term, tip = tab.locator("a[data-definition]").first, tab.locator("#definition")
    term.tap()
    assert tip.inner_text() == DEFINITION
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    tab.locator("article h1").tap()
    assert tip.is_hidden()
    term.tap()
    term.tap()
    tab.wait_for_url(f"**/{GLOSSARY}.html#term-batch")


def test_an_answer_is_folded_until_asked_for_and_on_paper_it_stands(visit, site):
    tab = visit(f"{site}{CHAPTER}.html")
    question, answer = tab.locator("details.recall summary"), tab.get_by_text("How steep it is.")
    assert question.inner_text() == "What is a slope?"
    assert answer.is_hidden()
    question.focus()
    tab.keyboard.press("Enter")
    assert answer.is_visible()
    tab.keyboard.press("Enter")
    assert answer.is_hidden()
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert answer.is_visible()
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert answer.is_hidden()


# ---- progress


def test_what_is_marked_is_kept_shown_and_taken_along(visit, site, tmp_path):
    tab = visit(f"{site}{CHAPTER}.html")
    tab.get_by_label("I have read this chapter").check()
    assert tab.locator(".bd-docs-nav .book-read").count() == 1
    tab.goto(f"{site}{HOOD}.html")
    tab.get_by_label("I have done this exercise").check()
    assert tab.locator(".book-tools").inner_text().startswith("My progress: 1 of 2 read, 1 done")
    tab.goto(f"{site}progress.html")
    assert tab.locator("#progress-list input:checked").count() == 2
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name="Export").click()
    saved = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(saved)
    content = json.loads(saved.read_text())
    assert list(content["read"]) == [CHAPTER]
    assert list(content["done"]) == ["04_sgd_step"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", content["read"][CHAPTER])

    tab.on("dialog", lambda dialog: dialog.accept())
    tab.get_by_role("button", name="Forget everything").click()
    settled(tab, "!document.querySelector('#progress-list input:checked')")
    tab.locator("#progress-list [data-page='chapters/04_under_the_hood'] > label input").check()
    tab.locator("input[type=file]").set_input_files(saved)
    settled(tab, "document.querySelectorAll('#progress-list input:checked').length === 3")
    assert "was added" in tab.locator(".book-said").inner_text()
    tab.reload()
    settled(tab, "document.querySelectorAll('#progress-list input:checked').length === 3")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", '{"book": "another", "read": {}}', '{"read": {"chapters/01_line": 1}}'],
)
def test_a_file_of_another_kind_is_refused_in_words(visit, site, tmp_path, content):
    tab = visit(f"{site}progress.html")
    (tmp_path / "odd.json").write_text(content)
    tab.locator("input[type=file]").set_input_files(tmp_path / "odd.json")
    settled(tab, "document.querySelector('.book-said').textContent !== ''")
    assert "odd.json is not a file that" in tab.locator(".book-said").inner_text()
    assert tab.locator("#progress-list input:checked").count() == 0


@pytest.mark.parametrize("rubbish", ["{", "7", '{"read": [1], "done": {"x": "<b>"}}'])
def test_rubbish_in_the_store_is_as_good_as_nothing(visit, site, rubbish):
    tab = visit(f"{site}progress.html")
    name = tab.evaluate("`book:${document.body.dataset.book}`")
    tab.evaluate("([name, text]) => localStorage.setItem(name, text)", [name, rubbish])
    tab.reload()
    tab.locator("#progress-list input").first.check()
    assert tab.locator(".book-tools").inner_text().startswith("My progress: 1 of 2 read")


def test_another_tab_learns_of_it_at_once(visit, site):
    first = visit(f"{site}{CHAPTER}.html")
    second = visit(f"{site}progress.html")
    first.get_by_label("I have read this chapter").check()
    settled(second, "document.querySelectorAll('#progress-list input:checked').length === 1")


# ---- keys


def test_keys_lead_through_the_book(visit, site):
    tab = visit(f"{site}{CHAPTER}.html")
    for key, page in [("]", HOOD), ("[", CHAPTER), ("ArrowRight", HOOD), ("ArrowLeft", CHAPTER)]:
        tab.keyboard.press(key)
        tab.wait_for_url(f"**/{page}.html")
        settled(tab, "document.querySelector('[data-help]')?.hidden === false")
    tab.keyboard.press("/")
    search = tab.locator("dialog[open] input[type=search]")
    search.wait_for()
    tab.keyboard.type("a]b/c?")
    assert search.input_value() == "a]b/c?"
    tab.keyboard.press("Escape")
    assert tab.url.endswith(f"{CHAPTER}.html")


def test_keys_leave_sliders_and_wide_code_alone(visit, site):
    tab = visit(f"{site}{CHAPTER}.html")
    slider = tab.locator("input[type=range]").first
    slider.focus()
    for key in ("ArrowRight", "]"):
        tab.keyboard.press(key)
    assert slider.input_value() == "1"
    tab.locator("a[data-definition]").first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Control+]")
    assert tab.evaluate("document.querySelector('.book-help')") is None
    assert tab.url.endswith(f"{CHAPTER}.html")


def test_the_help_names_the_keys_and_turns_them_off(visit, site):
    tab = visit(f"{site}{CHAPTER}.html")
    tab.keyboard.press("?")
    help_ = tab.get_by_role("dialog", name="Keys")
    assert "the page after" in help_.inner_text()
    help_.get_by_label("Single keys do this").uncheck()
    tab.keyboard.press("Escape")
    assert help_.count() == 0
    tab.keyboard.press("?")
    tab.keyboard.press("]")
    assert help_.count() == 0
    tab.locator("[data-help]").click()  # the button stays
    help_.get_by_label("Single keys do this").check()
    help_.get_by_role("button", name="Close").click()
    tab.keyboard.press("]")
    tab.wait_for_url(f"**/{HOOD}.html")


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_in_what_opens(visit, site, page_tools, scheme, width):
    view = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    tab = visit(f"{site}{CHAPTER}.html", reduced_motion="reduce", **view)
    judge = "axe.run(document, {resultTypes: ['violations']})"
    tab.add_script_tag(path=page_tools / "node_modules/axe-core/axe.min.js")
    tab.locator("a[data-definition]").first.focus()
    found = tab.evaluate(judge)["violations"]
    tab.keyboard.press("?")
    found += tab.evaluate(judge)["violations"]
    tab.goto(f"{site}progress.html")
    tab.add_script_tag(path=page_tools / "node_modules/axe-core/axe.min.js")
    found += tab.evaluate(judge)["violations"]
    assert [
        f"{f['id']}: {f['nodes'][0]['html'][:200]}" for f in found if f["impact"] != "minor"
    ] == []


# ---- without a server, and below another address


def test_the_book_opens_from_a_folder(visit, small_site, tmp_path):
    """Copied elsewhere, so that nothing can lean on where it was built."""
    folder = tmp_path / "a folder"
    shutil.copytree(small_site.build / "html", folder)
    address = folder.as_uri()
    tab = visit(f"{address}/index.html")
    tab.wait_for_url(f"{address}/book/index.html")
    walk(tab)
    tab.goto(f"{address}/search.html?q=quokkas")
    tab.wait_for_selector("ul.search li a")
    tab.locator("ul.search li a").first.click()
    tab.wait_for_url(f"{address}/{CHAPTER}.html*")


def test_the_book_answers_below_a_sub_path(visit, small_site, tmp_path):
    shutil.copytree(small_site.build / "html", tmp_path / "courses/small")
    server = serve.start(tmp_path)
    address = f"http://127.0.0.1:{server.server_port}/courses/small"
    try:
        tab = visit(f"{address}/")
        tab.wait_for_url(f"{address}/book/index.html")
        walk(tab)
        tab.goto(f"{address}/search.html?q=quokkas")
        tab.wait_for_selector("ul.search li a")
        tab.locator("ul.search li a").first.click()
        tab.wait_for_url(f"{address}/{CHAPTER}.html*")
    finally:
        server.shutdown()
        server.server_close()


def walk(tab) -> None:
    """From the landing page through a chapter to its marks: all that a reader touches works."""
    tab.locator("a.right-next").click()
    tab.wait_for_url(f"**/{CHAPTER}.html")
    tab.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    settled(tab, "[...document.images].every((image) => image.complete)")
    assert tab.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    settled(tab, "document.querySelector('[data-help]').hidden === false")
    tab.get_by_label("I have read this chapter").check()
    tab.locator("a[data-definition]").first.hover()
    assert tab.locator("#definition").inner_text() == DEFINITION
    tab.locator("a[data-definition]").first.click()
    tab.wait_for_url(f"**/{GLOSSARY}.html#term-batch")
    tab.locator(".book-tools a", has_text="My progress").click()
    settled(tab, "document.querySelectorAll('#progress-list input:checked').length === 1")
    tab.locator(".book-tools a", has_text="Index").click()
    tab.locator("article a", has_text="batch").click()
    tab.wait_for_url(f"**/{GLOSSARY}.html#term-batch")
