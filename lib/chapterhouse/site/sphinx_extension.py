"""A small Sphinx extension: formulas as MathML, and pages that call nobody.

Jupyter Book loads it by ``_config.yml``. It also gives ``{run}``, ``{graded}``, ``{from-run}`` and
``{live}`` a meaning when somebody runs Jupyter Book on the repository itself, without staging: the
page then names what would stand there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive, states
from sphinx.application import Sphinx
from sphinx.config import Config

from chapterhouse.site import mathematics

# These ask other hosts for code as soon as a page uses them; the book does not.
# MathJax has nothing to do: formulas are MathML when a page is written.
UNWANTED_ASSETS = ("thebe", "fontawesome", "mathjax")


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
    """A block that only `chapterhouse site` can fill, on a page that was built without it."""

    optional_arguments = 1
    has_content = True
    option_spec = dict.fromkeys(("width", "name", "alt", "model", "picture", "pen", "reach"), str)

    def run(self) -> list[nodes.Node]:
        """A note that names what would stand here."""
        kinds = {"graded": "Exercise", "from-run": "Picture", "live": "Live figure"}
        what = " ".join([kinds.get(self.name, "What the runs left"), *self.arguments])
        text = f"{what}: build with `chapterhouse site` to see it."
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
    config.html_math_renderer = config.html_math_renderer or "chapterhouse"
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(Path(mathematics.__file__).read_bytes())
    for entry in config.html_static_path:
        for path in sorted((Path(app.confdir) / entry).rglob("*")):
            if path.is_file():
                digest.update(path.name.encode() + path.read_bytes())
    config.chapterhouse_assets = digest.hexdigest()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_config_value("chapterhouse_colab_prefix", "", "html", [str])
    app.add_config_value("chapterhouse_assets", "", "html", [str])
    mathematics.add_to(app)
    app.connect("config-inited", _note_assets)
    app.add_js_file(None, body=EARLY_THEME, priority=1)
    for name in ("graded", "from-run", "live", "claims-page", "timing-page"):
        app.add_directive(name, Unstaged)
    app.add_role("run", _unstaged_number)
    app.connect("html-page-context", _drop_assets, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
