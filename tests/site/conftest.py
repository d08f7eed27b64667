"""Two built sites and a browser: a small course made here, and the book itself.

Each site is built once for all workers, behind a lock on a file. The small course has what the book
has (figures, mathematics, a slider, claims, an exercise, cross-references) and takes seconds.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from chapterhouse.course import Course
from chapterhouse.site import serve

ROOT = Path(__file__).parents[2]
BROWSER_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "pebble"
version = "0.1.0"
requires-python = ">=3.11"
[tool.hatch.build.targets.wheel]
packages = ["lib/pebble"]
[tool.chapterhouse]
title = "Small course"
libraries = ["lib/pebble"]
"""

TOC = """\
format: jb-book
root: book/index
chapters:
  - file: chapters/01_line
  - file: chapters/04_under_the_hood
  - file: book/glossary
  - file: book/api/api_pebble
  - file: book/claims
  - file: book/timing
"""

PEBBLE = '''\
"""A library as small as a library can be."""

from IPython.display import HTML, display

ANSWER = 42


def claim(text, held, value, name):
    data = {"text": text, "held": bool(held), "value": value, "name": name}
    display(
        {"application/vnd.sprat.claim+json": data, "text/plain": text,
         "text/html": f'<p class="sprat-claim"><span>✓</span> {text}</p>'},
        raw=True,
    )


def record(**values):
    display(
        {"application/vnd.sprat.record+json": {"values": values}, "text/plain": "RECORDED"},
        raw=True,
    )


def slider():
    return HTML(
        '<figure class="sprat-scrub"><div role="img" aria-label="a dot">0</div>'
        '<label>step <input type="range" min="0" max="9" value="0" '
        "oninput=\\"this.closest('figure').querySelector('div').textContent = this.value\\">"
        "</label></figure>"
    )
'''

FIRST = [
    ("markdown", "# A line through points\n\nThe mistake is {run}`loss:.3f` for {run}`n` points. "
     "A {term}`batch` is small, as {cite:t}`kingma2013` know. Quokkas are not in this chapter."),
    ("parameters", "num_points = 40\nseed = 0"),
    ("markdown", "## The formula\n\nWith $\\hat y = wx + b$:\n\n$$\nL = \\frac{1}{n}"
     "\\sum_i (\\hat y_i - y_i)^2\n$$ (eq-loss)\n\n```{admonition} Predict\n:class: predict\n\n"
     "Will {eq}`eq-loss` fall below 0.1?\n```\n\n```{figure} ../book/_static/favicon.svg\n"
     ":alt: A fish.\n:name: fig-fish\n\nA fish swims.\n```\n\nSee {numref}`fig-fish` and "
     "[the words](../book/glossary.md)."),
    ("figure", "import matplotlib.pyplot as plt\nimport numpy as np\n\nfrom pebble import claim, "
     "record, slider\n\nrng = np.random.default_rng(seed)\nx = rng.uniform(-1, 1, num_points)\n"
     "y = 2 * x + rng.normal(0, 0.2, num_points)\n_ = plt.scatter(x, y)"),
    ("code", "w, b = np.polyfit(x, y, 1)\nloss = float(np.mean((w * x + b - y) ** 2))\n"
     "record(n=num_points)\nclaim('a line fits to a tenth', loss < 0.1, loss, 'loss')"),
    ("code", "slider()"),
    ("markdown", "| model | error |\n|---|---|\n| line | 0.04 |\n\n"
     "```{admonition} What is a slope?\n:class: dropdown\n\n"
     "How steep it is.\n```\n\n`" + "a_name_that_does_not_break_" * 4 + "`"),
]  # fmt: skip

SECOND = [
    ("markdown", "(hood)=\n# Under the hood\n\nAfter {doc}`01_line` comes {ref}`hood`. This "
     "chapter has an exercise and needs a few words more to be a page of its own, here they are."),
    ("parameters", "steps = 3"),
    ("code", "import pebble\n\npebble.ANSWER + steps"),
    ("markdown", "## Exercises\n\n```{graded} 04_sgd_step\n```"),
]  # fmt: skip


# A notebook among the pages: executed as a chapter is, but no chapter.
PAGE = [
    ("markdown", "# What pebble offers\n\nIts answer is {run}`answer:.0f`. This page shows what "
     "the library has, and it is long enough for a page that is not empty at all."),
    ("parameters", "seed = 0"),
    ("code", "import pebble\n\npebble.record(answer=pebble.ANSWER)\n"
     "pebble.claim('it is 42', pebble.ANSWER == 42, 42, 'answer')"),
]  # fmt: skip


def notebook_of(cells: list[tuple[str, str]]) -> nbformat.NotebookNode:
    """A stored chapter from (kind, source) pairs."""
    made = []
    for number, (kind, source) in enumerate(cells):
        if kind == "markdown":
            cell = nbformat.v4.new_markdown_cell(source)
        else:
            tags = {"tags": ["parameters"]} if kind == "parameters" else {}
            alt = {"alt": "Points along a rising line."} if kind == "figure" else {}
            cell = nbformat.v4.new_code_cell(source, metadata={**tags, **alt})
        cell.id = f"cell-{number:03d}"
        made.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    settings = {"profiles": {"full": {cells[1][1].split(" ")[0]: 4000}}, "gpu": "recommended"}
    return nbformat.v4.new_notebook(
        cells=made, metadata={"kernelspec": kernel, "chapterhouse": settings}
    )


