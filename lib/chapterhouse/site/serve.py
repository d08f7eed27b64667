"""A preview of the site on this machine, rebuilt when something changes.

The server is the standard library's and listens on 127.0.0.1 only. Changes are found by looking at
modification times, which works on every file system. Where only prose changed, the page is renewed
by itself (`chapterhouse.site.quick`), and the whole build follows behind; it gives way to the next
change. A rebuild runs in processes of its own, so that changed library code is really loaded; a
build that fails is reported and the last good site stays. Pages that are open in a browser load
themselves again: the server, and only it, adds the few lines that wait for its word.
"""

from __future__ import annotations

import contextlib
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
from chapterhouse.site import quick

POLL_S = 0.2
NEWS = "/_preview"
_WAITING = f"""\
<script>
let built;
new EventSource("{NEWS}").onmessage = (event) => {{
  if (built !== undefined && built !== event.data) location.reload();
  built = event.data;
}};
</script>
</body>"""
_HEARTBEAT_S = 10.0
_COMPRESSED = re.compile(r"^(text/|application/(json|javascript|xml)|image/svg)")
_TYPES = {".ipynb": "application/json", ".whl": "application/zip", ".js": "text/javascript"}


class News:
    """The number of renewals so far, for which any number of open pages wait."""

    def __init__(self) -> None:
        self._number = 0
        self._changed = threading.Condition()

    def tell(self) -> None:
        """One more renewal: every page that waits is told."""
        with self._changed:
            self._number += 1
            self._changed.notify_all()

    def after(self, seen: int, timeout_s: float) -> int:
        """The number, as soon as it isn't `seen` any more or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._number != seen, timeout_s)
            return self._number


class _Handler(SimpleHTTPRequestHandler):
    """Serves files without a log line for each, and never lets a browser keep an old one."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **_TYPES}  # noqa: RUF012

    def __init__(self, *args: Any, news: News | None = None, **options: Any) -> None:
        self._news = news
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        """A file, or, for a page that waits for renewals, a line for each of them."""
        if self._news is None or self.path != NEWS:
            super().do_GET()
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        number = -1
        # A page that is gone is noticed at the next line that is written to it.
        with contextlib.suppress(ConnectionError):
            while True:
                number = self._news.after(number, _HEARTBEAT_S)
                self.wfile.write(f"data: {number}\n\n".encode())
                self.wfile.flush()

    def _content(self, path: Path) -> bytes:
        content = path.read_bytes()
        if self._news is not None and path.suffix == ".html":
            before, end, after = content.rpartition(b"</body>")
            content = before + _WAITING.encode() + after if end else content
        return content

    def send_head(self) -> Any:
        """Text goes out compressed, as it does from the hosts that sites live on."""
        path = Path(self.translate_path(self.path))
        kind = self.guess_type(path)
        wanted = "gzip" in self.headers.get("Accept-Encoding", "")
        if path.is_dir() and self.path.endswith("/"):
            path /= "index.html"
            kind = self.guess_type(path)
        if not wanted or not path.is_file() or not _COMPRESSED.match(kind):
            return super().send_head()
        try:
            content = gzip.compress(self._content(path), 6, mtime=0)
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


def start(folder: Path, port: int = 0, *, news: News | None = None) -> ThreadingHTTPServer:
    """A server of `folder` that already answers, in a thread of its own; end it with `shutdown`.

    Args:
        folder: what to serve.
        port: 0 takes a free one; the server's ``server_port`` says which.
        news: pages load themselves again when it tells them; without, they are served as they are.

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


class Rebuild:
    """Execute what changed and build the site, behind the preview; a newer change ends it."""

    def __init__(self, course: Course, *, profile: str, say: Callable[[str], None]) -> None:
        command = [sys.executable, "-m", "chapterhouse.cli", "--course", str(course.root)]
        self._say = say
        self._steps = [[*command, step, "--profile", profile] for step in ("site", "run")]
        self._process: subprocess.Popen[bytes] | None = None

    def advance(self) -> bool | None:
        """Look after it without waiting: None while it goes on, then whether all went well."""
        code = self._process.poll() if self._process is not None else 0
        if code is None:
            return None
        if code != 0:
            self._say("the last good site stays; save a file to try again")
            return False
        if not self._steps:
            return True
        # What it says of a build that changed nothing else would only disturb the author.
        self._process = subprocess.Popen(self._steps.pop(), stdout=subprocess.DEVNULL)
        return None

    def end(self) -> None:
        """Let a newer one take its place; the published site is whole at any moment."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


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
    helper: Callable[..., Any] = quick.Helper,
    behind: Callable[..., Any] = Rebuild,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Serve the site until `stop` says so or Ctrl-C, building again on change.

    Args:
        course: whose site to show.
        port: to listen on.
        profile: which runs to show.
        watch: whether to look for changes; a first build is then made as well.
        say: is told what happens.
        build: makes the whole site; the tests pass their own, as for the next two.
        helper: makes what renews single pages.
        behind: makes the whole build that follows.
        stop: is asked a few times a second.

    Raises:
        SiteError: the port is taken, or nothing is built and nothing shall be.
    """
    folder = course.build / "html"
    seen = snapshot(course)
    if watch:
        build(course, profile=profile, say=say)
    if not (folder / "index.html").is_file():
        raise SiteError(f"{folder} holds no site.", fix="make book")
    news = News() if watch else None
    server = start(folder, port, news=news)
    say(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
    pages = helper(course, profile) if watch else None
    follower = None
    try:
        while not stop():
            time.sleep(POLL_S)
            if news is None or pages is None:
                continue
            now = snapshot(course)
            if now != seen:
                changed = _differ(seen, now)
                names = sorted(str(path.relative_to(course.root)) for path in changed)
                say(f"changed: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}")
                # What changes while building is seen at the next look.
                seen = now
                if follower is not None:
                    follower.end()
                    follower = None
                if _only_prose(course, changed) and _renewed(pages, say):
                    follower = behind(course, profile=profile, say=say)
                else:
                    build(course, profile=profile, say=say)
                news.tell()
            elif follower is not None and (ended := follower.advance()) is not None:
                follower = None
                if ended:
                    news.tell()
    finally:
        if follower is not None:
            follower.end()
        if pages is not None:
            pages.close()
        server.shutdown()
        server.server_close()


def _only_prose(course: Course, changed: set[Path]) -> bool:
    """Whether nothing but pages changed; what changed in them, the helper finds out."""
    kinds = {".md": course.book, ".ipynb": course.root}
    return all(
        path.suffix in kinds and path.is_relative_to(kinds[path.suffix]) and path.is_file()
        for path in changed
    ) and not any(path.is_relative_to(course.exercises) for path in changed)


def _renewed(pages: Any, say: Callable[[str], None]) -> bool:
    """Renew single pages, and say what Sphinx holds against them."""
    began = time.perf_counter()
    answer = pages.refresh()
    for complaint in answer.get("complaints", ()):
        say(f"  {complaint}")
    if "reason" in answer:
        say(f"building the whole site: {answer['reason']}")
        return False
    took_s = time.perf_counter() - began
    say(f"renewed in {took_s:.1f} s: {', '.join(answer['pages'])}; the whole site follows")
    return True


def _differ(before: dict[Path, tuple[int, int]], after: dict[Path, tuple[int, int]]) -> set[Path]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
