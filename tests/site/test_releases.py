"""Two versions of a small course side by side, as they are built and as a reader meets them."""

import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chapterhouse.course import Course
from chapterhouse.site import check, pdf, serve, settings

pytestmark = pytest.mark.slow

URL = "https://ann.github.io/course/"
LINE, MORE, LANDING = "chapters/01_line.html", "book/more.html", "book/index.html"
VIEWS = [("light", 1280), ("light", 390), ("dark", 1280), ("dark", 390)]
#: Leaving a page ends what it was still loading, which is no fault.
LEFT = re.compile("ERR_ABORTED|ERR_CONNECTION_RESET")
BUTTON, MENU, OTHER = ".book-version button", "#book-versions", ".book-other-version"


def complains(message) -> bool:
    """Whether a line of the console is an error or a warning of the page itself."""
    return message.type in ("error", "warning") and not LEFT.search(message.text)


def done(command, course: Course, *arguments: str) -> None:
    """Run one command that must end well."""
    ended = command(course, *arguments)
    assert ended.returncode == 0, f"chapterhouse {arguments}:\n{ended.stdout}\n{ended.stderr}"


@pytest.fixture(scope="module")
def released(small_site, shared, command, locked) -> Course:
    """The small course in the versions 1.0 and 1.1, of which the second has a page more."""
    root = shared / "released-course"
    with locked(shared / "released-course.lock"):
        if not (root / "done").is_file():
            shutil.rmtree(root, ignore_errors=True)
            # What was executed for the other tests serves here, too.
            shutil.copytree(small_site.root, root, ignore=shutil.ignore_patterns("html", "site*"))
            config = root / "_config.yml"
            text = config.read_text()
            assert 'baseurl: ""' in text
            config.write_text(text.replace('baseurl: ""', f"baseurl: {URL}"))
            course = Course.find(root)
            done(command, course, "site", "--version", "1.0")
            done(command, course, "release", "add")
            with (root / "_toc.yml").open("a") as toc:
                toc.write("  - file: book/more\n")
            (root / "book/more.md").write_text(f"# More\n\n{'Words that fill a page. ' * 10}\n")
            done(command, course, "site", "--version", "1.1")
            done(command, course, "release", "add", "1.1")
            (root / "done").touch()
    return Course.find(root)


@pytest.fixture(scope="module")
def folder(released) -> Path:
    return released.build / "releases"


