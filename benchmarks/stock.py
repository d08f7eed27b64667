"""The same pages as a stock Jupyter Book: what peers of our site are measured on.

The executed copies that `chapterhouse site` stages go into a folder of their own with the settings
that a new Jupyter Book has: its title, its contents, the works cited, nothing of ours. Jupyter Book
does not execute them again.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

#: The command of the environment that runs this.
PROGRAM = str(Path(sys.executable).with_name("jupyter-book"))
# What the pages' own blocks need to be read at all; everything else is as Jupyter Book brings it.
CONFIG = {
    "only_build_toc_files": True,
    "execute": {"execute_notebooks": "off"},
    "parse": {
        "myst_enable_extensions": ["amsmath", "colon_fence", "deflist", "dollarmath", "tasklist"]
    },
    "sphinx": {"extra_extensions": ["sphinx_exercise", "sphinx_proof"]},
}


def make(staged: Path, folder: Path) -> None:
    """Put the stock book into `folder`, which must not exist yet.

    Args:
        staged: the tree that the last `chapterhouse site` gave to Jupyter Book.
        folder: where the book goes.
    """
    shutil.copytree(staged, folder)
    ours = yaml.safe_load((staged / "_config.yml").read_text())
    named = {key: ours[key] for key in ("title", "author", "bibtex_bibfiles") if key in ours}
    (folder / "_config.yml").write_text(yaml.safe_dump({**named, **CONFIG}))


def build(folder: Path) -> Path:
    """Build it, or what changed of it, as its user does; the folder of pages.

    Raises:
        SystemExit: no pages came out.
    """
    done = subprocess.run(
        [PROGRAM, "build", str(folder), "--quiet"], capture_output=True, text=True, check=False
    )
    html = folder / "_build" / "html"
    if not (html / "index.html").is_file():
        sys.exit(f"jupyter-book made no pages:\n{done.stderr[-2000:]}")
    return html
