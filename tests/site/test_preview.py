"""The preview in a real browser: what is saved appears on the open page, and so does what is wrong.

The small course is copied with its site, so that nothing must be built first.
"""

import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from chapterhouse.course import Course
from chapterhouse.site import serve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
FAULT = "#preview-fault pre"


class Preview:
    """A preview that runs in a thread, and the course it shows."""

    def __init__(self, course: Course) -> None:
        self.course, self.said, self._end = course, [], threading.Event()
        self._thread = threading.Thread(
            target=serve.serve,
            kwargs={
                "course": course,
                "port": 0,
                "say": self.said.append,
                "build": lambda *_, **__: True,
                "stop": self._end.is_set,
            },
        )
        self._thread.start()
        while not (lines := [line for line in self.said if line.startswith("http")]):
            assert self._thread.is_alive()
            time.sleep(0.01)
        self.address = lines[0].split()[0]

    def path(self, name: str) -> Path:
        return self.course.root / name

    def close(self) -> None:
        self._end.set()
        self._thread.join()


@pytest.fixture(scope="module")
def preview(small_site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("preview") / "course"
    shutil.copytree(small_site.root, folder)
    course = Course.find(folder)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(folder / "lib")
    made = Preview(course)
    yield made
    made.close()
    os.environ.pop("PYTHONPATH")
    if before is not None:
        os.environ["PYTHONPATH"] = before


@pytest.fixture
def tab(browser, preview):
    context = browser.new_context()
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def test_what_is_saved_appears_on_the_open_page(preview, tab):
    index = preview.path("book/index.md")
    tab.goto(f"{preview.address}book/index.html")
    index.write_text(index.read_text() + "\nA sentence of the first save.\n")
    index.write_text(index.read_text() + "\nAnd one of a second save at once.\n")
    tab.get_by_text("And one of a second save at once.").wait_for()
    assert tab.get_by_text("A sentence of the first save.").count() == 1
    assert tab.locator(FAULT).count() == 0
    chapter = preview.path("chapters/01_line.ipynb")
    notebook = json.loads(chapter.read_text())
    notebook["cells"][2]["source"] += "\n\nAnother sentence of a chapter."
    tab.goto(f"{preview.address}chapters/01_line.html")
    chapter.write_text(json.dumps(notebook))
    tab.get_by_text("Another sentence of a chapter.").wait_for()
    assert sum(line.startswith("renewed in") for line in preview.said) >= 2


def test_a_fault_of_a_page_stands_on_it_until_it_is_mended(preview, tab):
    index = preview.path("book/index.md")
    good = index.read_text()
    tab.goto(f"{preview.address}book/index.html")
    index.write_text(f"{good}\n```{{nonsense}}\nx\n```\n\nWords after the fault.\n")
    tab.get_by_text("Words after the fault.").wait_for()
    tab.locator(FAULT, has_text="book/index.md").wait_for()
    assert "nonsense" in tab.locator(FAULT).inner_text()
    index.write_text(f"{good}\nMended.\n")
    tab.get_by_text("Mended.").wait_for()
    tab.locator(FAULT).wait_for(state="detached")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("_toc.yml", "root: [\n", "not valid YAML"),
        ("_config.yml", "html:\n  baseurl: nowhere\n", "not an address"),
        ("book/glossary.md", None, "there is no book/glossary.md"),
        ("chapters/01_line.ipynb", '{"cells": [', "01_line.ipynb"),
    ],
    ids=["contents", "settings", "deleted", "notebook"],
)
def test_what_stops_the_build_is_told_and_the_last_good_page_stays(
    preview, tab, name, content, told
):
    path = preview.path(name)
    good = path.read_text()
    tab.goto(f"{preview.address}book/index.html")
    try:
        path.unlink() if content is None else path.write_text(content)
        tab.locator(FAULT, has_text=told).wait_for()
        assert tab.locator("article h1").inner_text().startswith("Small course")
        tab.reload()
        tab.locator(FAULT, has_text=told).wait_for()
        tab.get_by_role("button", name="Close").click()
        assert tab.locator(FAULT).count() == 0
    finally:
        path.write_text(good)
