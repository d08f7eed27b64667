"""One page of the preview renewed at once, when nothing but prose was edited.

A whole build renders and checks every page. Somebody who writes wants to see one: so a process that
has imported Sphinx waits, and for each change a fork of it stages the tree, lets Sphinx read and
write the changed pages alone, and puts them into the published folder with the style and the
scripts that the last whole build made. What depends on all pages (the sidebar, the search, the
Colab edition, the checks) stays as it was: the whole build that follows renews it, and never takes
anything of ours for its own.
"""

from __future__ import annotations

import functools
import gc
import io
import json
import os
import re
import select
import subprocess
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import ChapterhouseError
from chapterhouse.site import build, publish, reading, render, settings
from chapterhouse.site import stage as staging
from chapterhouse.site.settings import SiteSettings
from chapterhouse.site.slim import pages as slim_pages

_LOADED = re.compile(
    r'[ \t]*<link rel="stylesheet" href="[^"]*"[^>]*>|[ \t]*<script defer [^>]*></script>'
)
PATIENCE_S = 60.0
# What Sphinx would import for each page: seconds that the reader of a preview need not wait.
_SLOW = (
    "jupyter_book.sphinx", "myst_nb.sphinx_", "sphinx_book_theme", "sphinx_exercise",
    "sphinx_proof", "sphinxcontrib.bibtex", "sphinx_design", "sphinx_togglebutton",
    "sphinx_copybutton",
    "sphinx_external_toc", "sphinx_thebe", "sphinx_comments", "sphinx_jupyterbook_latex",
    "sphinx.builders.html", "pydata_sphinx_theme", "pybtex.style.formatting.plain", "jinja2",
    "chapterhouse.site.sphinx_extension",
)  # fmt: skip


class Helper:
    """The process that waits. It starts with the first object and ends with `close`."""

    def __init__(self, course: Course, profile: str) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "chapterhouse.site.quick",
                str(course.root),
                profile,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def refresh(self) -> dict[str, Any]:
        """Renew what changed: ``pages`` and ``complaints``, or ``reason`` why it takes a build."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        try:
            asked.write("\n")
            asked.flush()
            ready, _, _ = select.select([told], [], [], PATIENCE_S)
            line = told.readline() if ready else ""
        except OSError:
            line = ""
        return json.loads(line) if line else {"reason": "the helper gave no answer"}

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate()


def refresh(course: Course, profile: str) -> dict[str, Any]:
    """Renew the pages whose prose changed since the last build; call it in a process of its own.

    Raises:
        ChapterhouseError: a page cannot be staged; a whole build says the same.
    """
    published = course.build / "html"
    site = settings.load(course)
    with build.alone(course):
        staged = staging.stage(course, site, profile=profile, prose_may_differ=True, strict=False)
        names = sorted(name.rpartition(".")[0] for name in staged.written)
        strange = sorted(set(names) - set(site.pages))
        if strange or not names:
            return {"reason": f"{strange[0]} changed" if strange else "no page changed"}
        if not all((published / f"{name}.html").is_file() for name in names):
            return {"reason": "a page is new"}
        build.forget(course)
        complaints = [*staged.gaps.complaints, *_render(course, staged)]
        for name in names:
            _put(course, site, name, published)
    return {"pages": names, "complaints": complaints}


def _render(course: Course, staged: staging.Staged) -> list[str]:
    """Let Sphinx write the changed pages and nothing else; what it complains of."""
    build_sphinx = import_module("jupyter_book.sphinx").build_sphinx
    from sphinx.builders.html import StandaloneHTMLBuilder

    # The search index, the index of terms and the copies of styles are for a whole build to renew,
    # and so are the pages whose contents name a changed one, which Sphinx would write as well.
    # This process ends with this page, so nobody else meets the changed class.
    wanted = [name.rpartition(".")[0] for name in staged.written]
    write = StandaloneHTMLBuilder._write_serial
    StandaloneHTMLBuilder._write_serial = (  # type: ignore[method-assign]
        lambda self, docnames: write(self, [name for name in docnames if name in wanted])
    )
    StandaloneHTMLBuilder.copy_assets = lambda self: None  # type: ignore[method-assign]
    StandaloneHTMLBuilder.index_page = lambda *_: None  # type: ignore[method-assign]
    StandaloneHTMLBuilder.finish = (  # type: ignore[method-assign]
        lambda self: self.copy_image_files()
    )
    told, sys.stderr = sys.stderr, io.StringIO()
    try:
        build_sphinx(
            staged.folder,
            render.output_folder(course),
            noconfig=True,
            path_config=staged.folder / "_config.yml",
            confoverrides={
                "external_toc_path": str(staged.folder / "_toc.yml"),
                "latex_individualpages": False,
            },
            filenames=[str(staged.folder / name) for name in staged.written],
            keep_going=True,
            quiet=True,
        )
        log = sys.stderr.getvalue()
    finally:
        sys.stderr = told
    complaints = render.read_complaints(
        re.sub(r"\x1b\[[0-9;]*m", "", log), staged.folder, course.root
    )
    # Sphinx takes these pages for read now; the whole build must not keep silent about them.
    render.read_again(course, wanted)
    return [str(complaint) for complaint in complaints]


def _put(course: Course, site: SiteSettings, name: str, published: Path) -> None:
    """Put one rendered page into the published site, dressed as its predecessor was."""
    path = f"{name}.html"
    rendered = render.output_folder(course)
    old = (published / path).read_text(encoding="utf-8")
    html = publish.without_icon_script((rendered / path).read_text(encoding="utf-8"))
    html = reading.dressed(path, html, site, chapters=course.chapters.name, folder=published)
    page = slim_pages.read(path, html)
    slim_pages.without_inline_pictures(page, published)
    for picture in (rendered / "_images").glob("*"):
        target = published / "_images" / picture.name
        if not target.exists() and picture.name in page.html:
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(picture.read_bytes())
    slim_pages.with_head(page, [line.strip() for line in _LOADED.findall(old)])
    nb.write_text(page.html, published / path)


def _warm() -> None:
    """Do once what each page would do again."""
    for name in _SLOW:
        import_module(name)
    # Each style of citations is looked for dozens of times among all that is installed.
    plugins: Any = import_module("pybtex.plugin")
    plugins._load_entry_point = functools.cache(plugins._load_entry_point)
    plugins.find_plugin("pybtex.style.formatting", "plain")()


def main(root: str, profile: str) -> None:
    """Wait for lines on stdin; for each, fork, refresh and answer with one line of JSON."""
    _warm()
    course = Course.find(Path(root))
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever is printed in between is no answer
    while sys.stdin.readline():
        source, learned = os.pipe()
        pid = os.fork()
        if pid:
            os.close(learned)
            with os.fdopen(source) as stream:
                modules = stream.read().split()
            _, status = os.waitpid(pid, 0)
            if status:
                os.write(answers, b'{"reason": "the page could not be renewed"}\n')
            # What this page made its fork import, the next fork shall find imported.
            for name in modules:
                with suppress(ImportError):
                    import_module(name)
            continue
        known = set(sys.modules)
        gc.disable()  # the fork ends before its garbage would matter
        try:
            answer = refresh(course, profile)
        except ChapterhouseError as error:
            answer = {"reason": str(error).splitlines()[0]}
        except Exception:
            traceback.print_exc()
            os._exit(1)
        os.write(answers, (json.dumps(answer) + "\n").encode())
        os.write(learned, "\n".join(sorted(sys.modules.keys() - known)).encode())
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
