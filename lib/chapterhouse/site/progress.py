"""A Sphinx extension that adds one page, `progress.html`: what a reader has marked in this browser.

Its list of chapters and exercises is filled in when the site is put together (`reading.dress`); the
marks are made by ``reading.js``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

PAGE = "progress"
#: Where the list of chapters goes.
PLACE = "<!-- the chapters and their exercises -->"
TITLE = "My progress"
_BODY = f"""\
<section id="my-progress">
<h1>{TITLE}</h1>
<p>Tick what you have read and which exercises you have done, here or on the pages themselves.
The ticks are kept in this browser, on this device, and are sent to nobody. Another browser knows
nothing of them: to take them along, export them there and import the file here. An import adds to
what is here and takes nothing away.</p>
<noscript><p>Ticks need JavaScript, which is turned off in this browser. Everything else works.</p>
</noscript>
{PLACE}
</section>
"""


def _page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    if app.builder.format == "html":
        yield PAGE, {"title": TITLE, "body": _BODY}, "page.html"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("html-collect-pages", _page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
