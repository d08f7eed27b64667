"""Every published notebook, run as Colab runs it.

Colab has IPython 7.34 and its own torch, starts in an empty folder, offers `google.colab`, and
knows the library only from the wheel. Here a virtual environment without any package of its own
sees, in this order: what it installs itself, IPython 7.34, then the packages of this environment
(through a .pth file, which does not follow this environment's own link to the library).
"""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from chapterhouse import myst
from chapterhouse.course import Course
from chapterhouse.site import settings

ROOT = Path(__file__).parents[2]
PINS = ("ipython==7.34.0", "ipykernel==6.17.1", "pip>=23")
BOOK = Course.find(ROOT)
BOOK_CHAPTERS = [
    page.rpartition("/")[2] for page in settings.load(BOOK).pages if page.startswith("chapters/")
]
NOTEBOOKS = [("small_site", "01_line"), ("small_site", "04_under_the_hood")] + [
    ("book_site", slug) for slug in BOOK_CHAPTERS
]
HIDDEN = ("PYTHONPATH", "MPLBACKEND", "SPRAT_WHEEL", "PEBBLE_WHEEL")
PROBE = """\
import google.colab, importlib.metadata, IPython, json, os, sys
found = sys.modules["{library}"]
print(json.dumps({{
    "ipython": IPython.__version__,
    "file": found.__file__,
    "version": importlib.metadata.version("{distribution}"),
    "torch": getattr(sys.modules.get("torch"), "__file__", ""),
    "folder": os.listdir("."),
}}))
"""


@pytest.fixture(scope="session")
def old_ipython() -> Path:
    """A folder with Colab's IPython and kernel, kept between sessions in the build folder."""
    digest = hashlib.sha256(" ".join([sys.version, *PINS]).encode()).hexdigest()[:12]
    folder = BOOK.build / f"colab-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            done = subprocess.run(
                [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), *PINS],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode and re.search(r"connection|resolve|No matching", done.stderr, re.I):
                pytest.skip(f"pip cannot get {', '.join(PINS)}: {done.stderr.splitlines()[-1]}")
            assert done.returncode == 0, done.stderr
            (folder / "done").touch()
    return folder


@pytest.fixture
def colab(old_ipython, tmp_path, monkeypatch):
    """A function that runs a notebook in a fresh Colab and says what it found there."""
    home = tmp_path / "colab"
    venv.create(home, symlinks=True)
    own = Path(sysconfig.get_path("purelib", "venv", {"base": str(home)}))
    packages = sysconfig.get_path("purelib")
    (own / "after_own.pth").write_text(f"{old_ipython}\n{packages}\n")
    google = tmp_path / "fake/google"
    (google / "colab").mkdir(parents=True)
    (google / "__init__.py").touch()
    (google / "colab/__init__.py").touch()
    kernel = tmp_path / "jupyter/kernels/colab"
    kernel.mkdir(parents=True)
    launch = [str(home / "bin/python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(
        json.dumps({"argv": launch, "display_name": "Colab", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    folder = tmp_path / "content"
    folder.mkdir()

    def run(notebook, *, library: str, distribution: str = "") -> dict:
        probe = PROBE.format(library=library, distribution=distribution or library)
        notebook.cells.append(nbformat.v4.new_code_cell(probe))
        client = NotebookClient(
            notebook, kernel_name="colab", timeout=300, resources={"metadata": {"path": folder}}
        )
        environment = {
            **{k: v for k, v in os.environ.items() if k not in HIDDEN},
            "PYTHONPATH": str(tmp_path / "fake"),
            "OMP_NUM_THREADS": "1",
            "IPYTHONDIR": str(tmp_path / "ipython"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        client.execute(env=environment)
        return {**json.loads(notebook.cells[-1].outputs[-1].text), "home": str(home)}

    return run


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("site", "slug"), NOTEBOOKS)
@pytest.mark.filterwarnings("ignore:Proactor event loop")
def test_a_notebook_runs_top_to_bottom_as_in_colab(request, colab, site, slug):
    course = request.getfixturevalue(site)
    html = course.build / "html"
    notebook = nbformat.read(html / f"colab/{slug}.ipynb", as_version=4)
    (wheel,) = (html / "wheels").glob("*.whl")
    library, version = wheel.name.split("-")[:2]
    # The site has no public address, so each notebook brings the wheel along.
    found = colab(notebook, library=library)
    assert found["ipython"] == "7.34.0"
    assert found["file"].startswith(found["home"]), "the library must come from the wheel"
    assert found["version"] == version
    assert not found["torch"].startswith(found["home"]), "torch must not be installed again"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:Proactor event loop")
def test_an_exercise_notebook_gets_ready_as_in_colab(book_site, colab):
    slug = BOOK_CHAPTERS[0]
    path = book_site.build / f"html/_static/exercises/{slug}_exercises.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = notebook.cells[:2]
    found = colab(notebook, library="chapterhouse", distribution="sprat")
    assert found["file"].startswith(found["home"])
    # pip may have said something before.
    assert notebook.cells[1].outputs[-1].text.startswith("Ready.")


@pytest.mark.parametrize(("site", "slug"), NOTEBOOKS)
def test_no_raw_myst_and_no_relative_picture_is_left(request, site, slug):
    course = request.getfixturevalue(site)
    notebook = nbformat.read(course.build / f"html/colab/{slug}.ipynb", as_version=4)
    nbformat.validate(notebook)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    for text in texts:
        prose = "\n".join(b.text for b in myst.blocks(text) if isinstance(b, myst.Prose))
        hidden, _ = myst.protect_code(prose)
        assert not re.search(r"^\s*(`{3,}|:{3,}|~{3,})\{", text, re.M), text
        assert not re.search(r"\{[\w:.-]+\}`", hidden), text
        assert not re.search(r"^\([\w-]+\)=", hidden, re.M), text
        for source in re.findall(r"!\[[^\]]*\]\(([^)]+)\)|<img[^>]+src=\"([^\"]+)", text):
            assert re.match(r"https?://|data:image/", "".join(source)), source
    assert all(not cell.get("outputs") for cell in notebook.cells)
    assert "%pip install -q --no-deps" in notebook.cells[1].source
