"""A book whatever happens: a site of which much has failed is whole, and says what did not hold.

One small course has every kind of trouble at once. It is executed without a network that leads
anywhere, and built where there is none at all.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.site import build, check, settings
from chapterhouse.testing import make_notebook

pytestmark = pytest.mark.slow

NOWHERE = "http://127.0.0.1:9"  # the port of the discard service, where nobody listens
PROSE = "# {title}\n\nWords of a chapter that stand here whatever happens. Early: {{run}}`early`."
CLAIM = [
    "import sprat as sp\n\nfound = 0.17\nsp.record(early=1)\nsp.claim('one is one', 1, exactly=1)",
    "sp.claim('made points are near <to> the data', found, below=0.15)",
    "sp.claim('the loss is finite', float('nan'), below=1)\nprint('the last cell')",
]
RAISES = [
    "import sprat as sp\n\nsp.record(early=1)",
    "print('before')\nsp.claim('two is one', 2, exactly=1)\nundefined_name",
    "sp.record(late=2)\nprint('never')",
]
FETCHES = [
    "import os\n\nimport sprat as sp\n\nos.environ['SPRAT_DATA'] = os.getcwd()\nsp.record(early=1)",
    "sp.datasets.fetch('fashion_mnist')",
]
CHAPTERS = {
    "02_claim": CLAIM,
    "03_raises": RAISES,
    "05_dies": ["print('alive')", "import os\n\nos.kill(os.getpid(), 9)", "print('never')"],
    "06_slow": ["import time\n\ntime.sleep(600)"],
    "07_fetches": FETCHES,
}
MORE = """
Late: {{run}}`03_raises/late:.1%`.

```{{from-run}} 03_raises/code-2
```

