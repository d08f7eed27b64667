"""A preview of the site on this machine, rebuilt when something changes.

The server is the standard library's and listens on 127.0.0.1 only. Changes are found by looking at
modification times once a second, which works on every file system. A rebuild runs in processes of
its own, so that changed library code is really loaded; a build that fails is reported and the last
good site stays.
"""

from __future__ import annotations

import functools
import gzip
import io
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chapterhouse.course import Course
from chapterhouse.errors import SiteError

POLL_S = 1.0
_COMPRESSED = re.compile(r"^(text/|application/(json|javascript|xml)|image/svg)")
_TYPES = {".ipynb": "application/json", ".whl": "application/zip", ".js": "text/javascript"}


class _Handler(SimpleHTTPRequestHandler):
    """Serves files without a log line for each, and never lets a browser keep an old one."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **_TYPES}  # noqa: RUF012

    def send_head(self) -> Any:
        """Text goes out compressed, as it does from the hosts that sites live on."""
        path = Path(self.translate_path(self.path))
        kind = self.guess_type(path)
        wanted = "gzip" in self.headers.get("Accept-Encoding", "")
        if not wanted or not path.is_file() or not _COMPRESSED.match(kind):
            return super().send_head()
        try:
            content = gzip.compress(path.read_bytes(), 6, mtime=0)
        except OSError:
            return super().send_head()  # which says what is wrong
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return io.BytesIO(content)

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


def start(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of `folder` that already answers, in a thread of its own; end it with `shutdown`.

    Args:
        folder: what to serve.
        port: 0 takes a free one; the server's ``server_port`` says which.

    Raises:
        SiteError: the port is taken.
    """
    handler = functools.partial(_Handler, directory=str(folder))
    try:
        server = _Server(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        raise SiteError(
            f"Port {port} cannot be used: {error}.", fix="choose another with --port, or use 0"
        ) from None
    threading.Thread(target=server.serve_forever, name="preview", daemon=True).start()
    return server


def watched(course: Course) -> Iterator[Path]:
    """Every file whose change may change the site."""
    for name in ("_config.yml", "_toc.yml", "pyproject.toml"):
        yield course.root / name
    for folder in (course.chapters, course.exercises, course.book, *course.libraries):
        for path in folder.rglob("*"):
            parts = path.relative_to(folder).parts
            hidden = any(part.startswith((".", "__pycache__")) for part in parts)
            if not hidden and path.is_file():
                yield path


def snapshot(course: Course) -> dict[Path, tuple[int, int]]:
    """The time of modification and the size of every watched file."""
    found = {}
    for path in watched(course):
        try:
            status = path.stat()
        except OSError:  # removed since it was listed
            continue
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def rebuild(course: Course, *, profile: str, say: Callable[[str], None]) -> bool:
    """Execute what changed and build the site; whether both went well."""
    command = [sys.executable, "-m", "chapterhouse.cli", "--course", str(course.root)]
    for step in (["run", "--profile", profile], ["site", "--profile", profile]):
        if subprocess.run([*command, *step], check=False).returncode != 0:
            say("the last good site stays; save a file to try again")
            return False
    return True


def serve(
    course: Course,
    *,
    port: int,
    profile: str = "fast",
    watch: bool = True,
    say: Callable[[str], None],
    build: Callable[..., bool] = rebuild,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Serve the site until `stop` says so or Ctrl-C, building again on change.

    Args:
        course: whose site to show.
        port: to listen on.
        profile: which runs to show.
        watch: whether to look for changes; a first build is then made as well.
        say: is told what happens.
        build: makes the site; the tests pass their own.
        stop: is asked once a second.

    Raises:
        SiteError: the port is taken, or nothing is built and nothing shall be.
    """
    folder = course.build / "html"
    seen = snapshot(course)
    if watch:
        build(course, profile=profile, say=say)
    if not (folder / "index.html").is_file():
        raise SiteError(f"{folder} holds no site.", fix="make book")
    server = start(folder, port)
    say(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
    try:
        while not stop():
            time.sleep(POLL_S)
            if not watch:
                continue
            now = snapshot(course)
            if now != seen:
                changed = sorted(str(p.relative_to(course.root)) for p in _differ(seen, now))
                say(f"changed: {', '.join(changed[:5])}{' …' if len(changed) > 5 else ''}")
                # What changes while building is seen at the next look.
                seen = now
                build(course, profile=profile, say=say)
    finally:
        server.shutdown()
        server.server_close()


def _differ(before: dict[Path, tuple[int, int]], after: dict[Path, tuple[int, int]]) -> set[Path]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