def write_small_course(folder: Path) -> Course:
    """A small course on disk, as an author would leave it."""
    (folder / "lib/pebble").mkdir(parents=True)
    (folder / "lib/pebble/__init__.py").write_text(PEBBLE)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "_toc.yml").write_text(TOC)
    shutil.copy(ROOT / "_config.yml", folder)
    shutil.copytree(ROOT / "book/_static", folder / "book/_static")
    shutil.copytree(ROOT / "exercises/04_sgd_step", folder / "exercises/04_sgd_step")
    words = "These are enough words for a page that is not empty, and there are some more. "
    (folder / "book/index.md").write_text(f"# Small course\n\n{words * 3}\n")
    (folder / "book/glossary.md").write_text(
        f"# Glossary\n\n{words * 2}In {{run}}`01_line/n` points.\n\n```{{glossary}}\nbatch\n"
        "  A few examples at once.\n```\n\n```{bibliography}\n```\n"
    )
    for name in ("claims.md", "timing.md"):
        shutil.copy(ROOT / "book" / name, folder / "book")
    (folder / "book/references.bib").write_text(
        "@article{kingma2013,\n title={Auto-Encoding Variational Bayes},\n author={Kingma, "
        "Diederik P. and Welling, Max},\n year={2013},\n journal={arXiv},\n eprint={1312.6114}}\n"
    )
    (folder / "chapters").mkdir()
    for slug, cells in (("01_line", FIRST), ("04_under_the_hood", SECOND)):
        nbformat.write(notebook_of(cells), folder / f"chapters/{slug}.ipynb")
    (folder / "book/api").mkdir()
    nbformat.write(notebook_of(PAGE), folder / "book/api/api_pebble.ipynb")
    return Course.find(folder)


def chapterhouse(course: Course, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command on a course, as a user does."""
    paths = [str(path.parent) for path in course.libraries]
    return subprocess.run(
        [sys.executable, "-m", "chapterhouse.cli", "--course", str(course.root), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
    )


def run_and_build(course: Course) -> dict:
    """Execute and build a course; the report of the site."""
    for arguments in (["run"], ["site", "--json"]):
        done = chapterhouse(course, *arguments)
        assert done.returncode == 0, f"chapterhouse {arguments}:\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that every worker of this session respects."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of this test session."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", name="command")
def _command():
    """The function that runs one command on a course."""
    return chapterhouse


@pytest.fixture(scope="session", name="write_small_course")
def _write_small_course():
    """The function that writes a small course into a folder."""
    return write_small_course


@pytest.fixture(scope="session", name="run_and_build")
def _run_and_build():
    """The function that executes and builds a course."""
    return run_and_build


@pytest.fixture(scope="session", name="locked")
def _locked():
    """The lock that every worker of this session respects."""
    return locked


@pytest.fixture
def small_course(tmp_path: Path) -> Course:
    """A small course that nothing was done with yet."""
    return write_small_course(tmp_path / "course")


@pytest.fixture(scope="session")
def small_site(shared: Path) -> Course:
    """A small course, executed and built."""
    folder = shared / "small-site"
    with locked(shared / "small-site.lock"):
        if not (folder / "_build/html/index.html").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            run_and_build(write_small_course(folder))
    return Course.find(folder)


@pytest.fixture(scope="session")
def book_site(shared: Path) -> Course:
    """The book itself, executed and built; what is up to date is not done again."""
    course = Course.find(ROOT)
    done = shared / "book-site.done"
    with locked(shared / "book-site.lock"):
        if not done.exists():
            run_and_build(course)
            done.touch()
    return course


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if name and (found := shutil.which(name))), None)
    assert path, "no Chromium: run tests/site/install_browser.sh"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=path, headless=True, args=BROWSER_ARGUMENTS
        )
        yield running
        running.close()


@pytest.fixture(scope="session")
def page_tools() -> Path:
    """The folder with axe, the HTML validator and Lighthouse, and ``node`` to run them with."""
    done = subprocess.run(
        ["sh", str(ROOT / "tests/site/install_tools.sh")],
        capture_output=True,
        text=True,
        check=True,
    )
    folder = ROOT / "_build/page-tools"
    if not any(folder.glob("done-*")):
        pytest.skip(done.stderr.strip() or "the tools that judge pages could not be installed")
    return folder


@pytest.fixture(scope="session")
def address() -> Iterator:
    """A function from a course to the address under which its site answers."""
    servers: dict[Path, object] = {}

    def serve_course(course: Course) -> str:
        folder = course.build / "html"
        if folder not in servers:
            servers[folder] = serve.start(folder)
        return f"http://127.0.0.1:{servers[folder].server_port}/"

    yield serve_course
    for server in servers.values():
        server.shutdown()
        server.server_close()
