"""A small Sphinx extension: MathJax from an installed package, and pages that call nobody.

Jupyter Book loads it by ``_config.yml``. It also gives ``{run}``, ``{graded}`` and ``{from-run}`` a
meaning when somebody runs Jupyter Book on the repository itself, without staging: the page then
names what would stand there.
"""

from __future__ import annotations

import hashlib
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive, states
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

# TeX input with the CommonHTML output is all that the pages use of MathJax.
MATHJAX_PARTS = ("tex-chtml.js", "output/chtml", "input/tex/extensions")
# These ask other hosts for code as soon as a page uses them; the book does not.
UNWANTED_ASSETS = ("thebe", "fontawesome")


# The theme's own script decides between light and dark late; until then a page would be drawn in
# light, and a reader in the dark would see a flash.
EARLY_THEME = """\
(() => {
  const root = document.documentElement;
  if (root.dataset.theme === "light" || root.dataset.theme === "dark") return;
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "dark" : "light";
})();
"""


class Unstaged(Directive):
    """A ``{graded}`` or ``{from-run}`` block on a page built without `chapterhouse site`."""

    required_arguments = 1
    has_content = True
    option_spec = {"width": str, "name": str, "alt": str}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """A note that names what would stand here."""
        kinds = {"graded": "Exercise", "from-run": "Picture"}
        text = f"{kinds[self.name]} {self.arguments[0]}: build with `chapterhouse site` to see it."
        return [nodes.note("", nodes.paragraph(text=text))]


def _unstaged_number(
    name: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: states.Inliner,
    options: dict[str, Any] | None = None,
    content: list[str] | None = None,
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """A ``{run}`` role on a page that was built without `chapterhouse site`."""
    return [nodes.literal(text=text.partition(":")[0])], []


def mathjax_folder() -> Path:
    """The ``es5`` folder of the installed MathJax.

    Raises:
        ExtensionError: the package is not installed.
    """
    spec = find_spec("mathjax")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "static" / "mathjax" / "es5"
        if (folder / "tex-chtml.js").is_file():
            return folder
    raise ExtensionError(
        "MathJax is not installed. fix: pip install django-static-mathjax==3.2.2.1, "
        "or install the extra: pip install -e .[book]"
    )


def _copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put the parts of MathJax that pages load into the built site."""
    if error is not None or app.builder.format != "html":
        return
    source, target = mathjax_folder(), Path(app.outdir) / "_static" / "mathjax"
    for part in MATHJAX_PARTS:
        if (target / part).exists():
            continue
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part)
        else:
            shutil.copy(source / part, target / part)


def _drop_assets(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Keep what would call another host off every page."""
    for kind in ("script_files", "css_files"):
        context[kind] = [
            file
            for file in context.get(kind, [])
            if not any(word in _text(file) for word in UNWANTED_ASSETS)
        ]


def _text(file: Any) -> str:
    """A file's address and, for an inline script, its source."""
    name = str(getattr(file, "filename", None) or file or "")
    return f"{name} {getattr(file, 'attributes', None) or ''}".lower()


def _note_assets(app: Sphinx, config: Config) -> None:
    """Tell Sphinx when styles or this file change, so that it writes every page again.

    Pages name styles by content: an unwritten page keeps the old name, and browsers the old style.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for entry in config.html_static_path:
        for path in sorted((Path(app.confdir) / entry).rglob("*")):
            if path.is_file():
                digest.update(path.name.encode() + path.read_bytes())
    config.chapterhouse_assets = digest.hexdigest()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_config_value("chapterhouse_colab_prefix", "", "html", [str])
    app.add_config_value("chapterhouse_assets", "", "html", [str])
    app.connect("config-inited", _note_assets)
    app.add_js_file(None, body=EARLY_THEME, priority=1)
    app.add_directive("graded", Unstaged)
    app.add_directive("from-run", Unstaged)
    app.add_role("run", _unstaged_number)
    app.connect("html-page-context", _drop_assets, priority=900)
    app.connect("build-finished", _copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
