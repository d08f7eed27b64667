"""A web server for the site on this machine, and what it tells the pages that are open.

It is the standard library's and listens on 127.0.0.1 only. With `News`, as the preview has it, the
server, and only it, adds a few lines of script to each page: they wait for its word, load the page
again, and show what is wrong with the last edit.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import json
import re
import sys
import threading
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chapterhouse.errors import SiteError

NEWS = "/_preview"
_SCRIPT = Path(__file__).with_name("preview.js")
_HEARTBEAT_S = 10.0
_COMPRESSED = re.compile(r"^(text/|application/(json|javascript|xml)|image/svg)")
_TYPES = {".ipynb": "application/json", ".whl": "application/zip", ".js": "text/javascript"}
_MISSING = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>No such page</title></head>
<body><h1>No such page</h1>
<p>The site that is built has none of this name. When a build brings it, it appears here.</p>
</body>
</html>
"""


@dataclass(frozen=True)
class State:
    """How often pages were renewed so far, and what is wrong with the last edit, if anything."""

    number: int = 0
    fault: str = ""


class News:
    """What the open pages are told; any number of them wait for it."""

    def __init__(self) -> None:
        self._state = State()
        self._changed = threading.Condition()

    @property
    def now(self) -> State:
        """The present state."""
        return self._state

    def renewed(self, fault: str = "") -> None:
        """Pages are new: whoever waits loads again and shows `fault`, text of any length."""
        self._set(State(self._state.number + 1, fault))

    def failed(self, fault: str) -> None:
        """Nothing is new, because of this: whoever waits shows it, and the page stays."""
        self._set(replace(self._state, fault=fault))

    def _set(self, state: State) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def after(self, seen: State | None, timeout_s: float) -> State:
        """The state, as soon as it isn't `seen` any more or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._state != seen, timeout_s)
            return self._state


class _Handler(SimpleHTTPRequestHandler):
    """Serves files without a log line for each, and never lets a browser keep an old one."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **_TYPES}  # noqa: RUF012

    def __init__(self, *args: Any, news: News | None = None, **options: Any) -> None:
        self._news = news
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        """A file, or, for a page that waits for news, a line for each."""
        if self._news is None or self.path != NEWS:
            super().do_GET()
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        seen = None
        # A page that is gone is noticed at the next line that is written to it.
        with contextlib.suppress(ConnectionError):
            while True:
                seen = self._news.after(seen, _HEARTBEAT_S)
                self.wfile.write(f"data: {json.dumps(asdict(seen))}\n\n".encode())
                self.wfile.flush()

    def send_head(self) -> Any:
        """Text goes out compressed, as it does from the hosts that sites live on."""
        path = Path(self.translate_path(self.path))
        if path.is_dir() and self.path.endswith("/"):
            path /= "index.html"
        kind = self.guess_type(path)
        waits = self._news is not None and path.suffix == ".html"
        zipped = "gzip" in self.headers.get("Accept-Encoding", "")
        if not path.is_file() or not (waits or (zipped and _COMPRESSED.match(kind))):
            return super().send_head()
        # The number first: what is renewed while the file is read makes the page load again.
        state = self._news.now if self._news is not None else State()
        try:
            content = path.read_bytes()
        except OSError:
            return super().send_head()  # which says what is wrong
        content = _waiting(content, state) if waits else content
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        if zipped:
            content = gzip.compress(content, 6, mtime=0)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return io.BytesIO(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """In the preview, a page that is missing waits too: the next build may bring it."""
        if self._news is None or code != HTTPStatus.NOT_FOUND or self.command != "GET":
            super().send_error(code, message, explain)
            return
        content = _waiting(_MISSING.encode(), self._news.now)
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal shows builds."""


class _Server(ThreadingHTTPServer):
    """Keeps silent when a browser goes away in mid-answer, as it does when a reader clicks on."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _waiting(page: bytes, state: State) -> bytes:
    """A page with the script that waits for news later than `state`."""
    before, end, after = page.rpartition(b"</body>")
    if not end:
        return page
    script = _SCRIPT.read_text(encoding="utf-8")
    script = script.replace("NUMBER", str(state.number)).replace("ADDRESS", json.dumps(NEWS))
    return before + f"<script>\n{script}</script>\n".encode() + end + after


def start(folder: Path, port: int = 0, *, news: News | None = None) -> ThreadingHTTPServer:
    """A server of `folder` that already answers, in a thread of its own; end it with `shutdown`.

    Args:
        folder: what to serve.
        port: 0 takes a free one; the server's ``server_port`` says which.
        news: what pages are told and load again for; without, they are served as they are.

    Raises:
        SiteError: the port is taken.
    """
    handler = functools.partial(_Handler, directory=str(folder), news=news)
    try:
        server = _Server(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        raise SiteError(
            f"Port {port} cannot be used: {error}.", fix="choose another with --port, or use 0"
        ) from None
    # Seconds until it notices that it shall end.
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="preview", daemon=True)
    thread.start()
    return server