```{{live}} draw
:model: 05_dies/network
```
"""
API = ["import sprat as sp\n\nsp.claim('it is small', 3, below=2, name='answer')"]


def write_broken_course(write_small_course, folder) -> Course:
    course = write_small_course(folder)
    for slug, cells in CHAPTERS.items():
        limits = {"timeout_s": 6} if slug == "06_slow" else None
        title = slug.partition("_")[2].capitalize()
        made = make_notebook(cells, prose=PROSE.format(title=title), settings=limits)
        if slug == "03_raises":
            made.cells[0].source += "\n\nLate: {run}`late`."
        nb.write(made, course.chapters / f"{slug}.ipynb")
    (course.chapters / "08_torn.ipynb").write_text('{"cells": [')
    prose = (
        "# What pebble offers\n\nIts answer is {run}`answer:.0f`. " + "And some more words. " * 8
    )
    nb.write(make_notebook(API, prose=prose), course.book / "api/api_pebble.ipynb")
    glossary = course.book / "glossary.md"
    glossary.write_text(glossary.read_text() + MORE.format())
    toc = course.root / "_toc.yml"
    listed = "".join(f"  - file: chapters/{slug}\n" for slug in (*CHAPTERS, "08_torn"))
    toc.write_text(
        toc.read_text().replace("  - file: book/glossary\n", f"{listed}  - file: book/glossary\n")
    )
    return course


def without_network(course: Course, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in a network of its own, which is down; with a proxy nowhere where none is let."""
    alone = ["unshare", "-rn"] if shutil.which("unshare") else []
    if alone and subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        alone = []
    paths = [str(path.parent) for path in course.libraries]
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "ALL_PROXY"), NOWHERE)
    program = [sys.executable, "-m", "chapterhouse.cli", "--course", str(course.root)]
    return subprocess.run(
        [*alone, *program, *arguments],
        capture_output=True, text=True, check=False,
        env={**os.environ, **proxies, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def broken(tmp_path_factory, write_small_course, command):
    """The course, executed and built: it, and what the two commands said."""
    folder = tmp_path_factory.mktemp("broken") / "course"
    course = write_broken_course(write_small_course, folder)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
            patch.setenv(name, NOWHERE)
        ran = command(course, "run")
    return course, ran, without_network(course, "site", "--json")


@pytest.fixture
def page(broken):
    """The HTML of a page, its banner alone and all of it."""

    def read(name: str) -> tuple[str, str]:
        html = (broken[0].build / f"html/{name}.html").read_text()
        found = re.search(r'<aside class="broken".*?</aside>', html, re.DOTALL)
        return (" ".join(found[0].split()) if found else ""), html

    return read


def test_both_commands_end_with_exit_code_1_and_name_what_failed(broken) -> None:
    _, ran, built = broken
    assert (ran.returncode, built.returncode) == (1, 1), built.stderr
    told = ran.stdout.partition("what failed:\n")[2]
    assert "02_claim\n  ✗ made points are near <to> the data (0.17; must be < 0.15)\n" in told
    assert "  ✗ the loss is finite (nan; must be < 1)\n" in told
    assert "03_raises\n  ✗ two is one (2; must be = 1)\n" in told
    assert "(id code-1): NameError: name 'undefined_name' is not defined" in told
    assert "its kernel died (SIGKILL" in told
    assert "ran out of time: the chapter may take 6 s" in told
    assert "08_torn.ipynb is not a notebook" in told
    assert "api_pebble\n  ✗ it is small (3; must be < 2)\n" in told
    assert "3 ran, 7 failed in" not in told, "01 and 04 are the only ones that are well"
    assert "2 ran, 7 failed in" in told
    report = json.loads(built.stdout)
    assert report["warnings"] == []
    assert [entry["page"] for entry in report["broken"]] == [
        "chapters/02_claim", "chapters/03_raises", "chapters/05_dies", "chapters/06_slow",
        "chapters/07_fetches", "chapters/08_torn", "book/api/api_pebble",
    ]  # fmt: skip
    for entry in report["broken"]:
        assert f"  {entry['page']}" in built.stderr
        assert entry["told"] in built.stderr
    assert str(broken[0].root) not in built.stdout.replace(report["folder"], "")


def test_the_site_is_complete(broken) -> None:
    course = broken[0]
    check.check(course.build / "html", settings.load(course))
    assert {path.stem for path in (course.build / "html/colab").glob("*.ipynb")} == {
        "01_line", "04_under_the_hood", *CHAPTERS, "08_torn",
    }  # fmt: skip
    (packed,) = (course.build / "html").rglob("*.zip")
    assert packed.stat().st_size > 10_000


def test_a_page_that_is_well_is_as_usual(page) -> None:
    banner, html = page("chapters/01_line")
    assert banner == ""
    assert "for 40 points." in html
    assert "1 of 1 held" in html


def test_a_claim_that_does_not_hold_stands_at_the_top_and_in_its_place(page) -> None:
    banner, html = page("chapters/02_claim")
    assert "Not all that this page states holds here" in banner
    assert "2 of 3 claims do not hold:" in banner
    assert (
        '<a href="#claim-2">made points are near &lt;to&gt; the data</a>: 0.17; '
        'it must be &lt; 0.15. <span class="broken-last">It has never held here.</span>'
    ) in banner
    assert '<a href="#claim-3">the loss is finite</a>: nan; it must be &lt; 1.' in banner
    assert 'id="claim-2"' in html
    assert "sprat-claim-failed" in html
    assert "the last cell" in html
    assert "1 of 3 held" in html
    assert "Early: 1." in html
    banner, html = page("book/api/api_pebble")
    assert "it is small</a>: 3; it must be &lt; 2." in banner
    assert "Its answer is 3." in html, "the number was computed, whatever was claimed of it"


def test_a_cell_that_raises_keeps_what_came_before(page) -> None:
    banner, html = page("chapters/03_raises")
    assert "The run of this page did not come to its end" in banner
    assert "chapters/03_raises.ipynb, cell 4 of 5 (id code-1): NameError" in banner
    assert 'href="#run-stopped"' in banner
    assert "It has never run well here." in banner
    assert "two is one</a>: 2; it must be = 1." in banner
    before, stopped, after = html.partition('id="run-stopped"')
    assert stopped
    assert "before" in before
    assert "NameError" in before, "the traceback is there"
    assert "Early: 1." in before
    assert "never" in after, "the code of the cells that did not run"
    mark = '<span class="not-computed">not computed in this run</span>'
    assert f"Late: {mark}." in html


@pytest.mark.parametrize(
    ("slug", "told"),
    [
        ("05_dies", "its kernel died (SIGKILL"),
        ("06_slow", "ran out of time: the chapter may take 6 s"),
        ("07_fetches", "DataError"),
    ],
)
def test_whatever_stops_a_run_is_told(page, slug, told) -> None:
    banner, html = page(f"chapters/{slug}")
    assert told in banner
    assert 'id="run-stopped"' in html
    assert "until it stopped" in html
    assert ("alive" in html) == (slug == "05_dies")


def test_a_notebook_that_cannot_be_read_has_a_page_that_says_so(page) -> None:
    banner, html = page("chapters/08_torn")
    assert "The notebook of this page cannot be read" in banner
    assert "chapters/08_torn.ipynb is not a notebook" in banner
    assert "<dd>not run</dd>" in html
    assert "<h1>Torn" in html


def test_other_pages_have_a_mark_where_something_is_missing(page) -> None:
    banner, html = page("book/glossary")
    assert banner == ""
    assert 'Late: <span class="not-computed">not computed in this run</span>.' in html
    assert html.count('<p class="not-computed">This figure was not computed in this run.</p>') == 2


def test_the_pages_of_claims_and_times_have_what_there_is(page) -> None:
    _, claims = page("book/claims")
    assert "2 of 6 claims held in the runs shown here." in claims
    assert "<td>&lt; 0.15</td>" in claims
    assert "<td>nan</td><td>&lt; 1</td><td>not a number</td>" in claims
    _, times = page("book/timing")
    assert "One after another the runs of these 8 pages took" in times


def test_the_colab_edition_warns_and_has_marks(broken) -> None:
    made = nb.read(broken[0].build / "html/colab/03_raises.ipynb")
    text = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    assert "That run failed:" in text
    assert "Late: *(not computed in this run)*." in text
    well = nb.read(broken[0].build / "html/colab/01_line.ipynb")
    assert "That run failed" not in well.cells[0].source


def test_it_is_not_built_again_for_nothing_and_never_published(broken, command) -> None:
    course = broken[0]
    again = without_network(course, "site")
    assert again.returncode == 1
    assert "up to date, 13 pages" in again.stdout
    before = (course.build / "html/index.html").stat().st_ino
    for arguments in (["--strict"], ["--version", "1.0"]):
        refused = command(course, "site", *arguments)
        assert refused.returncode == 1
        assert "chapters/02_claim.ipynb failed when it was last executed." in refused.stderr
        assert "fix: chapterhouse run 02_claim" in refused.stderr
    assert (course.build / "html/index.html").stat().st_ino == before
    released = command(course, "release", "add")
    assert released.returncode == 2
    assert "was built without a version" in released.stderr


def test_what_is_mended_says_nothing_and_what_broke_says_when_it_held(broken, command) -> None:
    """A test that changes the course, which those before have looked at."""
    course = broken[0]
    path = course.chapters / "02_claim.ipynb"
    stored = path.read_text()
    path.write_text(stored.replace("found = 0.17", "found = 0.1").replace("float('nan')", "0"))
    assert command(course, "run", "2").returncode == 0
    build.build(course, strict=False)
    assert 'class="broken"' not in (course.build / "html/chapters/02_claim.html").read_text()
    path.write_text(path.read_text().replace("found = 0.1\\n", "found = 0.2\\n"))
    assert command(course, "run", "2").returncode == 1
    report = build.build(course, strict=False)
    assert dict(report.broken)["chapters/02_claim"].startswith("1 of 3 claims does not hold")
    html = (course.build / "html/chapters/02_claim.html").read_text()
    assert re.search(r"0\.2; it must be &lt; 0\.15\. <span[^>]*>It held last on 20\d\d-", html)


def test_warnings_are_told_and_the_site_is_left(broken) -> None:
    course = broken[0]
    index = course.book / "index.md"
    stored = index.read_text()
    index.write_text(
        f'{stored}\n{{ref}}`nowhere`, {{run}}`01_line/typo` and <a href="gone.html">gone</a>.\n'
    )
    for _ in range(2):  # Sphinx itself would keep silent about a page that it has read before
        report = build.build(course, strict=False)
        warnings = "\n".join(report.warnings)
        assert "book/index.md:5: undefined label: 'nowhere'" in warnings
        assert "names 'typo', which the run did not record" in warnings
        assert "book/index.html points to gone.html, which the site does not have" in warnings
        html = (course.build / "html/book/index.html").read_text()
        assert 'and <a href="gone.html">gone</a>' in html
        assert '<span class="not-computed">not computed in this run</span> and' in html
    index.write_text(stored)
    assert build.build(course, strict=False).warnings == ()