@pytest.fixture(params=["http", "file"])
def base(request, folder, tmp_path) -> Iterator[str]:
    """The address of the folder of releases: below a sub-path of a server, or without one."""
    if request.param == "file":
        yield f"{folder.as_uri()}/"
        return
    (tmp_path / "some").mkdir()
    (tmp_path / "some/place").symlink_to(folder)
    server = serve.start(tmp_path)
    yield f"http://127.0.0.1:{server.server_port}/some/place/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Open pages; whatever goes wrong on them, or leaves their place, fails the test."""
    contexts, wrong = [], []

    def open_page(url: str, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on("response", lambda r: wrong.append(r.url) if r.status >= 400 else None)
        context.on(
            "requestfailed",
            lambda r: None if LEFT.search(r.failure or "") else wrong.append(r.url),
        )
        context.on("console", lambda m: wrong.append(m.text) if complains(m) else None)
        host = re.match(r"file:|http://[^/]*", url)[0]
        context.on(
            "request",
            lambda r: None if r.url.startswith((host, "data:", "blob:")) else wrong.append(r.url),
        )
        tab = context.new_page()
        tab.goto(url, wait_until="load")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_the_root_leads_to_the_newest(visit, base, scripts):
    tab = visit(f"{base}index.html", java_script_enabled=scripts)
    tab.wait_for_url(f"{base}1.1/{LANDING}")
    assert "Version 1.1" in tab.locator(".book-version").inner_text()


def test_the_menu_leads_to_the_same_page_by_keyboard(visit, base):
    tab = visit(f"{base}1.1/{LINE}#the-formula")
    button = tab.locator(BUTTON)
    button.wait_for()
    assert button.inner_text() == "Version 1.1"
    assert tab.locator(OTHER).count() == 0
    button.focus()
    tab.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert tab.locator(f"{MENU} a").all_inner_texts() == ["1.1 newest", "1.0"]
    assert tab.locator(f"{MENU} [aria-current=page]").inner_text() == "1.1 newest"
    tab.keyboard.press("Escape")
    assert tab.locator(MENU).is_hidden()
    assert button.evaluate("e => e === document.activeElement")
    tab.keyboard.press("Enter")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{base}1.0/{LINE}#the-formula")
    line = tab.locator(OTHER)
    line.wait_for()
    assert line.inner_text() == (
        "You are reading version 1.0, which is not the newest. This page in version 1.1."
    )
    line.locator("a").click()
    tab.wait_for_url(f"{base}1.1/{LINE}#the-formula")


def test_a_page_that_a_version_lacks_leads_to_its_landing_page(visit, base):
    tab = visit(f"{base}1.1/{MORE}")
    tab.locator(BUTTON).click()
    other = tab.locator(f"{MENU} a", has_text="1.0")
    assert other.inner_text() == "1.0 without this page"
    other.click()
    tab.wait_for_url(f"{base}1.0/{LANDING}")
    tab.locator(OTHER).wait_for()


def test_the_search_keeps_its_question(visit, base):
    tab = visit(f"{base}1.0/search.html?q=quokkas")
    tab.locator(BUTTON).click()
    tab.locator(f"{MENU} a", has_text="1.1").click()
    tab.wait_for_url(f"{base}1.1/search.html?q=quokkas")


def test_a_finger_finds_the_menu_on_a_phone(visit, base):
    tab = visit(f"{base}1.1/{LINE}", has_touch=True, viewport={"width": 390, "height": 800})
    tab.locator(BUTTON).wait_for(state="attached")
    tab.locator("button.primary-toggle").tap()
    tab.locator(BUTTON).tap()
    box = tab.locator(MENU).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    tab.keyboard.press("Escape")  # the menu alone
    assert tab.locator(MENU).is_hidden()
    tab.locator(BUTTON).tap()
    tab.locator(f"{MENU} a", has_text="1.0").tap()
    tab.wait_for_url(f"{base}1.0/{LINE}")
    tab.locator(OTHER).wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_site_alone_shows_its_version_and_asks_for_no_other(visit, released, folder, tmp_path):
    with zipfile.ZipFile(folder / "1.0/downloads/out-of-the-shallows-1.0.zip") as packed:
        packed.extractall(tmp_path)
    alone = [tmp_path / "out-of-the-shallows-1.0", released.build / "html"]
    for site in alone:
        assert b"versions.js" not in (site / LINE).read_bytes()
        tab = visit((site / LINE).as_uri())
        # What scripts do once the page stands, they do in turns; the listener of keys comes after.
        tab.wait_for_load_state("networkidle")
        assert tab.locator(".book-version").inner_text().startswith("Version 1.")
        assert tab.locator(BUTTON).count() == tab.locator(OTHER).count() == 0


def test_a_site_without_a_version_names_none(small_site):
    html = small_site.build / "html"
    assert not (html / "release.json").exists()
    for path in html.rglob("*.html"):
        text = path.read_text()
        assert "book-version" not in text
        assert "versions.js" not in text
        assert "<!-- release -->" not in text


def test_the_pdf_names_the_version_and_shows_no_menu(released):
    site = settings.load(released, "1.1")
    page = pdf.one_page(released.build / "html", site, {})
    assert "<p>Version 1.1</p>" in page
    assert "versions.js" not in page
    assert "book-version" not in page


def test_every_absolute_address_is_that_of_the_version(folder):
    for version in ("1.0", "1.1"):
        site = folder / version
        page = (site / LINE).read_text()
        canonical = re.findall(r'<link rel="canonical" href="([^"]*)">', page)
        assert canonical == [f"{URL}1.1/{LINE}"]
        assert f'property="og:url" content="{URL}{version}/{LINE}"' in page
        card = re.search(rf'og:image" content="{URL}{version}/([^"]*)"', page)[1]
        assert (site / card).is_file()
        colab = f"colab.research.google.com/github/ann/course/blob/gh-pages/{version}/colab/01_line"
        assert colab in page
        notebook = (site / "colab/01_line.ipynb").read_text()
        (wheel,) = (site / "wheels").iterdir()
        (picture,) = (site / "colab/images").iterdir()
        assert f"{URL}{version}/wheels/{wheel.name}" in notebook
        assert f"{URL}{version}/colab/images/{picture.name}" in notebook
        own = re.findall(rf"{URL}([^/]*)/", page.replace(canonical[0], "") + notebook)
        assert set(own) == {version}
        assert f"<loc>{URL}{version}/{LINE}</loc>" in (site / "sitemap.xml").read_text()
    assert (folder / "sitemap.xml").read_bytes() == (folder / "1.1/sitemap.xml").read_bytes()


def test_every_link_in_the_folder_leads_somewhere(folder):
    check.check_links(folder)


# axe reads the styles itself, which a page from a folder may not.
@pytest.mark.parametrize("base", ["http"], indirect=True)
@pytest.mark.parametrize(("scheme", "width"), VIEWS)
def test_axe_finds_nothing_on_an_old_page_with_its_menu_open(
    visit, base, page_tools, scheme, width
):
    tab = visit(
        f"{base}1.0/{LINE}",
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    tab.add_style_tag(content="* { transition: none !important }")
    tab.locator(OTHER).wait_for()
    if width < 500:
        tab.locator("button.primary-toggle").click()
    tab.locator(BUTTON).click()
    tab.locator(MENU).wait_for()
    tab.add_script_tag(path=page_tools / "node_modules/axe-core/axe.min.js")
    result = tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert len(result["passes"]) > 5, "axe looked at nothing"
    assert [
        f"{fault['impact']} {fault['id']}: {fault['nodes'][0]['html'][:160]}"
        for fault in result["violations"]
        if fault["impact"] in ("moderate", "serious", "critical")
    ] == []


def test_every_page_of_the_folder_is_valid_html(page_tools, folder, tmp_path):
    rules = tmp_path / "rules.json"
    standard = {"root": True, "extends": ["html-validate:standard"]}
    rules.write_text(json.dumps({**standard, "rules": {"prefer-native-element": "off"}}))
    pages = [str(p) for p in sorted(folder.rglob("*.html")) if "_static" not in p.parts]
    command = page_tools / "node_modules/html-validate/bin/html-validate.mjs"
    ended = subprocess.run(
        [str(page_tools / "node"), str(command), "--config", str(rules), "-f", "json", *pages],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(ended.stdout or "null")
    assert report is not None, ended.stderr
    assert [
        f"{page['filePath']}:{fault['line']} {fault['ruleId']}: {fault['message']}"
        for page in report
        for fault in page["messages"]
    ] == []
    assert len(pages) > 20
